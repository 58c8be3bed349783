"""Diagonal Gaussian posterior and standard normal prior: the definition, in NumPy.

Shapes: mu, logvar (B, Z); eps, z, dz (B * k, Z) with the k samples of a row next to each other; kl (B,);
log_qz, log_pz (B * k,). logvar is log sigma^2. Everything in nats.
"""

import numpy as np

LOG_2_PI = np.log(2 * np.pi)


def repeat(a, k):
    """(B, Z) -> (B * k, Z), each row k times."""
    return np.repeat(a, k, axis=0) if k > 1 else a


def reparameterize(mu, logvar, eps, z, log_qz):
    """z = mu + sigma eps with sigma = exp(logvar / 2), and its log-density under N(mu, sigma^2):
    log_qz = -1/2 sum_j (eps_j^2 + logvar_j + log 2 pi)."""
    k = len(eps) // max(len(mu), 1)
    logvar = repeat(logvar, k)
    z[...] = repeat(mu, k) + np.exp(logvar / 2) * eps
    log_qz[...] = -(np.sum(eps * eps + logvar, axis=1) + eps.shape[1] * LOG_2_PI) / 2


def reparameterize_backward(dz, logvar, eps, dmu, dlogvar, dlog_qz=None):
    """dmu = sum over the row's samples of dz;  dlogvar = sum over them of dz eps sigma / 2 - dlog_qz / 2, dlog_qz
    (B * k,) or None."""
    samples = (len(logvar), len(eps) // max(len(logvar), 1), logvar.shape[1])  # (B, k, Z)
    dmu[...] = dz.reshape(samples).sum(axis=1)
    dlogvar[...] = (dz * eps).reshape(samples).sum(axis=1) * (np.exp(logvar / 2) / 2)
    if dlog_qz is not None:
        dlogvar -= dlog_qz.reshape(samples[:2]).sum(axis=1, keepdims=True) / 2


def gaussian_density_backward(dlog_qz, logvar, eps, dz):
    """dz = -dlog_qz eps / sigma: the derivative of log N(z; mu, sigma^2) by z alone, at z = mu + sigma eps."""
    dz[...] = -dlog_qz[:, None] * eps * np.exp(-repeat(logvar, len(eps) // max(len(logvar), 1)) / 2)


def kl(mu, logvar, out):
    """KL(N(mu, sigma^2) || N(0, 1)) = 1/2 sum_j (mu_j^2 + exp(logvar_j) - 1 - logvar_j), never negative."""
    out[...] = np.sum(mu * mu + np.maximum(np.expm1(logvar) - logvar, 0), axis=1) / 2


def kl_backward(dkl, mu, logvar, dmu, dlogvar):
    """dmu = dkl mu;  dlogvar = dkl (exp(logvar) - 1) / 2."""
    dmu[...] = dkl[:, None] * mu
    dlogvar[...] = dkl[:, None] * (np.expm1(logvar) / 2)


def standard_normal(z, log_pz):
    """log_pz = log N(z; 0, 1) = -1/2 sum_j (z_j^2 + log 2 pi)."""
    log_pz[...] = -(np.sum(z * z, axis=1) + z.shape[1] * LOG_2_PI) / 2


def standard_normal_backward(dlog_pz, z, dz):
    """dz = -dlog_pz z."""
    dz[...] = -dlog_pz[:, None] * z
