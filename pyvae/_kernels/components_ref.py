"""Log densities of rows under each of many diagonal Gaussians: the definition, in NumPy.

Shapes: z, dz (N, Z); mu, logvar, dmu, dlogvar (K, Z); out, dout (N, K). logvar is log sigma^2. Everything in nats. The
squared distances are added up directly: expanded, z^2 - 2 z mu + mu^2, they would cancel.
"""

import numpy as np

LOG_2_PI = np.log(2 * np.pi)


def gaussian_components(z, mu, logvar, out):
    """out_ik = log N(z_i; mu_k, sigma_k^2) = -1/2 sum_j ((z_ij - mu_kj)^2 exp(-logvar_kj) + logvar_kj + log 2 pi)."""
    precision = np.exp(-logvar)
    for k in range(len(mu)):
        out[:, k] = -np.sum((z - mu[k]) ** 2 * precision[k] + (logvar[k] + z.dtype.type(LOG_2_PI)), axis=1) / 2


def gaussian_components_backward(dout, z, mu, logvar, dz, dmu, dlogvar):
    """With d = z_ij - mu_kj and g = dout_ik d exp(-logvar_kj): dz_ij = -sum_k g, dmu_kj = sum_i g and
    dlogvar_kj = sum_i (g d - dout_ik) / 2."""
    precision = np.exp(-logvar)
    dz[...] = 0
    for k in range(len(mu)):
        d = z - mu[k]
        g = dout[:, k, None] * (d * precision[k])
        dz -= g
        dmu[k] = g.sum(axis=0)
        dlogvar[k] = ((g * d).sum(axis=0) - dout[:, k].sum()) / 2
