"""Steps: what numbers were rounded to, such as whole numbers or tenths, seen from the numbers themselves.

An estimator that compares densities is trained on rounded numbers with their place in the step drawn
(pyvae.data.Dequantized); of numbers that were not rounded the step is next to nothing, and so is the difference.
"""

import numpy as np

from pyvae.noise import Noise

MOST_ROWS = 10_000  # in which the steps of a column are looked for, at random
ROUNDING = 64  # last places by which equal numbers may differ


def smallest_steps(X):
    """``smallest_step`` of each column of an array (N, D) with NaN where entries are missing: (D,)."""
    rows = np.sort(Noise(0).permutation("split", len(X), 0, min(len(X), MOST_ROWS)))
    looked_at = np.asarray(X[rows], None if X.dtype.kind == "f" else np.float64)
    return np.array([smallest_step(column) for column in looked_at.T])


def smallest_step(values):
    """The least distance between two different known values (N,), 0 where there are none."""
    values = np.unique(values[~np.isnan(values)])
    gaps, larger = np.diff(values), np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    gaps = gaps[gaps > ROUNDING * np.finfo(values.dtype).eps * larger]
    return float(gaps.min()) if gaps.size else 0.0


def with_steps(std, steps):
    """The standard deviation of rounded numbers with their place in the step drawn: of a uniform number, steps^2 / 12
    is the variance."""
    return np.hypot(std, steps / np.sqrt(12))
