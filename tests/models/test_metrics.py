"""Metrics, against exact values: linear Gaussian models, quadrature, posteriors whose answer is known."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

import pyvae
from pyvae import metrics, plots
from pyvae.data import sources
from pyvae.models import importance_sampling, information
from pyvae.models.importance_sampling import RunningWeights
from pyvae.objectives.weights import log_weights


def linear_model(std=0.4):
    """x_j = a_j z_j + noise: a model with its exact posterior N(a x / (a^2 + s^2), s^2 / (a^2 + s^2)), and log p(x)."""
    a, dims = np.array([0.5, 1.2, 2.0]), 3
    model = pyvae.VAE(
        pyvae.Dense(dims, 2 * dims), pyvae.Dense(dims, dims), pyvae.Gaussian(dims, std=std), dtype=np.float64
    )
    model.parameters.values[...] = 0
    model.encoder.W[:, :dims] = np.diag(a / (a**2 + std**2))
    model.encoder.b[dims:] = np.log(std**2 / (a**2 + std**2))
    model.decoder.W[...] = np.diag(a)
    return model, multivariate_normal(np.zeros(dims), np.diag(a**2 + std**2))


@pytest.fixture
def wide():
    """A linear Gaussian model whose posterior is too wide, its exact marginal, and rows."""
    model, marginal = linear_model()
    model.encoder.b[model.latent_dim :] += 0.7
    return model, marginal, marginal.rvs(150, random_state=1)


# --- log p(x) ---------------------------------------------------------------------------------------------------------


def test_the_standard_error_is_that_of_the_estimate(wide):
    """Over many rows the errors, in units of what is said of them, have the variance 1."""
    model, marginal, x = wide
    result = metrics.log_likelihood(model, x, n_samples=3000, seed=3)
    errors = (result.log_likelihood - marginal.logpdf(x)) / result.standard_error
    assert 0.8 < errors.std() < 1.2 and abs(errors.mean()) < 0.25
    assert (result.standard_error < 0.05).all()


def test_weights_are_counted_as_if_all_samples_were_drawn_at_once(wide):
    """Effective sample size and error against their definitions, from the weights of one forward pass."""
    model, _, x = wide
    result = metrics.log_likelihood(model, x[:5], n_samples=40, seed=2)
    terms, _ = model.forward(pyvae.Batch(x[:5]), pyvae.Noise(2), k=40)
    w = np.exp(log_weights(terms))
    np.testing.assert_allclose(result.log_likelihood, np.log(w.mean(axis=1)), rtol=1e-12)
    np.testing.assert_allclose(result.effective_sample_size, w.sum(axis=1) ** 2 / (w**2).sum(axis=1), rtol=1e-12)
    expected = w.std(axis=1, ddof=1) / np.sqrt(40) / w.mean(axis=1)
    np.testing.assert_allclose(result.standard_error, expected, rtol=1e-10)
    np.testing.assert_array_equal(model.log_likelihood(x[:5], 40, 2), result.log_likelihood)


@pytest.mark.parametrize("numbers", [7, 64, 700, 10**6])
def test_no_number_depends_on_the_size_of_a_chunk(wide, numbers, monkeypatch):
    model, _, x = wide
    whole = metrics.log_likelihood(model, x[:9], n_samples=33)
    monkeypatch.setattr(importance_sampling, "MOST_NUMBERS", numbers)
    monkeypatch.setattr(sources, "CHUNK_NUMBERS", 3 * numbers)
    for one, other in zip(metrics.log_likelihood(model, x[:9], n_samples=33), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_the_exact_posterior_has_no_error():
    model, marginal = linear_model()
    x = marginal.rvs(4, random_state=1)
    result = metrics.log_likelihood(model, x, n_samples=20)
    np.testing.assert_allclose(result.log_likelihood, marginal.logpdf(x), atol=1e-10)
    np.testing.assert_allclose(result.effective_sample_size, 20, rtol=1e-10)
    assert (result.standard_error < 1e-6).all()


def test_one_sample_has_no_standard_error(wide):
    result = metrics.log_likelihood(wide[0], wide[2][:3], n_samples=1)
    assert np.isnan(result.standard_error).all() and np.isfinite(result.log_likelihood).all()
    np.testing.assert_array_equal(result.effective_sample_size, 1)


def test_weights_far_from_each_other():
    """Neither overflow nor a row whose weights are all 0 so far spoils the sums."""
    weights = RunningWeights(3)
    for log_w in ([-np.inf, -2000.0, -np.inf], [900.0, -1000.0, -np.inf], [900.0 + np.log(3), -np.inf, -np.inf]):
        weights.add(np.array(log_w)[:, None])
    np.testing.assert_allclose(weights.log_sum, [900 + np.log(4), -1000, -np.inf])
    np.testing.assert_allclose(weights.V, [10 / 16, 1, 0])


def test_memory_does_not_grow_with_the_number_of_samples():
    """Nor with layers that are wider than the decoder's outputs."""
    model = pyvae.VAE.mlp(2, latent_dim=2, hidden=(64,))
    x = np.array([[0.0, 1], [1, 1]])

    def peak(k):
        tracemalloc.start()
        model.log_likelihood(x, n_samples=k)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few, many = peak(100_000), peak(400_000)
    assert many < 1.02 * few < 80e6


