"""The prior p(z), which the posterior is pulled towards and from which new rows are generated."""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.module import Module, register
from pyvae.workspace import Lease


class PriorCache(NamedTuple):
    z: np.ndarray  # (B * k, Z)


@register
class StandardNormal(Module):
    """p(z) = N(0, 1), independent in each of the Z dimensions."""

    def log_density(self, z, workspace=None):
        """log p(z) = -1/2 sum_j (z_j^2 + log 2 pi), (B * k,), nats."""
        log_pz = Lease(workspace).take((len(z),), z.dtype)
        _kernels.standard_normal(z, log_pz)
        return log_pz, PriorCache(z)

    def log_density_backward(self, dlog_pz, cache):
        """dz (B * k, Z) = -dlog_pz z, for dlog_pz (B * k,)."""
        return -dlog_pz[:, None] * cache.z

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim)."""
        return noise.normal("prior", (n, latent_dim), np.arange(n), dtype)
