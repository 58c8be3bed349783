"""VAERegressor.sample and VAEClassifier.sample: a row for each of many wanted targets."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pytest.importorskip("pandas", reason="the estimators look for missing targets with pandas, which is not installed")

from pyvae import _kernels
from pyvae.models.joint import decode_targets
from pyvae.noise import Noise
from pyvae.sklearn import VAEClassifier, VAERegressor
from pyvae.sklearn.supervised import LATENT_SAMPLES, drawn

pytestmark = pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes")

SMALL = {"n_components": 2, "hidden_layer_sizes": (20,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 300,
         "random_state": 0}  # fmt: skip


@pytest.fixture(scope="module")
def regressor():
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    return VAERegressor(**SMALL).fit(y[:, None] * [1, -2, 0] + 0.2 * rng.normal(size=(400, 3)), 50 + 10 * y)


def test_rows_are_those_of_the_wanted_numbers(regressor):
    wanted = 50 + 10 * np.linspace(-1.5, 1.5, 900)
    made = regressor.sample(wanted, 0)
    error = made[:, :2] - (wanted[:, None] - 50) / 10 * [1, -2]
    assert np.abs(error.mean(axis=0)).max() < 0.15 and error.std(axis=0).max() < 0.5


def test_a_row_does_not_depend_on_what_else_is_wanted(regressor):
    wanted = np.random.default_rng(1).normal(50, 10, 100)
    wanted[50:60] = wanted[7]
    made = regressor.sample(wanted, 3)
    np.testing.assert_array_equal(regressor.sample(wanted[:33], 3), made[:33])
    np.testing.assert_array_equal(regressor.sample(np.r_[wanted[:9], np.full(91, 40.0)], 3)[:9], made[:9])
    assert len(np.unique(made, axis=0)) == 100


@pytest.mark.parametrize("estimator", [VAERegressor, VAEClassifier])
def test_each_z_is_drawn_by_its_density_of_y(estimator):
    """The first sample of z at which the running sum of p(y|z) reaches the row's place, one row after the other."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    fitted = estimator(**SMALL | {"min_updates": 30}).fit(y[:, None] + rng.normal(size=(60, 2)), y)
    wanted = np.tile([0, 2, 1], 20)
    z = fitted.latent_mixture_.sample(LATENT_SAMPLES, 2, Noise(int(np.random.RandomState(5).randint(2**31 - 1))))
    seed = int(np.random.RandomState(5).randint(2**31 - 1))
    place = Noise(seed).uniform("x", (60, 1), np.arange(60), np.float64)[:, 0]
    targets, outputs = fitted._encode_targets(wanted).astype(np.float32), decode_targets(fitted.model_, z)
    chosen = []
    for target, u in zip(targets, place, strict=True):
        log_py, _ = fitted.model_.likelihood.parts[-1].part.log_density(np.tile(target, (len(z), 1)), outputs)
        reached = np.cumsum(np.exp(log_py.astype(np.float64)))
        chosen.append(np.searchsorted(reached, u * reached[-1]))
    decoded, _ = fitted.model_.decoder.forward(np.ascontiguousarray(z[chosen]))
    x = fitted.columns_.decode(fitted.model_.likelihood.draw(decoded, Noise(seed, step=1))[:, :2])
    same = (fitted.sample(wanted, 5) == x).all(axis=1)
    assert same.mean() > 0.95  # float32 sums may round a place over an edge


def test_drawn_by_share():
    """With the chi-square of a fair draw, and never a sample of weight 0."""
    rng = np.random.default_rng(0)
    weight = rng.random((2, 64)).astype(np.float32) * (rng.random((2, 64)) < 0.5)
    which, place = np.arange(40_000) % 2, rng.random(40_000)
    found = drawn(weight, which, place)
    for t in (0, 1):
        expected = weight[t] / weight[t].sum() * 20_000
        counts = np.bincount(found[which == t], minlength=64)
        assert (counts[weight[t] == 0] == 0).all()
        there = expected > 0
        assert ((counts - expected)[there] ** 2 / expected[there]).sum() < 2 * there.sum()


def test_numbers_far_from_all_have_rows_too(regressor):
    assert np.isfinite(regressor.sample([1e30, -1e30, 50.0], 0)).all()
