"""Parameters that do not move by Adam's ordinary step: log variances, which take the natural one, and dispersions."""

import pickle

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.arena import Arena, Pace
from pyvae.data.batch import Batch
from pyvae.likelihoods.counts import LOG_R_PACE
from pyvae.likelihoods.gaussian import NATURAL_RATE

ETA = NATURAL_RATE


def vae(likelihood, latent=2):
    """A linear VAE in float64, of another mean in every row."""
    decoder = pyvae.Dense(latent, likelihood.n_outputs)
    encoder = pyvae.Dense(likelihood.n_features, 2 * latent)
    return pyvae.VAE(encoder, decoder, likelihood, seed=1, dtype=np.float64)


def step(model, x, weight=None, observed=None):
    """A step of training at a learning rate that moves nothing by Adam; the squared residuals (B, D) before it."""
    batch, noise = Batch(x, observed=observed, weight=weight), pyvae.Noise(0)
    terms, cache = model.forward(batch, noise)
    outputs = model.decoder.forward(terms.z)[0]
    model.parameters.zero_grads()
    model.backward(cache, pyvae.ELBO()(terms, batch.weight)[1])
    pyvae.Adam(model.parameters, learning_rate=1e-300).step()
    return (x - outputs[:, : x.shape[1]]) ** 2


@pytest.fixture
def x(rng):
    return rng.normal(0, [0.01, 1, 30, 2], (50, 4))


def test_a_learned_variance_is_a_running_mean_of_squared_residuals(x):
    model = vae(pyvae.Gaussian(4, "learned", floor=1e-9))
    for _ in range(3):
        before = np.exp(model.likelihood.rho)
        residuals = step(model, x)
        expected = (1 - ETA) * before + ETA * residuals.mean(axis=0)
        np.testing.assert_allclose(np.exp(model.likelihood.rho), expected, rtol=1e-12)


def test_a_shared_variance_is_a_running_mean_over_the_columns(x):
    model = vae(pyvae.Gaussian(4, "shared", floor=1e-9))
    before = np.exp(model.likelihood.rho)
    residuals = step(model, x)
    np.testing.assert_allclose(np.exp(model.likelihood.rho), (1 - ETA) * before + ETA * residuals.mean(), rtol=1e-12)


def test_the_bias_of_predicted_variances_takes_the_natural_step(x):
    model = vae(pyvae.Gaussian(4, "predicted", floor=1e-9))
    model.decoder.W[:, 4:] *= 0.01  # or rows far from 0 would have the wildest variances
    before = model.decoder.b[4:].copy()
    means, W = model.decoder.b[:4].copy(), model.decoder.W.copy()
    variance = np.exp(model.decoder.forward(model.forward(Batch(x), pyvae.Noise(0))[0].z)[0][:, 4:])
    residuals = step(model, x)
    expected = np.log1p(ETA * ((residuals / variance).mean(axis=0) - 1))
    np.testing.assert_allclose(model.decoder.b[4:] - before, expected, rtol=1e-9)
    np.testing.assert_allclose(model.decoder.b[:4], means, atol=1e-299)
    np.testing.assert_array_equal(model.decoder.W, W)


def test_weights_of_rows_and_of_likelihoods_do_not_change_the_rate(x, rng):
    weight = rng.uniform(0, 3, 50)
    model = vae(pyvae.Mixed([pyvae.Weighted(pyvae.Gaussian(3, "learned", floor=1e-9), 7.0), pyvae.Gaussian(1)]))
    rho = model.likelihood.parts[0].part.rho
    before = np.exp(rho)
    residuals = step(model, x, weight)[:, :3]
    expected = (1 - ETA) * before + ETA * np.average(residuals, axis=0, weights=weight)
    np.testing.assert_allclose(np.exp(rho), expected, rtol=1e-12)


def test_missing_entries_leave_a_variance_as_it_is(x):
    observed = np.ones(x.shape)
    observed[:, 1] = 0
    observed[:25, 2] = 0
    model = vae(pyvae.Gaussian(4, "learned", floor=1e-9))
    before = np.exp(model.likelihood.rho)
    residuals = step(model, x, observed=observed)
    after = np.exp(model.likelihood.rho)
    assert after[1] == before[1]
    np.testing.assert_allclose(after[2], (1 - ETA / 2) * before[2] + ETA / 2 * residuals[25:, 2].mean(), rtol=1e-12)


