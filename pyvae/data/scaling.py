"""Scaling: columns of numbers brought to standard deviation 1, and what that does to their densities."""

import numpy as np

from pyvae.data.sources import chunks_of

CONSTANT = 1e-12  # times the mean: a smaller standard deviation is the rounding error of a constant column


def scale_of(std, mean):
    """The divisor of a column: its standard deviation, or 1 if the column is constant. Numbers or arrays (D,)."""
    return np.where(std > CONSTANT * np.abs(mean), std, 1.0)


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
