"""How many threads a step of training runs on: all of them, or one where that is quicker.

For a small model it depends on the machine and on the hour: processors that do not share a cache, or a neighbour that
wants one of them, can make two threads slower than one. So both are tried, again and again, and the quicker one is used
in between. No result depends on the number of threads, so nothing but time is at stake.
"""

import time

ALL, ONE = 0, 1  # limits of the number of threads; 0 is none
TRIAL = 4  # turns with each limit, of which the first is not counted
CLOSE, SOON, LATER = 1.5, 400, 2000  # turns until the next trial: soon, unless one was more than 1.5 times as quick


class Team:
    """``with team:`` around each turn of something that is repeated, such as a training step.

    limit(n) sets the most threads that kernels use; count() tells how many there would be without a limit.
    """

    def __init__(self, limit, count):
        self.limit, self.count = limit, count
        self.turns = self._plan()
        self.upcoming = next(self.turns)

    def _plan(self):
        """The limit of each turn, one after the other; takes how many seconds it took."""
        while True:
            quickest = {}
            for limit in (ALL, ONE):
                seconds = []
                for _ in range(TRIAL):
                    seconds.append((yield limit))
                quickest[limit] = min(seconds[1:])
            quicker, slower = sorted(quickest, key=quickest.get)
            for _ in range(SOON if quickest[slower] < CLOSE * quickest[quicker] else LATER):
                yield quicker

    def __enter__(self):
        self.shared = self.count() > 1
        if self.shared:
            self.limit(self.upcoming)
            self.start = time.perf_counter()
        return self

    def __exit__(self, *exception):
        if self.shared:
            self.upcoming = self.turns.send(time.perf_counter() - self.start)
            self.limit(ALL)
