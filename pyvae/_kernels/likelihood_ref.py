"""Log-likelihoods of rows and their derivatives by the decoder's raw outputs: the definition, in NumPy.

Shapes: x (B, D); logits, mean (B * k, D), the k samples of a row next to each other; log_px, dlog_px (B * k,), nats.
x is never repeated by the caller. logvar is (B * k, D), or (1, D) for all rows. observed (B, D): 1 where x is known, 0
where its term is left out, and x is 0; None: 1 everywhere.
"""

from itertools import pairwise

import numpy as np

from pyvae._kernels.latent_ref import LOG_2_PI, repeat

SMALLEST = np.float32(2.0**-126)  # float32 can take the logarithm of no smaller number


def _repeat(x, outputs):
    """x (B, D) -> (B * k, D), each row k times, to stand beside the outputs."""
    return repeat(x, len(outputs) // max(len(x), 1))


def hide(terms, observed):
    """The terms (B * k, D) where x is observed, else 0."""
    return terms if observed is None else terms * _repeat(observed, terms)


def bernoulli(x, logits, log_px, observed=None):
    """log_px = sum_j (x_j l_j - log(1 + exp(l_j))), j over the observed columns."""
    linear = _repeat(x, logits) * logits - np.maximum(logits, 0)  # exactly 0 where x = 1 and l > 0
    log_px[...] = np.sum(hide(linear - np.log1p(np.exp(-np.abs(logits))), observed), axis=1)


def bernoulli_backward(dlog_px, x, logits, dlogits, observed=None):
    """dlogits = dlog_px (x - sigmoid(logits)) where x is observed, else 0."""
    dlogits[...] = hide(dlog_px[:, None] * (_repeat(x, logits) - _sigmoid(logits)), observed)


def gaussian(x, mean, logvar, log_px, observed=None):
    """log_px = -1/2 sum_j ((x_j - mean_j)^2 exp(-logvar_j) + logvar_j + log 2 pi), j over the observed columns."""
    difference = _repeat(x, mean) - mean
    terms = difference**2 * np.exp(-logvar) + (logvar + mean.dtype.type(LOG_2_PI))
    log_px[...] = -np.sum(hide(terms, observed), axis=1) / 2


def gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar=None, observed=None):
    """dmean = dlog_px (x - mean) exp(-logvar);  dlogvar = dlog_px ((x - mean)^2 exp(-logvar) - 1) / 2, row by row,
    where x is observed, else 0."""
    difference = _repeat(x, mean) - mean
    dmean[...] = hide(dlog_px[:, None] * (difference * np.exp(-logvar)), observed)
    if dlogvar is not None:
        dlogvar[...] = hide(dlog_px[:, None] * ((difference**2 * np.exp(-logvar) - 1) / 2), observed)


def _intervals(x, mean, v, half):
    """a, b and w of discretized_logistic, and where x is the lowest and the highest level."""
    x = _repeat(x, mean)
    away, inverse = x - mean, np.exp(-v)
    w = np.maximum(2 * half * inverse, SMALLEST)
    return (away + half) * inverse, (away - half) * inverse, w, x < half, x > 1 - half


def discretized_logistic(x, mean, v, half, log_px, observed=None):
    """log_px = sum_j of -softplus(-a_j) - softplus(b_j) + log(1 - exp(-w_j)), a and b = (x +- half - mean) exp(-v), w =
    2 half exp(-v), j over the observed columns: without the last two terms where x is 0, and without the first and the
    last where x is 1."""
    a, b, w, low, high = _intervals(x, mean, v, half)
    terms = np.where(high, 0, -np.logaddexp(0, -a)) - np.where(low, 0, np.logaddexp(0, b))
    terms += np.where(low | high, 0, np.log(-np.expm1(-w)))
    log_px[...] = np.sum(hide(terms, observed), axis=1)


def discretized_logistic_backward(dlog_px, x, mean, v, half, dmean, dv=None, observed=None):
    """dmean = dlog_px (sigmoid(b) - sigmoid(-a)) exp(-v);  dv = dlog_px (b sigmoid(b) - a sigmoid(-a) - w / (exp(w) -
    1)), row by row, where x is observed, else 0, with the terms of discretized_logistic."""
    a, b, w, low, high = _intervals(x, mean, v, half)
    above, below = np.where(high, 0, _sigmoid(-a)), np.where(low, 0, _sigmoid(b))
    dmean[...] = hide(dlog_px[:, None] * ((below - above) * np.exp(-v)), observed)
    if dv is not None:
        width = np.where(low | high, 0, w * np.exp(-w) / -np.expm1(-w))
        dv[...] = hide(dlog_px[:, None] * ((b * below - a * above) - width), observed)


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def _log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _of_group(observed, first):
    return None if observed is None else observed[:, first : first + 1]


def categorical(x, logits, edges, log_px, observed=None):
    """log_px = sum over groups g, over their columns j in edges[g] .. edges[g+1], of x_j log softmax_g(logits)_j; a
    group is observed where its first column is."""
    x = _repeat(x, logits)
    log_px[...] = 0
    for first, end in pairwise(edges):
        terms = x[:, first:end] * _log_softmax(logits[:, first:end])
        log_px += np.sum(hide(terms, _of_group(observed, first)), axis=1)


def categorical_backward(dlog_px, x, logits, edges, dlogits, observed=None):
    """dlogits = dlog_px (x - softmax_g(logits)), as the x of a group add up to one, or 0 where it is not observed."""
    x = _repeat(x, logits)
    for first, end in pairwise(edges):
        softmax = np.exp(_log_softmax(logits[:, first:end]))
        terms = dlog_px[:, None] * (x[:, first:end] - softmax)
        dlogits[:, first:end] = hide(terms, _of_group(observed, first))
