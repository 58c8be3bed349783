"""Likelihoods of counts: Poisson, multinomial and negative binomial. The interface is in likelihood.py.

Poisson, rate exp(l):

    log p(x|l) = x l - exp(l) - log x!                       dl = x - exp(l)

Multinomial, n = sum_j x_j words, word j with probability softmax(l)_j, L = log sum_j exp(l_j):

    log p(x|l) = log n! - sum_j log x_j! + sum_j x_j (l_j - L)       dl_j = x_j - n exp(l_j - L)

Negative binomial: a Poisson whose rate varies from row to row, like a gamma variable of mean m and shape r. With the
rate integrated out, m = exp(l), r = exp(rho), d = l - rho, and log(1 + m / r) = softplus(d),

    log p(x|l, rho) = log gamma(x + r) - log gamma(r) - log x! - r softplus(d) - x softplus(-d)
    dl = (x - m) r / (r + m)        drho = r (digamma(x + r) - digamma(r) - softplus(d)) - dl

The variance is m + m^2 / r. As r grows, log gamma(x + r) - log gamma(r) goes to x rho, r softplus(d) to m and
x softplus(-d) to x (rho - l): the Poisson remains. The terms x rho, far larger than what remains, must cancel; so the
kernels compute log gamma(x + r) - log gamma(r) - x rho as one term, which vanishes like x (x - 1) / (2 r).

log p sums over a row's columns; derivatives are multiplied by the row's dlog_px. Kernels compute log p and drho in
double, whatever type the counts have. A log-rate above 88 in float32 (709 in float64) makes the Poisson's rate infinite
and log p and dl minus infinity; multinomial and negative binomial, and their derivatives, are finite for all finite l.
"""

import numpy as np

from pyvae import _kernels
from pyvae.arena import Pace
from pyvae.arguments import check_count
from pyvae.likelihoods.likelihood import Likelihood, OutputsCache, each_by_itself
from pyvae.module import register
from pyvae.workspace import FRESH

DISPERSIONS = (0.01, 1000.0)  # least and greatest first r; above the latter a count is nearly a Poisson
LOG_R_PACE = 10.0  # its wanted value lies several nats away, as far as z explains what scatters


class Counts(Likelihood):
    """The common part of likelihoods of counts."""

    support = "whole numbers from 0"

    def mean(self, outputs):
        """E[x|z] = exp(l) (B * k, D); infinite where the outputs' type cannot hold it."""
        with np.errstate(over="ignore"):
            return np.exp(outputs)

    def outside(self, x):
        return ~(np.isfinite(x) & (x >= 0) & (x == np.floor(x)))


def has_counts(likelihood):
    """True if some of the likelihood's columns are counts."""
    return isinstance(likelihood, Counts) or any(map(has_counts, likelihood.children().values()))


@register
class Poisson(Counts):
    """x_j ~ Poisson(exp(l_j)), independent columns of counts; mean and variance are both exp(l_j)."""

    playable = True

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.poisson(x, outputs, log_px, observed)  # sum_j x l - exp(l) - log x!
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, log_rates, observed, memory = cache
        dlog_rates = memory.take(log_rates.shape, log_rates.dtype)
        _kernels.poisson_backward(dlog_px, x, log_rates, dlog_rates, observed)  # dlog_px (x - exp(l))
        return dlog_rates

    def by_column(self, x, outputs):
        return each_by_itself(_kernels.poisson, x, outputs)

    def draw(self, outputs, noise):
        """x (B * k, D): the smallest x whose distribution function is at least a uniform number."""
        from pyvae.likelihoods.count_draws import poisson_quantiles

        u = noise.uniform("x", outputs.shape, np.arange(len(outputs)), np.float64)
        return poisson_quantiles(u, np.exp(outputs.astype(np.float64))).astype(outputs.dtype)

    def start(self, mean, variance, outputs):
        outputs[...] = np.log(mean)


