"""Grid steps: the distances of rounded numbers, such as 1 or 0.1, found in the numbers themselves.

An estimator that compares densities is trained on rounded numbers with their place in the grid step drawn
(pyvae.data.Dequantized). Numbers that were not rounded have a grid step near 0, and drawing changes almost nothing.
"""

import numpy as np

from pyvae.noise import Noise

MOST_ROWS = 10_000  # random rows in which grid steps are looked for
ROUNDING = 64  # units in the last place by which equal numbers may differ


def smallest_steps(X):
    """``smallest_step`` of each column, (D,), of an array (N, D) with NaN where entries are missing."""
    rows = np.sort(Noise(0).permutation("split", len(X), 0, min(len(X), MOST_ROWS)))
    looked_at = np.asarray(X[rows], None if X.dtype.kind == "f" else np.float64)
    return np.array([smallest_step(column) for column in looked_at.T])


def smallest_step(values):
    """The grid step: the least distance between two different known values (N,); 0 without two such values."""
    values = np.unique(values[~np.isnan(values)])
    gaps, larger = np.diff(values), np.maximum(np.abs(values[1:]), np.abs(values[:-1]))
    gaps = gaps[gaps > ROUNDING * np.finfo(values.dtype).eps * larger]
    return float(gaps.min()) if gaps.size else 0.0


def with_steps(std, steps):
    """The standard deviation of rounded numbers with their place in the grid step drawn, a uniform number of variance
    steps^2 / 12."""
    return np.hypot(std, steps / np.sqrt(12))
