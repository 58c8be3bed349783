"""The posterior q(z|x) = N(mu, diag(sigma^2)), the prior p(z) = N(0, 1), and the KL between the two, with gradients.

The encoder's last layer has 2 Z outputs a row, [mu | logvar], with logvar = log sigma^2: any real number is a valid
logvar, and sigma = exp(logvar / 2) is positive without a constraint. B rows, Z latent dimensions, k samples a row.

The reparameterization trick (Kingma and Welling 2014, section 2.4). A sample z ~ q is a choice of noise and then a
smooth function of mu and logvar, through which gradients flow:

    z = mu + sigma eps,  eps ~ N(0, 1)      dz/dmu = 1      dz/dlogvar = eps dsigma/dlogvar = eps sigma / 2

so  dmu = dz  and  dlogvar = dz eps sigma / 2,  summed over the row's samples (dX: the loss's derivative by X). eps is
an argument and is not drawn here. A fixed eps makes the loss an ordinary function, which can be repeated and
differenced (gradcheck.py). The cache keeps eps, as backward must use the very numbers that forward used.

The KL divergence (ibid., appendix B), per row, in closed form:

    KL(q || N(0, 1)) = 1/2 sum_j (mu_j^2 + sigma_j^2 - 1 - logvar_j)

    dKL/dmu = mu        dKL/dlogvar = (sigma^2 - 1) / 2
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_bounds
from pyvae.latent.interface import Posterior, Prior, is_of_its_samples
from pyvae.module import register
from pyvae.workspace import FRESH


class MuLogvar(NamedTuple):
    """A diagonal Gaussian for each row, or the loss's derivatives by its mu and logvar."""

    mu: np.ndarray  # (B, Z)
    logvar: np.ndarray  # (B, Z)


class SampleCache(NamedTuple):
    logvar: np.ndarray  # (B, Z)
    eps: np.ndarray  # (B * k, Z)
    memory: object


class KLCache(NamedTuple):
    mu: np.ndarray  # (B, Z)
    logvar: np.ndarray  # (B, Z)
    memory: object


@register
class DiagonalGaussian(Posterior):
    """q(z|x) = N(mu, diag(exp(logvar))).

    logvar_bounds: None, or the range (low, high) to which logvar is clipped, with derivative 0 outside it. Raises
    ValueError unless low < high.
    """

    playable = pathwise = True

    def __init__(self, logvar_bounds=None):
        self.logvar_bounds = check_bounds("logvar_bounds", logvar_bounds)

    def n_outputs(self, latent_dim):
        return 2 * latent_dim

    def split(self, outputs, memory=FRESH):
        """mu (B, Z) and logvar (B, Z), from the encoder's outputs (B, 2 Z)."""
        latent_dim = outputs.shape[1] // 2
        mu, logvar = outputs[:, :latent_dim], outputs[:, latent_dim:]
        if self.logvar_bounds is not None:
            low, high = self.logvar_bounds
            bounded = memory.take(logvar.shape, logvar.dtype)
            _kernels.clip(logvar, low, high, out=bounded)
            logvar = bounded
        return MuLogvar(mu, logvar)

    def split_backward(self, dq, outputs, memory=FRESH):
        """doutputs (B, 2 Z) = [dmu | dlogvar], with dlogvar = 0 where logvar was clipped."""
        latent_dim = dq.mu.shape[1]
        doutputs = memory.take(outputs.shape, outputs.dtype)
        _kernels.copy(dq.mu, out=doutputs[:, :latent_dim])
        if self.logvar_bounds is None:
            _kernels.copy(dq.logvar, out=doutputs[:, latent_dim:])
        else:
            low, high = self.logvar_bounds
            logvar = outputs[:, latent_dim:]
            _kernels.clip_backward(dq.logvar, logvar, low, high, dx=doutputs[:, latent_dim:])
        return doutputs

    def sample(self, q, eps, memory=FRESH):
        """z = mu + sigma eps (B * k, Z), k samples a row next to each other, and log q(z|x) (B * k,), nats.

        q: mu and logvar (B, Z); eps (B * k, Z). Importance weights need log q, and so does a KL that is estimated from
        samples; a KL in closed form does not.
        """
        z, log_qz = memory.take(eps.shape, eps.dtype), memory.take((len(eps),), eps.dtype)
        _kernels.reparameterize(q.mu, q.logvar, eps, z, log_qz)
        return z, log_qz, SampleCache(q.logvar, eps, memory)

    def sample_backward(self, dz, dlog_qz, cache):
        """dmu and dlogvar (B, Z) through the samples; dlog_qz (B * k,) may be None.

        At z = mu + sigma eps, log q(z|x) = -1/2 sum_j (eps_j^2 + logvar_j + log 2 pi): its derivative by mu is 0, and
        by each logvar_j it is -1/2.
        """
        logvar, eps, memory = cache
        dmu, dlogvar = memory.take(logvar.shape, logvar.dtype), memory.take(logvar.shape, logvar.dtype)
        # dmu = dz;  dlogvar = dz eps sigma / 2 - dlog_qz / 2
        _kernels.reparameterize_backward(dz, logvar, eps, dmu, dlogvar, dlog_qz)
        return MuLogvar(dmu, dlogvar)

    def density_backward(self, dlog_qz, cache):
        """dz (B * k, Z) = -dlog_qz (z - mu) / sigma^2 = -dlog_qz eps / sigma: of log q(z|x) by z alone."""
        logvar, eps, memory = cache
        dz = memory.take(eps.shape, eps.dtype)
        _kernels.gaussian_density_backward(dlog_qz, logvar, eps, dz)
        return dz

    def kl_to_standard_normal(self, q, memory=FRESH):
        """KL(q || N(0, 1)) (B,), nats, never negative, and a cache."""
        kl = memory.take((len(q.mu),), q.mu.dtype)
        _kernels.kl(q.mu, q.logvar, kl)
        return kl, KLCache(q.mu, q.logvar, memory)

    def kl_to_standard_normal_backward(self, dkl, cache):
        """dmu = dkl mu and dlogvar = dkl (sigma^2 - 1) / 2, for dkl (B,) the loss's derivative by each row's KL."""
        mu, logvar, memory = cache
        dmu, dlogvar = memory.take(mu.shape, mu.dtype), memory.take(mu.shape, mu.dtype)
        _kernels.kl_backward(dkl, mu, logvar, dmu, dlogvar)
        return MuLogvar(dmu, dlogvar)

    def closed_moments(self, q):
        """mu and logvar themselves, (B, Z) each."""
        return q

    def config(self):
        return {"logvar_bounds": None if self.logvar_bounds is None else list(self.logvar_bounds)}


