"""The Gaussian likelihood of real numbers, v = logvar = log std^2:

    log p(x|m, v) = -1/2 ((x - m)^2 exp(-v) + v + log 2 pi)
    dlog p/dm = (x - m) exp(-v)             dlog p/dv = ((x - m)^2 exp(-v) - 1) / 2

spread.py says where v comes from, and where dv goes: std^2 = floor^2 + exp(rho).

In training rho moves by the natural step (training/adam.py). With r = x - m, the loss has the derivative
drho = (1 - mean r^2 / std^2) / 2 above the floor, so that

    rho += log(1 - 2 rate drho)     is     std^2 = (1 - rate) std^2 + rate mean r^2

a running mean of squared residuals, over some 1 / rate steps, whatever their unit.
"""

import numpy as np

from pyvae import _kernels
from pyvae.arena import Pace
from pyvae.likelihoods.spread import Spread
from pyvae.module import register

NATURAL_RATE = 0.05  # of the steps of rho


@register
class Gaussian(Spread):
    """x_j ~ N(mean_j, std_j^2), independent columns; x in any unit, std in the same.

    std: a number (fixed, the same for all columns), "shared" (one number, a parameter), "learned" (one per column) or
    "predicted" (one per row and column: the decoder then has 2 D outputs, [mean | rho]). floor: the least value of a
    std that is not fixed. Raises ValueError for numbers not above 0.
    """

    playable = True
    power, name = 2, "std"

    def __init__(self, n_features, std=1.0, floor=1e-3):
        super().__init__(n_features, std, floor)

    @property
    def std(self):
        """What the constructor was given."""
        return self.spread

    @std.setter
    def std(self, std):
        self.spread = std

    def log_p(self, x, mean, v, log_px, observed=None):
        _kernels.gaussian(x, mean, v, log_px, observed)

    def log_p_backward(self, dlog_px, x, mean, v, dmean, dv, observed):
        _kernels.gaussian_backward(dlog_px, x, mean, v, dmean, dv, observed)

    def mean(self, outputs):
        return outputs[:, : self.n_features].copy()

    def draw(self, outputs, noise):
        v, _ = self._v(outputs)
        mean = self.mean(outputs)
        return mean + np.exp(v / 2) * noise.normal("x", mean.shape, np.arange(len(mean)), mean.dtype)

    def start(self, mean, variance, outputs):
        """See Likelihood; mean and variance (D,)."""
        outputs[: self.n_features] = mean
        self.start_spread(np.sqrt(variance), outputs)

    def paces(self, outputs):
        if self.spread == "predicted":
            return [] if outputs is None else [Pace(outputs[self.n_features :], natural=NATURAL_RATE)]
        # a shared rho has the derivatives of all columns
        return [Pace(self.rho, natural=NATURAL_RATE * len(self.rho) / self.n_features)] if self.shapes() else []
