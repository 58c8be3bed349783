"""Threads and precision for the NumPy twins: settings that change no result."""

import threading


class Settings(threading.local):
    """The settings of one thread; -1: none."""

    precision = -1


_own = Settings()
_precision = 0  # of the process


def set_num_threads(n, own=False):
    """The twins run on one thread."""


def get_num_threads(own=False):
    return 0 if own else 1


def limit_threads(n):
    """The twins run on one thread."""


def set_precision(number, own=False):
    global _precision
    if not own:
        _precision = number
    _own.precision = number if own else -1


def get_precision(own=False):
    return _own.precision if own or _own.precision >= 0 else _precision
