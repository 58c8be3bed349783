"""The mutual information gap (MIG): does each known factor have a latent dimension of its own?

A row n has K factors v_k(n). With the aggregate posteriors q(z_j) of all N rows and q(z_j|v_k) of those of one value,

    q(z_j) = 1/N sum_n q(z_j|x_n)        q(z_j|v_k) = 1/N_v sum_{n: v_k(n) = v_k} q(z_j|x_n)
    I(z_j; v_k) = E_n E_{q(z_j|x_n)}[log q(z_j|v_k(n)) - log q(z_j)]

    MIG = 1/K sum_k (I_k1 - I_k2) / H(v_k)        I_k1, I_k2: the highest two of I(z_j; v_k) over j

(Chen et al. 2018, section 4.1, eq. 6). It is 1 where one dimension says all about a factor and the others say nothing,
and 0 where two say the same. The sums are over all rows; only n and z are drawn, so that each I is unbiased for these
rows. The difference of the two highest is not: it is a little too large where more are alike.
"""

from typing import NamedTuple

import numpy as np

from pyvae.arguments import check_count
from pyvae.data.sources import chunks_of
from pyvae.models.information import PASSES, draw, log_normal, log_sum
from pyvae.models.metrics import check_mu_logvar
from pyvae.noise import Noise


class MutualInformationGap(NamedTuple):
    """The MIG and what it is made of."""

    gap: float  # the mean over factors
    gaps: np.ndarray  # (K,) of each factor
    information: np.ndarray  # (Z, K) I(z_j; v_k), nats
    entropy: np.ndarray  # (K,) H(v_k), nats


def mutual_information_gap(mu, logvar, factors, n_samples=10_000, seed=0) -> MutualInformationGap:
    """MIG = 1/K sum_k (highest - second highest I(z_j; v_k) over j) / H(v_k) (Chen et al. 2018, eq. 6).

    mu, logvar (N, Z): diagonal Gaussians q(z|x) of all rows; see gaussian_posteriors. factors (N, K): the value of each
    factor in each row, of a few different ones, such as ``datasets.load("sprites").train_factors``. n_samples: of rows
    from which a z is drawn, at most all of them (the authors' number). Its time grows with n_samples N Z. Raises
    TypeError or ValueError for other arrays or numbers, less than two dimensions, or a factor that is always the same.
    """
    mu, logvar = check_mu_logvar(mu, logvar)
    factors = _check_factors(factors, mu)
    drawn = Noise(seed).permutation("split", len(mu), 0, min(check_count("n_samples", n_samples, 1), len(mu)))
    z, _ = draw(mu[drawn], logvar[drawn], 1, drawn, seed)
    log_qz = _log_marginals(z, mu, logvar)  # (S, Z)
    information, entropy = np.empty((mu.shape[1], factors.shape[1])), np.empty(factors.shape[1])
    for k, factor in enumerate(factors.T):
        log_qz_v = np.empty_like(log_qz)
        for value in np.unique(factor):
            rows, samples = factor == value, factor[drawn] == value
            log_qz_v[samples] = _log_marginals(z[samples], mu[rows], logvar[rows])
        information[:, k] = (log_qz_v - log_qz).mean(axis=0)
        share = np.unique(factor, return_counts=True)[1] / len(factor)
        entropy[k] = -(share * np.log(share)).sum()
    second, first = np.sort(information, axis=0)[-2:]
    gaps = (first - second) / entropy
    return MutualInformationGap(float(gaps.mean()), gaps, information, entropy)


def _log_marginals(z, mu, logvar):
    """log 1/N sum_n N(z_ij; mu_nj, exp(logvar_nj)), (S, Z), nats."""
    result = np.empty(z.shape)
    for rows in chunks_of(len(z), PASSES * len(mu)):
        for j in range(z.shape[1]):
            result[rows, j] = log_sum(log_normal(z[rows, j], mu[:, j], logvar[:, j]))
    return result - np.log(len(mu))


def _check_factors(factors, mu):
    """The factors as whole numbers (N, K), equal where the values are."""
    factors = np.asarray(factors)
    if factors.ndim != 2 or len(factors) != len(mu):
        raise ValueError(f"factors must be (N, K) with N = {len(mu)} rows, as mu has, not of shape {factors.shape}")
    if mu.shape[1] < 2:
        raise ValueError("a gap is between two latent dimensions: mu must have at least two columns")
    codes = np.stack([np.unique(factor, return_inverse=True)[1] for factor in factors.T], axis=1)
    constant = np.flatnonzero(codes.max(axis=0) == 0)
    if constant.size:
        raise ValueError(f"factors[:, {constant[0]}] is the same in every row: leave it out, it says nothing")
    return codes
