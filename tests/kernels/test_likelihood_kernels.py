"""The likelihoods: counts of any size and dispersion, and arguments that do not fit together."""

import math
from itertools import product

import numpy as np
import pytest
from kernel_cases import CASE, NATIVE, SMALL, both
from scipy.stats import poisson

pytestmark = pytest.mark.usefixtures("one_thread")

# Counts, log-means and log r: r from 1e-3 to far beyond where a Poisson is all that is left.
COUNTS = (0, 1, 2, 5, 7, 8, 20, 300, 10_000)
LOG_MEANS, LOG_R = (-5, 0.5, 3, 9), (-7, -3, -1, 0, 1, 2, 2.0625, 4, 8, 12, 18.4375, 40, 80)


def negative_binomial_term_by_term(x, log_mean, log_r):
    """log p and its derivatives by log_mean and by log_r, without a gamma function: x factors, one after the other."""
    r, mean, steps = math.exp(log_r), math.exp(log_mean), range(int(x))
    rising = math.fsum(math.log1p(i / r) if r > 1 else math.log(r + i) - log_r for i in steps)  # of (r + i) / r
    softplus = float(np.logaddexp(0, log_mean - log_r))  # log(1 + m / r)
    log_p = math.fsum([rising, -math.lgamma(x + 1), x * log_mean, -x * softplus, -r * softplus])
    dl = math.fsum([x / (1 + mean / r), -mean / (1 + mean / r)])
    return log_p, dl, math.fsum([*(1 / (1 + i / r) for i in steps), -r * softplus, -dl])


@both
def test_negative_binomial_of_any_dispersion(modules, real, level):
    """From r = 1e-3 to r = 1e34 nothing cancels: in float32, log p is right to two units in its last place."""
    eps = np.finfo(real).eps
    for x, log_mean, log_r in product(COUNTS, LOG_MEANS, LOG_R):
        arrays = [np.full((1, 1), number, real) for number in (x, log_mean, log_r)]
        log_p, dl, dlog_r = np.empty(1, real), np.empty((1, 1), real), np.empty((1, 1), real)
        modules["count_likelihood"].negative_binomial(*arrays, log_p)
        modules["count_likelihood"].negative_binomial_backward(np.ones(1, real), *arrays, dl, dlog_r)
        right = negative_binomial_term_by_term(x, log_mean, float(real(log_r)))
        mean = math.exp(log_mean)
        rounding = 2 * eps * np.abs(right) + 8 * np.finfo(np.float64).eps * np.array(
            [1 + x * (abs(log_mean) + 1) + mean + math.lgamma(x + 1), x + mean, 1 + x + mean]
        )
        assert np.all(np.abs(np.subtract([log_p[0], dl[0, 0], dlog_r[0, 0]], right)) <= rounding), (x, log_mean, log_r)


@both
def test_a_large_dispersion_is_poisson(modules, real, level):
    """What is left is about ((x - m)^2 - x) / (2 r)."""
    x = np.arange(40, dtype=real)[:, None]
    log_means = np.linspace(-3, 4, 40).astype(real)[:, None]
    for log_r in (18.42, 60):
        out, limit = np.empty(40, real), np.empty(40, real)
        modules["count_likelihood"].negative_binomial(x, log_means, np.full((1, 1), log_r, real), out)
        modules["count_likelihood"].poisson(x, log_means, limit)
        bound = 0.5 * np.exp(-log_r) * ((x - np.exp(log_means)) ** 2 + x)[:, 0] + 4 * np.finfo(real).eps * np.abs(limit)
        assert np.all(np.abs(out - limit) <= 1.1 * bound + 1e-12)


def test_large_counts_are_no_less_exact_in_float32(level):
    """x l, exp(l) and log x! are ten million each, and leave 8."""
    x = np.array([[1e6], [1e6 + 1000]], np.float32)
    log_rates, out = np.full((2, 1), np.log(1e6), np.float32), np.empty(2, np.float32)
    NATIVE["count_likelihood"].poisson(x, log_rates, out)
    right = poisson.logpmf(x[:, 0].astype(np.float64), np.exp(log_rates[:, 0].astype(np.float64)))
    np.testing.assert_allclose(out, right, rtol=1e-6)


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [[], [0, 5], [0, 5, 5, 37], [0, 20, 5, 37], [1, 37], [0, 38], [[0, 37]]])
@pytest.mark.parametrize("kernel", ["categorical", "categorical_backward"])
def test_groups_that_do_not_cover_the_columns(kernel, edges):
    case = CASE[kernel]
    with pytest.raises(ValueError, match="edges must rise from 0 to the 37 columns"):
        case.function(NATIVE)(**case.make(SMALL, np.float32) | {"edges": edges})


@pytest.mark.parametrize(("name", "argument"), [("categorical", "edges"), ("clear", "extents")])
def test_places_are_whole_numbers(name, argument):
    arguments = CASE[name].make(SMALL, np.float32)
    with pytest.raises(TypeError, match=f"{argument} must be whole numbers, not an array of float64"):
        CASE[name].function(NATIVE)(**arguments | {argument: [[0.0, 37.0]]})


def test_rows_of_outputs_must_be_a_multiple_of_the_rows():
    case = CASE["bernoulli"]
    arguments = case.make(SMALL, np.float32)
    arguments |= {"logits": arguments["logits"][:-1], "log_px": arguments["log_px"][:-1]}
    with pytest.raises(ValueError, match="logits has 37 rows, which is no multiple of 19"):
        case.function(NATIVE)(**arguments)


def test_logvar_of_a_few_rows():
    case = CASE["gaussian one logvar"]
    arguments = case.make(SMALL, np.float32) | {"logvar": np.zeros((3, 37), np.float32)}
    with pytest.raises(ValueError, match="logvar must have 38 rows or one, not 3"):
        case.function(NATIVE)(**arguments)
