"""Checks of what users hand in: one sentence that names the argument and what was expected."""

import difflib
import math


def check_count(name, value, least):
    """The value as an int. Raises ValueError unless it is a whole number of at least ``least``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return value.__index__()


def check_number(name, value, low, high=math.inf, low_included=False):
    """The value as a float. Raises ValueError unless low < value < high, or value == low where that is included."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str) or not (low < number < high or (low_included and number == low)):
        kind = f"from {low:g}" if low_included else f"above {low:g}"
        limit = "" if high == math.inf else f" and below {high:g}"
        raise ValueError(f"{name} must be a number {kind}{limit}, not {value!r}")
    return number


def did_you_mean(word, known):
    """A question that names the known word that is closest to this one, or an empty text where none is close."""
    bare = {name.lstrip("-"): name for name in known}  # or else any two options would have their dashes in common
    close = difflib.get_close_matches(word.lower().lstrip("-"), bare, n=1, cutoff=0.7)
    return f"; did you mean {bare[close[0]]}?" if close else ""


def either(words):
    """The words as a choice: a, b or c."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
