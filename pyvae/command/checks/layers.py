"""Checks of layers, at sizes that reach full tiles, their tails and a boundary between blocks of a long sum."""

import numpy as np

from pyvae.command.checks.common import arena_of
from pyvae.gradcheck import check_layer
from pyvae.layers.activations import ACTIVATIONS, Tanh
from pyvae.layers.blocks import Dropout, GatedDense, LayerNorm, Residual
from pyvae.layers.convolution import Conv2d, ConvTranspose2d, Upsample2d
from pyvae.layers.dense import Dense
from pyvae.layers.inputs import Clip, FirstColumns
from pyvae.layers.layer import Sequential
from pyvae.noise import Noise


def check_layers():
    """Dense with every activation at three sizes, the element-wise layers, and layers in sequence."""
    rng = np.random.default_rng(0)
    checks = []
    for activation in (None, *ACTIVATIONS):
        for rows, n_in, n_out in ((5, 7, 3), (29, 40, 64), (6, 300, 35)):
            layer = Dense(n_in, n_out, activation)
            name = f"Dense {n_in}-{n_out} {activation or 'identity'}"
            checks += check_layer(layer, arena_of(layer), rng.standard_normal((rows, n_in)), name=name)
    for layer in (kind() for kind in ACTIVATIONS.values()):
        checks += check_layer(layer, arena_of(layer), rng.standard_normal((9, 33)), name=type(layer).__name__)
    noise = Noise(0).at(np.arange(9))
    dropout = Dropout(0.3)
    blocks = LayerNorm(33), dropout, GatedDense(33, 20), Residual(Dense(33, 33, "tanh"))
    for layer in (*blocks, FirstColumns(33, 9), Clip(0.7), Clip(0.7, 5)):
        x = rng.standard_normal((9, 33))
        checks += check_layer(layer, arena_of(layer), x, noise=noise, name=type(layer).__name__)
    checks += check_layer(dropout, arena_of(dropout), x, name="Dropout without noise")
    stack = Sequential(Dense(11, 20), Tanh(), Dense(20, 17, "relu"), Dense(17, 4))
    checks += check_layer(stack, arena_of(stack), rng.standard_normal((8, 11)), name="Sequential")
    shared = Dense(6, 6, "tanh")
    twice = Sequential(shared, shared)
    checks += check_layer(twice, arena_of(twice), rng.standard_normal((8, 6)), name="one layer used twice")
    return checks + check_convolutions(rng) + check_zeros(rng)


def check_convolutions(rng):
    """Odd and even kernels, every stride and padding, ragged edges, few channels and many."""
    checks = []
    for activation, layer in (
        (None, Conv2d(5, 7, 1, 3)),
        ("tanh", Conv2d(6, 5, 17, 15, 2, 1, "valid", "tanh")),
        ("silu", Conv2d(8, 8, 2, 33, 4, 3, (1, 2, 0, 3), "silu")),
        ("relu", Conv2d(9, 4, 3, 40, 3, 1, "same", "relu")),
        ("one pixel", Conv2d(3, 3, 4, 5, 1, 2, "same")),
        (None, ConvTranspose2d(4, 3, 2, 1)),
        ("tanh", ConvTranspose2d(3, 3, 15, 17, 2, 1, "valid", "tanh")),
        ("gelu", ConvTranspose2d(2, 3, 5, 4, 3, 3, (1, 0, 2, 0), "gelu")),
        ("ragged", ConvTranspose2d(3, 4, 3, 2, 3, 2, "same", None, "he", (5, 8))),
        ("pixels that no tap sees", ConvTranspose2d(2, 2, 3, 3, 2, 3, "same")),
    ):
        name = f"{type(layer).__name__} {layer.height}x{layer.width}x{layer.c_in} {activation or 'identity'}"
        checks += check_layer(layer, arena_of(layer), rng.standard_normal((4, layer.n_in)), name=name)
    layer = Upsample2d(3, 2, 5)
    return checks + check_layer(layer, arena_of(layer), rng.standard_normal((4, layer.n_in)), name="Upsample2d")


def check_zeros(rng):
    """A dense layer whose rows are mostly zeros, which its products leave out, one row with no other number."""
    x = rng.standard_normal((30, 150)) * (rng.random((30, 150)) < 0.1)
    x[3] = 0
    layer = Dense(150, 40, "relu")
    return check_layer(layer, arena_of(layer), x, name="Dense 150-40 relu, mostly zeros")