def test_rows_of_any_unit(rng):
    """The error does not depend on the unit, log p(x) does."""
    X = 1e4 + 300 * rng.normal(size=(50, 2))
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=1, hidden=(4,))
    scaled = model.source(X)
    ours, inside = metrics.log_likelihood(model, X, 20), metrics.log_likelihood(model, scaled, 20)
    np.testing.assert_allclose(ours.log_likelihood, inside.log_likelihood - np.log(X.std(axis=0)).sum(), rtol=1e-6)
    np.testing.assert_array_equal(ours.standard_error, inside.standard_error)
    np.testing.assert_array_equal(ours.log_likelihood, model.log_likelihood(X, 20))


# --- Mutual information and total correlation -------------------------------------------------------------------------


def separate_posteriors(rows, dims, rng):
    """Every row has a place of its own in every dimension, far from all others."""
    return np.stack([rng.permutation(rows) for _ in range(dims)], axis=1) * 100.0, np.zeros((rows, dims))


def linear_posteriors(rows, covariance, variance, rng):
    """q(z|x) = N(mu, variance), mu such that the aggregate posterior of ever more rows is N(0, covariance)."""
    dims = len(covariance)
    mu = multivariate_normal(np.zeros(dims), covariance - variance * np.eye(dims)).rvs(rows, random_state=rng)
    return mu.reshape(rows, dims), np.full((rows, dims), math.log(variance))


def test_separate_posteriors_say_which_row_it_is(rng):
    mu, logvar = separate_posteriors(300, 4, rng)
    for n_rows, M in ((None, 300), (300, 300), (5000, 5000)):
        assert metrics.mutual_information(mu, logvar, n_rows).value == pytest.approx(math.log(M), rel=1e-12)
        assert metrics.total_correlation(mu, logvar, n_rows).value == pytest.approx(3 * math.log(M), rel=1e-12)
    assert metrics.mutual_information(mu, logvar, math.inf).value > 1000, "nobody else explains a row's z"


@pytest.mark.parametrize("n_rows", [None, 70, math.inf])
def test_equal_posteriors_say_nothing(n_rows):
    mu, logvar = np.full((50, 3), 0.7), np.full((50, 3), -1.0)
    for measure in (metrics.mutual_information, metrics.total_correlation):
        value, error = measure(mu, logvar, n_rows)
        assert abs(value) < 1e-12 and error < 1e-12


def test_mutual_information_of_a_linear_gaussian_channel(rng):
    """I = -D/2 log variance; from below with the row's own part in q(z), from above without."""
    mu, logvar = linear_posteriors(2500, np.eye(2), 0.2, rng)
    exact = -math.log(0.2)
    low, high = (metrics.mutual_information(mu, logvar, n_rows) for n_rows in (None, math.inf))
    assert low.value < high.value
    for value, error in (low, high):
        assert value == pytest.approx(exact, abs=4 * error) and 0.01 < error < 0.03


