"""The check that a model can take the values of a source."""

import numpy as np

from pyvae.data.sources import chunks_of
from pyvae.data.validation import UNKNOWN


def check_support(source, likelihood, dtype=np.float32):
    """Raise ValueError, naming the place, where a value of the source is outside the likelihood's support.

    dtype: the type that the model computes in, which may have a smaller range than the values' own type. Values that
    are binarised must be finite, and from 0 to 1 if they are probabilities to draw with or the threshold lies between
    0 and 1: otherwise the scale is wrong, and the cut would hide it.
    """

    def takes(j, is_nan):
        part = likelihood.of_column(j)
        return f"the {type(part).__name__} likelihood takes {part.support}" + (f": {UNKNOWN}" if is_nan else "")

    if source.binarize == "draw":
        _check_values(source.gray(), dtype, _not_a_share, lambda *_: "a draw takes probabilities, from 0 to 1")
    elif source.binarize == "threshold":
        if 0 < source.threshold < 1:
            expected = f"a threshold of {source.threshold:g} takes numbers from 0 to 1"
            _check_values(source.gray(), dtype, _not_a_share, lambda *_: expected)
        else:
            _check_values(source.gray(), dtype, _not_finite, lambda *_: "a threshold takes finite numbers")
    _check_values(source, dtype, likelihood.outside, takes)


def check_finite(source, dtype=np.float32):
    """Raise ValueError, naming the place, where a value of the source is not finite, in this type."""
    _check_values(source, dtype, _not_finite, lambda *_: "it must be finite")


def _not_a_share(x):
    return ~((x >= 0) & (x <= 1))


def _not_finite(x):
    return ~np.isfinite(x)


@np.errstate(over="ignore", invalid="ignore")  # in the twins; the values are checked here
def _check_values(source, dtype, outside, expected):
    for rows in chunks_of(len(source), source.n_features):
        batch = source.gather(rows, out=np.empty((len(rows), source.n_features), dtype))
        wrong = outside(batch.x)
        if batch.observed is not None:
            wrong &= batch.observed != 0
        if not wrong.any():
            continue
        i, j = np.argwhere(wrong)[0]
        where, found = source.place(batch.rows[i], j), batch.x[i, j]
        given = source.gather(rows[i : i + 1], out=np.empty((1, source.n_features))).x[0, j]
        if np.isfinite(given) and not np.isfinite(found):
            limit = np.finfo(dtype).max
            raise ValueError(f"{where} is {given:g}, but {found.dtype} ends at {limit:.2g}")
        written = f"{found:g}" if float(f"{found:g}") == found else str(found)  # 1.0000001 is not written as 1
        raise ValueError(f"{where} is {written}, but {expected(j, np.isnan(found))}")
