"""The NumPy twins' stand-in for a tape of kernel calls."""

from contextlib import nullcontext


class Tape:
    """A tape that records nothing and cannot be played: calls of twins are made anew."""

    playable = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def paused(self):
        """``with tape.paused():`` changes nothing."""
        return nullcontext()
