"""log p(x) by importance sampling, with its error, from any number of samples in constant memory.

    w_s = p(x|z_s) p(z_s) / q(z_s|x),  z_s ~ q(z|x)        log p(x) ~ log m,   m = 1/k sum_s w_s

With the shares v_s = w_s / sum_t w_t, whose sum of squares is V (1/k where all weights are equal, 1 where one is all):

    effective sample size    (sum w)^2 / sum w^2 = 1 / V
    standard error of log m  sd(m) / m = sqrt(Var(w) / k) / m,  Var(w) = k/(k - 1) (1/k sum w^2 - m^2)     delta method
                             = sqrt((V - 1/k) k/(k - 1))

So log sum w and V are all that is kept of the samples drawn so far. When those of another chunk join them, with a and b
the shares of the two in the sum of all weights:

    log sum w = log(exp(log sum w_1) + exp(log sum w_2))        V = a^2 V_1 + b^2 V_2

A row's chunks begin at the same samples whatever rows are beside it, so that its numbers are the same to the bit.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.noise import Noise
from pyvae.workspace import Workspace

MOST_NUMBERS = 2**22  # of a layer, made from the samples of one row together: 5,000 samples of 784 pixels are one chunk


class LogLikelihood(NamedTuple):
    """The estimate of log p(x) of each row, and how good it is."""

    log_likelihood: np.ndarray  # (N,) nats
    standard_error: np.ndarray  # (N,) nats, of log_likelihood; NaN where k = 1
    effective_sample_size: np.ndarray  # (N,) from 1 to k


class RunningWeights:
    """log sum w (B,) and V (B,) of the samples so far; see above."""

    def __init__(self, n_rows):
        self.log_sum, self.V = np.full(n_rows, -np.inf), np.zeros(n_rows)

    def add(self, log_w):
        """Join further samples: log w (B, k), nats, in double."""
        share, log_sum = np.empty_like(log_w), np.empty(len(log_w))
        _kernels.softmax(log_w, share, log_sum)
        both, share_of_both = np.stack([self.log_sum, log_sum], axis=1), np.empty((len(log_w), 2))
        _kernels.softmax(both, share_of_both, self.log_sum)
        self.V = share_of_both[:, 0] ** 2 * self.V + share_of_both[:, 1] ** 2 * (share**2).sum(axis=1)


def log_likelihood(model, source, n_samples, seed=0):
    """The LogLikelihood of each row of a DataSource, nats (Burda et al. 2016, eq. 8); NaN where numbers overflow, and
    -inf where all weights are 0."""
    noise, workspace = Noise(seed), Workspace()
    most = max(1, MOST_NUMBERS // model.numbers_per_sample())  # samples of one row in a chunk
    log_sum, V = np.empty(len(source)), np.empty(len(source))
    for rows, batch, _ in model.chunks(source, n_samples, noise):
        weights = RunningWeights(len(batch.x))
        for first in range(0, n_samples, most):
            n = min(most, n_samples - first)
            weights.add(model.log_weights(batch, noise.from_sample(first * model.draws), n, workspace.begin()))
        log_sum[rows], V[rows] = weights.log_sum, weights.V
    return LogLikelihood(log_sum - np.log(n_samples), _standard_error(V, n_samples), _inverse(V))


def _standard_error(V, n_samples):
    if n_samples == 1:
        return np.full(len(V), np.nan)
    error = np.sqrt(np.maximum(V - 1 / n_samples, 0) * (n_samples / (n_samples - 1)))
    return np.where(V > 0, error, np.nan)


def _inverse(V):
    """1 / V; 0 where all weights are 0."""
    return np.divide(1, V, out=np.zeros(len(V)), where=V != 0)
