"""The number of threads of a training step: all of them, or one if that is quicker.

The answer depends on the size of the model, on the machine, and on the moment: another process that wants a processor
can make two threads slower than one. So the limit that was found slower is tried again and again. A trial loses time
where that is still so: it is broken off as soon as this shows, and it waits until all that was lost in trials, with
what is to be expected of this one, is a hundredth of the time. So a short training has no trial, and a long one many.
No result depends on the number of threads, so only time is at stake.
"""

import time
from collections import deque

ALL, ONE = 0, 1  # limits of the number of threads; 0 is none
TRIAL = 4  # turns; the first does not count
SLOWER = 1.2  # times the other limit's turn: where one takes longer, the trial ends
SHORTEST, LONGEST = 16, 1024  # turns between trials: twice as many each time, while the answer stays the same
COST = 0.01  # of the time, for trials


class Team:
    """``with team:`` around each turn of something that is repeated, such as a training step.

    limit(n) sets the most threads that kernels use; count() is their number without a limit.
    """

    def __init__(self, limit, count):
        self.limit, self.count, self.pause = limit, count, SHORTEST
        self.turns = self._plan()
        self.upcoming = next(self.turns)

    def _plan(self):
        """Yield the limit of each turn; receive the seconds that the turn took."""
        used, other, pause = ALL, ONE, self.pause
        turns, lost, risk = 0, 0.0, 2.0 * (self.count() - 1)  # turns in all; lost in trials; to be lost in the next
        while True:
            recent = deque(maxlen=TRIAL)
            while len(recent) < TRIAL or pause > 0 or lost + risk > COST * turns:
                recent.append((yield used))
                turns, pause = turns + 1, pause - 1
            usual, trial = min(recent), []
            while len(trial) < TRIAL and max(trial[1:], default=0) <= SLOWER * usual:
                trial.append((yield other))
            turns += len(trial)
            lost += max(0.0, sum(trial) / usual - len(trial))
            ratio = min(trial[1:]) / usual
            if ratio < 1:
                used, other, ratio, self.pause = other, used, 1 / ratio, SHORTEST
            else:
                self.pause = min(2 * self.pause, LONGEST)
            pause, risk = self.pause, (ratio - 1) * (2 if ratio > SLOWER else TRIAL)

    def __enter__(self):
        self.shared = self.count() > 1
        if self.shared:
            self.start = time.perf_counter()
            self.limit(self.upcoming)
        return self

    def __exit__(self, *exception):
        if self.shared:
            self.limit(ALL)  # first, whatever a signal's handler may raise
            self.upcoming = self.turns.send(time.perf_counter() - self.start)
