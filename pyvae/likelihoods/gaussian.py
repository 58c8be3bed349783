"""The Gaussian likelihood of real numbers, v = logvar = log std^2:

    log p(x|m, v) = -1/2 ((x - m)^2 exp(-v) + v + log 2 pi)
    dlog p/dm = (x - m) exp(-v)             dlog p/dv = ((x - m)^2 exp(-v) - 1) / 2

A learned std comes from a free number rho and cannot fall below ``floor``: std^2 = floor^2 + exp(rho), so

    v = log(floor^2 + exp(rho)) = c + softplus(rho - c),  c = log floor^2       dv/drho = sigmoid(rho - c)

Without a floor, a constant column would drive its likelihood to infinity. rho is one number for all columns, one for
each column, or a decoder output for each row and column. Where several entries share one number, their derivatives by
it add up.

In training rho moves by the natural step (training/adam.py). With r = x - m, the loss has the derivative
drho = (1 - mean r^2 / std^2) / 2 above the floor, so that

    rho += log(1 - 2 rate drho)     is     std^2 = (1 - rate) std^2 + rate mean r^2

a running mean of squared residuals, over some 1 / rate steps, whatever their unit.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arena import Pace
from pyvae.arguments import check_number
from pyvae.likelihoods.likelihood import Likelihood, each_by_itself
from pyvae.module import register
from pyvae.workspace import FRESH

NATURAL_RATE = 0.05  # of the steps of rho


class GaussianCache(NamedTuple):
    x: np.ndarray  # (B, D)
    mean: np.ndarray  # (B * k, D)
    logvar: np.ndarray  # (B * k, D), or (1, D) for all rows
    excess: np.ndarray | None  # logvar - c, shaped like rho; None: the std is fixed
    observed: np.ndarray | None  # (B, D)
    memory: object


@register
class Gaussian(Likelihood):
    """x_j ~ N(mean_j, std_j^2), independent columns; x in any unit, std in the same.

    std: a number (fixed, the same for all columns), "shared" (one number, a parameter), "learned" (one per column) or
    "predicted" (one per row and column: the decoder then has 2 D outputs, [mean | rho]). floor: the least value of a
    std that is not fixed. Raises ValueError for numbers not above 0.
    """

    playable = True

    def __init__(self, n_features, std=1.0, floor=1e-3):
        super().__init__(n_features)
        self.std = std if std in ("shared", "learned", "predicted") else check_number("std", std, 0)
        self.floor = check_number("floor", floor, 0)

    @property
    def n_outputs(self):
        return 2 * self.n_features if self.std == "predicted" else self.n_features

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        mean, rho = outputs[:, : self.n_features], self._rho(outputs)
        logvar, excess = self._logvar(rho, outputs.dtype, memory)
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.gaussian(x, mean, logvar, log_px, observed)
        return log_px, GaussianCache(x, mean, logvar, excess, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, mean, logvar, excess, observed, memory = cache
        doutputs = memory.take((len(mean), self.n_outputs), mean.dtype)
        dmean, dlogvar = doutputs[:, : self.n_features], None
        if self.std == "predicted":
            dlogvar = doutputs[:, self.n_features :]
        elif excess is not None:
            dlogvar = memory.take(mean.shape, mean.dtype)  # row by row
        _kernels.gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar, observed)
        if excess is not None:
            self._rho_backward(dlogvar, excess, memory)
        return doutputs

    def _rho(self, outputs):
        """rho, (B * k, D) if predicted, (1, D) if learned, (D, 1) if shared; None if the std is fixed."""
        if self.std == "predicted":
            return outputs[:, self.n_features :]
        shape = {"learned": (1, self.n_features), "shared": (self.n_features, 1)}.get(self.std)
        return None if shape is None else np.broadcast_to(self.rho, shape)

    def _rho_backward(self, dlogvar, excess, memory):
        """drho = dlogvar sigmoid(rho - c), written over dlogvar (B * k, D) or added to the gradient of rho."""
        if self.std == "predicted":
            _kernels.activate_backward(dlogvar, excess, "softplus", dx=dlogvar)
            return
        total, drho = (memory.take(excess.shape, excess.dtype) for _ in range(2))
        _kernels.column_sums(dlogvar, out=total.reshape(-1), accumulate=False)  # one number for all rows
        _kernels.activate_backward(total, excess, "softplus", dx=drho)
        _kernels.column_sums(drho, out=self.drho)  # shared: D rows of one column, one number for all columns too

    def _logvar(self, rho, dtype, memory):
        """logvar = c + softplus(rho - c), and its excess over c; for a fixed std its logvar, and None."""
        if rho is None:
            logvar = memory.take((1, self.n_features), dtype)
            logvar[...] = 2 * np.log(self.std)
            return logvar, None
        c = 2 * np.log(self.floor)
        shifted, excess, logvar = (memory.take(rho.shape, dtype) for _ in range(3))
        _kernels.shift(rho, -c, out=shifted)
        _kernels.activate(shifted, "softplus", excess)
        _kernels.shift(excess, c, out=logvar)
        return logvar.reshape(-1, self.n_features), excess

    def mean(self, outputs):
        return outputs[:, : self.n_features].copy()

    def draw(self, outputs, noise):
        logvar, _ = self._logvar(self._rho(outputs), outputs.dtype, FRESH)
        mean = self.mean(outputs)
        return mean + np.exp(logvar / 2) * noise.normal("x", mean.shape, np.arange(len(mean)), mean.dtype)

    def start(self, mean, variance, outputs):
        """See Likelihood; mean and variance (D,). rho is log(variance - floor^2), and no less than log floor^2."""
        outputs[: self.n_features] = mean
        rho = np.log(np.maximum(variance - self.floor**2, self.floor**2))
        if self.std == "predicted":
            outputs[self.n_features :] = rho
        elif self.shapes():
            self.rho[...] = rho if self.std == "learned" else np.log(np.mean(np.exp(rho)))

    def mean_outputs(self):
        return np.arange(self.n_features)

    def paces(self, outputs):
        if self.std == "predicted":
            return [] if outputs is None else [Pace(outputs[self.n_features :], natural=NATURAL_RATE)]
        # a shared rho has the derivatives of all columns
        return [Pace(self.rho, natural=NATURAL_RATE * len(self.rho) / self.n_features)] if self.shapes() else []

    def by_column(self, x, outputs):
        logvar, _ = self._logvar(self._rho(outputs), outputs.dtype, FRESH)
        return each_by_itself(_kernels.gaussian, x, outputs[:, : self.n_features], logvar)

    def shapes(self):
        sizes = {"shared": 1, "learned": self.n_features}
        return {"rho": (sizes[self.std],)} if self.std in sizes else {}

    def config(self):
        return {"n_features": self.n_features, "std": self.std, "floor": self.floor}
