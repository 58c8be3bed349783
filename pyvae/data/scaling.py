"""Scaling: columns of numbers brought to standard deviation 1, and what that does to their densities.

A few cells such as -9999 among heights would make the standard deviation of all. A *far* cell is one beyond

    median +- 10 (q99 - q01)

of its column. Common data have none (of the 271 columns of twelve sets of ADBench, no column has). Far cells have no
part in mean and standard deviation, and count as missing in training. A model that is asked about a row with a far cell
sees it.
"""

import warnings

import numpy as np

from pyvae.arguments import shown
from pyvae.data.sources import CHUNK_ROWS, chunks_of

REACH = 10  # times the distance of the quantiles
MOST_ROWS = 10_000  # evenly spread, in which quantiles are looked for
BOUND = 10.0  # where encoders clip scaled numbers (pyvae.Clip)
FARTHEST = 1e14  # the largest scaled number: its square, over any variance, is one that float32 can hold
LARGEST = 1e300
CONSTANT = 1e-12  # times the mean: a smaller standard deviation is the rounding error of a constant column


def scale_of(std, mean):
    """The divisor of a column: its standard deviation, or 1 if the column is constant. Numbers or arrays (D,)."""
    return np.where(std > CONSTANT * np.abs(mean), std, 1.0)


def too_large(mean, std):
    """True where numbers of this mean and standard deviation cannot be scaled, as their differences overflow."""
    return ~(np.abs(mean) + std < LARGEST)


def reach(X, together=False):
    """low, high (D,) each: where the far cells of the columns of X (N, D) begin. NaN are missing entries. A column in
    which 98% of the values are one number has no far cells. together: True for columns of one unit, such as pixels,
    which have their quantiles in common."""
    x = X[np.linspace(0, len(X) - 1, min(len(X), MOST_ROWS)).astype(int)]
    if together:
        return np.broadcast_to(_reach(x.ravel()), (X.shape[1], 2)).T
    return np.array([_reach(column) for column in x.T]).T


def _reach(column):
    known = column[~np.isnan(column)].astype(np.float64)
    if not known.size:
        return -np.inf, np.inf
    with np.errstate(over="ignore"):
        q01, median, q99 = np.quantile(known, [0.01, 0.5, 0.99])
        width = REACH * (q99 - q01) if q99 > q01 else np.inf
        return median - width, median + width


def is_far(X, low, high):
    """Booleans like X (N, D): True for far cells; low and high (D,) are what ``reach`` found."""
    return (X < low) | (X > high)


def warn_of_far_cells(names, counts):
    """Say in one warning how many far cells (D,) which columns have, if any."""
    columns = np.flatnonzero(counts)
    if not columns.size:
        return
    told = ", ".join(f"{int(counts[j])} of {shown(str(names[j]))}" for j in columns[:3])
    more = f" and of {len(columns) - 3} more columns" if len(columns) > 3 else ""
    warnings.warn(
        f"values far from all others count as missing in training (beyond {REACH} times the range of the middle 98%): "
        f"{told}{more}",
        UserWarning,
        stacklevel=2,
    )


def moments(X, weight, low, high):
    """Mean and standard deviation (D,) each, weighted by weight (N,), of the cells of X (N, D) that are neither NaN nor
    far, in double, of numbers however large or small. Of equal numbers they are exactly that number and 0."""

    def cells(x):
        return np.where(is_far(x, low, high), np.nan, x)

    low_end, high_end = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for x in chunks(X):
        low_end = np.fmin(low_end, np.nanmin(cells(x), axis=0, initial=np.inf))
        high_end = np.fmax(high_end, np.nanmax(cells(x), axis=0, initial=-np.inf))
    largest = np.where(low_end > high_end, 0, np.maximum(np.abs(low_end), np.abs(high_end)))
    unit = np.ldexp(1.0, np.minimum(np.frexp(largest)[1], 1023))  # a power of two, which changes no digit
    total = sum_over_rows(X, lambda x: ~np.isnan(cells(x)), weight)
    mean = sum_over_rows(X, lambda x: np.nan_to_num(cells(x) / unit), weight) / total
    variance = sum_over_rows(X, lambda x: np.nan_to_num(cells(x) / unit - mean) ** 2, weight) / total
    equal = low_end == high_end
    return np.where(equal, low_end, unit * mean), np.where(equal, 0, unit * np.sqrt(variance))


