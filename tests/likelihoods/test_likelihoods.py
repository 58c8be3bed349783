"""Log-likelihoods against scipy.stats, constants included; means and draws against the same distributions."""

import numpy as np
import pytest
from scipy import stats

import pyvae
from pyvae.arena import Arena
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.mixed import Weighted
from pyvae.likelihoods.words import LIKELIHOODS, make_likelihood


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


def test_gaussian_shared_std(rng):
    likelihood = pyvae.Gaussian(9, std="shared", floor=0.2)
    arena = Arena({"likelihood": likelihood}, np.float64)
    assert arena.count == 1
    likelihood.rho[...] = 0.7
    x, mean = rng.standard_normal((5, 9)), rng.standard_normal((5, 9))
    expected = stats.norm.logpdf(x, mean, np.sqrt(0.2**2 + np.exp(0.7))).sum(axis=1)
    np.testing.assert_allclose(log_density(likelihood, x, mean), expected, rtol=1e-12)


def test_poisson(rng):
    log_rates = 2 * rng.standard_normal((5, 9))
    x = rng.poisson(np.exp(log_rates)).astype(float)
    x[0, :3] = 0, 1, 1e6
    expected = stats.poisson.logpmf(x, np.exp(log_rates)).sum(axis=1)
    np.testing.assert_allclose(log_density(pyvae.Poisson(9), x, log_rates), expected, rtol=1e-12)


def test_multinomial(rng):
    """Rows of any total, none and one included; beside none and one word it is categorical."""
    logits, totals = 3 * rng.standard_normal((5, 9)), np.array([0, 1, 7, 400, 10**6])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    x = np.array([rng.multinomial(n, row) for n, row in zip(totals, p, strict=True)]).astype(float)
    log_px = log_density(pyvae.Multinomial(9), x, logits)
    np.testing.assert_allclose(log_px, [stats.multinomial.logpmf(x[i], totals[i], p[i]) for i in range(5)], rtol=1e-8)
    assert log_px[0] == 0
    one_word = log_density(pyvae.Categorical([9]), x[1:2], logits[1:2])
    np.testing.assert_allclose(log_px[1], one_word[0], rtol=1e-13)


def negative_binomial(n_features, log_r):
    likelihood = pyvae.NegativeBinomial(n_features)
    Arena({"likelihood": likelihood}, np.float64)
    likelihood.log_r[...] = log_r
    return likelihood


def test_negative_binomial(rng):
    log_r, log_means = np.linspace(np.log(1e-3), np.log(1e4), 9), 2 * rng.standard_normal((6, 9))
    r, m = np.exp(log_r), np.exp(log_means)
    x = rng.negative_binomial(r, r / (r + m)).astype(float)
    x[0], x[1] = 0, 1000
    expected = stats.nbinom.logpmf(x, r, r / (r + m)).sum(axis=1)
    np.testing.assert_allclose(log_density(negative_binomial(9, log_r), x, log_means), expected, rtol=1e-9)


def test_probabilities_of_counts_add_up_to_one():
    """Every constant is there, whatever the parameters."""
    x = np.arange(400.0)[:, None]
    outputs = np.full((400, 1), 1.3)
    for likelihood in (pyvae.Poisson(1), negative_binomial(1, -0.5), negative_binomial(1, 20.0)):
        assert np.exp(log_density(likelihood, x, outputs)).sum() == pytest.approx(1, abs=1e-12)
    three = np.array([[i, j, 5 - i - j] for i in range(6) for j in range(6 - i)], dtype=float)
    log_px = log_density(pyvae.Multinomial(3), three, np.tile([0.3, -1.0, 2.0], (len(three), 1)))
    assert np.exp(log_px).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_counts_at_extreme_outputs(dtype):
    """A rate beyond all numbers makes the Poisson's log p and its derivative -inf; the others stay finite."""
    x, outputs = np.array([[0, 3, 0, 3]], dtype), np.array([[-1e4, -1e4, 1e4, 1e4]], dtype)
    one = np.ones(1, dtype)
    poisson, multinomial, binomial = pyvae.Poisson(4), pyvae.Multinomial(4), pyvae.NegativeBinomial(4)
    Arena({"likelihood": binomial}, dtype)
    with np.errstate(over="ignore"):  # the twins'
        log_px, cache = poisson.log_density(x, outputs)
        assert log_px[0] == -np.inf
        np.testing.assert_array_equal(poisson.log_density_backward(one, cache), [[0, 3, -np.inf, -np.inf]])
    log_px, cache = binomial.log_density(x, outputs)
    assert log_px[0] == -3e4 - 2e4  # r = 1: x l where the mean is small, -l where it is large
    np.testing.assert_array_equal(binomial.log_density_backward(one, cache), [[0, 3, -1, -1]])
    assert np.isfinite(binomial.dlog_r).all()
    log_px, cache = multinomial.log_density(x, outputs)
    assert log_px[0] == pytest.approx(-6e4 + np.log(20 / 64))
    np.testing.assert_array_equal(multinomial.log_density_backward(one, cache), [[0, 3, -3, 0]])


