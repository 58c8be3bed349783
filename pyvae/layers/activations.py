"""Activations as layers of their own, for models composed by hand; in a dense layer they are fused (layers.py).

Backward multiplies by f'(x), and remembers as little as will do: y = f(x) where the slope can be told from it, as the
next layer keeps y anyway. silu and gelu fall before they rise, so the same y occurs with two slopes; they remember x.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae._kernels.sparse_rows import SparseRows
from pyvae.layers.dense import KEEP_INPUT, Layer
from pyvae.module import register
from pyvae.workspace import Lease


class ActivationCache(NamedTuple):
    kept: np.ndarray  # (B, n): y, or x for KEEP_INPUT
    memory: Lease


class Activation(Layer):
    """y = f(x), element by element. The subclasses name f and its derivative."""

    activation = None

    def forward(self, x, noise=None, workspace=None):
        memory = Lease(workspace)
        y = memory.take(x.shape, x.dtype)
        _kernels.activate(x, self.activation, out=y)  # y = f(x)
        return y, ActivationCache(x if self.activation in KEEP_INPUT else y, memory)

    def backward(self, dy, cache):
        kept, memory = cache
        dx = memory.take(dy.shape, dy.dtype)
        _kernels.activate_backward(dy, kept, self.activation, dx=dx)  # dx = dy f'(x)
        return dx


@register
class ReLU(Activation):
    """y = max(x, 0); dy/dx = 1 where y > 0, else 0."""

    activation = "relu"


@register
class Tanh(Activation):
    """y = tanh x; dy/dx = 1 - y^2."""

    activation = "tanh"


@register
class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)); dy/dx = y (1 - y)."""

    activation = "sigmoid"


@register
class Softplus(Activation):
    """y = log(1 + exp(x)); dy/dx = 1 / (1 + exp(-x)) = 1 - exp(-y)."""

    activation = "softplus"


@register
class LeakyReLU(Activation):
    """y = x, or 0.01 x below zero; dy/dx = 1 or 0.01 (Maas et al. 2013)."""

    activation = "leaky_relu"


@register
class ELU(Activation):
    """y = x, or exp(x) - 1 below zero; dy/dx = 1, or y + 1 (Clevert et al. 2016, with alpha = 1)."""

    activation = "elu"


@register
class SiLU(Activation):
    """y = x s, s = 1 / (1 + exp(-x)); dy/dx = s (1 + x (1 - s)) (Elfwing et al. 2018, also called swish)."""

    activation = "silu"


@register
class GELU(Activation):
    """y = x P(x), P the standard normal distribution function; dy/dx = P(x) + x p(x), p its density (Hendrycks and
    Gimpel 2016, the exact form, not the one with tanh)."""

    activation = "gelu"


@register
class Symlog(Activation):
    """y = sign(x) log(1 + |x|); dy/dx = 1 / (1 + |x|) = exp(-|y|) (Hafner et al. 2023). It brings counts, or other
    numbers of many sizes, to a scale that dense layers can take: VAE.mlp puts it first where counts are encoded."""

    activation = "symlog"

    def forward(self, x, noise=None, workspace=None):
        if isinstance(x, SparseRows):  # f(0) = 0: rows stay as sparse as they are
            y, cache = super().forward(x.values[None], noise, workspace)
            return x.with_values(y[0]), cache
        return super().forward(x, noise, workspace)