def test_the_bias_of_few_rows_has_the_sign_that_is_said():
    """The mean over data sets: with its own part at most log N, far below; without it above."""
    estimates = []
    for seed in range(40):
        mu, logvar = linear_posteriors(20, np.eye(3), 0.02, np.random.default_rng(seed))
        estimates.append([metrics.mutual_information(mu, logvar, n_rows, 5)[0] for n_rows in (None, 100, math.inf)])
    with_own, of_100, without = np.mean(estimates, axis=0)
    exact = -1.5 * math.log(0.02)
    assert with_own < math.log(20) < exact < without
    assert with_own < of_100 < without


def test_the_standard_error_of_the_information_is_the_scatter_over_data_sets():
    estimates = []
    for seed in range(60):
        mu, logvar = linear_posteriors(150, np.eye(1), 0.3, np.random.default_rng(seed))
        estimates.append(metrics.mutual_information(mu, logvar, seed=seed))
    values, errors = np.transpose(estimates)
    assert 0.8 < values.std(ddof=1) / errors.mean() < 1.25


def test_mutual_information_of_three_rows_by_quadrature():
    mu, logvar = np.array([[0.0], [1.0], [2.5]]), np.log([[0.5], [1.0], [0.2]])
    parts = [norm(m, s) for m, s in zip(mu[:, 0], np.exp(logvar[:, 0] / 2), strict=True)]

    def q(z):
        return np.mean([part.pdf(z) for part in parts])

    exact = np.mean(
        [quad(lambda z, p=p: p.pdf(z) * (p.logpdf(z) - np.log(q(z))), *p.interval(1 - 1e-14))[0] for p in parts]
    )
    value, error = metrics.mutual_information(mu, logvar, n_samples=200_000)
    assert value == pytest.approx(exact, abs=2e-3) and error > 0.01
    assert metrics.total_correlation(mu, logvar, n_samples=10).value == pytest.approx(0, abs=1e-12), "one dimension"


def test_total_correlation_of_a_normal_distribution(rng):
    """TC = -1/2 log det of the correlations."""
    covariance = np.array([[1.0, 0.7, 0.0], [0.7, 1.0, -0.2], [0.0, -0.2, 2.0]])
    scale = np.sqrt(np.diag(covariance))
    exact = -0.5 * math.log(np.linalg.det(covariance / np.outer(scale, scale)))
    value, error = metrics.total_correlation(*linear_posteriors(2500, covariance, 0.2, rng), n_samples=2)
    assert value == pytest.approx(exact, abs=4 * error) and error < 0.02 and exact > 0.3


def test_information_does_not_depend_on_the_size_of_a_chunk(rng, monkeypatch):
    mu, logvar = rng.normal(size=(2, 30, 3))
    measures = (metrics.mutual_information, metrics.total_correlation)
    whole = [measure(mu, logvar, 40, 2) for measure in measures]
    monkeypatch.setattr(information, "PASSES", 10**7)
    np.testing.assert_allclose([measure(mu, logvar, 40, 2) for measure in measures], whole, rtol=1e-12)


# --- Rate and distortion ----------------------------------------------------------------------------------------------


def test_rate_and_distortion_are_the_two_parts_of_the_elbo(wide):
    model, marginal, x = wide
    exact, _ = linear_model()
    points = metrics.rate_distortion([model, exact], x, n_samples=3, seed=1)
    elbo = [m.elbo(x, n_samples=3, seed=1) for m in (model, exact)]
    np.testing.assert_allclose(points.rate + points.distortion, -np.mean(elbo, axis=1), rtol=1e-12)
    distortion, rate = model.elbo_terms(x, 3, 1)
    assert points.rate_error[0] == pytest.approx(rate.std(ddof=1) / np.sqrt(len(x)))
    assert points.distortion_error[0] == pytest.approx(distortion.std(ddof=1) / np.sqrt(len(x)))
    assert points.rate[0] == pytest.approx(rate.mean()) and points.rate.shape == (2,)
    np.testing.assert_array_equal(metrics.rate_distortion(model, x, 3, 1).rate, points.rate[:1])
    assert points.rate[1] + points.distortion[1] == pytest.approx(-marginal.logpdf(x).mean(), abs=0.3)


