"""The interface of likelihoods p(x|z): how the decoder's raw outputs describe a row x.

    log_px, cache = likelihood.log_density(x, outputs)      per row of outputs, nats, every constant kept
    doutputs = likelihood.log_density_backward(dlog_px, cache)

x is (B, D), outputs (B * k, n_outputs) with the k samples of a row next to each other; x is never repeated. The outputs
are what the formulas need (logits, means, log-variances). They are never squashed to probabilities first: for a large
negative l, log(sigmoid(l)) would become log 0, although its value is about l.

log p(x|z) is the sum over the row's columns (or groups of them). Each column keeps its own derivative, which backward
multiplies by dlog_px, the loss's derivative by the row's log p(x|z). If entries of x are missing, ``observed`` (B, D)
is 1 for known entries and 0 for missing ones. A missing entry of x is 0, the sum leaves out its term, and its
derivatives are 0.
"""

from typing import NamedTuple

import numpy as np

from pyvae.arguments import check_count
from pyvae.module import Module
from pyvae.workspace import FRESH


class Likelihood(Module):
    """The interface of likelihoods. ``support`` says in words which x are possible.

    n_features: the number D of columns of x. Raises ValueError unless it is a whole number from 1.
    """

    support = "real numbers"

    def __init__(self, n_features):
        self.n_features = check_count("n_features", n_features, 1)

    @property
    def n_outputs(self):
        """The number of columns of decoder output that it takes."""
        return self.n_features

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        """log p(x|z) (B * k,) in nats, and a cache. observed (B, D): 1 where x is known, else 0; None: 1 everywhere."""
        raise NotImplementedError

    def log_density_backward(self, dlog_px, cache):
        """doutputs (B * k, n_outputs); adds to the gradients of its own parameters."""
        raise NotImplementedError

    def mean(self, outputs):
        """E[x|z] (B * k, D)."""
        raise NotImplementedError

    def draw(self, outputs, noise):
        """x ~ p(x|z) (B * k, D), one draw for each row of outputs."""
        raise NotImplementedError

    def outside(self, x):
        """Booleans (B, D): True where x (B, D) is outside the support, as non-finite numbers always are."""
        return ~np.isfinite(x)

    def of_column(self, j):
        """The likelihood that describes column j of x: this one, or its part that has the column."""
        return self

    def by_column(self, x, outputs):
        """log p(x_j|z) of each column by itself, (B * k, D), nats; they add up to log p(x|z). Raises ValueError where
        the columns are not independent given the outputs."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its columns are by themselves")

    def start(self, mean, variance, outputs):
        """Set its own parameters and, in place, ``outputs`` (n_outputs,), the decoder's outputs for every z, so that
        each column has the mean and variance (D,) that it has in the rows. Values without a rule stay as they
        are."""

    def mean_outputs(self):
        """For each column the number of the output that is its mean itself, not a function of it; -1 where there is
        none: (D,)."""
        return np.full(self.n_features, -1)

    def paces(self, outputs):
        """A list of Pace (arena.py): which of its own parameters move at a pace of their own in training, and which of
        ``outputs`` (n_outputs,), the decoder's outputs for every z; None where the decoder has no such numbers."""
        return []

    def config(self):
        return {"n_features": self.n_features}


def each_by_itself(kernel, x, *outputs):
    """``by_column`` from a kernel of log p that takes x (B, D) and arrays (B * k, D) or (1, D): every entry stands as a
    row of one column."""
    shape = outputs[0].shape
    x = np.repeat(x, shape[0] // len(x), axis=0)
    log_px = np.empty(x.size, x.dtype)
    kernel(*(np.broadcast_to(array, shape).reshape(-1, 1) for array in (x, *outputs)), log_px)
    return log_px.reshape(shape)


class OutputsCache(NamedTuple):
    """The cache of most likelihoods, whose derivatives are functions of the same two arrays as log p."""

    x: np.ndarray  # (B, D)
    outputs: np.ndarray  # (B * k, D)
    observed: np.ndarray | None  # (B, D)
    memory: object