def sum_over_rows(X, function, weight):
    """sum_i weight_i function(x_i), (D,), over the rows of X (N, D), a few rows at a time."""
    parts = zip(chunks(X), chunks(weight[:, None]), strict=True)
    return sum((w * function(x)).sum(axis=0) for x, w in parts)


def known_weight(X, weight, name):
    """The total weight of each column's known entries, (D,). weight: None counts them. Raises ValueError, with the name
    that name(j) gives column j, where a column has none."""
    total = sum_over_rows(X, lambda x: ~np.isnan(x), np.ones(X.shape[0]) if weight is None else weight)
    empty = np.flatnonzero(total == 0)
    if empty.size:
        raise ValueError(f"{name(empty[0])} has no known value: drop it")
    return total


def sparse_moments(X, weight):
    """Weighted mean and variance of each column of a CSR matrix, (D,) each."""
    total = weight.sum()
    stored = _sparse_sum(X, lambda values, columns: np.ones(len(values)), weight)
    mean = _sparse_sum(X, lambda values, columns: values, weight) / total
    squares = _sparse_sum(X, lambda values, columns: (values - mean[columns]) ** 2, weight)
    return mean, (squares + np.maximum(total - stored, 0) * mean**2) / total


def _sparse_sum(X, function, weight):
    """sum_i weight_i function(x_ij, j) over the stored entries of each column, (D,), a few rows at a time."""
    total = np.zeros(X.shape[1])
    for first in range(0, X.shape[0], CHUNK_ROWS):
        starts = X.indptr[first : first + CHUNK_ROWS + 1]
        entries = slice(starts[0], starts[-1])
        w = np.repeat(weight[first : first + CHUNK_ROWS], np.diff(starts))  # one for each entry
        columns = X.indices[entries]
        total += np.bincount(columns, w * function(X.data[entries].astype(np.float64), columns), X.shape[1])
    return total


class GatheredArray:
    """The rows of a DataSource as if they were an array (N, D) of double, NaN where an entry is missing."""

    def __init__(self, source):
        self.source, self.shape = source, (len(source), source.n_features)

    def __len__(self):
        return len(self.source)

    def __getitem__(self, which):
        """The rows of a slice or with these numbers."""
        rows = np.arange(len(self))[which]
        batch = self.source.gather(rows, out=np.empty((len(rows), self.source.n_features)))
        return batch.x if batch.observed is None else np.where(batch.observed, batch.x, np.nan)


def chunks(X):
    """Yield the rows of X (N, D) in double, a few at a time."""
    for first in range(0, len(X), CHUNK_ROWS):
        yield np.asarray(X[first : first + CHUNK_ROWS], np.float64)


def scaled(X, mean, scale):
    """(X - mean) / scale in double, NaN where X is, and no farther from 0 than ``FARTHEST``."""
    with np.errstate(over="ignore"):
        return np.clip((np.asarray(X, np.float64) - mean) / scale, -FARTHEST, FARTHEST)


def log_scale_of_rows(source, log_scale):
    """The sum of log_scale (D,), the logs of the columns' divisors, over the known values of each row of a DataSource:
    (N,), nats. log p(x) of the rows as given is that of the scaled rows less this sum."""
    result = np.full(len(source), log_scale.sum())
    if log_scale.any() and source.missing:
        for rows in chunks_of(len(source)):
            observed = source.gather(rows).observed
            if observed is not None:
                result[rows] = np.where(observed, log_scale, 0).sum(axis=1)
    return result
