"""Layers: each forward pass directly above its backward pass.

A layer maps rows to rows, x (B, n_in) -> y (B, n_out), by

    y, cache = layer.forward(x)         cache: what backward needs to remember, and nothing else
    dx = layer.backward(dy, cache)      dy: the loss's derivative by y; also ADDS to the layer's own gradients

Nothing is kept on the layer between the two calls, so a layer can be used twice in a model. dX always means the loss's
derivative by X, and has X's shape.

The dense layer. Let a = x W + b and y = f(a), f applied to each element. By the chain rule

    da_ij = dy_ij f'(a_ij)
    a_ij = sum_k x_ik W_kj + b_j   =>   dW_kj = sum_i x_ik da_ij     dW = x.T da     (sum over the rows of the batch)
                                        db_j  = sum_i da_ij          db = column sums of da
                                        dx_ik = sum_j da_ij W_kj     dx = da W.T

so backward remembers x, for dW, and y, from which f' can be told: for most f, f'(a) is a function of f(a), 1 - y^2 for
tanh, 1 where y > 0, else 0, for ReLU (activations.py lists them). For silu and gelu it is not: a is remembered.

W, b, dW and db are views into the model's two flat arrays, of all values and of all gradients (parameters.py binds
them), so Adam, which moves the flat array, moves W. Arrays come from ``memory``, a lease on the caller's workspace
(workspace.py): training uses the same memory every step. Read ``memory.take(shape, dtype)`` as np.empty(shape, dtype).
``_kernels.f`` is arithmetic, f in C; the same in NumPy stands in _kernels/*_ref.py.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.module import Module, build, parameter_shapes, register
from pyvae.workspace import Lease

ACTIVATIONS = ("relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "silu", "gelu", "symlog")
KEEP_INPUT = ("silu", "gelu")  # those whose derivative their value does not tell


class Layer(Module):
    """The interface; n_in and n_out are None where a layer takes any number of columns."""

    n_in = n_out = None

    def forward(self, x, noise=None, workspace=None):
        """y, cache = forward(x): x (B, n_in), y (B, n_out). Noise is for dropout alone; without it nothing is
        dropped. None for workspace: allocate."""
        raise NotImplementedError

    def backward(self, dy, cache):
        """dx = backward(dy, cache): dy (B, n_out), dx (B, n_in). Adds to the gradients of its own parameters."""
        raise NotImplementedError

    def backward_parameters(self, dy, cache):
        """backward of dy (B, n_out) without dx: for a network's first parameters, as data are not learned."""
        self.backward(dy, cache)

    def __init_subclass__(cls, **kwargs):
        """Only for subclasses of yours: one that replaces backward alone has it called in place of its parent's
        backward_parameters too."""
        super().__init_subclass__(**kwargs)
        if "backward" in vars(cls) and "backward_parameters" not in vars(cls):
            cls.backward_parameters = Layer.backward_parameters


def uniform(noise, n_in, n_out, dtype):
    """W ~ U(-l, l), l = 1 / sqrt(n_in): the usual heuristic (Glorot and Bengio 2010, eq. 1). Shape (n_in, n_out)."""
    u = noise.uniform("weights", (n_in, n_out), np.arange(n_in), dtype)  # as if the rows of W were rows of data
    return (2 * u - 1) / np.sqrt(n_in)


def he_normal(noise, n_in, n_out, dtype):
    """W ~ N(0, 2 / n_in): keeps the variance of ReLU layers' outputs (He et al. 2015, eq. 10). Shape (n_in, n_out)."""
    return noise.normal("weights", (n_in, n_out), np.arange(n_in), dtype) * np.sqrt(2 / n_in)


def glorot_uniform(noise, n_in, n_out, dtype):
    """W ~ U(-l, l), l = sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, eq. 16). Shape (n_in, n_out)."""
    u = noise.uniform("weights", (n_in, n_out), np.arange(n_in), dtype)
    return (2 * u - 1) * np.sqrt(6 / (n_in + n_out))


INITIALIZERS = {"uniform": uniform, "he": he_normal, "glorot": glorot_uniform}


