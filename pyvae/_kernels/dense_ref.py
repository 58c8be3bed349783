"""Dense products, activations and column sums: the definition, in NumPy.

Letters: x (B, D) the rows, W (D, H) the weights, b (H,) the bias, y (B, H) the output. ``dx`` and the like are the
loss's derivative by x and the like.
"""

import numpy as np


def dense(x, W, b, activation, out):
    """out = f(x W + b), f the activation; b may be None."""
    np.matmul(x, W, out=out)
    if b is not None:
        out += b
    activate(out, activation, out)


def dense_dx(dy, W, out):
    """out = dy W.T."""
    np.matmul(dy, W.T, out=out)


def dense_dW(x, dy, out, accumulate=False):
    """out = x.T dy, or out += x.T dy."""
    product = x.T @ dy
    out[...] = out + product if accumulate else product


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
