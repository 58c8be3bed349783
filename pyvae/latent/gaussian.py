"""The posterior q(z|x) = N(mu, diag(sigma^2)): sampling from it and its KL divergence from N(0, 1), with gradients.

The encoder's last layer has 2 Z outputs a row, [mu | logvar], with logvar = log sigma^2: any real number is a valid
logvar, and sigma = exp(logvar / 2) is positive without a constraint. B rows, Z latent dimensions, k samples a row.

The reparameterization trick (Kingma and Welling 2014, section 2.4). A sample z ~ q is a choice of noise and then a
smooth function of mu and logvar, through which gradients flow:

    z = mu + sigma eps,  eps ~ N(0, 1)      dz/dmu = 1      dz/dlogvar = eps dsigma/dlogvar = eps sigma / 2

so  dmu = dz  and  dlogvar = dz eps sigma / 2,  summed over the row's samples (dX: the loss's derivative by X). eps is
an argument, not drawn in here: held fixed, it makes the loss an ordinary function, which can be repeated and
differenced (gradcheck.py). The cache keeps it, as backward must use the very numbers that forward used.

The KL divergence (ibid., appendix B), per row, in closed form:

    KL(q || N(0, 1)) = 1/2 sum_j (mu_j^2 + sigma_j^2 - 1 - logvar_j)

    dKL/dmu = mu        dKL/dlogvar = (sigma^2 - 1) / 2
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.module import Module, register
from pyvae.workspace import Lease


class SampleCache(NamedTuple):
    logvar: np.ndarray  # (B, Z)
    eps: np.ndarray  # (B * k, Z)
    memory: Lease


class KLCache(NamedTuple):
    mu: np.ndarray  # (B, Z)
    logvar: np.ndarray  # (B, Z)
    memory: Lease


@register
class DiagonalGaussian(Module):
    """q(z|x) = N(mu, diag(exp(logvar))).

    logvar_bounds: None, or (low, high): logvar is clipped to that range, with derivative 0 outside it. Raises
    ValueError unless low < high.
    """

    def __init__(self, logvar_bounds=None):
        if logvar_bounds is not None and not logvar_bounds[0] < logvar_bounds[1]:
            raise ValueError(f"logvar_bounds must be None or (low, high) with low < high, not {logvar_bounds!r}")
        self.logvar_bounds = None if logvar_bounds is None else tuple(logvar_bounds)

    def split(self, outputs, workspace=None):
        """mu (B, Z) and logvar (B, Z), from the encoder's outputs (B, 2 Z)."""
        latent_dim = outputs.shape[1] // 2
        mu, logvar = outputs[:, :latent_dim], outputs[:, latent_dim:]
        if self.logvar_bounds is not None:
            logvar = np.clip(logvar, *self.logvar_bounds, out=Lease(workspace).take(logvar.shape, logvar.dtype))
        return mu, logvar

    def split_backward(self, dmu, dlogvar, outputs, workspace=None):
        """doutputs (B, 2 Z) = [dmu | dlogvar], with dlogvar = 0 where logvar was clipped."""
        latent_dim = dmu.shape[1]
        doutputs = Lease(workspace).take(outputs.shape, outputs.dtype)
        _kernels.copy(dmu, out=doutputs[:, :latent_dim])
        _kernels.copy(dlogvar, out=doutputs[:, latent_dim:])
        if self.logvar_bounds is not None:
            low, high = self.logvar_bounds
            logvar = outputs[:, latent_dim:]
            doutputs[:, latent_dim:][(logvar < low) | (logvar > high)] = 0
        return doutputs

    def sample(self, mu, logvar, eps, workspace=None):
        """z = mu + sigma eps (B * k, Z), k samples a row next to each other, and log q(z|x) (B * k,), nats.

        mu, logvar (B, Z), eps (B * k, Z). log q is for importance weights; the ELBO has its part of it in the KL.
        """
        memory = Lease(workspace)
        z, log_qz = memory.take(eps.shape, eps.dtype), memory.take((len(eps),), eps.dtype)
        _kernels.reparameterize(mu, logvar, eps, z, log_qz)
        return z, log_qz, SampleCache(logvar, eps, memory)

    def sample_backward(self, dz, dlog_qz, cache):
        """dmu and dlogvar (B, Z) through the samples; dlog_qz (B * k,) may be None.

        Along z = mu + sigma eps, log q(z|x) = -1/2 sum_j (eps_j^2 + logvar_j + log 2 pi): it does not move with mu, and
        each logvar_j moves it by -1/2.
        """
        logvar, eps, memory = cache
        dmu, dlogvar = memory.take(logvar.shape, logvar.dtype), memory.take(logvar.shape, logvar.dtype)
        _kernels.reparameterize_backward(dz, logvar, eps, dmu, dlogvar)  # dmu = dz;  dlogvar = dz eps sigma / 2
        if dlog_qz is not None:
            dlogvar -= dlog_qz.reshape(len(logvar), -1).sum(axis=1, keepdims=True) / 2
        return dmu, dlogvar

    def kl(self, mu, logvar, workspace=None):
        """KL(q || N(0, 1)) (B,), nats, never negative."""
        memory = Lease(workspace)
        kl = memory.take((len(mu),), mu.dtype)
        _kernels.kl(mu, logvar, kl)
        return kl, KLCache(mu, logvar, memory)

    def kl_backward(self, dkl, cache):
        """dmu = dkl mu and dlogvar = dkl (sigma^2 - 1) / 2, for dkl (B,) the loss's derivative by each row's KL."""
        mu, logvar, memory = cache
        dmu, dlogvar = memory.take(mu.shape, mu.dtype), memory.take(mu.shape, mu.dtype)
        _kernels.kl_backward(dkl, mu, logvar, dmu, dlogvar)
        return dmu, dlogvar

    def kernels_alone(self):
        """Whether a step can be recorded (step.py): not with a clip, which is NumPy's."""
        return super().kernels_alone() and self.logvar_bounds is None

    def config(self):
        return {"logvar_bounds": None if self.logvar_bounds is None else list(self.logvar_bounds)}