def test_a_higher_beta_has_a_lower_rate_and_a_higher_distortion(rng):
    X = (rng.random((300, 1)) < 0.5) ^ (rng.random((300, 12)) < 0.1)
    models = [pyvae.VAE.mlp(12, latent_dim=2, hidden=(16,)) for _ in range(3)]
    for model, beta in zip(models, (0.3, 1.0, 2.0), strict=True):
        pyvae.train(model, X, epochs=60, batch_size=50, learning_rate=5e-3, beta=beta, progress=False)
    points = metrics.rate_distortion(models, X)
    assert (np.diff(points.rate) < 0).all() and (np.diff(points.distortion) > 0).all()


@pytest.mark.usefixtures("matplotlib")
def test_the_picture_of_rate_and_distortion():
    points = metrics.RateDistortion(*np.array([[9.0, 4, 1], [80, 84, 90], [0.1, 0.1, 0.2], [0.4, 0.5, 0.6]]))
    axes = plots.rate_distortion(points, [0.5, 1, 4]).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.transpose(points[:2]))
    assert [text.get_text() for text in axes.texts] == ["0.5", "1", "4"]
    assert [text.xy for text in axes.texts] == [(9, 80), (4, 84), (1, 90)]
    assert axes.get_legend().texts[0].get_text() == "ELBO -88.0 nats, the best"
    assert len(plots.rate_distortion(points).axes[0].texts) == 0


# --- The gap ----------------------------------------------------------------------------------------------------------

GRID = np.stack(np.meshgrid(np.arange(4), np.arange(5), np.arange(6), indexing="ij"), axis=-1).reshape(-1, 3)


def test_one_latent_for_each_factor(rng):
    mu = np.hstack([GRID[:, [2, 0, 1]] * 50.0, rng.normal(size=(len(GRID), 1)) * 1e-3])
    result = metrics.mutual_information_gap(mu, np.zeros_like(mu), GRID)
    np.testing.assert_allclose(result.entropy, np.log([4, 5, 6]), rtol=1e-12)
    np.testing.assert_allclose(result.gaps, 1, atol=1e-4)
    assert result.gap == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(result.information[:3], np.diag(np.log([4, 5, 6]))[[2, 0, 1]], atol=1e-6)


def test_rotated_latents_have_no_gap(rng):
    """a + b and a - b know the same of a, H(a + b) - H(b), and of b, H(a + b) - H(a)."""
    factors = GRID[GRID[:, 0] == 0][:, 1:]  # 5 by 6
    a, b = (factors - factors.mean(axis=0)).T * 10.0
    mu = np.stack([a + b, a - b], axis=1)
    result = metrics.mutual_information_gap(mu, np.zeros_like(mu), factors)
    assert np.abs(result.gaps).max() < 1e-6
    shares = np.bincount(factors.sum(axis=1)) / len(factors)
    of_a = -(shares * np.log(shares)).sum() - np.log(6)
    np.testing.assert_allclose(result.information, [[of_a, of_a + np.log(6 / 5)]] * 2, atol=1e-5)
    aligned = metrics.mutual_information_gap(np.stack([a, b], axis=1), np.zeros_like(mu), factors)
    assert aligned.gap > 0.95


def test_a_second_latent_with_the_same_factor_takes_the_gap_away():
    mu = np.hstack([GRID, GRID[:, :1]]) * 50.0
    gaps = metrics.mutual_information_gap(mu, np.zeros_like(mu), GRID).gaps
    np.testing.assert_allclose(gaps, [0, 1, 1], atol=1e-6)


