"""Log-likelihoods of counts and their derivatives by the decoder's raw outputs: the definition, in NumPy.

Shapes: x (B, D), whole numbers from 0; logits, log_rates, log_means (B * k, D), the k samples of a row next to each
other; log_px, dlog_px (B * k,), nats. x is never repeated by the caller. log_r is (B * k, D), or (1, D) for all rows.
observed (B, D): 1 where x is known, 0 where its term is left out, and x is 0; None: 1 everywhere.

Terms as large as x log x cancel in log p, so float32 numbers are computed in float64 and rounded once.
"""

import numpy as np

from pyvae._kernels.latent_ref import repeat
from pyvae._kernels.likelihood_ref import hide


def _repeat(x, outputs):
    """x (B, D) -> (B * k, D), each row k times, to stand beside the outputs."""
    return repeat(x, len(outputs) // max(len(x), 1))


def _log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_factorial(x):
    """log x!, exactly 0 for 0 and 1."""
    from scipy.special import gammaln

    return np.where(x < 2, 0, gammaln(x + 1))


def poisson(x, log_rates, log_px, observed=None):
    """log_px = sum_j (x_j l_j - exp(l_j) - log x_j!), j over the observed columns."""
    x, log_rates = _repeat(x, log_rates).astype(np.float64), log_rates.astype(np.float64)
    log_px[...] = np.sum(hide(x * log_rates - np.exp(log_rates) - log_factorial(x), observed), axis=1)


def poisson_backward(dlog_px, x, log_rates, dlog_rates, observed=None):
    """dlog_rates = dlog_px (x - exp(log_rates)) where x is observed, else 0."""
    dlog_rates[...] = hide(dlog_px[:, None] * (_repeat(x, log_rates) - np.exp(log_rates)), observed)


def multinomial(x, logits, log_px):
    """log_px = log n! + sum_j (x_j log softmax(logits)_j - log x_j!), n = sum_j x_j."""
    x, logits = _repeat(x, logits).astype(np.float64), logits.astype(np.float64)
    log_px[...] = np.sum(x * _log_softmax(logits) - log_factorial(x), axis=1) + log_factorial(x.sum(axis=1))


def multinomial_backward(dlog_px, x, logits, dlogits):
    """dlogits = dlog_px (x - n softmax(logits)), n = sum_j x_j."""
    x = _repeat(x, logits)
    softmax = np.exp(_log_softmax(logits))
    dlogits[...] = dlog_px[:, None] * (x - x.sum(axis=1, keepdims=True) * softmax)


LARGE = 8.0  # from here on differences of log-gammas are taken term by term in Stirling's formula
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)


def _stirling_rest(a):
    """log gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2) for a >= 8, and its derivative by a, which is
    digamma(a) - log a + 1/(2a)."""
    rest = sum(c * a ** (-1 - 2 * k) for k, c in enumerate(STIRLING))
    return rest, sum(-(1 + 2 * k) * c * a ** (-2 - 2 * k) for k, c in enumerate(STIRLING))


def _rising(x, r, log_r):
    """log gamma(x + r) - log gamma(r) - x log r, and digamma(x + r) - digamma(r)."""
    from scipy.special import digamma, gammaln

    small, b = np.minimum(r, LARGE), np.maximum(r, LARGE)
    (rest_x, slope_x), (rest, slope) = _stirling_rest(x + b), _stirling_rest(b)
    log_ratio = np.log1p(x / b)
    far = (x + b - 0.5) * log_ratio - x + (rest_x - rest)
    far_slope = log_ratio + x / (2 * b * (x + b)) + (slope_x - slope)
    near, near_slope = gammaln(x + small) - gammaln(small) - x * log_r, digamma(x + small) - digamma(small)
    return np.where(r < LARGE, near, far), np.where(r < LARGE, near_slope, far_slope)


def _float64_counts(x, log_means, log_r):
    """The inputs in float64, and d = log m - log r."""
    x, log_means, log_r = (a.astype(np.float64) for a in (_repeat(x, log_means), log_means, log_r))
    return x, log_means, log_r, log_means - log_r


def negative_binomial(x, log_means, log_r, log_px, observed=None):
    """log_px = sum_j (log(gamma(x + r) / (gamma(r) x!)) + r log(r / (r + m)) + x log(m / (r + m))), all of column j, j
    over the observed columns."""
    x, log_means, log_r, d = _float64_counts(x, log_means, log_r)
    rest = np.log1p(np.exp(-np.abs(d)))  # log(r / (r + m)) = -max(d, 0) - rest
    rising, _ = _rising(x, np.exp(log_r), log_r)
    counted = rising - log_factorial(x) + x * (np.minimum(log_means, log_r) - rest)
    log_px[...] = np.sum(hide(counted - np.exp(log_r) * (np.maximum(d, 0) + rest), observed), axis=1)


def negative_binomial_backward(dlog_px, x, log_means, log_r, dlog_means, dlog_r, observed=None):
    """dlog_means = dlog_px (x - m) r / (r + m);
    dlog_r = dlog_px (r (digamma(x + r) - digamma(r) - log((r + m) / r)) - (x - m) r / (r + m)), row by row, where x
    is observed, else 0."""
    x, _, log_r, d = _float64_counts(x, log_means, log_r)
    r, e, scale = np.exp(log_r), np.exp(-np.abs(d)), dlog_px[:, None].astype(np.float64)
    _, slope = _rising(x, r, log_r)
    dl = (x * np.where(d < 0, 1, e) - r * np.where(d < 0, e, 1)) / (1 + e)  # m / (r + m) = sigmoid(d)
    dlog_means[...] = hide(scale * dl, observed)
    dlog_r[...] = hide(scale * (r * (slope - (np.maximum(d, 0) + np.log1p(e))) - dl), observed)
