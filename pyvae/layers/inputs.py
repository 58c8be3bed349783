"""Layers with which an encoder may begin: they choose what it sees of a row, of which the likelihood sees all.

Columns that a layer leaves out have the derivative 0, and so have numbers beyond the bound at which it clips.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.layers.layer import Layer
from pyvae.module import register
from pyvae.workspace import FRESH


@register
class FirstColumns(Layer):
    """y = the first n_out columns of x: an encoder that begins with it sees these alone, while the likelihood describes
    all n_in. Raises ValueError unless n_in >= n_out >= 1."""

    playable = True

    def __init__(self, n_in, n_out):
        self.n_in = check_count("n_in", n_in, 1)
        self.n_out = check_count("n_out", n_out, 1, self.n_in)

    def forward(self, x, noise=None, memory=FRESH):
        return x[:, : self.n_out], memory

    def backward(self, dy, cache, need_dx=True):
        if not need_dx:
            return None
        dx = cache.take((len(dy), self.n_in), dy.dtype)
        _kernels.clear(dx.reshape(-1))
        _kernels.copy(dy, out=dx[:, : self.n_out])
        return dx

    def config(self):
        return {"n_in": self.n_in, "n_out": self.n_out}


class ClipCache(NamedTuple):
    x: np.ndarray  # (B, n)
    memory: object


@register
class Clip(Layer):
    """y = x between -bound and bound, elsewhere the bound; dy/dx = 1, or 0 beyond. Only of the first n_columns columns;
    None: of all. An encoder that begins with it is moved no further by a number far from all others than by one at the
    bound, while the likelihood sees the number itself. Raises ValueError unless bound is above 0, n_columns from 1."""

    playable = True

    def __init__(self, bound, n_columns=None):
        self.bound = check_number("bound", bound, 0)
        self.n_columns = None if n_columns is None else check_count("n_columns", n_columns, 1)

    def forward(self, x, noise=None, memory=FRESH):
        y, n = memory.take(x.shape, x.dtype), self.n_columns or x.shape[1]
        _kernels.clip(x[:, :n], -self.bound, self.bound, out=y[:, :n])
        if n < x.shape[1]:
            _kernels.copy(x[:, n:], out=y[:, n:])
        return y, ClipCache(x, memory)

    def backward(self, dy, cache, need_dx=True):
        if not need_dx:
            return None
        dx, n = cache.memory.take(dy.shape, dy.dtype), self.n_columns or dy.shape[1]
        _kernels.clip_backward(dy[:, :n], cache.x[:, :n], -self.bound, self.bound, dx=dx[:, :n])
        if n < dy.shape[1]:
            _kernels.copy(dy[:, n:], out=dx[:, n:])
        return dx

    def config(self):
        return {"bound": self.bound, "n_columns": self.n_columns}
