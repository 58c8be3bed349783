"""Sign: what one examination says."""

from typing import Any, NamedTuple


class Sign(NamedTuple):
    """What is said of one fault.

    fault: its name. found: whether the numbers speak for it. evidence: these numbers, in a sentence. remedies: what to
    try. numbers: the same by their names. details: the arrays from which diagnosis_plots.py makes its picture.
    """

    fault: str
    found: bool
    evidence: str
    remedies: tuple[str, ...]
    numbers: dict[str, float]
    details: dict[str, Any]
