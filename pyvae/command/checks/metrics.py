"""Checks of metrics, which have no gradient: against values that are known."""

import numpy as np

from pyvae.gradcheck import Check, raise_if_wrong
from pyvae.models.importance_sampling import RunningWeights
from pyvae.models.information import mutual_information, total_correlation
from pyvae.models.mutual_information_gap import mutual_information_gap


def check_metrics():
    """Posteriors far from each other, one for each combination of three factors, and weights in two chunks."""
    factors = np.stack(np.unravel_index(np.arange(24), (2, 3, 4)), axis=1)
    mu, logvar = 100.0 * factors, np.zeros((24, 3))
    log_w = np.log(np.arange(1.0, 9.0))[None]  # their squares add up to 204
    weights = RunningWeights(1)
    for chunk in (log_w[:, :5], log_w[:, 5:]):
        weights.add(chunk)
    known = {
        "mutual information": (mutual_information(mu, logvar).value, np.log(24)),
        "total correlation": (total_correlation(mu[:4], logvar[:4]).value, 0),  # one factor changes
        "mutual information gap": (mutual_information_gap(mu, logvar, factors).gap, 1),
        "log p(x) from weights": (weights.log_sum[0], np.log(36)),
        "effective sample size": (1 / weights.V[0], 36**2 / 204),
    }
    errors = {name: abs(value - exact) for name, (value, exact) in known.items()}
    return raise_if_wrong([Check(name, float(error), 1, 0, error < 1e-9) for name, error in errors.items()])
