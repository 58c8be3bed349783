"""Checks of the posteriors that are not diagonal."""

import numpy as np

from pyvae.command.checks.common import check_zero_and_twice
from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.latent.full_gaussian import FullGaussian
from pyvae.latent.gaussian import StandardNormal
from pyvae.latent.planar_flow import PlanarFlow
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.models.build import mlp
from pyvae.models.vae import VAE

POSTERIORS = {
    "FullGaussian": FullGaussian,
    "PlanarFlow 1": lambda: PlanarFlow(1),
    "PlanarFlow 3": lambda: PlanarFlow(3),
}


def check_posteriors():
    """Samples, their log-density and the KL, each alone and together, by the encoder's outputs; and the log-density by
    z alone, where a posterior has it."""
    checks = []
    for name, make in POSTERIORS.items():
        for k, Z in ((1, 19), (3, 19), (2, 1)):
            posterior, rng = make(), np.random.default_rng(k)
            outputs, eps = rng.standard_normal((4, posterior.n_outputs(Z))), rng.standard_normal((4 * k, Z))
            for label, dz, dlog_qz, dkl in (
                ("z", rng.standard_normal(eps.shape), None, None),
                ("log q", None, rng.standard_normal(len(eps)), None),
                ("KL", None, None, rng.standard_normal(4)),
                ("all", rng.standard_normal(eps.shape), rng.standard_normal(len(eps)), rng.standard_normal(4)),
            ):
                checks += check_outputs(f"{name}, k={k}, Z={Z}, {label}", posterior, outputs, eps, dz, dlog_qz, dkl)
    return raise_if_wrong(checks + check_density(np.random.default_rng(0)))


def check_outputs(name, posterior, outputs, eps, dz, dlog_qz, dkl):
    """The loss dz.z + dlog_qz.log_qz + dkl.kl, without what is None."""
    prior, rows = StandardNormal(), len(outputs)
    q = posterior.split(outputs)
    has_kl = prior.kl(posterior, q)[0] is not None
    if dkl is not None and not has_kl and dz is None:
        return []

    def loss():
        q = posterior.split(outputs)
        z, log_qz, _ = posterior.sample(q, eps)
        total = 0.0 if dz is None else np.sum(dz * z)
        total += 0.0 if dlog_qz is None else dlog_qz @ log_qz
        return float(total + (dkl @ prior.kl(posterior, q)[0] if dkl is not None and has_kl else 0.0))

    def backward(scale):
        upstream = np.zeros(eps.shape) if dz is None else scale * dz
        dq = posterior.sample_backward(upstream, None if dlog_qz is None else scale * dlog_qz, sample_cache)
        if dkl is not None and has_kl:
            dq = type(q)(*map(np.add, dq, prior.kl_backward(scale * dkl, kl_cache)))
        return posterior.split_backward(dq, outputs)

    _, _, sample_cache = posterior.sample(q, eps)
    _, kl_cache = prior.kl(posterior, q)
    checks = [check_gradient(loss, outputs, backward(1.0), f"{name}: doutputs", seed=rows)]
    return checks + check_zero_and_twice(name, backward, np.ones(1))


def check_density(rng):
    """FullGaussian's dlog q(z|x)/dz with q as it is, against log N(z; mu, L L.T) written out."""
    posterior, Z, k = FullGaussian(), 7, 3
    outputs, eps, dlog_qz = rng.standard_normal((4, 35)), rng.standard_normal((4 * k, Z)), rng.standard_normal(4 * k)
    q = posterior.split(outputs)
    z, _, cache = posterior.sample(q, eps)
    L = np.zeros((4, Z, Z))
    L[:, np.arange(Z), np.arange(Z)] = np.exp(q.log_diagonal)
    L[:, *np.tril_indices(Z, -1)] = q.lower

    def loss():
        white = np.linalg.solve(np.repeat(L, k, axis=0), (z - np.repeat(q.mu, k, axis=0))[:, :, None])[:, :, 0]
        return float(-(dlog_qz[:, None] * white**2).sum() / 2)  # the constants do not depend on z

    def backward(d):
        return posterior.density_backward(d, cache)

    checks = [check_gradient(loss, z, backward(dlog_qz), "FullGaussian, log q by z alone: dz")]
    return checks + check_zero_and_twice("FullGaussian, log q by z alone", backward, dlog_qz)


def posterior_models():
    """Whole models: name -> (model, number of samples, beta)."""
    return {
        "VAE 21-14-4 tanh, full covariance": (with_posterior(21, 4, FullGaussian(), Bernoulli(21)), 2, 0.7),
        "VAE 18-14-3 tanh, planar flow": (with_posterior(18, 3, PlanarFlow(2), Gaussian(18, "learned")), 2, 0.7),
    }


def with_posterior(n_features, latent_dim, posterior, likelihood):
    encoder = mlp([n_features, 14, posterior.n_outputs(latent_dim)], "tanh")
    return VAE(encoder, mlp([latent_dim, 14, likelihood.n_outputs], "tanh"), likelihood, posterior=posterior)