class PriorCache(NamedTuple):
    z: np.ndarray  # (B * k, Z)
    memory: object


@register
class StandardNormal(Prior):
    """p(z) = N(0, 1), independent in each of the Z dimensions."""

    playable = True

    def log_density(self, z, memory=FRESH):
        """log p(z) = -1/2 sum_j (z_j^2 + log 2 pi), (B * k,), nats, for z (B * k, Z)."""
        log_pz = memory.take((len(z),), z.dtype)
        _kernels.standard_normal(z, log_pz)
        return log_pz, PriorCache(z, memory)

    def log_density_backward(self, dlog_pz, cache):
        """dz (B * k, Z) = -dlog_pz z, for dlog_pz (B * k,)."""
        z, memory = cache
        dz = memory.take(z.shape, z.dtype)
        _kernels.standard_normal_backward(dlog_pz, z, dz)
        return dz

    def kl(self, posterior, q, memory=FRESH):
        """KL(q || N(0, 1)) (B,), nats, in the closed form that the posterior knows, and a cache; None, None if it knows
        none for the way it samples z, or if a subclass of this prior has another density."""
        if not is_standard_normal(self) or not is_of_its_samples(posterior, "kl_to_standard_normal"):
            return None, None
        kl, cache = posterior.kl_to_standard_normal(q, memory)
        return kl, (posterior, cache)

    def kl_backward(self, dkl, cache):
        """dq, like q, for dkl (B,) the loss's derivative by each row's KL: the posterior's."""
        posterior, cache = cache
        return posterior.kl_to_standard_normal_backward(dkl, cache)

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim)."""
        return noise.normal("prior", (n, latent_dim), np.arange(n), dtype)


def is_diagonal(posterior):
    """True if it samples z as DiagonalGaussian does."""
    return type(posterior).sample is DiagonalGaussian.sample


def is_standard_normal(prior):
    """True if it has the density of StandardNormal."""
    return type(prior).log_density is StandardNormal.log_density


def refuse_other_gaussians(posterior, prior, why):
    """Raise ValueError, saying why, unless the posterior samples as DiagonalGaussian does and the prior is N(0, 1);
    None: any will do."""
    if posterior is not None and not is_diagonal(posterior):
        raise ValueError(f"{why}, for which the posterior must be a DiagonalGaussian, not {type(posterior).__name__}")
    if prior is not None and not is_standard_normal(prior):
        raise ValueError(f"{why}, for which the prior must be StandardNormal, not {type(prior).__name__}")
