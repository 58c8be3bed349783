"""The dense layer: y = f(x W + b), and its gradients.

Let a = x W + b and y = f(a), f applied to each element. By the chain rule

    da_ij = dy_ij f'(a_ij)
    a_ij = sum_k x_ik W_kj + b_j   =>   dW_kj = sum_i x_ik da_ij     dW = x.T da     (sum over the rows of the batch)
                                        db_j  = sum_i da_ij          db = column sums of da
                                        dx_ik = sum_j da_ij W_kj     dx = da W.T

The cache keeps x, for dW, and y, for f'. For most f, the slope f'(a) is a function of y = f(a): for tanh 1 - y^2, for
ReLU 1 where y > 0, else 0 (activations.py lists them all). For silu and gelu it is not, and the cache keeps a.

W, b, dW and db are views into the model's two flat arrays, one of all values, one of all gradients (arena.py). Adam
moves the whole array of values, and W with it. Read ``memory.take(shape, dtype)`` as np.empty(shape, dtype)
(workspace.py). ``_kernels.NAME`` is arithmetic, done in C; _kernels/*_ref.py defines the same functions in NumPy.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.layers.activations import ACTIVATIONS
from pyvae.layers.layer import Layer
from pyvae.module import register
from pyvae.workspace import FRESH

# The first W of a shape, each of whose outputs is a sum of n_in inputs, and each input a term of n_out outputs.


def uniform(noise, shape, n_in, n_out, dtype):
    """W ~ U(-l, l), l = 1 / sqrt(n_in): the usual heuristic (Glorot and Bengio 2010, eq. 1)."""
    u = noise.uniform("weights", shape, np.arange(shape[0]), dtype)  # as if the rows of W were rows of data
    return (2 * u - 1) / np.sqrt(n_in)


def he_normal(noise, shape, n_in, n_out, dtype):
    """W ~ N(0, 2 / n_in): keeps the variance of ReLU layers' outputs (He et al. 2015, eq. 10)."""
    return noise.normal("weights", shape, np.arange(shape[0]), dtype) * np.sqrt(2 / n_in)


def glorot_uniform(noise, shape, n_in, n_out, dtype):
    """W ~ U(-l, l), l = sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, eq. 16)."""
    u = noise.uniform("weights", shape, np.arange(shape[0]), dtype)
    return (2 * u - 1) * np.sqrt(6 / (n_in + n_out))


INITIALIZERS = {"uniform": uniform, "he": he_normal, "glorot": glorot_uniform}


def check_words(activation, init):
    """Raise ValueError unless both are known."""
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f"activation must be None or one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if init not in INITIALIZERS:
        raise ValueError(f"init must be one of {', '.join(INITIALIZERS)}, not {init!r}")


class DenseCache(NamedTuple):
    x: np.ndarray  # (B, n_in)
    kept: np.ndarray  # (B, n_out): y, or a where y does not determine f'(a)
    memory: object


@register
class Dense(Layer):
    """y = f(x W + b), W (n_in, n_out), b (n_out,) starting at zero.

    activation: None (f is the identity) or one of ACTIVATIONS; the product's kernel applies f in the same pass if y
    determines f'. init: "uniform", "he" or "glorot". The small values of "uniform" suit decoders best, whose inputs z
    are few and of the size of noise: with "he", an MNIST model learns faster at first but is half a nat worse after ten
    epochs. Raises ValueError for other words or sizes below 1.
    """

    playable = True

    def __init__(self, n_in, n_out, activation=None, init="uniform"):
        check_words(activation, init)
        self.n_in, self.n_out = check_count("n_in", n_in, 1), check_count("n_out", n_out, 1)
        self.activation, self.init = activation, init

    def forward(self, x, noise=None, memory=FRESH):
        y = memory.take((len(x), self.n_out), x.dtype)
        if self.activation is not None and ACTIVATIONS[self.activation].keeps_input:
            a = memory.take(y.shape, y.dtype)
            _kernels.dense(x, self.W, self.b, None, out=a)  # a = x W + b
            _kernels.activate(a, self.activation, out=y)  # y = f(a)
            return y, DenseCache(x, a, memory)
        _kernels.dense(x, self.W, self.b, self.activation, out=y)  # y = f(x W + b)
        return y, DenseCache(x, y, memory)

    def backward(self, dy, cache, need_dx=True):
        x, kept, memory = cache
        if self.activation is None:
            da = dy
        else:
            da = memory.take(dy.shape, dy.dtype)
            _kernels.activate_backward(dy, kept, self.activation, dx=da)  # da = dy f'(a)
        _kernels.dense_dW(x, da, out=self.dW, db=self.db, accumulate=True)  # dW += x.T da, db += column sums of da
        if not need_dx:
            return None
        dx = memory.take(x.shape, x.dtype)
        _kernels.dense_dx(da, self.W, out=dx)  # dx = da W.T
        return dx

    def output_bias(self):
        return self.b if self.activation is None else None

    def output_weights(self):
        return self.W if self.activation is None else None

    def shapes(self):
        return {"W": (self.n_in, self.n_out), "b": (self.n_out,)}

    def initialize(self, noise):
        self.W[...] = INITIALIZERS[self.init](noise, self.W.shape, self.n_in, self.n_out, self.W.dtype)

    def config(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "activation": self.activation, "init": self.init}