class DenseCache(NamedTuple):
    x: np.ndarray  # (B, n_in)
    kept: np.ndarray  # (B, n_out): y, or a for KEEP_INPUT
    memory: Lease


@register
class Dense(Layer):
    """y = f(x W + b), W (n_in, n_out), b (n_out,) starting at zero.

    activation: None (f is the identity) or one of ACTIVATIONS; it is computed in the same pass as the product, where y
    tells f'. init: "uniform", "he" or "glorot". The small uniform weights suit decoders best: their
    inputs z are few and as large as noise, and with He weights an MNIST model learns faster at first but is half a nat
    worse after ten epochs. Raises ValueError for other words or sizes below 1.
    """

    def __init__(self, n_in, n_out, activation=None, init="uniform"):
        if activation is not None and activation not in ACTIVATIONS:
            raise ValueError(f"activation must be None or one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        if init not in INITIALIZERS:
            raise ValueError(f"init must be one of {', '.join(INITIALIZERS)}, not {init!r}")
        self.n_in, self.n_out = check_count("n_in", n_in, 1), check_count("n_out", n_out, 1)
        self.activation, self.init = activation, init

    def forward(self, x, noise=None, workspace=None):
        memory = Lease(workspace)
        y = memory.take((len(x), self.n_out), x.dtype)
        if self.activation in KEEP_INPUT:
            a = memory.take(y.shape, y.dtype)
            _kernels.dense(x, self.W, self.b, None, out=a)  # a = x W + b
            _kernels.activate(a, self.activation, out=y)  # y = f(a)
            return y, DenseCache(x, a, memory)
        _kernels.dense(x, self.W, self.b, self.activation, out=y)  # y = f(x W + b)
        return y, DenseCache(x, y, memory)

    def backward(self, dy, cache, need_dx=True):
        """dx (B, n_in), or None where it is not needed."""
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

    def backward_parameters(self, dy, cache):
        self.backward(dy, cache, need_dx=False)

    def shapes(self):
        return {"W": (self.n_in, self.n_out), "b": (self.n_out,)}

    def initialize(self, noise):
        self.W[...] = INITIALIZERS[self.init](noise, self.n_in, self.n_out, self.W.dtype)

    def config(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "activation": self.activation, "init": self.init}


@register
class Sequential(Layer):
    """Layers one after the other, y = f_n(... f_2(f_1(x))): forward from first to last, backward from last to first.

    Raises ValueError where a layer's n_in is not the number of columns that it is given.
    """

    def __init__(self, *layers):
        self.layers = layers
        width = None
        for i, layer in enumerate(layers):
            if None not in (width, layer.n_in) and layer.n_in != width:
                raise ValueError(f"layer {i} takes {layer.n_in} columns, but the layer before it makes {width}")
            width = width if layer.n_out is None else layer.n_out
        self.n_in = next((layer.n_in for layer in layers if layer.n_in is not None), None)
        self.n_out = width
        learns = (i for i, layer in enumerate(layers) if parameter_shapes({"": layer}))
        self.first = next(learns, len(layers))  # of those with parameters

    def forward(self, x, noise=None, workspace=None):
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x, noise, workspace)
            caches.append(cache)
        return x, caches

    def backward(self, dy, cache):
        for layer, layer_cache in zip(reversed(self.layers), reversed(cache), strict=True):
            dy = layer.backward(dy, layer_cache)
        return dy

    def backward_parameters(self, dy, cache):
        for i in range(len(self.layers) - 1, self.first, -1):
            dy = self.layers[i].backward(dy, cache[i])
        if self.first < len(self.layers):
            self.layers[self.first].backward_parameters(dy, cache[self.first])

    def children(self):
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def config(self):
        return {"layers": [layer.describe() for layer in self.layers]}

    @classmethod
    def from_config(cls, config):
        return cls(*(build(layer) for layer in config["layers"]))


def mlp(sizes, activation):
    """Dense layers through the given sizes, with the activation after each but the last."""
    *hidden, last = pairwise(sizes)
    return Sequential(*(Dense(n_in, n_out, activation) for n_in, n_out in hidden), Dense(*last))
