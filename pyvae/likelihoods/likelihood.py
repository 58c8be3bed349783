"""Likelihoods p(x|z): how the decoder's raw outputs describe a row x.

    log_px, cache = likelihood.log_density(x, outputs)      per row of outputs, nats, every constant kept
    doutputs = likelihood.log_density_backward(dlog_px, cache)

x is (B, D), outputs (B * k, n_outputs) with the k samples of a row next to each other; x is never repeated. The outputs
are what the formulas need (logits, means, log-variances), never squashed to probabilities first: log(sigmoid(l)) of a
large negative l is log 0, while its value, about l, is easily told from l itself.

Bernoulli, p = sigmoid(l):

    log p(x|l) = x log p + (1 - x) log(1 - p) = x l - log(1 + exp(l))       dlog p/dl = x - sigmoid(l)

Gaussian, v = log std^2:

    log p(x|m, v) = -1/2 ((x - m)^2 exp(-v) + v + log 2 pi)
    dlog p/dm = (x - m) exp(-v)             dlog p/dv = ((x - m)^2 exp(-v) - 1) / 2

Categorical, x one-hot within a group of columns, L = log sum_j exp(l_j):

    log p(x|l) = sum_j x_j (l_j - L)        dlog p/dl_j = x_j - exp(l_j - L)        (as the x_j add up to one)

log p(x|z) is the sum over the row's columns (groups). The derivatives stay one per column, and backward multiplies
them by dlog_px, the loss's derivative by the row's log p(x|z). Where entries of x are missing, ``observed`` (B, D) is 1
where x is known and 0 where it is not: there x is 0, the term is left out of the sum, and its derivatives are 0.
"""

from copy import copy
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.module import Module, register
from pyvae.workspace import Lease


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

    def log_density(self, x, outputs, workspace=None, observed=None):
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
    memory: Lease


@register
class Bernoulli(Likelihood):
    """Black and white x, p(x_j = 1) = sigmoid(logit_j); gray values in [0, 1] are taken as expectations of such x.

    For gray values x l - log(1 + exp(l)) is no normalised density over [0, 1]: it is the expected log-likelihood of
    black and white rows drawn with probabilities x, the "binary cross-entropy" of published figures on gray MNIST.
    """

    support = "numbers from 0 to 1"

    def log_density(self, x, outputs, workspace=None, observed=None):
        memory = Lease(workspace)
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.bernoulli(x, outputs, log_px, observed)  # sum_j x l - log(1 + exp(l))
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, logits, observed, memory = cache
        dlogits = memory.take(logits.shape, logits.dtype)
        _kernels.bernoulli_backward(dlog_px, x, logits, dlogits, observed)  # dlog_px (x - sigmoid(l))
        return dlogits

    def mean(self, outputs):
        p = np.empty(outputs.shape, outputs.dtype)
        _kernels.activate(outputs, "sigmoid", p)
        return p

    def draw(self, outputs, noise):
        return noise.bernoulli("x", self.mean(outputs), np.arange(len(outputs)))

    alone = alone_by_column

    def outside(self, x):
        return ~((x >= 0) & (x <= 1))


class GaussianCache(NamedTuple):
    x: np.ndarray  # (B, D)
    mean: np.ndarray  # (B * k, D)
    logvar: np.ndarray  # (B * k, D), or (1, D) for all rows
    excess: np.ndarray | None  # logvar - log floor^2, (D, 1) for a shared std, else like logvar; None: fixed
    observed: np.ndarray | None  # (B, D)
    memory: Lease


