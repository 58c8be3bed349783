"""Draws of counts by inversion: the smallest x whose distribution function P(X <= x) is at least a uniform number u.

Poisson and negative binomial are of Panjer's class (Panjer 1981): with a = m and b = 0 for the one, a = r q and b = q,
q = m / (r + m), for the other,

    P(X = x + 1) = P(X = x) (a + b x) / (x + 1)

So from one probability and one value of the distribution function the others follow, up and down. Where the mean is
small the walk begins at 0, else at an approximate quantile that is a few steps away. What is not reached in some steps
is SciPy's.
"""

import numpy as np
from scipy import special, stats

SMALL = 16.0  # the mean below which the walk begins at 0
MOST_STEPS, STEPS_TOGETHER = 96, 6
CHUNK = 2**14  # numbers in one walk, which stay in a processor's cache


def poisson_quantiles(u, m):
    """The quantiles u (...) of Poisson counts of mean m (...), finite, float64: floats."""
    return _in_chunks(_poisson, u, m)


def negative_binomial_quantiles(u, m, r):
    """The quantiles u (...) of counts of mean m and variance m + m^2 / r, (...) each, finite, float64: floats."""
    return _in_chunks(_negative_binomial, u, m, r)


def _in_chunks(quantiles, *arrays):
    flat = [array.reshape(-1) for array in np.broadcast_arrays(*arrays)]
    result = np.empty(flat[0].shape)
    for first in range(0, result.size, CHUNK):
        result[first : first + CHUNK] = quantiles(*(array[first : first + CHUNK] for array in flat))
    return result.reshape(arrays[0].shape)


def _poisson(u, m):
    x, p, below = np.zeros(u.shape), np.exp(-m), np.exp(-m)
    far = np.flatnonzero(m >= SMALL)
    if far.size:
        x[far] = k = _near(u[far], m[far], m[far], m[far] ** -0.5)
        p[far] = np.exp(special.xlogy(k, m[far]) - m[far] - special.gammaln(k + 1))
        below[far] = special.pdtr(k, m[far])
    return _walk(u, x, p, below, m, np.zeros_like(m), lambda i: stats.poisson.ppf(u[i], m[i]))


def _negative_binomial(u, m, r):
    q, log_p = m / (r + m), -r * np.log1p(m / r)
    x, p, below = np.zeros(u.shape), np.exp(log_p), np.exp(log_p)
    far = np.flatnonzero(m >= SMALL)
    if far.size:
        m_, r_, q_ = m[far], r[far], q[far]
        x[far] = k = _near(u[far], m_, m_ + m_ * (m_ / r_), (1 + q_) / np.sqrt(r_ * q_))
        log_ways = special.gammaln(k + r_) - special.gammaln(r_) - special.gammaln(k + 1)
        p[far] = np.exp(log_ways + special.xlogy(k, q_) + log_p[far])
        below[far] = special.betainc(r_, k + 1, r_ / (r_ + m_))
    return _walk(u, x, p, below, r * q, q, lambda i: stats.nbinom.ppf(u[i], r[i], r[i] / (r[i] + m[i])))


def _near(u, m, variance, skewness):
    """The quantiles u of nearly normal numbers (Cornish and Fisher 1938), rounded, from 0."""
    z = special.ndtri(u)
    return np.maximum(np.rint(m + np.sqrt(variance) * (z + skewness * (z**2 - 1) / 6)), 0)


def _walk(u, x, p, below, a, b, otherwise):
    """The quantiles u, from x with p = P(X = x) and below = P(X <= x), all (n,); otherwise(i): those of the numbers i
    that are not reached."""
    start, up = (u, x, p, below, a, b), below < u
    result = np.full(u.shape, np.nan)
    result[up] = _upward(*(array[up] for array in start))
    result[~up] = _downward(*(array[~up] for array in start))
    lost = np.flatnonzero(np.isnan(result) | ~(p > 0))  # the walk from a probability of 0 goes nowhere
    if lost.size:
        result[lost] = otherwise(lost)
    return result


def _upward(u, x, p, below, a, b):
    """The first x above with P(X <= x) >= u; NaN where it is too far. In place; those that are there go on with the
    others for some steps, which costs less than to part them at once."""
    result, i, found = np.full(u.shape, np.nan), np.arange(len(u)), x.copy()
    for step in range(1, MOST_STEPS + 1):
        found += below < u
        p *= a + b * x
        x += 1
        p /= x
        below += p
        if step % STEPS_TOGETHER == 0:
            there = below >= u
            result[i[there]] = found[there]
            i, u, x, p, below, a, b, found = _those(~there, i, u, x, p, below, a, b, found)
            if not len(i):
                break
    return result


def _downward(u, x, p, below, a, b):
    """The last x from here down with P(X <= x) >= u; NaN where it is too far."""
    result, i = np.full(u.shape, np.nan), np.arange(len(u))
    for _ in range(MOST_STEPS):
        more = (below - p >= u) & (x > 0)
        result[i[~more]] = x[~more]
        i, u, x, p, below, a, b = _those(more, i, u, x, p, below, a, b)
        if not len(i):
            break
        x, below, p = x - 1, below - p, p * x / (a + b * (x - 1))
    return result


def _those(mask, *arrays):
    where = np.flatnonzero(mask)
    return [array[where] for array in arrays]
