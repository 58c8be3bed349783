"""Checks of users' arguments: an error is one sentence that names the argument and what was expected."""

import difflib
import math
import operator
from decimal import Decimal
from numbers import Real

import numpy as np


def check_count(name, value, least, most=math.inf):
    """The value as an int. Raises ValueError unless it is a whole number from ``least`` to ``most``."""
    try:
        number = None if isinstance(value, bool | np.bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        limit = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {limit}, not {shown(repr(value))}")
    return number


def check_number(name, value, low, high=math.inf, low_included=False):
    """The value as a float. Raises ValueError unless low < value < high, or value == low where that is included."""
    try:
        number = float(value) if _is_real(value) else math.nan
    except OverflowError:  # an int of more than 300 digits
        number = math.nan
    if not (low < number < high or (low_included and number == low)):
        kind = f"from {low:g}" if low_included else f"above {low:g}"
        limit = "" if high == math.inf else f" and below {high:g}"
        raise ValueError(f"{name} must be a number {kind}{limit}, not {shown(repr(value))}")
    return number


def check_bounds(name, bounds):
    """(low, high), or None where there are no bounds. Raises ValueError unless they are two numbers, low < high."""
    if bounds is None:
        return None
    try:
        low, high = bounds
        if low < high:
            return low, high
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{name} must be None or (low, high) with low < high, not {bounds!r}")


def _is_real(value):
    """True if a value is one real number, of Python or of an array; True and False are not."""
    if hasattr(value, "dtype"):
        return value.shape == () and getattr(value.dtype, "kind", None) in ("i", "u", "f")
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def shown(value):
    """A value in a few words, on one line."""
    text = " ".join(f"{value}".split())
    return text if len(text) <= 40 else text[:37] + "..."


def did_you_mean(word, known):
    """A question that names the known word that is closest to this one, or an empty text where none is close."""
    bare = {name.lstrip("-"): name for name in known}  # else any two options would have their dashes in common
    close = difflib.get_close_matches(word.lower().lstrip("-"), bare, n=1, cutoff=0.7)
    return f"; did you mean {bare[close[0]]}?" if close else ""


def either(words):
    """The words as a choice: a, b or c."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
