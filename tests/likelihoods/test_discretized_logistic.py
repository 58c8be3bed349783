"""The discretised logistic likelihood: probabilities of levels, by scipy and by sums. Gradients: test_gradients.py."""

import numpy as np
import pytest
from scipy.stats import chisquare, logistic

import pyvae
from pyvae.noise import Noise


def log_p_of_levels(likelihood, mean, rho=None):
    """log p of each level of one column, (levels,), for one output."""
    x = np.arange(likelihood.levels)[:, None] / (likelihood.levels - 1)
    outputs = np.tile([[mean] if rho is None else [mean, rho]], (likelihood.levels, 1)).astype(float)
    return likelihood.log_density(x, outputs)[0]


@pytest.mark.parametrize("levels", [2, 5, 256])
@pytest.mark.parametrize("scale", [1e-4, 0.02, 3.0])
@pytest.mark.parametrize("mean", [-7.0, 0.0, 0.31, 0.5, 1.2])
def test_probabilities_of_all_levels(mean, scale, levels):
    """They add up to one, and are the logistic distribution's of the intervals around the levels, open at the ends."""
    log_p = log_p_of_levels(pyvae.DiscretizedLogistic(1, scale, levels=levels), mean)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
    edges = np.concatenate([[-np.inf], (np.arange(levels - 1) + 0.5) / (levels - 1), [np.inf]])
    p = np.diff(logistic.cdf(edges, mean, scale))
    sure = p > 1e-6  # the difference of two distribution functions has lost its digits elsewhere
    np.testing.assert_allclose(np.exp(log_p)[sure], p[sure], rtol=1e-8)
    assert np.isfinite(log_p).all()


def test_levels_far_from_the_mean_keep_their_digits():
    """log p falls by the distance in scales, where the difference of two distribution functions is 0."""
    log_p = log_p_of_levels(pyvae.DiscretizedLogistic(1, 1e-3), 0.0)
    assert log_p[200] - log_p[100] == pytest.approx(-100 / 255 / 1e-3, rel=1e-6)


def test_a_predicted_scale_has_a_floor():
    likelihood = pyvae.DiscretizedLogistic(1, "predicted", floor=0.01)
    wide, narrow = (log_p_of_levels(likelihood, 0.4, rho) for rho in (np.log(0.09), -50.0))
    for log_p, scale in ((wide, 0.1), (narrow, 0.01)):
        np.testing.assert_allclose(log_p, log_p_of_levels(pyvae.DiscretizedLogistic(1, scale), 0.4), rtol=1e-9)


def test_draws_have_the_probabilities_and_are_levels():
    likelihood = pyvae.DiscretizedLogistic(1, 0.1, levels=9)
    x = likelihood.draw(np.full((20_000, 1), 0.2, np.float32), Noise(0))
    steps = np.rint(x * 8).astype(int)
    np.testing.assert_array_equal(x, (steps / 8).astype(np.float32))
    assert not likelihood.outside(x).any()
    assert (
        chisquare(np.bincount(steps[:, 0], minlength=9), 20_000 * np.exp(log_p_of_levels(likelihood, 0.2))).pvalue
        > 1e-3
    )


@pytest.mark.parametrize("scale", [0.003, 0.2, 2.0])
@pytest.mark.parametrize("mean", [-0.5, 0.02, 0.6, 3.0])
def test_the_mean_is_that_of_the_levels(mean, scale):
    likelihood = pyvae.DiscretizedLogistic(1, scale)
    expected = np.exp(log_p_of_levels(likelihood, mean)) @ np.arange(256) / 255
    assert likelihood.mean(np.array([[mean]]))[0, 0] == pytest.approx(expected, abs=0.5 / 255)


def test_columns_by_themselves_add_up(rng):
    likelihood = pyvae.DiscretizedLogistic(4, "predicted")
    x, outputs = rng.integers(256, size=(3, 4)) / 255, rng.standard_normal((6, 8))
    by_column = likelihood.by_column(x, outputs)
    np.testing.assert_allclose(by_column.sum(axis=1), likelihood.log_density(x, outputs)[0], rtol=1e-12)


def test_it_starts_at_the_rows(rng):
    """With the mean and the std of each column, whatever the network then adds."""
    x = np.clip(np.rint(rng.normal([80, 160], [10, 25], (4000, 2))), 0, 255) / 255
    for scale in ("shared", "learned", "predicted"):
        likelihood = pyvae.DiscretizedLogistic(2, scale)
        pyvae.arena.Arena({"likelihood": likelihood}, np.float64, 0)
        outputs = np.zeros(likelihood.n_outputs)
        likelihood.start(x.mean(axis=0), x.var(axis=0), outputs)
        drawn = likelihood.draw(np.tile(outputs, (4000, 1)), Noise(1))
        np.testing.assert_allclose(drawn.mean(axis=0), x.mean(axis=0), atol=0.01)
        if scale != "shared":
            np.testing.assert_allclose(drawn.std(axis=0), x.std(axis=0), rtol=0.1)


def test_what_it_takes(tmp_path):
    likelihood = pyvae.DiscretizedLogistic(3)
    x = np.array([[0, 0.5, 1.0], [127 / 255, -1 / 255, 256 / 255], [np.nan, np.inf, 1 / 510]])
    np.testing.assert_array_equal(likelihood.outside(x), [[0, 1, 0], [0, 1, 1], [1, 1, 1]])
    assert not likelihood.outside((np.arange(256)[:, None] / 255).astype(np.float32)).any()
    model = pyvae.VAE.mlp(3, 2, (4,), likelihood=likelihood)
    with pytest.raises(ValueError, match="takes whole numbers from 0 to 255, divided by 255"):
        model.elbo(x[:1])
    pyvae.save(model, tmp_path / "m.safetensors")
    assert pyvae.load(tmp_path / "m.safetensors").likelihood.describe() == likelihood.describe()
    for wrong in ({"scale": 0}, {"levels": 1}, {"floor": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            pyvae.DiscretizedLogistic(3, **wrong)
