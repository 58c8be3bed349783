"""The aggregate posterior: a mixture that stands for where rows lie in the latent space."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import pyvae
from pyvae import _kernels
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.noise import Noise

WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[0.0, 0.0], [6.0, 1.0], [-5.0, 5.0]])
FACTORS = np.array([[[1.0, 0.0], [0.5, 0.3]], [[0.2, 0.0], [0.0, 2.0]], [[0.7, 0.0], [-0.6, 0.1]]])
TRUE = AggregatePosterior(WEIGHTS, MEANS, FACTORS)


def test_log_joint_is_that_of_scipy(rng):
    z = rng.normal(0, 4, (50, 2))
    for k, (weight, mean, factor) in enumerate(zip(WEIGHTS, MEANS, FACTORS, strict=True)):
        expected = np.log(weight) + multivariate_normal(mean, factor @ factor.T).logpdf(z)
        np.testing.assert_allclose(TRUE.log_joint(z)[:, k], expected, rtol=1e-12)


def test_samples_have_its_shares_means_and_covariances():
    z = TRUE.sample(60_000, 2, Noise(0), np.float64)
    mean = WEIGHTS @ MEANS
    covariance = sum(
        w * (f @ f.T + np.outer(m - mean, m - mean)) for w, m, f in zip(WEIGHTS, MEANS, FACTORS, strict=True)
    )
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(np.cov(z.T), covariance, rtol=0.03, atol=0.1)
    nearest = TRUE.log_joint(z).argmax(axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / len(z), WEIGHTS, atol=0.01)


def test_a_sample_does_not_depend_on_how_many_there_are():
    few, many = (TRUE.sample(n, 2, Noise(3)) for n in (7, 1000))
    np.testing.assert_array_equal(few, many[:7])


def test_it_is_fitted_as_well_as_the_truth():
    """Mean log density of other samples: little below that of the mixture that they come from, though it has forty
    components and not three."""
    z, other = (TRUE.sample(4000, 2, Noise(seed), np.float64) for seed in (0, 1))

    def score(mixture):
        return np.log(np.exp(mixture.log_joint(other)).sum(axis=1)).mean()

    fitted = AggregatePosterior.fit(z, Noise(0))
    assert score(fitted) > score(TRUE) - 0.1
    assert score(fitted) > score(AggregatePosterior.fit(z[:12], Noise(0))) + 0.5  # of one component


def test_few_equal_and_constant_samples():
    for z in (np.zeros((1, 3)), np.ones((500, 3)), np.eye(3).repeat(50, axis=0)):
        mixture = AggregatePosterior.fit(z, Noise(0))
        drawn = mixture.sample(200, 3, Noise(1))
        assert np.isfinite(drawn).all() and np.abs(drawn).max() < 2
        np.testing.assert_allclose(mixture.weights.sum(), 1)


def test_samples_far_apart_on_a_line(rng):
    """Covariances of rank 1, and of large numbers, have factors."""
    z = np.outer(1e6 * rng.normal(size=500), [1.0, 2.0, 3.0])
    drawn = AggregatePosterior.fit(z, Noise(0)).sample(4000, 3, Noise(1), np.float64)
    np.testing.assert_allclose(drawn.std(axis=0), z.std(axis=0), rtol=0.1)


@pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins twenty seconds")
def test_rows_in_groups_come_out_in_groups(rng):
    """Six groups in twenty columns: of samples from the prior most lie off them, of samples from the mixture few."""
    shares = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    centres, group = rng.normal(0, 4, (6, 20)), rng.choice(6, 2000, p=shares)
    X = centres[group] + rng.normal(size=(2000, 20))

    def distances(x):
        return np.sqrt(((x[:, None] - centres) ** 2).sum(axis=2))

    limit = np.quantile(distances(centres[group] + rng.normal(size=X.shape)).min(axis=1), 0.996)
    model = pyvae.VAE.mlp(20, 4, (50,), likelihood=pyvae.Gaussian(20, "learned"), seed=0)
    pyvae.train(model, X, epochs=60, batch_size=100, learning_rate=3e-3, progress=False)
    away = {}
    for latent in (None, model.aggregate_posterior(X)):
        made = model.sample(4000, mean=False, latent=latent)
        away[latent is None] = np.mean(distances(made).min(axis=1) > limit)
    assert away[True] > 0.5 and away[False] < 0.15
    found = np.bincount(distances(made).argmin(axis=1), minlength=6) / len(made)
    np.testing.assert_allclose(found, np.bincount(group) / len(group), atol=0.05)
    np.testing.assert_allclose(made.std(axis=0), X.std(axis=0), rtol=0.1)


@pytest.mark.parametrize("n_rows", [3, 12_000])
def test_of_a_model(n_rows, rng):
    X = (rng.random((n_rows, 9)) < 0.3).astype(np.float32)
    model = pyvae.VAE.mlp(9, 2, (5,))
    latent = model.aggregate_posterior(X, seed=1)
    np.testing.assert_array_equal(latent.means, model.aggregate_posterior(X, seed=1).means)
    assert model.sample(4, latent=latent).shape == (4, 9)
