"""What z says about the row, and how far the latent dimensions depend on each other.

Over the rows x_1 .. x_N, with the aggregate posterior q(z) = 1/N sum_n q(z|x_n) and q(z_d) its marginal in dimension d,

    I(x; z) = 1/N sum_i E_{q(z|x_i)}[log q(z|x_i) - log q(z)]                       mutual information
    TC      = 1/N sum_i E_{q(z|x_i)}[log q(z) - sum_d log q(z_d)]                   total correlation

and the mean KL to a prior of independent dimensions is I(x; z) + TC + sum_d KL(q(z_d) || p(z_d)) (Hoffman and Johnson
2016; Chen et al. 2018, eq. 2). The expectations are means over k samples z_is of each row; log q(z) is computed from
all N rows, so for these rows both estimates are unbiased.

The rows may stand for a data set of M >= N rows. Of row i it is known that z_is came from it; the others stand for the
M - 1 rest (the stratified weights of objectives/total_correlation.py):

    q(z_is) ~ sum_j W_ij q(z_is|x_j)        W_ii = 1/M,  W_ij = (M - 1) / (M (N - 1))        M = N: the mean over rows

This q(z_is) is unbiased; its logarithm is too small on average. So with M > N, I(x; z) is too large (with M infinite it
is the leave-one-out upper bound of Poole et al. 2019), and TC may err either way. With M = N but rows drawn from a
larger set, I(x; z) is too small: it cannot exceed log N.

Both are sums over rows of nearly independent numbers, t_i, and by the delta method what t_i does to q(z) changes them
in second order alone: standard error = sd(t_i) / sqrt(N), of rows and samples drawn at random.
"""

import math
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data.sources import chunks_of
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar
from pyvae.models.metrics import check_mu_logvar
from pyvae.noise import Noise

LOG_2_PI = math.log(2 * math.pi)
PASSES = 8  # over the same numbers: the smaller a chunk, the nearer they stay


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    standard_error: float


def mutual_information(mu, logvar, n_rows=None, n_samples=1, seed=0) -> Estimate:
    """I(x; z) = E[log q(z|x) - log q(z)] and its standard error, nats: what z says about which row it came from.

    mu, logvar (N, Z): diagonal Gaussians q(z|x), of N rows; see gaussian_posteriors. n_rows: the number M of rows of
    the data set that these were drawn from, math.inf for one without end; None: these are all, for which the estimate
    is unbiased, and at most log N. n_samples: of z from each row. The time grows with N^2 Z. Raises TypeError or
    ValueError for other arrays or numbers.
    """
    return _of_rows(mu, logvar, n_rows, n_samples, seed, lambda log_qz_x, joint, marginals: log_qz_x - joint)


def total_correlation(mu, logvar, n_rows=None, n_samples=1, seed=0) -> Estimate:
    """TC = KL(q(z) || prod_d q(z_d)) and its standard error, nats: 0 where the dimensions of the aggregate posterior
    q(z) are independent of each other (Chen et al. 2018, eq. 2).

    The arguments are those of mutual_information. With n_rows=None it is that of the mixture of these rows, without
    bias; where posteriors do not overlap, that is up to (Z - 1) log N, however independent the dimensions of the rows
    behind are. Raises TypeError or ValueError for other arrays or numbers.
    """
    return _of_rows(mu, logvar, n_rows, n_samples, seed, lambda log_qz_x, joint, marginals: joint - marginals, True)


def _of_rows(mu, logvar, n_rows, n_samples, seed, term, with_marginals=False):
    """The mean of term(log q(z|x), log q(z), sum_d log q(z_d)) over samples and rows."""
    mu, logvar = check_mu_logvar(mu, logvar)
    log_own, log_other = _log_weights(len(mu), n_rows)
    k, values = check_count("n_samples", n_samples, 1), np.empty(len(mu))
    for rows in chunks_of(len(mu), PASSES * k * len(mu)):
        z, log_qz_x = draw(mu[rows], logvar[rows], k, rows, seed)
        own = np.repeat(rows, k)
        joint, marginals = np.zeros((len(z), len(mu))), np.zeros(len(z))
        for d in range(mu.shape[1]):
            log_q = log_normal(z[:, d], mu[:, d], logvar[:, d])
            joint += log_q
            if with_marginals:
                marginals += _log_mixture(log_q, own, log_own, log_other)
        of_samples = term(log_qz_x, _log_mixture(joint, own, log_own, log_other), marginals)
        values[rows] = of_samples.reshape(len(rows), k).mean(axis=1)
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), float(error))


def draw(mu, logvar, k, rows, seed):
    """z (B * k, Z) and log q(z|x) (B * k,), nats: k samples of each of the rows with these numbers, in double."""
    eps = Noise(seed).normal("z", (len(mu) * k, mu.shape[1]), rows, np.float64)
    return DiagonalGaussian().sample(MuLogvar(mu, logvar), eps)[:2]


def log_normal(z, mu, logvar):
    """log N(z_i; mu_j, exp(logvar_j)), (S, N), nats, for one dimension: z (S,), mu and logvar (N,)."""
    precision = np.empty((1, len(logvar)))
    _kernels.exponential(-logvar[None], precision)  # 1 / sigma^2
    result = z[:, None] - mu
    result *= result
    result *= precision
    result += logvar + LOG_2_PI
    result *= -0.5
    return result


def log_sum(log_terms):
    """log sum_j exp of each row, (S,), of terms (S, N), which are overwritten."""
    result = np.empty(len(log_terms))
    _kernels.softmax(log_terms, log_terms, result)
    return result


def _log_mixture(log_q, own, log_own, log_other):
    """log sum_j W_ij q_ij, (S,), for log q (S, N), with W_ii in the columns ``own``."""
    weighted = log_q + log_other
    i = np.arange(len(own))
    weighted[i, own] = log_q[i, own] + log_own
    return log_sum(weighted)


def _log_weights(n, n_rows):
    """log W_ii and log W_ij of n rows that stand for n_rows."""
    if n_rows is None:
        return -math.log(n), -math.log(n)
    M = math.inf if n_rows == math.inf else check_number("n_rows", n_rows, n, low_included=True)
    if n == 1 and M > 1:
        raise ValueError(f"one row does not stand for {M:g}: give mu and logvar of at least two")
    if M == math.inf:
        return -math.inf, -math.log(n - 1)
    return -math.log(M), math.log((M - 1) / (M * (n - 1))) if n > 1 else -math.inf
