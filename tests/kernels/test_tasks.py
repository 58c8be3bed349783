"""Gradients and steps of arrays so large that the native kernels cut them into several tasks.

A task is 64 columns of an activation, 16 rows of the posterior, 4096 elements of a likelihood or 16384 weights. The
check-up's shapes stay below these, so a kernel that forgot all tasks but the first would pass it.
"""

import numpy as np
import pytest

import pyvae
from pyvae.arena import Arena
from pyvae.command.checks import common, likelihoods
from pyvae.gradcheck import check_gradient, check_layer


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "softplus"])
def test_wide_layers(activation, rng):
    layer = pyvae.Dense(9, 200, activation)
    check_layer(layer, common.arena_of(layer), rng.standard_normal((5, 9)))


@pytest.mark.parametrize("name", likelihoods.LIKELIHOODS)
def test_likelihoods_of_many_rows(name, rng):
    likelihood = likelihoods.LIKELIHOODS[name]()
    common.arena_of(likelihood)
    x = common.rows_for(likelihood, 130, rng)
    outputs, weights = rng.standard_normal((260, likelihood.n_outputs)), rng.standard_normal(260)

    def loss():
        return float(weights @ likelihood.log_density(x, outputs)[0])

    doutputs = likelihood.log_density_backward(weights, likelihood.log_density(x, outputs)[1])
    check = check_gradient(loss, outputs, doutputs, coordinates=16)
    assert check.passed, str(check)


def test_posterior_of_many_rows(rng):
    posterior, prior = pyvae.DiagonalGaussian(), pyvae.StandardNormal()
    mu, logvar = rng.standard_normal((40, 5)), rng.standard_normal((40, 5))
    eps, dz, dkl = rng.standard_normal((80, 5)), rng.standard_normal((80, 5)), rng.standard_normal(40)

    q = pyvae.MuLogvar(mu, logvar)

    def loss():
        return float(np.sum(dz * posterior.sample(q, eps)[0]) + dkl @ prior.kl(posterior, q)[0])

    dmu, dlogvar = posterior.sample_backward(dz, None, posterior.sample(q, eps)[2])
    dmu_kl, dlogvar_kl = prior.kl_backward(dkl, prior.kl(posterior, q)[1])
    for name, w, gradient in (("mu", mu, dmu + dmu_kl), ("logvar", logvar, dlogvar + dlogvar_kl)):
        check = check_gradient(loss, w, gradient, name, coordinates=w.size)
        assert check.passed, str(check)


def test_adam_of_many_weights(rng):
    """The first step moves each weight by the learning rate against its gradient's sign, whatever the size."""
    arena = Arena({"part": pyvae.Dense(200, 200)}, np.float64)
    before, arena.grads[...] = arena.values.copy(), rng.uniform(0.5, 2, arena.grads.shape)
    pyvae.Adam(arena, learning_rate=0.01).step()
    np.testing.assert_allclose(before - arena.values, 0.01, rtol=1e-6)


def test_adam_of_scaled_gradients(rng):
    """The epsilon is so large that a gradient's length matters, as it does not in a first step without one."""
    scaled, other = (Arena({"part": pyvae.Dense(20, 20)}, np.float64) for _ in range(2))
    scaled.grads[...] = rng.standard_normal(scaled.grads.shape)
    other.grads[...] = 0.25 * scaled.grads
    pyvae.Adam(scaled, epsilon=1.0).step(0.25)
    pyvae.Adam(other, epsilon=1.0).step()
    np.testing.assert_array_equal(scaled.values, other.values)


def test_adamw_without_gradients_shrinks_every_weight(rng):
    arena = Arena({"part": pyvae.Dense(20, 24)}, np.float64)  # no padding between W and b
    arena.values[...] = rng.standard_normal(arena.values.shape)
    before, optimizer = arena.values.copy(), pyvae.Adam(arena, learning_rate=0.1, weight_decay=0.3)
    for _ in range(5):
        optimizer.step()
    np.testing.assert_allclose(arena.values, before * (1 - 0.1 * 0.3) ** 5, rtol=1e-14)
