"""Checks of priors that learn: by z, by their own parameters and, where they use it, by those of the encoder."""

import numpy as np

from pyvae.arena import Arena
from pyvae.command.checks.common import check_zero_and_twice
from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.latent.encode import Encode
from pyvae.latent.flow import Flow
from pyvae.latent.gaussian import DiagonalGaussian
from pyvae.latent.mixture import Mixture
from pyvae.latent.second_layer import SecondLayer
from pyvae.latent.vamp import VampPrior
from pyvae.layers.dense import Dense
from pyvae.models.build import mlp

PRIORS = {
    "Mixture": lambda: Mixture(5, 21),
    "Mixture of many dimensions": lambda: Mixture(70, 3),
    "VampPrior": lambda: VampPrior(11, 21, mean=0.5, std=1.0),
    "VampPrior, clipped": lambda: VampPrior(11, 18, (0, 1), mean=0.5, std=1.0),
    "Flow": lambda: Flow(7, 3, (11,)),
    "Flow of two hidden layers": lambda: Flow(2, 2, (6, 5)),
    "SecondLayer": lambda: SecondLayer(mlp([6, 7, 10], "tanh"), mlp([5, 8, 12], "tanh")),
    "SecondLayer, Mixture": lambda: SecondLayer(Dense(6, 4), Dense(2, 12), Mixture(2, 3), DiagonalGaussian((-0.3, 1))),
}  # name: a prior; those of a VampPrior and a SecondLayer have 6 latent dimensions


def check_priors():
    """log p(z) of each prior, a random linear function of it."""
    checks = []
    for name, make in PRIORS.items():
        prior, encoder, rng = make(), Dense(11, 12), np.random.default_rng(0)
        arena = Arena({"prior": prior} | ({"encoder": encoder} if prior.uses_encoder else {}), np.float64)
        arena.values += 0.1 * rng.standard_normal(arena.values.shape)
        arena.values *= 0.3 if name == "Mixture of many dimensions" else 1  # else one component has all of the density
        given = {"encode": Encode(encoder, DiagonalGaussian())} if prior.uses_encoder else {}
        given |= {"eps": rng.standard_normal((9, prior.noise_dim))} if prior.noise_dim else {}
        z, dlog_pz = rng.standard_normal((9, 6 if given else prior.latent_dim)), rng.standard_normal(9)

        def loss(prior=prior, z=z, given=given, dlog_pz=dlog_pz):
            return float(dlog_pz @ prior.log_density(z, **given)[0])

        def backward(d, prior=prior, arena=arena, z=z, given=given):
            arena.zero_grads()
            return np.append(prior.log_density_backward(d, prior.log_density(z, **given)[1]), arena.grads)

        dz = backward(dlog_pz)[: z.size].reshape(z.shape)
        gradients = {parameter: arena.grad(parameter).copy() for parameter in arena.names}
        checks.append(check_gradient(loss, z, dz, f"{name}: dz"))
        for parameter, gradient in gradients.items():
            checks.append(check_gradient(loss, arena[parameter], gradient, f"{name}: {parameter}"))
        checks += check_zero_and_twice(name, backward, dlog_pz)
    return raise_if_wrong(checks)
