"""Start: a new model draws columns with the means of the rows, and counts with their variances, whatever z is."""

import numpy as np
import pytest

from pyvae import VAE
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import DISPERSIONS, Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.likelihoods.start import smoothed_mean, start

MEAN = np.array([0.1, 0.3, 0.6])
LIKELIHOODS = {
    "Bernoulli": lambda: Bernoulli(3),
    "Categorical": lambda: Categorical([3]),
    "Poisson": lambda: Poisson(3),
    "NegativeBinomial": lambda: NegativeBinomial(3),
    "Gaussian": lambda: Gaussian(3, std="learned"),
    "Gaussian, std predicted": lambda: Gaussian(3, std="predicted"),
}


def means(model):
    """E[x|z] for z = 0 of a decoder whose weights say nothing, (n_features,)."""
    model.decoder.layers[-1].W[...] = 0
    return model.decode(np.zeros((1, 2), np.float32))[0]


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_each_likelihood_begins_at_the_means(name):
    model = VAE.mlp(3, 2, (4,), likelihood=LIKELIHOODS[name]())
    assert not np.allclose(means(model), MEAN, rtol=0.05)
    start(model, MEAN, MEAN)
    np.testing.assert_allclose(means(model), MEAN, rtol=1e-5)


def test_a_multinomial_is_left():
    model = VAE.mlp(3, 2, (4,), likelihood=Multinomial(3))
    before = model.decoder.layers[-1].b.copy()
    start(model, MEAN, MEAN)
    np.testing.assert_array_equal(model.decoder.layers[-1].b, before)


def test_joined_likelihoods_begin_part_by_part_and_the_rest_is_left():
    joint = Mixed([Mixed([Poisson(1), Bernoulli(2)]), Weighted(Categorical([3]), 2.0)])
    model = VAE.mlp(6, 2, (4,), likelihood=joint)
    before = model.decoder.layers[-1].b.copy()
    start(model, MEAN, MEAN)
    np.testing.assert_allclose(means(model)[:3], MEAN, rtol=1e-5)
    np.testing.assert_array_equal(model.decoder.layers[-1].b[3:], before[3:])


@pytest.mark.parametrize("joint", [
    lambda: Gaussian(3, std="learned"), lambda: Mixed([Poisson(1), Gaussian(2, std="predicted")]),
    lambda: Mixed([Mixed([Poisson(1), Gaussian(2)]), Weighted(Gaussian(1), 2.0)]),
])  # fmt: skip
def test_the_mean_of_a_constant_column_is_held(joint):
    """Column 2, a Gaussian, does not vary, so its mean is the same for any z; column 0 is left where it is a count."""
    model = VAE.mlp(joint().n_features, 2, (4,), likelihood=joint())
    start(model, MEAN, np.array([0.0, 1.0, 0.0]))
    z = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    spread = np.ptp(model.decode(z), axis=0)
    assert spread[2] == 0 and spread[1] > 0
    assert (spread[0] == 0) == isinstance(model.likelihood, Gaussian)


def test_dispersions():
    """m + m^2 / r = v, within bounds: a variance below the mean is a Poisson's, to what the bounds allow."""
    model = VAE.mlp(4, 2, (4,), likelihood=NegativeBinomial(4))
    start(model, np.full(4, 5.0), np.array([5 + 25 / 3, 5, 4, 1e9]))
    np.testing.assert_allclose(
        np.exp(model.likelihood.log_r), [3, DISPERSIONS[1], DISPERSIONS[1], DISPERSIONS[0]], rtol=1e-5
    )


def test_what_no_row_has_is_not_impossible():
    np.testing.assert_allclose(smoothed_mean(np.array([0, 4]), 4), [0.1, 0.9])
