"""A mixture of K diagonal Gaussians as the prior, with learned means, variances and weights.

    log p(z) = log sum_k w_k N(z; mu_k, sigma_k^2)        w = softmax(logits), so that they are positive and add up to 1

By log w_k + log N(z; mu_k, sigma_k^2) the derivative is the component's share of the density at z, its responsibility:

    r_k = w_k N(z; mu_k, sigma_k^2) / p(z)        dlog N_k = dlog w_k = r_k dlog p
    dz = -sum_k dlog N_k (z - mu_k) / sigma_k^2        dlogits_k = dlog w_k - w_k sum_l dlog w_l
    dmu_k = dlog N_k (z - mu_k) / sigma_k^2            dlogvar_k = dlog N_k ((z - mu_k)^2 / sigma_k^2 - 1) / 2

the last three summed over all z. Everything stays in log space: at a z far from all means, p(z) is 0 in floating point,
and log p(z) is not. The KL of a Gaussian and a mixture has no closed form: it is estimated from the samples of z.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar
from pyvae.latent.interface import Prior
from pyvae.module import register
from pyvae.workspace import FRESH


class MixtureCache(NamedTuple):
    z: np.ndarray  # (N, Z)
    q: MuLogvar  # (K, Z) each
    log_weights: np.ndarray  # (1, K)
    share: np.ndarray  # (N, K), the responsibilities
    memory: object


def mixture_density(z, q, log_weights, memory=FRESH):
    """log sum_k w_k N(z; mu_k, sigma_k^2) (N,), nats, and a cache; z (N, Z), q = mu, logvar (K, Z), log_weights
    (1, K)."""
    log_joint, share = (memory.take((len(z), len(q.mu)), z.dtype) for _ in range(2))
    log_pz = memory.take((len(z),), z.dtype)
    _kernels.gaussian_components(z, q.mu, q.logvar, out=log_joint)
    _kernels.add(log_joint, np.broadcast_to(log_weights, log_joint.shape), out=log_joint)
    _kernels.softmax(log_joint, out=share, log_sum=log_pz)
    return log_pz, MixtureCache(z, q, log_weights, share, memory)


def mixture_density_backward(dlog_pz, cache):
    """dz (N, Z), dq = dmu, dlogvar (K, Z) and dlog_weights (1, K), for dlog_pz (N,)."""
    z, q, log_weights, share, memory = cache
    dlog_joint, dlog_weights = memory.take(share.shape, z.dtype), memory.take(log_weights.shape, z.dtype)
    dz, dmu, dlogvar = (memory.take(a.shape, z.dtype) for a in (z, q.mu, q.logvar))
    _kernels.scale_rows(share, dlog_pz, out=dlog_joint)  # dlog N_k = r_k dlog p
    _kernels.column_sums(dlog_joint, dlog_weights[0], accumulate=False)
    _kernels.gaussian_components_backward(dlog_joint, z, q.mu, q.logvar, dz, dmu, dlogvar)
    return dz, MuLogvar(dmu, dlogvar), dlog_weights


def mixture_sample(n, q, weights, noise):
    """z (n, Z) of the mixture of weights (K,), each row's component and place drawn for that row."""
    rows = np.arange(n)
    u = noise.uniform("component", (n, 1), rows, np.float64)[:, 0]
    component = np.minimum(np.searchsorted(np.cumsum(weights, dtype=np.float64), u), len(weights) - 1)
    drawn = MuLogvar(q.mu[component], q.logvar[component])
    return DiagonalGaussian().sample(drawn, noise.normal("prior", drawn.mu.shape, rows, drawn.mu.dtype))[0]


@register
class Mixture(Prior):
    """log p(z) = log sum_k w_k N(z; mu_k, diag(sigma_k^2)), in nats, all of it learned.

    latent_dim: Z. K: the number of components. ``mu`` and ``logvar`` are (K, Z), ``logits`` (K,). At first the means
    are drawn from N(0, 1), logvar is 0 and the weights are equal. Raises ValueError for numbers below 1.
    """

    playable = True

    def __init__(self, latent_dim, K):
        self.latent_dim, self.K = check_count("latent_dim", latent_dim, 1), check_count("K", K, 1)
        self.width = self.K

    def log_density(self, z, memory=FRESH):
        """log p(z) (N,), nats, for z (N, Z)."""
        log_weights = memory.take((1, self.K), z.dtype)
        _kernels.log_softmax(self.logits[None], out=log_weights)
        return mixture_density(z, MuLogvar(self.mu, self.logvar), log_weights, memory)

    def log_density_backward(self, dlog_pz, cache):
        """dz (N, Z), for dlog_pz (N,); adds to dmu, dlogvar and dlogits."""
        dz, dq, dlog_weights = mixture_density_backward(dlog_pz, cache)
        dlogits = cache.memory.take(dlog_weights.shape, dz.dtype)
        _kernels.log_softmax_backward(dlog_weights, cache.log_weights, dx=dlogits)
        _kernels.add(self.dmu, dq.mu, out=self.dmu)
        _kernels.add(self.dlogvar, dq.logvar, out=self.dlogvar)
        _kernels.add(self.dlogits[None], dlogits, out=self.dlogits[None])
        return dz

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim)."""
        return mixture_sample(n, MuLogvar(self.mu, self.logvar), self.weights(), noise).astype(dtype, copy=False)

    def weights(self):
        """w (K,): the probability of each component."""
        weights, log_sum = np.empty((1, self.K), self.logits.dtype), np.empty(1, self.logits.dtype)
        _kernels.softmax(self.logits[None], weights, log_sum)
        return weights[0]

    def component(self, k):
        """Component k alone, a Mixture of one, as it is now. Raises ValueError for a number that is not 0 .. K - 1."""
        k = check_count("component", k, 0, self.K - 1)
        alone = Mixture(self.latent_dim, 1)
        alone.mu, alone.logvar, alone.logits = (a[k : k + 1].copy() for a in (self.mu, self.logvar, self.logits))
        return alone

    def check(self, model):
        check_latent_dim(self, model)

    def shapes(self):
        return {"mu": (self.K, self.latent_dim), "logvar": (self.K, self.latent_dim), "logits": (self.K,)}

    def initialize(self, noise):
        self.mu[...] = noise.normal("weights", self.mu.shape, np.arange(self.K), self.mu.dtype)

    def config(self):
        return {"latent_dim": self.latent_dim, "K": self.K}


def check_latent_dim(prior, model):
    """Raise ValueError unless the prior has the model's number of latent dimensions."""
    if prior.latent_dim != model.latent_dim:
        raise ValueError(
            f"the prior, a {type(prior).__name__}, has {prior.latent_dim} latent dimensions, but the decoder takes "
            f"{model.latent_dim}"
        )