def test_the_information_of_a_noisy_latent_by_quadrature(rng):
    """A factor of two values, one of them three times as frequent, at -1 and 1 with the variance 1."""
    factor = np.repeat([0, 1, 1, 1], 500)
    mu = np.stack([2.0 * factor - 1, rng.permutation(factor)], axis=1)
    q = {0: norm(-1, 1), 1: norm(1, 1)}

    def integrand(z):
        log_mean = np.log(0.25 * q[0].pdf(z) + 0.75 * q[1].pdf(z))
        return sum(p * q[v].pdf(z) * (q[v].logpdf(z) - log_mean) for v, p in ((0, 0.25), (1, 0.75)))

    exact = quad(integrand, -12, 12)[0]
    result = metrics.mutual_information_gap(mu, np.zeros_like(mu), factor[:, None])
    assert result.information[0, 0] == pytest.approx(exact, abs=0.04) and abs(result.information[1, 0]) < 0.02
    assert result.gap == pytest.approx(exact / -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), abs=0.08)
    fewer = metrics.mutual_information_gap(mu, np.zeros_like(mu), factor[:, None], n_samples=700, seed=1)
    assert fewer.gap == pytest.approx(result.gap, abs=0.15) and fewer.gap != result.gap


def test_factors_may_have_any_values():
    mu = GRID * 1.5
    words = np.array(["e", "b", "a", "d", "c", "f"])[GRID]
    for values in (words, -0.5 * GRID):
        one = metrics.mutual_information_gap(mu, np.zeros_like(mu), values)
        np.testing.assert_allclose(one.gaps, metrics.mutual_information_gap(mu, np.zeros_like(mu), GRID).gaps)


# --- Refusals ---------------------------------------------------------------------------------------------------------

MU = np.zeros((4, 2))


class Other(pyvae.StandardNormal):
    """A prior of another density."""

    def log_density(self, z, memory=pyvae.FRESH):
        return super().log_density(z, memory)


class Sampled(pyvae.DiagonalGaussian):
    """A posterior that is sampled otherwise."""

    def sample(self, q, eps, memory=pyvae.FRESH):
        return super().sample(q, eps, memory)


def model_of(**parts):
    return pyvae.VAE(pyvae.Dense(3, 4), pyvae.Dense(2, 3), pyvae.Bernoulli(3), **parts)


def test_models_for_which_the_numbers_do_not_hold_are_refused():
    x = np.zeros((5, 3))
    for ours, encoded in zip(metrics.gaussian_posteriors(model_of(), x), model_of().encode(x), strict=True):
        np.testing.assert_array_equal(ours, encoded)
    with pytest.raises(ValueError, match="for which the prior must be StandardNormal, not Other"):
        metrics.gaussian_posteriors(model_of(prior=Other()), x)
    assert metrics.gaussian_posteriors(model_of(prior=Other()), x, any_prior=True)[0].shape == (5, 2)
    with pytest.raises(ValueError, match="for which the posterior must be a DiagonalGaussian, not Sampled"):
        metrics.gaussian_posteriors(model_of(posterior=Sampled()), x, any_prior=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.active_units(model_of()), r"mu must be an array \(N, Z\): give \*metrics.gaussian_posteriors"),
        (lambda: metrics.kl_per_dimension(model_of(), MU), r"mu must be an array \(N, Z\)"),
        (lambda: metrics.kl_per_dimension(MU, MU[:3]), r"logvar must have the shape of mu, \(4, 2\), not \(3, 2\)"),
        (lambda: metrics.mutual_information(MU, MU + np.nan), "logvar must hold finite numbers"),
        (lambda: metrics.mutual_information(MU, MU, n_rows=3), "n_rows must be a number from 4"),
        (lambda: metrics.mutual_information(MU[:1], MU[:1], n_rows=9), "one row does not stand for 9"),
        (lambda: metrics.total_correlation(MU, MU, n_samples=0), "n_samples must be a whole number"),
        (lambda: metrics.mutual_information_gap(MU, MU, np.zeros(4)), r"factors must be \(N, K\) with N = 4 rows"),
        (lambda: metrics.mutual_information_gap(MU, MU, np.zeros((4, 1))), r"factors\[:, 0\] is the same in every row"),
        (lambda: metrics.mutual_information_gap(MU[:, :1], MU[:, :1], np.eye(4)), "mu must have at least two columns"),
        (lambda: metrics.log_likelihood(model_of(), np.zeros((2, 3)), 0), "n_samples must be a whole number"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
