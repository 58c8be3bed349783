"""The interface of likelihoods p(x|z): how the decoder's raw outputs describe a row x.

    log_px, cache = likelihood.log_density(x, outputs)      per row of outputs, nats, every constant kept
    doutputs = likelihood.log_density_backward(dlog_px, cache)

x is (B, D), outputs (B * k, n_outputs) with the k samples of a row next to each other; x is never repeated. The outputs
are what the formulas need (logits, means, log-variances), never squashed to probabilities first: log(sigmoid(l)) of a
large negative l is log 0, while its value, about l, is easily told from l itself.

log p(x|z) is the sum over the row's columns (or groups of them). The derivatives stay one per column, and backward
multiplies them by dlog_px, the loss's derivative by the row's log p(x|z). Where entries of x are missing, ``observed``
(B, D) is 1 where x is known and 0 where it is not: there x is 0, the term is left out of the sum, and its derivatives
are 0.
"""

from copy import copy
from typing import NamedTuple

import numpy as np

from pyvae.arguments import check_count
from pyvae.module import Module
from pyvae.workspace import FRESH


class Likelihood(Module):
    """The interface. ``support`` says in words which x are possible.

    n_features: columns D of x, a whole number from 1, else ValueError is raised.
    """

    support = "real numbers"

    def __init__(self, n_features):
        self.n_features = check_count("n_features", n_features, 1)

    @property
    def n_outputs(self):
        """How many columns of decoder output it takes."""
        return self.n_features

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        """log p(x|z) (B * k,) in nats, and a cache. observed (B, D): 1 where x is known, 0 where not; None: all is."""
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
        """Which elements of x (B, D) are outside the support: booleans (B, D). Non-finite numbers always are."""
        return ~np.isfinite(x)

    def of_column(self, j):
        """The likelihood that describes column j of x: this one, or the part of it whose column that is."""
        return self

    def alone(self, columns):
        """The likelihood of some columns of x by themselves (a slice), and which of the outputs it takes, as their
        numbers. Raises ValueError where columns are not independent, given the outputs."""
        raise NotImplementedError(f"{type(self).__name__} does not say what some of its columns are: define alone")

    def start(self, mean, variance, outputs):
        """Begin where every column has the mean and variance (D,) that it has in the rows, whatever z is: write its own
        parameters and, in place, ``outputs`` (n_outputs,), the decoder's for every z, as far as it has a word on
        them."""

    def config(self):
        return {"n_features": self.n_features}


def alone_by_column(likelihood, columns):
    """``alone`` of a likelihood whose outputs and parameters are one for each column."""
    part = copy(likelihood)
    part.n_features = columns.stop - columns.start
    for name in likelihood.shapes():
        setattr(part, name, getattr(likelihood, name)[columns])
    return part, np.arange(columns.start, columns.stop)


class OutputsCache(NamedTuple):
    """What most likelihoods remember: their derivatives are functions of the same two arrays as log p."""

    x: np.ndarray  # (B, D)
    outputs: np.ndarray  # (B * k, D)
    observed: np.ndarray | None  # (B, D)
    memory: object
