"""The discretised logistic likelihood of whole numbers with a least and a largest one, such as gray values 0 to 255.

A logistic variable with mean m and scale s has the distribution function sigmoid((t - m) / s). Rounded to the next
level, it is the level x with the probability of the interval from x - h to x + h, h half a level. With a = (x + h - m)
/ s, b = (x - h - m) / s and w = a - b = 2 h / s,

    p(x) = sigmoid(a) - sigmoid(b) = (e^a - e^b) / ((1 + e^a) (1 + e^b)) = sigmoid(a) sigmoid(-b) (1 - e^-w)

    log p(x) = -softplus(-a) - softplus(b) + log(1 - e^-w)

where nothing cancels. The lowest level has all that lies below it, p = sigmoid(a), and the highest p = sigmoid(-b): the
other terms are left out. With v = log s

    dlog p/dm = (sigmoid(b) - sigmoid(-a)) / s
    dlog p/dv = b sigmoid(b) - a sigmoid(-a) - w / (e^w - 1)

These are probabilities: -log2 p, summed over a picture's numbers, are the bits in which an ideal code stores it.
spread.py says where v comes from, and where dv goes: s = floor + exp(rho).
"""

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.likelihoods.spread import Spread
from pyvae.module import register

FIRST = np.log(0.1)  # the first rho, of values from 0 to 1


@register
class DiscretizedLogistic(Spread):
    """p(x) = sigmoid((x + h - m) / s) - sigmoid((x - h - m) / s), independent columns: a logistic variable with mean m
    and scale s, rounded to the next of the levels 0, 1 / (levels - 1), ... 1, which are 2 h apart; as gray values 0 to
    255, divided by 255, are. Its std is s pi / sqrt(3).

    scale: a number (fixed, the same for all columns), "shared" (one number, a parameter), "learned" (one per column) or
    "predicted" (one per row and column: the decoder then has 2 D outputs, [mean | rho]). floor: the least value of a
    scale that is not fixed. Both in units of x. Raises ValueError for numbers not above 0, or fewer than 2 levels.
    Source: Kingma et al. 2016, appendix; Salimans et al. 2017, section 2.1.
    """

    playable = True
    name = "scale"

    def __init__(self, n_features, scale="learned", floor=1e-3, levels=256):
        super().__init__(n_features, scale, floor)
        self.levels = check_count("levels", levels, 2)
        self.half = 0.5 / (self.levels - 1)
        self.support = f"whole numbers from 0 to {self.levels - 1}, divided by {self.levels - 1}"

    def initialize(self, noise):
        if self.shapes():
            self.rho[...] = FIRST

    def log_p(self, x, mean, v, log_px, observed=None):
        _kernels.discretized_logistic(x, mean, v, self.half, log_px, observed)

    def log_p_backward(self, dlog_px, x, mean, v, dmean, dv, observed):
        _kernels.discretized_logistic_backward(dlog_px, x, mean, v, self.half, dmean, dv, observed)

    def mean(self, outputs):
        """E[x|z] (B * k, D), as if x were cut at 0 and 1 but not rounded, which moves it by half a level at most: the
        integral of P(x > t) = sigmoid((m - t) / s) over t from 0 to 1."""
        m, s = self._parts(outputs)
        return (s * (np.logaddexp(0, m / s) - np.logaddexp(0, (m - 1) / s))).astype(outputs.dtype)

    def draw(self, outputs, noise):
        m, s = self._parts(outputs)
        u = noise.uniform("x", m.shape, np.arange(len(m)), np.float64)
        steps = np.rint((m + s * (np.log(u) - np.log1p(-u))) * (self.levels - 1))
        return (np.clip(steps, 0, self.levels - 1) / (self.levels - 1)).astype(outputs.dtype)

    def _parts(self, outputs):
        """m and s, float64."""
        v, _ = self._v(outputs)
        return outputs[:, : self.n_features].astype(np.float64), np.exp(v.astype(np.float64))

    def outside(self, x):
        inside = (x >= 0) & (x <= 1)
        steps = np.where(inside, x, 0.5 / (self.levels - 1)).astype(np.float64) * (self.levels - 1)
        return np.abs(steps - np.rint(steps)) > 1e-3

    def start(self, mean, variance, outputs):
        """See Likelihood; mean and variance (D,)."""
        outputs[: self.n_features] = mean
        self.start_spread(np.sqrt(3 * variance) / np.pi, outputs)

    def config(self):
        return super().config() | {"levels": self.levels}
