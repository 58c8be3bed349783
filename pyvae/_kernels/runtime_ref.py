"""What the NumPy twins have in place of threads and of a tape of kernel calls: settings that change no result."""

import threading


class Settings(threading.local):
    """What a thread set for itself."""

    precision = None


_own = Settings()
_precision = "highest"  # of the process


def set_num_threads(n, own=False):
    """The twins run on one thread."""


def get_num_threads(own=False):
    return 0 if own else 1


def limit_threads(n):
    """The twins run on one thread."""


def set_precision(name, own=False):
    global _precision
    if not own:
        _precision = name
    _own.precision = name if own else None


def get_precision(own=False):
    return _own.precision if own else _own.precision or _precision


class Tape:
    """Records nothing and cannot be played: calls of twins are made anew."""

    playable = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass
