"""Starting a new model at the means and variances of the rows that it will be trained on (likelihoods/start.py)."""

import numpy as np

from pyvae.data.scaling import known_weight, sparse_moments, sum_over_rows
from pyvae.data.validation import check_sparse
from pyvae.likelihoods.start import smoothed_mean, start


@np.errstate(over="ignore", invalid="ignore")  # from numbers outside the support, which training refuses
def start_at_rows(model, X, weight=None, name="column {} of X".format):
    """Start a new model at the rows of X, an array with NaN where entries are missing or a SciPy matrix (N, D), with
    weights (N,). name: of column j, name(j). Raises ValueError where a column has no known value."""
    weight = np.ones(X.shape[0]) if weight is None else weight
    if hasattr(X, "tocsr"):
        n = weight.sum()
        mean, variance = sparse_moments(check_sparse(X), weight)
        start(model, smoothed_mean(n * mean, n), variance)
    else:
        n, total = known_weight(X, weight, name), sum_over_rows(X, np.nan_to_num, weight)
        squares = sum_over_rows(X, lambda x: np.where(np.isnan(x), 0, x - total / n) ** 2, weight)
        start(model, smoothed_mean(total, n), squares / n)
