"""Convolutions: what they compute, by loops and by PyTorch; sizes, files and refusals. Gradients: test_gradients.py."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.command.checks.common import arena_of
from pyvae.module import build

with np.load(Path(__file__).parents[1] / "witness" / "layers.npz") as file:
    WITNESS = dict(file)
CASES = json.loads(str(WITNESS["cases"]))


def with_weights(layer, rng):
    """A float64 layer with random weights, and its arena."""
    arena = arena_of(layer)
    arena.values[...] = rng.standard_normal(arena.values.shape)
    return layer, arena


@pytest.mark.parametrize("name", CASES)
def test_as_pytorch_computes_it(name):
    said = {key.partition("/")[2]: value for key, value in WITNESS.items() if key.startswith(f"{name}/")}
    layer = build(CASES[name] | {"init": "he"})
    arena = arena_of(layer)
    layer.W[...], layer.b[...] = said["W"], said["b"]
    y, cache = layer.forward(said["x"])
    dx = layer.backward(said["dy"], cache)
    for found, key in ((y, "y"), (dx, "dx"), (layer.dW, "dW"), (layer.db, "db")):
        assert np.abs(found - said[key]).max() <= 1e-9 * np.abs(said[key]).max(), key
    assert arena.grads.any()


def convolution_by_loops(layer, x):
    """y of Conv2d, a sum over taps for each place."""
    g = layer.geometry
    pictures = x.reshape(len(x), g.height, g.width, g.channels)
    W = layer.W.reshape(g.kernel, g.kernel, g.channels, -1)
    y = np.zeros((len(x), g.out_height, g.out_width, W.shape[3])) + layer.b
    for i, j, s, t in np.ndindex(g.out_height, g.out_width, g.kernel, g.kernel):
        row, column = g.stride * i - g.top + s, g.stride * j - g.left + t
        if 0 <= row < g.height and 0 <= column < g.width:
            y[:, i, j] += pictures[:, row, column] @ W[s, t]
    return y.reshape(len(x), -1)


@pytest.mark.parametrize("padding", ["same", "valid", (0, 3, 1, 2)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_a_convolution_is_a_sum_over_taps(kernel, stride, padding, rng):
    layer, _ = with_weights(pyvae.Conv2d(6, 5, 3, 4, kernel, stride, padding), rng)
    x = rng.standard_normal((2, layer.n_in))
    np.testing.assert_allclose(layer.forward(x)[0], convolution_by_loops(layer, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", ["same", "valid", (1, 0, 0, 1)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_a_transposed_convolution_is_the_transpose(kernel, stride, padding, rng):
    """<T x, y> = <x, C y> for all x and y, C the convolution by the same W from the pictures that T makes."""
    layer, _ = with_weights(pyvae.ConvTranspose2d(3, 4, 2, 5, kernel, stride, padding), rng)
    layer.b[...] = 0
    x, y = rng.standard_normal((2, layer.n_in)), rng.standard_normal((2, layer.n_out))
    back = np.empty_like(x)
    _kernels.conv(y, layer.W, None, layer.geometry, None, out=back)
    assert np.sum(layer.forward(x)[0] * y) == pytest.approx(np.sum(x * back), rel=1e-12)


@pytest.mark.skipif(_kernels.info()["isa"] not in ("v3", "v4"), reason="without fused multiply-adds")
def test_sums_are_one_chain_of_fused_multiply_adds(rng):
    """Taps ascending, then channels, over more than one block; a float32 product is exact in float64."""
    layer = pyvae.Conv2d(4, 4, 40, 33, 3, 1, "valid")
    arena = pyvae.arena.Arena({"layer": layer}, np.float32, 0)
    arena.values += rng.standard_normal(arena.values.shape).astype(np.float32)
    x = rng.standard_normal((1, layer.n_in)).astype(np.float32)
    seen = x.reshape(4, 4, 40)[1:, :3].reshape(-1)  # by the place (1, 0)
    chain = np.zeros(33, np.float32)
    for k in range(len(seen)):
        chain = (np.float64(seen[k]) * layer.W[k] + chain).astype(np.float32)
    np.testing.assert_array_equal(layer.forward(x)[0].reshape(2, 2, 33)[1, 0], chain + layer.b)


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="the twins promise no bits")
@pytest.mark.parametrize("c_out", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_few_channels_are_computed_as_many_are(stride, c_out, rng):
    """By planes instead of patches, with the same bits."""
    sizes = 9, 11, 40
    few, _ = with_weights(pyvae.ConvTranspose2d(*sizes, c_out, 3, stride, activation="tanh"), rng)
    many = pyvae.ConvTranspose2d(*sizes, 20, 3, stride, activation="tanh")
    arena_of(many)
    many.W.reshape(9, 20, 40)[:, :c_out] = few.W.reshape(9, c_out, 40)
    many.b[:c_out] = few.b
    x = rng.standard_normal((3, few.n_in))
    y = many.forward(x)[0].reshape(3, -1, 20)[..., :c_out]
    np.testing.assert_array_equal(few.forward(x)[0], y.reshape(3, -1))


def test_same_and_valid_make_the_sizes_that_others_make():
    same, valid = pyvae.Conv2d(28, 28, 1, 2), pyvae.Conv2d(28, 28, 1, 2, padding="valid")
    assert (same.out_height, same.geometry.top) == (14, 0)  # Keras: one line of zeros, at the bottom
    assert valid.out_height == 13
    assert pyvae.Conv2d(7, 7, 1, 2, stride=1).geometry.top == 1
    assert pyvae.ConvTranspose2d(7, 7, 2, 1).out_width == 14
    assert pyvae.ConvTranspose2d(6, 6, 2, 1, padding="valid").out_width == 13
    assert pyvae.ConvTranspose2d(4, 4, 2, 1, out_size=(7, 8)).n_out == 56


def test_upsampling_repeats_pixels(rng):
    x = rng.standard_normal((2, 3 * 2 * 5)).astype(np.float32)
    layer = pyvae.Upsample2d(3, 2, 5, 3)
    y, cache = layer.forward(x)
    expected = x.reshape(2, 3, 2, 5).repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(y, expected.reshape(2, -1))
    dx = layer.backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(dx, np.full_like(x, 9))


def test_first_weights_keep_the_size_of_the_numbers(rng):
    """He's keep the mean square of what ReLU layers hold, whichever way they go."""
    for layer in (pyvae.Conv2d(16, 16, 30, 40, init="he"), pyvae.ConvTranspose2d(8, 8, 40, 30, init="he")):
        pyvae.arena.Arena({"layer": layer}, np.float32, 0)
        y = layer.forward(rng.standard_normal((8, layer.n_in)).astype(np.float32))[0]
        assert 1.6 < np.mean(y**2) < 2.1  # ReLU halves it; zeros around take a little


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pyvae.Conv2d(0, 3, 1, 1), "height must be a whole number of at least 1, not 0"),
        (lambda: pyvae.Conv2d(2, 2, 1, 1, 3, padding="valid"), "a kernel of 3 x 3 does not fit into pictures of 2 x 2"),
        (lambda: pyvae.Conv2d(2, 2, 1, 1, padding="full"), 'padding must be "same", "valid" or (top, bottom, left,'),
        (lambda: pyvae.Conv2d(2, 2, 1, 1, padding=(1, 1)), 'padding must be "same", "valid" or (top, bottom, left,'),
        (lambda: pyvae.Conv2d(2, 2, 1, 1, padding=(1, 1, -1, 0)), "padding must be a whole number of at least 0"),
        (lambda: pyvae.Conv2d(2, 2, 1, 1, activation="swish"), "activation must be None or one of"),
        (lambda: pyvae.ConvTranspose2d(3, 3, 1, 1, out_size=(9, 6)), "no convolution makes pictures of 3 x 3 of those"),
        (lambda: pyvae.Upsample2d(3, 3, 1, 0), "factor must be a whole number of at least 1, not 0"),
        (lambda: pyvae.VAE.conv((28, 28)), "shape must be (height, width, channels) of the pictures, not (28, 28)"),
        (lambda: pyvae.VAE.conv((8, 8, 1), channels=()), "channels must be a list of sizes, such as (32, 64), not ()"),
        (
            lambda: pyvae.VAE.conv((8, 8, 1), likelihood=pyvae.Gaussian(64, "predicted")),
            "a decoder of convolutions makes 64 numbers, but the Gaussian takes 128",
        ),
    ],
)
def test_what_fits_nowhere_is_refused(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_a_model_of_pictures_trains_and_comes_back(rng, tmp_path):
    """Of an odd size, with two channels: one quadrant of each picture is lit."""
    quadrant = rng.integers(4, size=300)
    X = rng.random((300, 7, 5, 2)) < 0.05
    for i, q in enumerate(quadrant):
        X[i, 4 * (q // 2) : 4 * (q // 2) + 3, 3 * (q % 2) : 3 * (q % 2) + 2] = True
    X = X.reshape(300, -1).astype(np.float32)
    model = pyvae.VAE.conv((7, 5, 2), 2, (8, 12), (16,))
    history = pyvae.train(model, X, epochs=40, batch_size=20, learning_rate=5e-3, progress=False)
    assert history["train_loss"][-1] < 0.6 * history["train_loss"][0]
    pyvae.save(model, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(pyvae.load(tmp_path / "model.safetensors").elbo(X), model.elbo(X))
    assert model.sample(3).shape == (3, 70)
