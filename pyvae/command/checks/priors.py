"""Checks of priors that learn: by z, by their own parameters and, where they use it, by those of the encoder."""

import numpy as np

from pyvae.arena import Arena
from pyvae.command.checks.common import check_zero_and_twice
from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.latent.encode import Encode
from pyvae.latent.flow import Flow
from pyvae.latent.gaussian import DiagonalGaussian
from pyvae.latent.mixture import Mixture
from pyvae.latent.vamp import VampPrior
from pyvae.layers.dense import Dense

PRIORS = {
    "Mixture": lambda: Mixture(5, 21),
    "Mixture of many dimensions": lambda: Mixture(70, 3),
    "VampPrior": lambda: VampPrior(11, 21, mean=0.5, std=1.0),
    "VampPrior, clipped": lambda: VampPrior(11, 18, (0, 1), mean=0.5, std=1.0),
    "Flow": lambda: Flow(7, 3, (11,)),
    "Flow of two hidden layers": lambda: Flow(2, 2, (6, 5)),
}  # name: a prior; that of a VampPrior has 6 latent dimensions


def check_priors():
    """log p(z) of each prior, a random linear function of it."""
    checks = []
    for name, make in PRIORS.items():
        prior, encoder, rng = make(), Dense(11, 12), np.random.default_rng(0)
        arena = Arena({"prior": prior} | ({"encoder": encoder} if prior.uses_encoder else {}), np.float64)
        arena.values += 0.1 * rng.standard_normal(arena.values.shape)
        arena.values *= 0.3 if name == "Mixture of many dimensions" else 1  # else one component has all of the density
        encode = {"encode": Encode(encoder, DiagonalGaussian())} if prior.uses_encoder else {}
        z, dlog_pz = rng.standard_normal((9, getattr(prior, "latent_dim", 6))), rng.standard_normal(9)

        def loss(prior=prior, z=z, encode=encode, dlog_pz=dlog_pz):
            return float(dlog_pz @ prior.log_density(z, **encode)[0])

        def backward(d, prior=prior, arena=arena, z=z, encode=encode):
            arena.zero_grads()
            return np.append(prior.log_density_backward(d, prior.log_density(z, **encode)[1]), arena.grads)

        dz = backward(dlog_pz)[: z.size].reshape(z.shape)
        gradients = {parameter: arena.grad(parameter).copy() for parameter in arena.names}
        checks.append(check_gradient(loss, z, dz, f"{name}: dz"))
        for parameter, gradient in gradients.items():
            checks.append(check_gradient(loss, arena[parameter], gradient, f"{name}: {parameter}"))
        checks += check_zero_and_twice(name, backward, dlog_pz)
    return raise_if_wrong(checks)
