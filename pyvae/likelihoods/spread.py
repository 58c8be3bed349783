"""Likelihoods of columns that have a mean and a spread: where the spread s comes from, and where its derivative goes.

A learned s comes from a free number rho and cannot fall below ``floor``. In the power p in which the density has it,

    s^p = floor^p + exp(rho)

    v = log s^p = c + softplus(rho - c),  c = log floor^p       dv/drho = sigmoid(rho - c)

Without a floor, a constant column would drive its likelihood to infinity. rho is one number for all columns, one for
each column, or a decoder output for each row and column. Where several entries share one number, their derivatives by
it add up.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.likelihoods.likelihood import Likelihood, each_by_itself
from pyvae.workspace import FRESH


class SpreadCache(NamedTuple):
    x: np.ndarray  # (B, D)
    mean: np.ndarray  # (B * k, D)
    v: np.ndarray  # (B * k, D), or (1, D) for all rows
    excess: np.ndarray | None  # v - c, shaped like rho; None: the spread is fixed
    observed: np.ndarray | None  # (B, D)
    memory: object


class Spread(Likelihood):
    """Independent columns x_j with a mean and a spread, which a subclass's two kernels know how to use.

    spread: a number (fixed, the same for all columns), "shared" (one number, a parameter), "learned" (one per column)
    or "predicted" (one per row and column: the decoder then has 2 D outputs, [mean | rho]). floor: the least value of
    one that is not fixed. Raises ValueError for numbers not above 0.
    """

    power = 1
    name = "spread"  # the constructor's word for it

    def __init__(self, n_features, spread, floor):
        super().__init__(n_features)
        self.spread = spread if spread in ("shared", "learned", "predicted") else check_number(self.name, spread, 0)
        self.floor = check_number("floor", floor, 0)

    def log_p(self, x, mean, v, log_px, observed=None):
        """Write log_px (B * k,), nats: the sum over the columns of log p of x (B, D), for mean (B * k, D) and v (B * k,
        D) or (1, D)."""
        raise NotImplementedError

    def log_p_backward(self, dlog_px, x, mean, v, dmean, dv, observed):
        """Write the derivatives of log_p, times dlog_px (B * k,), by the mean and v of each row and column: dmean and
        dv (B * k, D); dv is None where the spread is fixed."""
        raise NotImplementedError

    @property
    def n_outputs(self):
        return 2 * self.n_features if self.spread == "predicted" else self.n_features

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        mean = outputs[:, : self.n_features]
        v, excess = self._v(outputs, memory)
        log_px = memory.take((len(outputs),), outputs.dtype)
        self.log_p(x, mean, v, log_px, observed)
        return log_px, SpreadCache(x, mean, v, excess, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, mean, v, excess, observed, memory = cache
        doutputs = memory.take((len(mean), self.n_outputs), mean.dtype)
        dmean, dv = doutputs[:, : self.n_features], None
        if self.spread == "predicted":
            dv = doutputs[:, self.n_features :]
        elif excess is not None:
            dv = memory.take(mean.shape, mean.dtype)  # row by row
        self.log_p_backward(dlog_px, x, mean, v, dmean, dv, observed)
        if excess is not None:
            self._rho_backward(dv, excess, memory)
        return doutputs

    def _rho(self, outputs):
        """rho, (B * k, D) if predicted, (1, D) if learned, (D, 1) if shared; None if the spread is fixed."""
        if self.spread == "predicted":
            return outputs[:, self.n_features :]
        shape = {"learned": (1, self.n_features), "shared": (self.n_features, 1)}.get(self.spread)
        return None if shape is None else np.broadcast_to(self.rho, shape)

    def _rho_backward(self, dv, excess, memory):
        """drho = dv sigmoid(rho - c), written over dv (B * k, D) or added to the gradient of rho."""
        if self.spread == "predicted":
            _kernels.activate_backward(dv, excess, "softplus", dx=dv)
            return
        total, drho = (memory.take(excess.shape, excess.dtype) for _ in range(2))
        _kernels.column_sums(dv, out=total.reshape(-1), accumulate=False)  # one number for all rows
        _kernels.activate_backward(total, excess, "softplus", dx=drho)
        _kernels.column_sums(drho, out=self.drho)  # shared: D rows of one column, one number for all columns too

    def _v(self, outputs, memory=FRESH):
        """v = c + softplus(rho - c), (B * k, D) or (1, D), and its excess over c; v of a fixed spread, and None."""
        rho = self._rho(outputs)
        if rho is None:
            v = memory.take((1, self.n_features), outputs.dtype)
            v[...] = self.power * np.log(self.spread)
            return v, None
        c = self.power * np.log(self.floor)
        shifted, excess, v = (memory.take(rho.shape, outputs.dtype) for _ in range(3))
        _kernels.shift(rho, -c, out=shifted)
        _kernels.activate(shifted, "softplus", excess)
        _kernels.shift(excess, c, out=v)
        return v.reshape(-1, self.n_features), excess

    def start_spread(self, s, outputs):
        """Set rho, or the outputs that are one, so that the spreads are s (D,), or at least 2^(1/p) floor."""
        floor = self.floor**self.power
        rho = np.log(np.maximum(s**self.power - floor, floor))
        if self.spread == "predicted":
            outputs[self.n_features :] = rho
        elif self.shapes():
            self.rho[...] = rho if self.spread == "learned" else np.log(np.mean(np.exp(rho)))

    def mean_outputs(self):
        return np.arange(self.n_features)

    def by_column(self, x, outputs):
        v, _ = self._v(outputs)
        return each_by_itself(self.log_p, x, outputs[:, : self.n_features], v)

    def shapes(self):
        sizes = {"shared": 1, "learned": self.n_features}
        return {"rho": (sizes[self.spread],)} if self.spread in sizes else {}

    def config(self):
        return {"n_features": self.n_features, self.name: self.spread, "floor": self.floor}
