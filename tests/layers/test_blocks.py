"""What gradient checks cannot see of the layers for deeper networks."""

import numpy as np
import pytest

import pyvae
from pyvae.arena import Arena
from pyvae.noise import Noise


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((9, 33)).astype(np.float32)


def deep_model(seed=0):
    encoder = pyvae.Sequential(
        pyvae.Dense(12, 16), pyvae.LayerNorm(16), pyvae.GELU(), pyvae.Dropout(0.3),
        pyvae.Residual(pyvae.GatedDense(16, 16)), pyvae.Dense(16, 6),
    )  # fmt: skip
    decoder = pyvae.Sequential(pyvae.Dense(3, 16, "silu"), pyvae.Dropout(0.2, number=1), pyvae.Dense(16, 12))
    return pyvae.VAE(encoder, decoder, pyvae.Bernoulli(12), seed=seed)


def test_rows_are_normalised(x):
    layer = pyvae.LayerNorm(33)
    Arena({"layer": layer})
    y, _ = layer.forward(1000 * x + 5)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=1), 1, rtol=1e-5)
    assert not layer.forward(np.full((2, 33), 7, np.float32))[0].any()  # a constant row has nothing to scale


def test_dropout_drops_in_training_alone(x):
    layer = pyvae.Dropout(0.5)
    y, _ = layer.forward(x, Noise(0).at(np.arange(9)))
    assert 0.3 < np.mean(y == 0) < 0.7
    np.testing.assert_array_equal(y[y != 0], 2 * x[y != 0])
    assert layer.forward(x)[0] is x
    assert pyvae.Dropout(0).forward(x, Noise(0))[0] is x


def test_evaluation_drops_nothing():
    """With dropout in its layers a model scores rows as it does when the rates are zero."""
    X = np.random.default_rng(0).random((50, 12))
    model, without = deep_model(), deep_model()
    for layer in (*without.encoder.layers, *without.decoder.layers):
        if isinstance(layer, pyvae.Dropout):
            layer.rate = 0
    np.testing.assert_array_equal(model.elbo(X), without.elbo(X))
    np.testing.assert_array_equal(model.log_likelihood(X, n_samples=5), without.log_likelihood(X, n_samples=5))
    np.testing.assert_array_equal(model.reconstruct(X), without.reconstruct(X))


def test_deep_models_learn_and_come_back_from_a_file(tmp_path):
    X = np.random.default_rng(0).random((200, 12)) < np.linspace(0.05, 0.95, 12)
    model = deep_model()
    before = model.elbo(X).mean()
    pyvae.train(model, X, epochs=20, batch_size=50, learning_rate=1e-2, progress=False)
    assert model.elbo(X).mean() > before + 1
    pyvae.save(model, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(pyvae.load(tmp_path / "model.safetensors").elbo(X), model.elbo(X))


def test_a_training_with_dropout_does_not_depend_on_threads():
    X = np.random.default_rng(0).random((200, 12))
    values = []
    for threads in (1, 2):
        model = deep_model()
        with pyvae.threads(threads):
            pyvae.train(model, X, epochs=2, batch_size=64, progress=False)
        values.append(model.parameters.values.copy())
    if pyvae._kernels.KERNELS == "native":
        np.testing.assert_array_equal(*values)


def test_masks_are_not_drawn_again_in_backward(x):
    layer = pyvae.Dropout(0.5)
    y, cache = layer.forward(np.ones_like(x), Noise(0).at(np.arange(9)))
    np.testing.assert_array_equal(layer.backward(np.ones_like(x), cache), y)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="must keep the number of columns, not turn 5 into 4"):
        pyvae.Residual(pyvae.Dense(5, 4))
    with pytest.raises(ValueError, match="rate"):
        pyvae.Dropout(1.0)
    with pytest.raises(ValueError, match="epsilon"):
        pyvae.LayerNorm(3, epsilon=0)
    with pytest.raises(ValueError, match="n must"):
        pyvae.LayerNorm(0)