def several_kinds():
    """Nine columns, ten outputs, parameters of its own, and a Mixed in the middle."""
    inner = pyvae.Mixed([pyvae.Categorical([3]), pyvae.NegativeBinomial(2)])
    return pyvae.Mixed([pyvae.Bernoulli(2), inner, pyvae.Gaussian(1, "predicted"), pyvae.Gaussian(1, "learned")])


def test_mixed_adds_up_its_parts(rng):
    mixed = several_kinds()
    arena = Arena({"likelihood": mixed}, np.float64)
    assert mixed.n_features == 9 and mixed.n_outputs == 10
    assert arena.names == ("likelihood.1.1.log_r", "likelihood.3.rho")
    x = np.hstack([rng.integers(0, 2, (4, 2)), np.eye(3)[[0, 2, 1, 1]], rng.poisson(3, (4, 2)), rng.random((4, 2))])
    outputs, weights = rng.standard_normal((8, 10)), rng.standard_normal(8)
    log_px, cache = mixed.log_density(x, outputs)
    gradient = mixed.log_density_backward(weights, cache)
    of_mixed, expected, start = arena.grads.copy(), np.zeros(8), 0
    arena.zero_grads()
    inner = mixed.parts[1].parts
    for part, columns in ((mixed.parts[0], slice(0, 2)), (inner[0], slice(2, 5)), (inner[1], slice(5, 7)),
                          (mixed.parts[2], slice(7, 8)), (mixed.parts[3], slice(8, 9))):  # fmt: skip
        own = slice(start, start + part.n_outputs)
        part_log_px, part_cache = part.log_density(x[:, columns].copy(), outputs[:, own].copy())
        expected += part_log_px
        np.testing.assert_array_equal(gradient[:, own], part.log_density_backward(weights, part_cache))
        np.testing.assert_array_equal(mixed.mean(outputs)[:, columns], part.mean(outputs[:, own].copy()))
        start = own.stop
    np.testing.assert_allclose(log_px, expected, rtol=1e-13)
    np.testing.assert_array_equal(of_mixed, arena.grads)


def test_parts_of_mixed_draw_from_noise_of_their_own():
    """Equal parts with equal outputs: no column repeats another, at any depth, nor does it follow another."""
    outputs = np.full((5000, 1), 0.5)
    for make in (lambda: pyvae.Gaussian(1), lambda: pyvae.Poisson(1), lambda: pyvae.Bernoulli(1)):
        mixed = pyvae.Mixed([make(), pyvae.Mixed([make(), make()]), make()])
        draws = mixed.draw(np.tile(outputs, 4), pyvae.Noise(3))
        correlations = np.corrcoef(draws.T)[np.triu_indices(4, 1)]
        assert np.abs(correlations).max() < 5 / np.sqrt(len(draws))


def test_mixed_names_the_part_that_a_value_does_not_fit():
    mixed = pyvae.Mixed([pyvae.Gaussian(2), pyvae.Mixed([pyvae.Bernoulli(1), pyvae.Poisson(2)])])
    model = pyvae.VAE(pyvae.Dense(5, 2), pyvae.Dense(1, 5), mixed)
    assert mixed.support == (
        "in columns 0 to 1 real numbers; in columns 2 to 4 in columns 0 to 0 numbers from 0 to 1; "
        "in columns 1 to 2 whole numbers from 0"
    )
    for column, value, takes in (
        (1, np.nan, "the Gaussian likelihood takes real numbers"),
        (2, 1.5, "the Bernoulli likelihood takes numbers from 0 to 1"),
        (4, 0.5, "the Poisson likelihood takes whole numbers from 0"),
    ):
        X = np.zeros((3, 5))
        X[1, column] = value
        with pytest.raises(ValueError, match=rf"X\[1, {column}\] is {value}, but {takes}"):
            model.elbo(X)