@register
class Multinomial(Counts):
    """x ~ Multinomial(n, softmax(l)): how often each of D words stands among the n words of a text.

    log p is conditional on n, the sum of the row itself, which may be any whole number from 0. So a row must be
    observed whole: log_density raises ValueError where one is not. total: the number of words that ``mean`` and
    ``draw`` make; with 1 the mean is the words' probabilities. Raises ValueError where it is below 1.
    """

    playable = True

    def __init__(self, n_features, total=1):
        super().__init__(n_features)
        self.total = check_count("total", total, 1)

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        """See Likelihood. Raises ValueError where entries of x (B, D) are not observed."""
        if observed is not None:
            raise ValueError("a multinomial takes rows that are observed whole: n is the sum of all of their columns")
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.multinomial(x, outputs, log_px)  # log n! + sum_j x_j (l_j - L) - log x_j!
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, logits, _, memory = cache
        dlogits = memory.take(logits.shape, logits.dtype)
        _kernels.multinomial_backward(dlog_px, x, logits, dlogits)  # dlog_px (x_j - n exp(l_j - L))
        return dlogits

    def mean(self, outputs):
        """E[x|z] = total softmax(l) (B * k, D)."""
        e = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return self.total * (e / e.sum(axis=1, keepdims=True))

    def draw(self, outputs, noise):
        """x (B * k, D): ``total`` words a row, each the first at which the probabilities reach a uniform number."""
        u = noise.uniform("x", (len(outputs), self.total), np.arange(len(outputs)), np.float64)
        reached = np.cumsum(self.mean(outputs.astype(np.float64)), axis=1)
        x = np.empty_like(outputs)
        for i in range(len(x)):
            words = np.searchsorted(reached[i], u[i] * reached[i, -1])
            x[i] = np.bincount(words, minlength=self.n_features)
        return x

    def by_column(self, x, outputs):
        """See Likelihood; for no x (B, D): raises ValueError: no column is independent of the others."""
        raise ValueError("the columns of a multinomial are not independent: they share the number of words of the row")

    def config(self):
        return {"n_features": self.n_features, "total": self.total}


@register
class NegativeBinomial(Counts):
    """x_j ~ NB(mean m_j = exp(l_j), dispersion r_j), independent columns of counts with variance m_j + m_j^2 / r_j.

    r_j is learned for each column as ``log_r``, which starts at 0. Source: Lopez et al. 2018 (scVI), without its
    library sizes and zero inflation.
    """

    playable = True

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.negative_binomial(x, outputs, self.log_r[None], log_px, observed)
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, log_means, observed, memory = cache
        dlog_means, dlog_r_rows = (memory.take(log_means.shape, log_means.dtype) for _ in range(2))
        _kernels.negative_binomial_backward(dlog_px, x, log_means, self.log_r[None], dlog_means, dlog_r_rows, observed)
        _kernels.column_sums(dlog_r_rows, out=self.dlog_r)  # one r for all rows: its derivatives add up
        return dlog_means

    def by_column(self, x, outputs):
        return each_by_itself(_kernels.negative_binomial, x, outputs, self.log_r[None])

    def draw(self, outputs, noise):
        """x (B * k, D): the smallest x whose distribution function is at least a uniform number."""
        from pyvae.likelihoods.count_draws import negative_binomial_quantiles

        u = noise.uniform("x", outputs.shape, np.arange(len(outputs)), np.float64)
        m, r = np.exp(outputs.astype(np.float64)), np.exp(self.log_r.astype(np.float64))
        return negative_binomial_quantiles(u, m, r).astype(outputs.dtype)

    def start(self, mean, variance, outputs):
        """See Likelihood; mean and variance (D,). The dispersion r solves variance = m + m^2 / r."""
        outputs[...] = np.log(mean)
        r = np.divide(mean**2, variance - mean, out=np.full(len(mean), np.inf), where=variance > mean)
        self.log_r[...] = np.log(np.clip(r, *DISPERSIONS))

    def paces(self, outputs):
        return [Pace(self.log_r, times=LOG_R_PACE)]

    def shapes(self):
        return {"log_r": (self.n_features,)}
