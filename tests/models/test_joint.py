"""The joint model of a row and a target."""

import numpy as np
import pytest

from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import PartlyLabelled, Rows, SameNoise, partly_labelled
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.models.joint import (
    decode_targets,
    expected_number,
    joint_likelihood,
    joint_parts,
    of_number,
    once,
    targets_of,
    without_targets,
)  # fmt: skip
from pyvae.models.vae import VAE
from pyvae.noise import Noise


@pytest.fixture
def model():
    likelihood = joint_likelihood(Gaussian(3, std="learned"), of_number(), 30.0)
    model = VAE(*joint_parts(likelihood, 2, (8,), "tanh"), seed=1)
    model.parameters.values[...] *= 1.5
    return model


@pytest.fixture
def X(rng):
    return rng.normal(size=(40, 4)).astype(np.float32)


def test_a_number_is_predicted_as_drawn_numbers_are_on_average(model, X):
    """E[y|x] and its standard deviation are those of y ~ p(y|z) with z ~ q(z|x), in y's units."""
    expected, std = expected_number(model, ArraySource(X[:5]), 50.0, 10.0)
    mu, logvar = model.encode(X[:5])
    for i in range(5):
        noise = Noise(i)
        z = mu[i] + np.exp(logvar[i] / 2) * noise.normal("z", (40_000, 2), np.arange(40_000))
        outputs, _ = model.decoder.forward(np.ascontiguousarray(z, np.float32))
        y = 50 + 10 * model.likelihood.draw(outputs, noise)[:, 3].astype(np.float64)
        assert expected[i] == pytest.approx(y.mean(), abs=0.3 * y.std())  # from 100 samples of z
        assert std[i] == pytest.approx(y.std(), rel=0.15)


def test_the_encoder_sees_x_alone(model, X):
    other = X.copy()
    other[:, 3] = 99
    np.testing.assert_array_equal(model.encode(X)[0], model.encode(other)[0])
    moved = X + np.float32([0, 0, 1, 0])
    assert not np.array_equal(model.encode(X)[0], model.encode(moved)[0])


def test_the_outputs_of_the_target_alone(model, rng):
    z = rng.normal(size=(6, 5, 2)).astype(np.float32)
    whole, _ = model.decoder.forward(z.reshape(-1, 2))
    np.testing.assert_allclose(decode_targets(model, z).reshape(-1, 2), whole[:, -2:], rtol=1e-5)


def test_counted_once_it_is_the_density_of_both(model, X, rng):
    outputs, _ = model.decoder.forward(rng.normal(size=(40, 2)).astype(np.float32))
    (x, y), (own_x, own_y) = model.likelihood.parts, model.likelihood.outputs
    of_x, of_y = x.log_density(X[:, :3], outputs[:, own_x])[0], y.part.log_density(X[:, 3:], outputs[:, own_y])[0]
    np.testing.assert_allclose(once(model).likelihood.log_density(X, outputs)[0], of_x + of_y, rtol=1e-5)
    np.testing.assert_allclose(model.likelihood.log_density(X, outputs)[0], of_x + 30 * of_y, rtol=1e-5)


def test_unknown_targets_are_not_observed_whatever_the_source_is_wrapped_in(model, X):
    targets = np.where(np.arange(40) % 4 == 0, 1.5, np.nan)[:, None]

    def source_with(targets):
        return ArraySource(np.hstack([X[:, :3], targets]).astype(np.float32))

    source = partly_labelled(source_with, targets)
    numbers = np.array([39, 4, 5, 8])
    for rows in (Rows(source, numbers), SameNoise(Rows(source, numbers)), Rows(SameNoise(source), numbers)):
        np.testing.assert_array_equal(targets_of(model, rows), targets[numbers])
        assert np.isnan(targets_of(model, without_targets(model, rows))).all()
        assert (without_targets(model, rows).gather(np.arange(4)).observed[:, :3] == 1).all()
    assert source.strata.tolist() == [0, -1, -1, -1] * 10  # no row without a target is held out
    assert not isinstance(partly_labelled(source_with, np.ones((40, 1))), PartlyLabelled)


def test_a_row_without_a_target_has_the_bound_of_x_alone(model, X):
    hidden = without_targets(model, ArraySource(X))
    reconstruction, kl = model.elbo_terms(hidden, 3)
    _, kl_of_both = model.elbo_terms(ArraySource(X), 3)
    np.testing.assert_array_equal(kl, kl_of_both)
    z = model.posterior_samples(ArraySource(X))
    outputs, _ = model.decoder.forward(z)
    of_x = model.likelihood.parts[0].log_density(X[:, :3], outputs[:, model.likelihood.outputs[0]])[0]
    np.testing.assert_allclose(-model.elbo_terms(hidden, 1)[0], of_x, rtol=1e-5)
    assert np.isfinite(reconstruction).all()
