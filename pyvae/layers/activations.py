"""Activations as layers of their own, for models composed by hand. A dense layer fuses its activation (dense.py).

Backward multiplies by f'(x). The cache keeps y = f(x) where y determines the slope, as the next layer keeps y anyway.
silu and gelu fall before they rise, so one y can have two slopes: their cache keeps x.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.layers.layer import Layer
from pyvae.module import register
from pyvae.workspace import FRESH


class ActivationCache(NamedTuple):
    kept: np.ndarray  # (B, n): y, or x where keeps_input says so
    memory: object


class Activation(Layer):
    """y = f(x), element by element. The subclasses name f and its derivative.

    activation: the kernels' word for f.
    keeps_input: True where y does not determine f'(x); the cache then keeps x.
    """

    activation, keeps_input = None, False

    def forward(self, x, noise=None, memory=FRESH):
        y = memory.take(x.shape, x.dtype)
        _kernels.activate(x, self.activation, out=y)  # y = f(x)
        return y, ActivationCache(x if self.keeps_input else y, memory)

    def backward(self, dy, cache, need_dx=True):
        if not need_dx:
            return None
        kept, memory = cache
        dx = memory.take(dy.shape, dy.dtype)
        _kernels.activate_backward(dy, kept, self.activation, dx=dx)  # dx = dy f'(x)
        return dx


@register
class ReLU(Activation):
    """y = max(x, 0); dy/dx = 1 where y > 0, else 0."""

    playable, activation = True, "relu"


@register
class Tanh(Activation):
    """y = tanh x; dy/dx = 1 - y^2."""

    playable, activation = True, "tanh"


@register
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)); dy/dx = y (1 - y)."""

    playable, activation = True, "sigmoid"


@register
class Softplus(Activation):
    """y = log(1 + exp(x)); dy/dx = 1 / (1 + exp(-x)) = 1 - exp(-y)."""

    playable, activation = True, "softplus"


@register
class LeakyReLU(Activation):
    """y = x, or 0.01 x below zero; dy/dx = 1 or 0.01 (Maas et al. 2013)."""

    playable, activation = True, "leaky_relu"


@register
class ELU(Activation):
    """y = x, or exp(x) - 1 below zero; dy/dx = 1, or y + 1 (Clevert et al. 2016, with alpha = 1)."""

    playable, activation = True, "elu"


@register
class SiLU(Activation):
    """y = x s, s = 1 / (1 + exp(-x)); dy/dx = s (1 + x (1 - s)) (Elfwing et al. 2018, also called swish)."""

    playable, activation, keeps_input = True, "silu", True


@register
class GELU(Activation):
    """y = x P(x), P the standard normal distribution function; dy/dx = P(x) + x p(x), p its density (Hendrycks and
    Gimpel 2016, the exact form, not the one with tanh)."""

    playable, activation, keeps_input = True, "gelu", True


@register
class Symlog(Activation):
    """y = sign(x) log(1 + |x|); dy/dx = 1 / (1 + |x|) = exp(-|y|) (Hafner et al. 2023). It brings counts, or other
    numbers of many sizes, to a scale that suits dense layers; VAE.mlp begins the encoder of counts with it."""

    playable, activation = True, "symlog"


ACTIVATIONS = {layer.activation: layer for layer in (ReLU, LeakyReLU, ELU, Tanh, Sigmoid, Softplus, SiLU, GELU, Symlog)}

__all__ = ["ACTIVATIONS", *(layer.__name__ for layer in ACTIVATIONS.values())]
