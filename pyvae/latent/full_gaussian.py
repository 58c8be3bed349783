"""The posterior q(z|x) = N(mu, L L.T): a Gaussian whose dimensions may be correlated, by its Cholesky factor.

L is lower triangular with a positive diagonal. The encoder makes [mu | l | lower] a row: L_jj = exp(l_j), and below the
diagonal the numbers themselves, row by row: L_10, L_20, L_21, L_30, ... Any real numbers are valid. With eps ~ N(0, 1),

    z_i = mu_i + L_ii eps_i + sum_(j < i) L_ij eps_j        Cov z = E[L eps eps.T L.T] = L L.T

    dmu_i = dz_i        dl_i = dz_i L_ii eps_i        dL_ij = dz_i eps_j,        summed over the row's samples.

dz/deps is L, whose determinant is the product of its diagonal. So

    log q(z|x) = -1/2 sum_j (eps_j^2 + 2 l_j + log 2 pi)        dlog q/dl_j = -1

    by z alone, with eps = L^-1 (z - mu):        dlog q/dz = -L^-T eps

    KL(q || N(0, 1)) = 1/2 (|mu|^2 + |L|_F^2 - Z - 2 sum_j l_j)
                     = 1/2 (sum_j (mu_j^2 + exp(2 l_j) - 1 - 2 l_j) + sum_(j < i) L_ij^2)

    dKL/dmu = mu        dKL/dl_j = exp(2 l_j) - 1        dKL/dL_ij = L_ij

The kernels, of cholesky.pyx, have these equations in _kernels/cholesky_ref.py.
"""

import math
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.latent.interface import Posterior, log_of_variance
from pyvae.module import register
from pyvae.workspace import FRESH


class MuCholesky(NamedTuple):
    """A Gaussian for each row, or the loss's derivatives by its mu and its Cholesky factor."""

    mu: np.ndarray  # (B, Z)
    log_diagonal: np.ndarray  # (B, Z)
    lower: np.ndarray  # (B, Z (Z - 1) / 2)     what stands below the diagonal, row by row


class FullSampleCache(NamedTuple):
    q: MuCholesky
    eps: np.ndarray  # (B * k, Z)
    memory: object


class FullKLCache(NamedTuple):
    q: MuCholesky
    memory: object


@register
class FullGaussian(Posterior):
    """q(z|x) = N(mu, L L.T), for each row its own mean and covariance (Kingma and Welling 2019, section 2.5.1).

    A posterior whose dimensions are correlated, as that of a linear model is, can be met exactly. The encoder's outputs
    grow with the square of the latent dimensions: 2 Z + Z (Z - 1) / 2 columns.
    """

    playable = pathwise = True

    def n_outputs(self, latent_dim):
        return 2 * latent_dim + latent_dim * (latent_dim - 1) // 2

    def split(self, outputs, memory=FRESH):
        """mu, log_diagonal (B, Z) and lower (B, Z (Z - 1) / 2), from the encoder's outputs (B, n_outputs)."""
        Z = (math.isqrt(9 + 8 * outputs.shape[1]) - 3) // 2
        return MuCholesky(outputs[:, :Z], outputs[:, Z : 2 * Z], outputs[:, 2 * Z :])

    def sample(self, q, eps, memory=FRESH):
        """z = mu + L eps (B * k, Z), k samples a row next to each other, and log q(z|x) (B * k,), nats."""
        z, log_qz = memory.take(eps.shape, eps.dtype), memory.take((len(eps),), eps.dtype)
        _kernels.full_gaussian(q.mu, q.log_diagonal, q.lower, eps, z, log_qz)
        return z, log_qz, FullSampleCache(q, eps, memory)

    def sample_backward(self, dz, dlog_qz, cache):
        """dmu, dlog_diagonal and dlower through the samples; dlog_qz (B * k,) may be None."""
        q, eps, memory = cache
        dmu, dlog_diagonal, dlower = (memory.take(a.shape, a.dtype) for a in q)
        _kernels.full_gaussian_backward(dz, q.log_diagonal, eps, dmu, dlog_diagonal, dlower, dlog_qz)
        return MuCholesky(dmu, dlog_diagonal, dlower)

    def density_backward(self, dlog_qz, cache):
        """dz (B * k, Z) = -dlog_qz L^-T eps, of log q(z|x) by z alone: L.T is solved from its last row upwards."""
        q, eps, memory = cache
        dz = memory.take(eps.shape, eps.dtype)
        _kernels.full_gaussian_density_backward(dlog_qz, q.log_diagonal, q.lower, eps, dz)
        return dz

    def kl_to_standard_normal(self, q, memory=FRESH):
        """KL(q || N(0, 1)) (B,), nats, never negative, and a cache."""
        kl = memory.take((len(q.mu),), q.mu.dtype)
        _kernels.full_gaussian_kl(q.mu, q.log_diagonal, q.lower, kl)
        return kl, FullKLCache(q, memory)

    def kl_to_standard_normal_backward(self, dkl, cache):
        """dmu = dkl mu, dlog_diagonal = dkl (exp(2 log_diagonal) - 1) and dlower = dkl lower, for dkl (B,)."""
        q, memory = cache
        dmu, dlog_diagonal, dlower = (memory.take(a.shape, a.dtype) for a in q)
        _kernels.full_gaussian_kl_backward(dkl, q.mu, q.log_diagonal, q.lower, dmu, dlog_diagonal, dlower)
        return MuCholesky(dmu, dlog_diagonal, dlower)

    def closed_moments(self, q):
        """mu, and the logarithm of the diagonal of L L.T, log (exp(2 l_i) + sum_(j < i) L_ij^2), in double."""
        variance = np.empty(q.mu.shape, np.float64)
        _kernels.exponential(2 * q.log_diagonal.astype(np.float64), variance)
        for i in range(1, variance.shape[1]):
            row = q.lower[:, i * (i - 1) // 2 : i * (i + 1) // 2].astype(np.float64)
            variance[:, i] += (row**2).sum(axis=1)
        return q.mu, log_of_variance(variance)
