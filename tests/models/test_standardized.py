"""StandardizedVAE: rows of any unit in, the same unit out, nats of the rows as given."""

import numpy as np
import pytest
from scipy import sparse

import pyvae
from pyvae.data.standardization import Standardization, StandardizedSource
from pyvae.layers.dense import Dense
from pyvae.models.build import mlp_parts

CENTRES, SPREADS = np.array([0, 1e6, 1e9, 1.7e12, 0]), np.array([1, 2e5, 50, 2e4, 1e-100])


@pytest.fixture
def X(rng):
    """Rows in units of all sizes, with one factor behind all columns."""
    return CENTRES + SPREADS * (rng.normal(size=(400, 1)) + 0.3 * rng.normal(size=(400, 5)))


def trained(X, epochs=60, **arguments):
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=2, hidden=(32,), **arguments)
    pyvae.train(model, X, epochs=epochs, batch_size=50, learning_rate=5e-3, progress=False)
    return model


def test_it_equals_a_model_of_the_numbers_that_were_standardised_by_hand(X):
    """Its training, and every method but for the change of unit."""
    model = trained(X, epochs=3)
    mean, std = X.mean(axis=0), X.std(axis=0)
    x = ((X - mean) / std).astype(np.float32)
    plain = pyvae.VAE(*mlp_parts(5, 2, (32,), "relu", "gaussian", [pyvae.Clip(10)]), seed=0)
    pyvae.train(plain, x, epochs=3, batch_size=50, learning_rate=5e-3, progress=False)
    np.testing.assert_allclose(plain.parameters.values, model.parameters.values, rtol=1e-3, atol=1e-4)
    model.parameters.values[...] = plain.parameters.values
    for ours, theirs in zip(model.encode(X), plain.encode(x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for of_model in (lambda model, X: model.elbo(X), lambda model, X: model.log_likelihood(X, 20),
                     lambda model, X: -model.elbo_terms(X)[0]):  # fmt: skip
        np.testing.assert_allclose(of_model(model, X), of_model(plain, x) - np.log(std).sum(), rtol=1e-5)
    for mean_only in (True, False):
        given, standard = (m.sample(50, seed=3, mean=mean_only) for m in (model, plain))
        np.testing.assert_allclose((given - mean) / std, standard, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose((model.reconstruct(X) - mean) / std, plain.reconstruct(x), rtol=1e-4, atol=1e-5)


def test_units_of_all_sizes_come_back(X):
    model = trained(X)
    made = model.sample(4000, mean=False, latent=model.aggregate_posterior(X))
    assert made.dtype == np.float64
    np.testing.assert_allclose((made.mean(axis=0) - X.mean(axis=0)) / X.std(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(made.std(axis=0) / X.std(axis=0), 1, atol=0.15)
    np.testing.assert_allclose(np.corrcoef((made / SPREADS).T), np.corrcoef((X / SPREADS).T), atol=0.1)


def test_elbo_is_a_lower_bound_of_the_density_of_the_rows_as_given(rng):
    """Against the exact density, in a unit of which the logarithm is large."""
    X = 1e5 + 300 * rng.normal(size=(500, 1))
    model = trained(X, epochs=40)
    exact = -0.5 * ((X - 1e5) / 300) ** 2 - np.log(300) - 0.5 * np.log(2 * np.pi)
    assert abs(model.log_likelihood(X, 200).mean() - exact.mean()) < 0.05
    assert model.elbo(X).mean() <= model.log_likelihood(X, 200).mean() + 0.01


def test_its_gradients_are_right(X):
    pyvae.check_gradients(trained(X, epochs=1, activation="tanh"), X[:6])


def test_a_file_brings_it_back_to_the_bit(X, tmp_path):
    model = trained(X, epochs=2)
    pyvae.save(model, tmp_path / "model.safetensors")
    again = pyvae.load(tmp_path / "model.safetensors")
    for ours, theirs in zip((model.elbo(X), model.sample(9)), (again.elbo(X), again.sample(9)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_far_cells_are_missing_in_training_and_seen_later(rng):
    X = rng.normal(size=(500, 3)) * [1, 10, 100]
    X[::100, 1] = -9999
    with pytest.warns(UserWarning, match="5 of column 1 of X"):
        model = pyvae.StandardizedVAE.mlp(X, latent_dim=2, hidden=(16,))
    assert model.source(X, training=True).gather(np.arange(500)).observed[:, 1].sum() == 495
    pyvae.train(model, X, epochs=40, batch_size=50, progress=False)
    normal = np.ones(500, bool)
    normal[::100] = False
    np.testing.assert_allclose(model.standardization.scale[1], X[normal, 1].std())
    scores = model.elbo(X)
    assert scores[~normal].max() < scores[normal].min()


@pytest.mark.parametrize("kind", ["missing", "scaled bytes", "sparse", "mapped", "weighted"])
def test_sources_of_every_kind(kind, rng, tmp_path):
    X = 50 + 20 * rng.normal(size=(300, 4))
    expected = X
    if kind == "missing":
        X[::7, 2] = np.nan
        source, expected = pyvae.ArraySource(X, missing=True), np.ma.masked_invalid(X)
    elif kind == "scaled bytes":
        source = pyvae.ArraySource(X.clip(0, 255).astype(np.uint8), scale=1 / 255)
        expected = X.clip(0, 255).astype(np.uint8) / 255
    elif kind == "sparse":
        X[rng.random(X.shape) < 0.5] = 0
        source = pyvae.SparseSource(sparse.csr_array(X))
    elif kind == "mapped":
        np.save(tmp_path / "x.npy", X)
        source = pyvae.ArraySource(np.load(tmp_path / "x.npy", mmap_mode="r"))
    else:
        source, expected = pyvae.ArraySource(X, weight=np.arange(300) < 100), X[:100]
    model = pyvae.StandardizedVAE.mlp(source, latent_dim=2, hidden=(16,))
    mean = 0 if kind == "sparse" else expected.mean(axis=0)
    np.testing.assert_allclose(model.standardization.scale, expected.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.standardization.mean, mean, rtol=1e-6)
    pyvae.train(model, source, epochs=2, progress=False)
    assert np.isfinite(model.elbo(source)).all() and model.sample(4).shape == (4, 4)


def test_held_out_rows_are_judged_in_the_numbers_that_are_trained_on(X):
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=2, hidden=(16,))
    history = pyvae.train(model, X, epochs=2, validation_fraction=0.2, progress=False)
    assert abs(history["val_loss"][0] - history["train_loss"][0]) < 3  # in nats as given they are 500 apart


def test_a_standardised_source_is_not_standardised_twice(X):
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=2)
    source = model.source(X)
    assert isinstance(source, StandardizedSource) and model.source(source) is source


def test_what_it_refuses(rng):
    with pytest.raises(ValueError, match="likelihood must be one of gaussian, "):
        pyvae.StandardizedVAE.mlp(rng.normal(size=(9, 2)), likelihood="poisson")
    with pytest.raises(ValueError, match="column 1 of X has no known value: drop it"):
        pyvae.StandardizedVAE.mlp(pyvae.ArraySource(np.array([[1, np.nan]] * 3), missing=True))
    for mean, scale in (([0], [0]), ([0, 1], [1]), ([np.nan], [1]), ([0], [-1])):
        with pytest.raises(ValueError, match="a finite mean"):
            Standardization(mean, scale)
    parts = Dense(2, 2), Dense(1, 2), pyvae.Gaussian(2)
    with pytest.raises(ValueError, match="standardization has 3 columns, but the likelihood has 2"):
        pyvae.StandardizedVAE(*parts, Standardization.none(3))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the twins, which are NumPy
def test_training_of_raw_numbers_names_it():
    X = np.full((8, 2), 1e25)
    with pytest.raises(FloatingPointError, match="scale the data, which reach 1e\\+25, as pyvae.StandardizedVAE does"):
        pyvae.train(pyvae.VAE.mlp(2, 1, likelihood="gaussian"), X, progress=False)


def test_infinity_is_no_number_and_another_models_rows_are_refused(X):
    model, other = (pyvae.StandardizedVAE.mlp(x, latent_dim=1, hidden=(4,)) for x in (X, 2 * X))
    with pytest.raises(ValueError, match="X is standardised for another model: give its rows as they are"):
        other.elbo(model.source(X))
    infinite = X.copy()
    infinite[3, 1] = np.inf
    for ask in (model.elbo, model.encode, pyvae.StandardizedVAE.mlp):
        with pytest.raises(ValueError, match=r"X\[3, 1\] is inf, but the Gaussian likelihood takes real numbers"):
            ask(infinite)
    infinite[3, 1] = -np.inf
    with pytest.raises(ValueError, match=r"X\[3, 1\] is inf"):
        model.elbo(infinite)
