"""Quantiles of counts, against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from pyvae.likelihoods.count_draws import CHUNK, negative_binomial_quantiles, poisson_quantiles

MEANS = (1e-3, 0.3, 5, 15.9, 16.1, 70, 900, 4e4)


@pytest.fixture
def u(rng):
    """Uniform numbers, with some far out in the tails."""
    return np.concatenate([rng.random(1500), [1e-12, 1e-6, 0.5, 1 - 1e-6, 1 - 1e-9]])


@pytest.mark.parametrize("mean", MEANS)
def test_poisson(mean, u, rng):
    m = mean * np.exp(0.5 * rng.normal(size=u.shape))
    np.testing.assert_array_equal(poisson_quantiles(u, m), stats.poisson.ppf(u, m))


@pytest.mark.parametrize("r", [0.01, 0.7, 4, 300, 1e5])
@pytest.mark.parametrize("mean", MEANS)
def test_negative_binomial(mean, r, u, rng):
    m = mean * np.exp(0.5 * rng.normal(size=u.shape))
    np.testing.assert_array_equal(negative_binomial_quantiles(u, m, r), stats.nbinom.ppf(u, r, r / (r + m)))


def test_shapes_and_many_numbers(rng):
    """In several walks, each with parameters of its own."""
    u, m = rng.random((CHUNK // 3, 5)), np.array([0.1, 3, 20, 500, 1e4])
    found = negative_binomial_quantiles(u, m[None], np.full(5, 2.5)[None])
    assert found.shape == u.shape
    np.testing.assert_array_equal(found[-50:], stats.nbinom.ppf(u[-50:], 2.5, 2.5 / (2.5 + m)))
