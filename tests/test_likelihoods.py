"""Log-likelihoods against scipy.stats, constants included; means and draws against the same distributions."""

import numpy as np
import pytest
from scipy import stats

import pyvae
from pyvae.likelihoods import LIKELIHOODS, make_likelihood
from pyvae.parameters import Arena


def log_density(likelihood, x, outputs):
    return likelihood.log_density(x, outputs)[0]


def test_bernoulli_binary(rng):
    x, logits = rng.integers(0, 2, (5, 9)).astype(float), 4 * rng.standard_normal((5, 9))
    expected = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum(axis=1)
    np.testing.assert_allclose(log_density(pyvae.Bernoulli(9), x, logits), expected, rtol=1e-11)


def test_bernoulli_gray_is_the_expectation_over_black_and_white(rng):
    gray, logits = rng.random((5, 9)), rng.standard_normal((5, 9))
    p = 1 / (1 + np.exp(-logits))
    expected = (gray * np.log(p) + (1 - gray) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(log_density(pyvae.Bernoulli(9), gray, logits), expected, rtol=1e-12)


def test_bernoulli_extreme_logits_are_finite():
    x, logits = np.array([[1.0, 0.0, 1.0, 0.0]]), np.array([[1e4, 1e4, -1e4, -1e4]])
    assert log_density(pyvae.Bernoulli(4), x, logits)[0] == -2e4
    single = log_density(pyvae.Bernoulli(4), x.astype(np.float32), logits.astype(np.float32))
    assert single[0] == -2e4


def test_gaussian_fixed_std(rng):
    x, mean = rng.standard_normal((5, 9)), rng.standard_normal((5, 9))
    expected = stats.norm.logpdf(x, mean, 0.3).sum(axis=1)
    np.testing.assert_allclose(log_density(pyvae.Gaussian(9, std=0.3), x, mean), expected, rtol=1e-12)


def test_gaussian_learned_std(rng):
    likelihood = pyvae.Gaussian(9, std="learned", floor=0.2)
    Arena({"likelihood": likelihood}, np.float64)
    likelihood.rho[...] = rng.standard_normal(9)
    x, mean = rng.standard_normal((5, 9)), rng.standard_normal((5, 9))
    expected = stats.norm.logpdf(x, mean, np.sqrt(0.2**2 + np.exp(likelihood.rho))).sum(axis=1)
    np.testing.assert_allclose(log_density(likelihood, x, mean), expected, rtol=1e-12)


def test_gaussian_predicted_std(rng):
    x, mean, rho = (rng.standard_normal((5, 9)) for _ in range(3))
    rho[0, 0] = -1e3  # the floor holds
    expected = stats.norm.logpdf(x, mean, np.sqrt(0.2**2 + np.exp(rho))).sum(axis=1)
    outputs = np.hstack([mean, rho])
    result = log_density(pyvae.Gaussian(9, std="predicted", floor=0.2), x, outputs)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_categorical(rng):
    likelihood = pyvae.Categorical([3, 1, 4])
    logits = 3 * rng.standard_normal((6, 8))
    groups = [(0, 3), (3, 4), (4, 8)]
    x, expected = np.zeros((6, 8)), np.zeros(6)
    for first, end in groups:
        p = np.exp(logits[:, first:end])
        p /= p.sum(axis=1, keepdims=True)
        chosen = rng.integers(end - first, size=6)
        x[np.arange(6), first + chosen] = 1
        expected += stats.multinomial.logpmf(x[:, first:end], 1, p)
    np.testing.assert_allclose(log_density(likelihood, x, logits), expected, rtol=1e-12)


def test_rows_serve_all_their_samples(rng):
    """k samples a row: x is not repeated by the caller, sample index fastest."""
    for likelihood in (pyvae.Bernoulli(6), pyvae.Gaussian(6, std=0.5), pyvae.Categorical([2, 4])):
        x = rng.integers(0, 2, (4, 6)).astype(float)
        outputs = rng.standard_normal((12, 6))
        repeated = log_density(likelihood, np.repeat(x, 3, axis=0), outputs)
        np.testing.assert_array_equal(log_density(likelihood, x, outputs), repeated)


@pytest.mark.parametrize("name", [*LIKELIHOODS, "categorical"])
def test_draws_have_the_mean(name, rng):
    likelihood = pyvae.Categorical([2, 3]) if name == "categorical" else make_likelihood(name, 5)
    Arena({"likelihood": likelihood}, np.float64)
    outputs = np.repeat(rng.standard_normal((1, likelihood.n_outputs)), 40_000, axis=0)
    draws = likelihood.draw(outputs, pyvae.Noise(1))
    mean = likelihood.mean(outputs)
    standard_error = draws.std(axis=0) / np.sqrt(len(draws))
    assert draws.shape == mean.shape and not likelihood.outside(draws).any()
    assert (np.abs(draws.mean(axis=0) - mean[0]) < 5 * standard_error).all()


def test_gaussian_draws_have_the_std(rng):
    likelihood = pyvae.Gaussian(2, std="predicted", floor=0.5)
    outputs = np.repeat([[1.0, 2.0, np.log(3.0), -50.0]], 40_000, axis=0)
    draws = likelihood.draw(outputs, pyvae.Noise(0))
    np.testing.assert_allclose(draws.std(axis=0), [np.sqrt(3.25), 0.5], rtol=0.02)


@pytest.mark.parametrize(
    ("likelihood", "bad"),
    [
        (pyvae.Bernoulli(3), [0.5, 1.1, 0]),
        (pyvae.Bernoulli(3), [0.5, -0.1, 0]),
        (pyvae.Bernoulli(3), [0.5, np.nan, 0]),
        (pyvae.Gaussian(3), [0, np.inf, 0]),
        (pyvae.Gaussian(3), [0, np.nan, 0]),
        (pyvae.Categorical([1, 2]), [1, 1, 1]),
        (pyvae.Categorical([1, 2]), [1, 0, 0]),
        (pyvae.Categorical([1, 2]), [1, 0.5, 0.5]),
    ],
)
def test_values_outside_the_support_are_named(likelihood, bad):
    good = np.zeros((2, 3))
    good[:, [0, 2]] = 1
    X = np.vstack([good, [bad]])
    model = pyvae.VAE(pyvae.Dense(3, 2), pyvae.Dense(1, 3), likelihood)
    with pytest.raises(ValueError, match=rf"X\[2, 1\] is .* takes {likelihood.support.split(':')[0]}"):
        pyvae.train(model, X, progress=False)
    with pytest.raises(ValueError, match=r"X\[2, 1\]"):
        model.elbo(X)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pyvae.Bernoulli(0),
        lambda: pyvae.Gaussian(3, std=0),
        lambda: pyvae.Gaussian(3, std="wide"),
        lambda: pyvae.Gaussian(3, floor=0),
        lambda: pyvae.Categorical([]),
        lambda: pyvae.Categorical([2, 0]),
        lambda: make_likelihood("poison", 3),
    ],
)
def test_wrong_arguments_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