@register
class Gaussian(Likelihood):
    """x_j ~ N(mean_j, std_j^2), independent columns; x in any unit, std in the same.

    std: a number (fixed, the same for all columns), "shared" (one number, a parameter), "learned" (one per column) or
    "predicted" (one per row and column: the decoder then has 2 D outputs, [mean | rho]).

    A std that is not fixed cannot fall below ``floor``: std^2 = floor^2 + exp(rho), rho a free number, so

        logvar = log(floor^2 + exp(rho)) = c + softplus(rho - c),  c = log floor^2      dlogvar/drho = sigmoid(rho - c)

    Without a floor a constant column would drive its likelihood to infinity. Raises ValueError for numbers not above 0.
    """

    def __init__(self, n_features, std=1.0, floor=1e-3):
        super().__init__(n_features)
        self.std = std if std in ("shared", "learned", "predicted") else check_number("std", std, 0)
        self.floor = check_number("floor", floor, 0)
        self.log_floor = 2 * np.log(self.floor)  # c

    @property
    def n_outputs(self):
        return 2 * self.n_features if self.std == "predicted" else self.n_features

    def log_density(self, x, outputs, workspace=None, observed=None):
        memory = Lease(workspace)
        mean, logvar, excess = self._split(outputs, memory)
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.gaussian(x, mean, logvar, log_px, observed)
        return log_px, GaussianCache(x, mean, logvar, excess, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, mean, logvar, excess, observed, memory = cache
        doutputs = memory.take((len(mean), self.n_outputs), mean.dtype)
        dmean = doutputs[:, : self.n_features]
        if excess is None:  # fixed
            _kernels.gaussian_backward(dlog_px, x, mean, logvar, dmean, None, observed)
        elif self.std == "predicted":
            drho = doutputs[:, self.n_features :]
            _kernels.gaussian_backward(dlog_px, x, mean, logvar, dmean, drho, observed)  # by logvar
            _kernels.activate_backward(drho, excess, "softplus", dx=drho)  # then times sigmoid(rho - c)
        else:
            dlogvar_rows = memory.take(mean.shape, mean.dtype)
            _kernels.gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar_rows, observed)
            dlogvar = memory.take((self.n_features,), mean.dtype)  # one number for all rows: its derivatives add up
            _kernels.column_sums(dlogvar_rows, out=dlogvar, accumulate=False)
            drho = memory.take(excess.shape, mean.dtype)
            _kernels.activate_backward(dlogvar.reshape(excess.shape), excess, "softplus", dx=drho)
            _kernels.column_sums(drho, out=self.drho)  # shared: D rows of one column, one number for all columns too
        return doutputs

    def _split(self, outputs, memory):
        """mean, logvar, and logvar's excess over the floor."""
        mean = outputs[:, : self.n_features]
        if self.std == "predicted":
            rho = outputs[:, self.n_features :]
        elif self.std == "learned":
            rho = self.rho[None]
        elif self.std == "shared":
            rho = np.broadcast_to(self.rho, (self.n_features, 1))
        else:
            logvar = memory.take((1, self.n_features), outputs.dtype)
            logvar[...] = 2 * np.log(self.std)
            return mean, logvar, None
        shifted, excess = memory.take(rho.shape, rho.dtype), memory.take(rho.shape, rho.dtype)
        logvar = memory.take(rho.shape, rho.dtype)
        _kernels.shift(rho, -self.log_floor, out=shifted)
        _kernels.activate(shifted, "softplus", excess)
        _kernels.shift(excess, self.log_floor, out=logvar)
        return mean, logvar.reshape(-1, self.n_features), excess

    def mean(self, outputs):
        return outputs[:, : self.n_features].copy()

    def draw(self, outputs, noise):
        mean, logvar, _ = self._split(outputs, Lease(None))
        return mean + np.exp(logvar / 2) * noise.normal("x", mean.shape, np.arange(len(mean)), mean.dtype)

    def alone(self, columns):
        part, own = alone_by_column(self, columns)
        if self.std == "shared":
            part.rho = self.rho  # that of any column
        return part, np.append(own, self.n_features + own) if self.std == "predicted" else own

    def shapes(self):
        sizes = {"shared": 1, "learned": self.n_features}
        return {"rho": (sizes[self.std],)} if self.std in sizes else {}

    def config(self):
        return {"n_features": self.n_features, "std": self.std, "floor": self.floor}


@register
class Categorical(Likelihood):
    """Groups of one-hot columns: sizes (3, 2) means columns 0-2 say which of three, columns 3-4 which of two.

    p(x_j = 1) = exp(l_j) / sum_k exp(l_k), k over the columns of j's group. A group is observed where its first
    column is. Raises ValueError for sizes below 1.
    """

    support = "one-hot groups: one 1 and else 0 in the columns of each group"

    def __init__(self, sizes):
        self.sizes = [check_count("sizes", size, 1) for size in sizes]
        super().__init__(sum(self.sizes))
        self.edges = np.concatenate([[0], np.cumsum(self.sizes)])  # group g: columns edges[g] .. edges[g + 1]

    def log_density(self, x, outputs, workspace=None, observed=None):
        memory = Lease(workspace)
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.categorical(x, outputs, self.edges, log_px, observed)  # sum_j x_j (l_j - L) over the groups
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, logits, observed, memory = cache
        dlogits = memory.take(logits.shape, logits.dtype)
        _kernels.categorical_backward(dlog_px, x, logits, self.edges, dlogits, observed)  # dlog_px (x_j - exp(l_j - L))
        return dlogits

    def mean(self, outputs):
        """The probabilities, (B * k, D)."""
        p = np.empty_like(outputs)
        for first, end in pairwise(self.edges):
            e = np.exp(outputs[:, first:end] - outputs[:, first:end].max(axis=1, keepdims=True))
            p[:, first:end] = e / e.sum(axis=1, keepdims=True)
        return p

    def draw(self, outputs, noise):
        """One-hot draws (B * k, D) by Gumbel's trick: the largest of l_j - log(-log u_j) is j with probability
        softmax(l)_j."""
        u = noise.uniform("x", outputs.shape, np.arange(len(outputs)), outputs.dtype)
        scores = outputs - np.log(-np.log(u))
        x = np.zeros_like(outputs)
        for first, end in pairwise(self.edges):
            x[np.arange(len(x)), first + scores[:, first:end].argmax(axis=1)] = 1
        return x

    def outside(self, x):
        wrong = ~((x == 0) | (x == 1))
        for first, end in pairwise(self.edges):
            wrong[:, first] |= np.nan_to_num(x[:, first:end]).sum(axis=1) != 1
        return wrong

    def alone(self, columns):
        """See Likelihood; columns are whole groups."""
        first, end = np.searchsorted(self.edges, [columns.start, columns.stop])
        return Categorical(self.sizes[first:end]), np.arange(columns.start, columns.stop)

    def config(self):
        return {"sizes": self.sizes}
