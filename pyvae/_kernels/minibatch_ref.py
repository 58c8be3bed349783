"""Rows of a minibatch, scaled and binarised: the definition, in NumPy.

Shapes: source (N, D) of uint8, float32 or float64; rows (B,) row numbers, also of the random numbers; out (B, D).
"""

import numpy as np

from pyvae._kernels.random_ref import check_rows, uniform


def gather(source, rows, scale, binarize, threshold, key, step, out):
    """out_i = scale source[rows_i]; with binarize = "threshold": 1 where that is above the threshold, else 0; with
    "draw": 1 with that probability, drawn afresh for each (key, step, row, column)."""
    out[...] = source[check_rows(rows)].astype(out.dtype) * out.dtype.type(scale)
    if binarize == "threshold":
        out[...] = out > out.dtype.type(threshold)
    elif binarize == "draw":
        u = np.empty_like(out)
        uniform(key, step, rows, u)
        out[...] = u < out
    elif binarize is not None:
        raise ValueError(f"binarize must be one of None, 'threshold', 'draw', not {binarize!r}")
