"""Layer normalisation: the definition, in NumPy.

x, y, u, dx, dy (B, N); r (B,); gain, bias, dgain, dbias (N,). u is x with every row brought to mean 0 and variance 1.
"""

import numpy as np


def mean(x):
    """The mean of each row, (B, 1); 0 without columns."""
    return x.sum(axis=1, keepdims=True) / x.dtype.type(max(x.shape[1], 1))


def layer_norm(x, gain, bias, epsilon, out, u, r):
    """r = 1 / sqrt(variance + epsilon); u = (x - mean) r; out = gain u + bias; mean and variance of each row."""
    centred = x - mean(x)
    r[...] = 1 / np.sqrt(mean(centred * centred)[:, 0] + x.dtype.type(epsilon))
    u[...] = centred * r[:, None]
    out[...] = gain * u + bias


def layer_norm_backward(dy, u, r, gain, dx, dgain, dbias):
    """dgain += sums over rows of dy u; dbias += those of dy; dx = r (du - mean du - u mean(du u)), du = dy gain. dx
    may be None."""
    dgain += np.sum(dy * u, axis=0)
    dbias += np.sum(dy, axis=0)
    if dx is None:
        return
    du = dy * gain
    dx[...] = r[:, None] * (du - mean(du) - u * mean(du * u))
