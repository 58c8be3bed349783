"""The Bernoulli likelihood of black and white columns, p = sigmoid(l):

log p(x|l) = x log p + (1 - x) log(1 - p) = x l - log(1 + exp(l))       dlog p/dl = x - sigmoid(l)

The decoder's output is the logit l, never p: log(sigmoid(l)) of a large negative l is log 0, while its value, about l,
is easily told from l itself.
"""

import numpy as np

from pyvae import _kernels
from pyvae.likelihoods.likelihood import Likelihood, OutputsCache, each_by_itself
from pyvae.module import register
from pyvae.workspace import FRESH


@register
class Bernoulli(Likelihood):
    """Black and white x, p(x_j = 1) = sigmoid(logit_j); gray values in [0, 1] are taken as expectations of such x.

    For gray values, x l - log(1 + exp(l)) is not a normalised density over [0, 1]. It is the expected log-likelihood of
    black and white rows drawn with probabilities x, the "binary cross-entropy" of published figures on gray MNIST.
    """

    playable = True
    support = "numbers from 0 to 1"

    def log_density(self, x, outputs, memory=FRESH, observed=None):
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

    def start(self, mean, variance, outputs):
        outputs[...] = np.log(mean) - np.log1p(-mean)  # Burda et al. 2016, appendix

    def by_column(self, x, outputs):
        return each_by_itself(_kernels.bernoulli, x, outputs)

    def outside(self, x):
        return ~((x >= 0) & (x <= 1))
