"""Activations, column sums and sums of matrices: the definition, in NumPy.

Shapes: x, y, dx, dy (B, N); db (N,). y = f(x) is what the activation made of x; dx and dy are the loss's derivatives.
"""

import numpy as np


def activate(x, activation, out):
    """out = f(x), element by element."""
    if activation is None:
        out[...] = x
    elif activation == "relu":
        np.maximum(x, 0, out=out)
    elif activation == "tanh":
        np.tanh(x, out=out)
    elif activation == "sigmoid":
        e = np.exp(-np.abs(x))  # never overflows
        out[...] = np.where(x < 0, e, 1) / (1 + e)
    elif activation == "softplus":
        out[...] = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    else:
        raise ValueError(f"activation must be one of None, relu, tanh, sigmoid, softplus, not {activation!r}")


def activate_backward(dy, y, activation, dx, db=None, accumulate=True):
    """dx = dy f'(x), with f'(x) written as a function of y = f(x); db (+)= the sums of dx over the rows."""
    if activation is None:
        dx[...] = dy
    elif activation == "relu":
        dx[...] = np.where(y > 0, dy, 0)
    elif activation == "tanh":
        dx[...] = dy * (1 - y * y)
    elif activation == "sigmoid":
        dx[...] = dy * (y * (1 - y))
    elif activation == "softplus":
        dx[...] = dy * -np.expm1(-y)  # f' = sigmoid(x) = 1 - exp(-y)
    else:
        raise ValueError(f"activation must be one of None, relu, tanh, sigmoid, softplus, not {activation!r}")
    if db is not None:
        column_sums(dx, db, accumulate)


def column_sums(x, out, accumulate=True):
    """out (+)= the sums of x over the rows."""
    out[...] = out + x.sum(axis=0) if accumulate else x.sum(axis=0)


def copy(x, out):
    """out = x."""
    out[...] = x


def add(x, y, out):
    """out = x + y."""
    np.add(x, y, out=out)


def shift(x, number, out):
    """out = x + number."""
    np.add(x, number, out=out)
