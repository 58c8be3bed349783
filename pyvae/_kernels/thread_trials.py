"""The number of threads of a training step: all of them, or one if that is quicker.

The answer depends on the size of the model, on the machine, and on the moment: another process that wants a processor
can make two threads slower than one. So both are tried, again and again, and the quicker one is used in between. A
trial costs the extra time of the slower one; trials come so often that they cost a hundredth of the time. A new answer
is tried again sooner, so that one found beside a busy process does not outlast that process. No result depends on the
number of threads, so only time is at stake.
"""

import time

ALL, ONE = 0, 1  # limits of the number of threads; 0 is none
TRIAL = 4  # turns with each limit; the first does not count
SHORTEST = 16  # turns between trials, then up to twice as many each time, if the answer stays the same
COST = 0.01  # of the time, for trials


class Team:
    """``with team:`` around each turn of something that is repeated, such as a training step.

    limit(n) sets the most threads that kernels use; count() is their number without a limit.
    """

    def __init__(self, limit, count):
        self.limit, self.count = limit, count
        self.turns = self._plan()
        self.upcoming = next(self.turns)

    def _plan(self):
        """Yield the limit of each turn; receive the seconds that the turn took."""
        last, pause = None, SHORTEST
        while True:
            quickest, total = {}, {}
            for limit in (ALL, ONE):
                seconds = []
                for _ in range(TRIAL):
                    seconds.append((yield limit))
                quickest[limit], total[limit] = min(seconds[1:]), sum(seconds)
            quicker, slower = sorted(quickest, key=quickest.get)
            lost = total[slower] / quickest[quicker] - TRIAL  # turns
            pause = min(2 * pause, max(SHORTEST, int(lost / COST))) if quicker == last else SHORTEST
            last = quicker
            for _ in range(pause):
                yield quicker

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
