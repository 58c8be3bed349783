"""Gaussian posterior with a full covariance, by its Cholesky factor: the definition, in NumPy.

Shapes: mu, log_diagonal (B, Z); lower (B, Z (Z - 1) / 2), what L has below its diagonal, row by row; eps, z, dz
(B * k, Z) with the k samples of a row next to each other; out, dkl (B,); log_qz, dlog_qz (B * k,). Everything in nats.
"""

import numpy as np

LOG_2_PI = np.log(2 * np.pi)


def factor_of(log_diagonal, lower):
    """L (B, Z, Z)."""
    rows, Z = log_diagonal.shape
    L = np.zeros((rows, Z, Z), log_diagonal.dtype)
    L[:, np.arange(Z), np.arange(Z)] = np.exp(log_diagonal)
    i, j = np.tril_indices(Z, -1)
    L[:, i, j] = lower
    return L


def by_row(a, rows):
    """(B * k, Z) -> (B, k, Z)."""
    return a.reshape(rows, len(a) // max(rows, 1), a.shape[1])


def full_gaussian(mu, log_diagonal, lower, eps, z, log_qz):
    """z = mu + L eps, and its log-density under N(mu, L L.T): log_qz = -1/2 sum_j (eps_j^2 + 2 log L_jj + log 2 pi)."""
    rows, Z = mu.shape
    e, diagonal = by_row(eps, rows), np.exp(log_diagonal)[:, None]
    samples = mu[:, None] + diagonal * e
    for i in range(1, Z):
        row = lower[:, None, i * (i - 1) // 2 : i * (i + 1) // 2]
        samples[:, :, i] += (row * e[:, :, :i]).sum(axis=2)
    z[...] = samples.reshape(z.shape)
    log_qz[...] = -(np.sum(e * e + 2 * log_diagonal[:, None], axis=2).reshape(-1) + Z * LOG_2_PI) / 2


def full_gaussian_backward(dz, log_diagonal, eps, dmu, dlog_diagonal, dlower, dlog_qz=None):
    """dmu = dz;  dlog_diagonal_j = dz_j L_jj eps_j - dlog_qz;  dL_ij = dz_i eps_j;  summed over the row's samples.
    dlog_qz (B * k,) or None."""
    rows, Z = log_diagonal.shape
    d, e = by_row(dz, rows), by_row(eps, rows)
    dmu[...] = d.sum(axis=1)
    dlog_diagonal[...] = (d * e).sum(axis=1) * np.exp(log_diagonal)
    if dlog_qz is not None:
        dlog_diagonal -= by_row(dlog_qz[:, None], rows).sum(axis=1)
    i, j = np.tril_indices(Z, -1)
    dlower[...] = (d[:, :, i] * e[:, :, j]).sum(axis=1)


def full_gaussian_density_backward(dlog_qz, log_diagonal, lower, eps, dz):
    """dz = -dlog_qz L^-T eps: the derivative of log N(z; mu, L L.T) by z alone, at z = mu + L eps. L.T is upper
    triangular, and is solved from its last row upwards."""
    rows, Z = log_diagonal.shape
    v = by_row(-dlog_qz[:, None] * eps, rows).copy()
    scale = np.exp(-log_diagonal)[:, None]
    for i in reversed(range(Z)):
        v[:, :, i] *= scale[:, :, i]
        v[:, :, :i] -= v[:, :, i : i + 1] * lower[:, None, i * (i - 1) // 2 : i * (i + 1) // 2]
    dz[...] = v.reshape(dz.shape)


def full_gaussian_kl(mu, log_diagonal, lower, out):
    """KL(N(mu, L L.T) || N(0, 1)) = 1/2 (sum_j (mu_j^2 + L_jj^2 - 1 - 2 log L_jj) + sum_(j < i) L_ij^2), never
    negative."""
    v = 2 * log_diagonal
    out[...] = (np.sum(mu * mu + np.maximum(np.expm1(v) - v, 0), axis=1) + np.sum(lower * lower, axis=1)) / 2


def full_gaussian_kl_backward(dkl, mu, log_diagonal, lower, dmu, dlog_diagonal, dlower):
    """dmu = dkl mu;  dlog_diagonal = dkl (L_jj^2 - 1);  dL_ij = dkl L_ij."""
    dmu[...] = dkl[:, None] * mu
    dlog_diagonal[...] = dkl[:, None] * np.expm1(2 * log_diagonal)
    dlower[...] = dkl[:, None] * lower
