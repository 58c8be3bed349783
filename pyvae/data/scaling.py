"""Scaling: columns of numbers brought to standard deviation 1, and what that does to their densities."""

import numpy as np

from pyvae.data.sources import chunks_of

CONSTANT = 1e-12  # of the mean: a standard deviation that is smaller is what rounding leaves of a constant column


def scale_of(std, mean):
    """What a column is divided by: its standard deviation, or 1 where it is constant. Numbers or arrays (D,)."""
    return np.where(std > CONSTANT * np.abs(mean), std, 1.0)


def log_scale_of_rows(source, log_scale):
    """What log p(x) of each row of a DataSource is to be lessened by to be that of the rows as given, (N,), nats: the
    sum over the row's known values of log of what they were divided by; log_scale (D,)."""
    result = np.full(len(source), log_scale.sum())
    if log_scale.any() and source.missing:
        for rows in chunks_of(len(source)):
            observed = source.gather(rows).observed
            if observed is not None:
                result[rows] = np.where(observed, log_scale, 0).sum(axis=1)
    return result