def test_a_variance_is_at_most_halved():
    arena = Arena({"part": pyvae.Gaussian(2, "learned")}, np.float64)
    arena.set_paces([Pace(arena["part.rho"], natural=1.0)])
    arena.grads[:2] = 1e9, 0.1
    pyvae.Adam(arena).step()
    np.testing.assert_allclose(arena["part.rho"], [np.log(0.5), np.log(0.8)])


def test_what_takes_the_natural_step_has_no_part_in_adams(x):
    model = vae(pyvae.Gaussian(4, "learned"))
    model.loss_and_gradients(x, np.zeros((50, 2)))
    optimizer = pyvae.Adam(model.parameters, weight_decay=100.0)
    rho = np.log1p(-2 * ETA * model.parameters.grad("likelihood.rho"))
    optimizer.step(scale=1e-6)  # of clipped gradients
    np.testing.assert_allclose(model.likelihood.rho, rho, rtol=1e-13)
    moved = model.parameters.views(optimizer.m)
    assert not moved["likelihood.rho"].any() and moved["decoder.b"].all()


def test_l2_goes_through_the_running_means_as_the_gradient_of_a_loss(x):
    """It is the step of the gradient with l2 W added, but for variances that take the natural step."""
    models = [vae(pyvae.Gaussian(4, "learned")) for _ in range(2)]
    optimizers = [pyvae.Adam(models[0].parameters, l2=0.3), pyvae.Adam(models[1].parameters)]
    for _ in range(3):
        for model, optimizer, added in zip(models, optimizers, (0.0, 0.3), strict=True):
            model.loss_and_gradients(x, np.ones((50, 2)))
            for name in model.parameters.names:
                if name != "likelihood.rho":
                    model.parameters.grad(name)[...] += added * model.parameters[name] / 0.5
            optimizer.step(scale=0.5)  # of clipped gradients: l2 is added to what they are then
    np.testing.assert_allclose(models[0].parameters.values, models[1].parameters.values, rtol=1e-12)
    with pytest.raises(ValueError, match="l2"):
        pyvae.Adam(models[0].parameters, l2=-1.0)


def test_dispersions_take_longer_steps():
    model = vae(pyvae.NegativeBinomial(3))
    model.loss_and_gradients(np.arange(12.0).reshape(4, 3), np.zeros((4, 2)))
    before = model.parameters.values.copy()
    pyvae.Adam(model.parameters, learning_rate=1e-3).step()
    moved = model.parameters.views(np.abs(model.parameters.values - before))
    np.testing.assert_allclose(moved["likelihood.log_r"], 1e-3 * LOG_R_PACE, rtol=1e-4)
    np.testing.assert_allclose(moved["decoder.b"], 1e-3, rtol=1e-4)


def test_copies_keep_their_paces(x):
    """In another type, where tensors lie elsewhere, and from a pickle."""
    model = vae(pyvae.Gaussian(4, "predicted"))
    for copy in (model.astype(np.float32), pickle.loads(pickle.dumps(model))):
        copy.loss_and_gradients(x, np.zeros((50, 2)))
        before = copy.decoder.b.copy()
        pyvae.Adam(copy.parameters, learning_rate=1e-3).step()
        assert np.all(np.abs(copy.decoder.b[:4] - before[:4]) < 1.01e-3)
        assert np.all(np.abs(copy.decoder.b[4:] - before[4:]) > 0.04)


@pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins half a minute")
@pytest.mark.parametrize("std", ["learned", "predicted", "shared"])
def test_the_noise_that_the_rows_have_is_learned(std, rng):
    """Where Adam alone, after as many steps, still has a std of 0.3."""
    X = np.outer(rng.normal(size=1000), np.ones(6)) + 0.03 * rng.normal(size=(1000, 6))
    model = pyvae.VAE.mlp(6, 2, (50,), "relu", pyvae.Gaussian(6, std), seed=0)
    pyvae.train(model, X, epochs=200, batch_size=100, learning_rate=2e-3, progress=False)
    draws = model.sample(2000, mean=False)
    noise = (draws - draws.mean(axis=1, keepdims=True)).std() * np.sqrt(6 / 5)
    assert 0.027 < noise < 0.036
