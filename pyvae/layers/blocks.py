"""Layers for deeper networks: dropout, layer normalisation, gates and residual connections.

Dropout. y_ij = m_ij x_ij with m_ij = 1 / (1 - rate), or 0 with probability rate, so that E[y] = x; hence dx = dy m. The
mask m is noise, drawn by row number outside the layer. The cache keeps it; backward never draws it again.

Layer normalisation, for each row of n columns, with the mean and the variance of the row itself:

    u = (x - mean) r,  r = 1 / sqrt(variance + epsilon)        y = gain u + bias
    dgain = sum over rows of dy u        dbias = sum over rows of dy        du = dy gain
    dx_j = sum_k du_k du_k/dx_j = r (du_j - 1/n sum_k du_k - u_j 1/n sum_k du_k u_k)

as moving x_j moves the row's mean by 1/n and its standard deviation by u_j / n.

A gate multiplies: y = v g with v = x W + b, g = sigmoid(x V + c), so dv = dy g and dg = dy v. A residual connection
adds: y = x + f(x), so dx = dy + what comes back through f.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Layer
from pyvae.module import build, register
from pyvae.workspace import FRESH


class DropoutCache(NamedTuple):
    mask: np.ndarray | None  # (B, n); None: nothing was dropped
    memory: object


@register
class Dropout(Layer):
    """y = m x, each m_ij zero with probability ``rate``, else 1 / (1 - rate); without noise y = x.

    Source: Srivastava et al. 2014, but scaled in training instead of in evaluation.
    number: which of a model's dropout layers this is; layers with equal numbers drop the same places. Raises ValueError
    for a rate outside [0, 1) or a negative number.
    """

    playable = True

    def __init__(self, rate, number=0):
        self.rate = check_number("rate", rate, 0, 1, low_included=True)
        self.number = check_count("number", number, 0)

    def forward(self, x, noise=None, memory=FRESH):
        if noise is None or self.rate == 0:
            return x, DropoutCache(None, memory)
        mask = noise.keep(self.number, x.shape, self.rate, x.dtype, out=memory.take(x.shape, x.dtype))
        y = memory.take(x.shape, x.dtype)
        _kernels.multiply(x, mask, out=y)  # y = m x
        return y, DropoutCache(mask, memory)

    def backward(self, dy, cache, need_dx=True):
        mask, memory = cache
        if not need_dx:
            return None
        if mask is None:
            return dy
        dx = memory.take(dy.shape, dy.dtype)
        _kernels.multiply(dy, mask, out=dx)  # dx = dy m
        return dx

    def config(self):
        return {"rate": self.rate, "number": self.number}


class LayerNormCache(NamedTuple):
    u: np.ndarray  # (B, n)
    r: np.ndarray  # (B,)
    memory: object


@register
class LayerNorm(Layer):
    """y = gain (x - mean) / sqrt(variance + epsilon) + bias, mean and variance over the columns of each row.

    n: columns. gain (n,) starts at one, bias (n,) at zero. epsilon is in squared units of x. Raises ValueError where n
    is below 1 or epsilon not above 0. Source: Ba et al. 2016, eq. 3.
    """

    playable = True

    def __init__(self, n, epsilon=1e-5):
        self.n_in = self.n_out = check_count("n", n, 1)
        self.epsilon = check_number("epsilon", epsilon, 0)

    def forward(self, x, noise=None, memory=FRESH):
        y, u, r = (memory.take(shape, x.dtype) for shape in (x.shape, x.shape, x.shape[:1]))
        _kernels.layer_norm(x, self.gain, self.bias, self.epsilon, y, u, r)  # y = gain u + bias, u = (x - mean) r
        return y, LayerNormCache(u, r, memory)

    def backward(self, dy, cache, need_dx=True):
        u, r, memory = cache
        dx = memory.take(dy.shape, dy.dtype) if need_dx else None
        _kernels.layer_norm_backward(dy, u, r, self.gain, dx, self.dgain, self.dbias)
        return dx

    def shapes(self):
        return {"gain": (self.n_in,), "bias": (self.n_in,)}

    def initialize(self, noise):
        self.gain[...] = 1

    def config(self):
        return {"n": self.n_in, "epsilon": self.epsilon}


class GatedCache(NamedTuple):
    v: np.ndarray  # (B, n_out)
    g: np.ndarray  # (B, n_out)
    value: object
    gate: object
    memory: object


@register
class GatedDense(Layer):
    """y = v g, v = x W + b, g = sigmoid(x V + c): two dense layers, ``value`` and ``gate``.

    init: of both; see Dense. Raises ValueError for other words or sizes below 1. Source: Dauphin et al. 2017, eq. 1.
    """

    playable = True

    def __init__(self, n_in, n_out, init="uniform"):
        self.value, self.gate = Dense(n_in, n_out, None, init), Dense(n_in, n_out, "sigmoid", init)
        self.n_in, self.n_out, self.init = n_in, n_out, init

    def forward(self, x, noise=None, memory=FRESH):
        v, value_cache = self.value.forward(x, noise, memory)
        g, gate_cache = self.gate.forward(x, noise, memory)
        y = memory.take(v.shape, v.dtype)
        _kernels.multiply(v, g, out=y)  # y = v g
        return y, GatedCache(v, g, value_cache, gate_cache, memory)

    def backward(self, dy, cache, need_dx=True):
        dv, dg = (cache.memory.take(dy.shape, dy.dtype) for _ in range(2))
        _kernels.multiply(dy, cache.g, out=dv)  # dv = dy g
        _kernels.multiply(dy, cache.v, out=dg)  # dg = dy v
        dx_value = self.value.backward(dv, cache.value, need_dx)
        dx_gate = self.gate.backward(dg, cache.gate, need_dx)
        if not need_dx:
            return None
        _kernels.add(dx_value, dx_gate, out=dx_value)  # two paths lead back to x
        return dx_value

    def children(self):
        return {"value": self.value, "gate": self.gate}

    def config(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "init": self.init}


class ResidualCache(NamedTuple):
    layer: object
    memory: object


@register
class Residual(Layer):
    """y = x + f(x) (He et al. 2016). Raises ValueError unless the layer f has as many columns out as in."""

    playable = True

    def __init__(self, layer):
        if layer.n_in != layer.n_out:
            change = f"turn {layer.n_in} into {layer.n_out}"
            raise ValueError(f"a residual layer must keep the number of columns, not {change}")
        self.layer, self.n_in, self.n_out = layer, layer.n_in, layer.n_out

    def forward(self, x, noise=None, memory=FRESH):
        f, layer_cache = self.layer.forward(x, noise, memory)
        y = memory.take(x.shape, x.dtype)
        _kernels.add(x, f, out=y)  # y = x + f(x)
        return y, ResidualCache(layer_cache, memory)

    def backward(self, dy, cache, need_dx=True):
        dx_f = self.layer.backward(dy, cache.layer, need_dx)
        if not need_dx:
            return None
        dx = cache.memory.take(dy.shape, dy.dtype)
        _kernels.add(dy, dx_f, out=dx)  # dx = dy + dy f'(x)
        return dx

    def children(self):
        return {"layer": self.layer}

    def config(self):
        return {"layer": self.layer.describe()}

    @classmethod
    def from_config(cls, config):
        return cls(build(config["layer"]))
