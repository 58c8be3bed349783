"""Weighted samples of p(z|x_g): a linear Gaussian model knows the answer, a mixture in one dimension has quadrature."""

import numpy as np
import pytest

import pyvae
from pyvae.data.sources import ArraySource
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.models.latents_given import ENOUGH, ROUND, latents_given
from pyvae.noise import Noise

STD = 0.5


def linear(latent_dim, n_features=6):
    """A VAE with x = W z + b + noise of a known standard deviation."""
    decoder = pyvae.Dense(latent_dim, n_features)
    encoder = pyvae.Dense(n_features, 2 * latent_dim)
    model = pyvae.VAE(encoder, decoder, pyvae.Gaussian(n_features, std=STD), dtype=np.float64)
    rng = np.random.default_rng(0)
    decoder.W[...], decoder.b[...] = rng.normal(size=decoder.W.shape), rng.normal(size=n_features)
    return model


def given_row(model, values):
    """The one row with these values, {column: value}."""
    row = np.full((1, model.n_features), np.nan)
    row[0, list(values)] = list(values.values())
    return ArraySource(row, missing=True)


def exact_posterior(model, values):
    """Mean and covariance of p(z|x_g) under N(0, 1)."""
    W, b = model.decoder.W[:, list(values)], model.decoder.b[list(values)]
    covariance = np.linalg.inv(np.eye(len(W)) + W @ W.T / STD**2)
    return covariance @ W @ (np.array(list(values.values())) - b) / STD**2, covariance


@pytest.mark.parametrize("values", [{0: 1.0}, {1: -0.5, 4: 2.0}, {0: 9.0, 2: -8.0, 5: 7.0}],
                         ids=["one", "two", "rare"])  # fmt: skip
def test_moments_are_those_of_a_linear_gaussian_model(values):
    """The last case has hardly a sample from the prior near it."""
    model = linear(3)
    given = latents_given(model, given_row(model, values), AggregatePosterior.standard_normal(3))
    mean, covariance = exact_posterior(model, values)
    assert given.effective_sample_size >= ENOUGH
    assert given.share.sum() == pytest.approx(1)
    away = given.z - mean
    error = 5 / np.sqrt(ENOUGH)  # standard errors, in standard deviations
    assert np.all(np.abs(given.share @ away) < error * np.sqrt(np.diag(covariance)))
    found = (away * given.share[:, None]).T @ away
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.all(np.abs(found - covariance) < 1.5 * error * scale)


def test_rounds_go_on_until_samples_are_enough():
    model = linear(3)
    prior = AggregatePosterior.standard_normal(3)
    rare = {0: 9.0, 2: -8.0, 5: 7.0}
    z = prior.sample(ROUND, 3, Noise(0), np.float64)
    (W, b), x = (model.decoder.W, model.decoder.b), np.array(list(rare.values()))
    log_w = -((x - (z @ W + b)[:, list(rare)]) ** 2).sum(axis=1) / (2 * STD**2)
    w = np.exp(log_w - log_w.max())
    assert w.sum() ** 2 / (w @ w) < 30  # of the prior's own samples
    assert len(latents_given(model, given_row(model, rare), prior).z) > ROUND
    easy = latents_given(linear(1), given_row(linear(1), {0: 0.0}), AggregatePosterior.standard_normal(1))
    assert len(easy.z) == ROUND


def test_a_mixture_as_the_density_of_z():
    """Two peaks remain, one of which the value makes rare: the shares on both sides of 0 are those of quadrature."""
    model = linear(1)
    density = AggregatePosterior(np.array([0.9, 0.1]), np.array([[-2.0], [2.0]]), np.full((2, 1, 1), 0.5))
    model.decoder.W[0, 0], model.decoder.b[0] = 0.2, 0.0
    given = latents_given(model, given_row(model, {0: 0.4}), density)
    z = np.linspace(-8, 8, 20001)[:, None]
    log_joint = density.log_density(z) - (0.4 - 0.2 * z[:, 0]) ** 2 / (2 * STD**2)
    exact = np.exp(log_joint) / np.exp(log_joint).sum()
    assert given.share[given.z[:, 0] > 0].sum() == pytest.approx(exact[z[:, 0] > 0].sum(), abs=0.03)
    assert given.share @ given.z[:, 0] == pytest.approx(exact @ z[:, 0], abs=0.1)


def test_drawn_z_have_the_shares_and_rows_of_their_own():
    model = linear(2)
    given = latents_given(model, given_row(model, {0: 2.0}), AggregatePosterior.standard_normal(2))
    drawn = given.draw(20_000, Noise(3, step=1))
    np.testing.assert_allclose(drawn.mean(axis=0), given.share @ given.z, atol=0.03)
    np.testing.assert_array_equal(drawn[:7], given.draw(7, Noise(3, step=1)))


def test_values_without_any_probability_are_refused():
    model = linear(2)
    model.decoder.W[...] = np.inf
    with (
        pytest.raises(FloatingPointError, match="the given values have no probability for any z"),
        np.errstate(all="ignore"),
    ):
        latents_given(model, given_row(model, {0: 2.0}), AggregatePosterior.standard_normal(2))


def test_log_density_of_a_mixture():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    factors = np.tril(rng.normal(size=(2, 3, 3))) + 2 * np.eye(3)
    mixture = AggregatePosterior(np.array([0.3, 0.7]), rng.normal(size=(2, 3)), factors)
    z = rng.normal(size=(5, 3))
    parts = [
        w * multivariate_normal(m, L @ L.T).pdf(z)
        for w, m, L in zip(mixture.weights, mixture.means, factors, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(z), np.log(sum(parts)), rtol=1e-10)
    standard = AggregatePosterior.standard_normal(3).log_density(z)
    np.testing.assert_allclose(standard, multivariate_normal(np.zeros(3)).logpdf(z), rtol=1e-12)