def test_rows_serve_all_their_samples(rng):
    """k samples a row: x is not repeated by the caller, sample index fastest."""
    kinds = (pyvae.Bernoulli(6), pyvae.Gaussian(6, std=0.5), pyvae.Categorical([2, 4]))
    for likelihood in (*kinds, pyvae.Poisson(6), pyvae.Multinomial(6), negative_binomial(6, 0.3)):
        x = rng.integers(0, 2, (4, 6)).astype(float)
        outputs = rng.standard_normal((12, 6))
        repeated = log_density(likelihood, np.repeat(x, 3, axis=0), outputs)
        np.testing.assert_array_equal(log_density(likelihood, x, outputs), repeated)


OTHERS = {"categorical": lambda: pyvae.Categorical([2, 3]), "mixed": several_kinds}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted({*LIKELIHOODS, *OTHERS} - {"multinomial"}))
def test_columns_by_themselves_add_up_to_all(name, weighted, rng):
    """Each by itself has the log p that it has with every other column unobserved."""
    likelihood = OTHERS[name]() if name in OTHERS else make_likelihood(name, 5)
    likelihood = Weighted(likelihood, 2.5) if weighted else likelihood
    arena = Arena({"likelihood": likelihood}, np.float64)
    arena.values[...] = rng.standard_normal(arena.values.shape)
    outputs = rng.standard_normal((6, likelihood.n_outputs))
    x = likelihood.draw(outputs[::2], pyvae.Noise(1))
    groups = {"categorical": [(0, 2), (2, 5)], "mixed": [(0, 1), (1, 2), (2, 5), (5, 7), (7, 8), (8, 9)]}
    found = likelihood.by_column(x, outputs)
    assert found.shape == (6, likelihood.n_features)
    for first, end in groups.get(name, [(0, 1), (1, 4), (4, 5)]):
        observed = np.zeros_like(x)
        observed[:, first:end] = 1
        expected, _ = likelihood.log_density(x * observed, outputs, observed=observed)
        np.testing.assert_allclose(found[:, first:end].sum(axis=1), expected, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), log_density(likelihood, x, outputs), rtol=1e-12)


def test_a_likelihood_says_what_its_columns_are_by_themselves():
    class Laplace(Likelihood):
        pass

    with pytest.raises(NotImplementedError, match="Laplace does not say what its columns are by themselves"):
        Laplace(3).by_column(np.zeros((1, 3)), np.zeros((1, 3)))


def test_words_of_a_multinomial_are_not_independent():
    with pytest.raises(ValueError, match="columns of a multinomial are not independent"):
        pyvae.Multinomial(3).by_column(np.zeros((1, 3)), np.zeros((1, 3)))


@pytest.mark.parametrize("name", [*LIKELIHOODS, *OTHERS])
def test_draws_have_the_mean(name, rng):
    likelihood = OTHERS[name]() if name in OTHERS else make_likelihood(name, 5)
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


def test_draws_of_counts_have_the_variance():
    """m, m + m^2 / r, and n p (1 - p); from rare to frequent."""
    outputs = np.repeat([[-2.0, 0.5, 3.0]], 60_000, axis=0)
    mean, r = np.exp(outputs[0]), np.exp([1.0, -1.0, 2.0])
    words = pyvae.Multinomial(3, total=20)
    p = words.mean(outputs)[0] / 20
    for likelihood, variance in (
        (pyvae.Poisson(3), mean),
        (negative_binomial(3, np.log(r)), mean + mean**2 / r),
        (words, 20 * p * (1 - p)),
    ):
        draws = likelihood.draw(outputs.astype(np.float32), pyvae.Noise(2)).astype(float)
        deviations = (draws - draws.mean(axis=0)) ** 2
        standard_error = deviations.std(axis=0) / np.sqrt(len(draws))
        assert (np.abs(deviations.mean(axis=0) - variance) < 5 * standard_error).all()
    assert (draws.sum(axis=1) == 20).all()


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
        (pyvae.Poisson(3), [0, 0.5, 1]),
        (pyvae.Poisson(3), [0, -1, 1]),
        (pyvae.Multinomial(3), [0, np.inf, 1]),
        (pyvae.NegativeBinomial(3), [0, np.nan, 1]),
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
        lambda: pyvae.Multinomial(3, total=0),
        lambda: pyvae.Mixed([]),
        lambda: pyvae.Mixed([pyvae.Poisson(2), "gaussian"]),
        lambda: make_likelihood("poison", 3),
    ],
)
def test_wrong_arguments_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
