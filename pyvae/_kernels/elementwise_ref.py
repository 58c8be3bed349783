"""Activations, column sums, sums and products of elements: the definition, in NumPy.

Shapes: x, y, dx, dy (B, N). y = f(x), where f is the activation; dx and dy are the loss's derivatives.
"""

import numpy as np

ACTIVATIONS = (None, "relu", "leaky_relu", "elu", "tanh", "sigmoid", "softplus", "silu", "gelu", "symlog")
LEAKY_SLOPE = 0.01


def sigmoid(x):
    """1 / (1 + exp(-x)), from an exponential that never overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def normal_cdf(x):
    """The standard normal distribution function."""
    from scipy.special import ndtr

    return ndtr(x)


def activate(x, activation, out):
    """out = f(x), element by element."""
    if activation is None:
        out[...] = x
    elif activation == "relu":
        np.maximum(x, 0, out=out)
    elif activation == "leaky_relu":
        out[...] = np.where(x < 0, x.dtype.type(LEAKY_SLOPE) * x, x)
    elif activation == "elu":
        out[...] = np.where(x < 0, np.expm1(np.minimum(x, 0)), x)
    elif activation == "tanh":
        np.tanh(x, out=out)
    elif activation == "sigmoid":
        out[...] = sigmoid(x)
    elif activation == "softplus":
        out[...] = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    elif activation == "silu":
        out[...] = x * sigmoid(x)
    elif activation == "gelu":
        out[...] = x * normal_cdf(x)
    elif activation == "symlog":
        out[...] = np.sign(x) * np.log1p(np.abs(x))
    else:
        raise ValueError(f"activation must be one of {ACTIVATIONS}, not {activation!r}")


def activate_backward(dy, y, activation, dx):
    """dx = dy f'(x), with f'(x) written as a function of y = f(x).

    silu and gelu take some values twice, with different slopes: for them the argument y is x itself.
    """
    if activation is None:
        dx[...] = dy
    elif activation == "relu":
        dx[...] = np.where(y > 0, dy, 0)
    elif activation == "leaky_relu":
        dx[...] = dy * np.where(y > 0, 1, dy.dtype.type(LEAKY_SLOPE))
    elif activation == "elu":
        dx[...] = dy * (1 - np.maximum(-y, 0))  # f' = 1 above zero, exp(x) = y + 1 below
    elif activation == "tanh":
        dx[...] = dy * (1 - y * y)
    elif activation == "sigmoid":
        dx[...] = dy * (y * (1 - y))
    elif activation == "softplus":
        dx[...] = dy * -np.expm1(-y)  # f' = sigmoid(x) = 1 - exp(-y)
    elif activation == "silu":
        s = sigmoid(y)
        dx[...] = dy * (s * (1 + y * (1 - s)))
    elif activation == "gelu":
        dx[...] = dy * (normal_cdf(y) + y * (np.exp(-y * y / 2) / dy.dtype.type(np.sqrt(2 * np.pi))))
    elif activation == "symlog":
        dx[...] = dy * np.exp(-np.abs(y))  # f' = 1 / (1 + |x|)
    else:
        raise ValueError(f"activation must be one of {ACTIVATIONS}, not {activation!r}")


def column_sums(x, out, accumulate=True):
    """out (+)= the sums of x over the rows."""
    out[...] = out + x.sum(axis=0) if accumulate else x.sum(axis=0)


def copy(x, out):
    """out = x."""
    out[...] = x


def add(x, y, out):
    """out = x + y."""
    np.add(x, y, out=out)


def multiply(x, y, out):
    """out = x y, element by element."""
    np.multiply(x, y, out=out)


def exponential(x, out):
    """out = exp(x), element by element."""
    with np.errstate(over="ignore"):
        np.exp(x, out=out)


def scale_rows(x, factor, out):
    """out_ij = factor_i x_ij: each row times its own number; factor (B,)."""
    np.multiply(x, factor[:, None], out=out)


def repeat_rows(x, out):
    """out (B * k, N) = each row of x (B, N) k times."""
    out[...] = np.repeat(x, len(out) // max(len(x), 1), axis=0)


def sum_groups(x, out):
    """out (B, N) = the sums of k consecutive rows of x (B * k, N), ascending: the gradient of repeat_rows."""
    np.sum(x.reshape(len(out), len(x) // max(len(out), 1), x.shape[1]), axis=1, out=out)


def shift(x, number, out):
    """out = x + number."""
    np.add(x, number, out=out)


def clip(x, low, high, out):
    """out = x between low and high, low below, high above, and NaN where x is."""
    np.clip(x, low, high, out=out)


def clip_backward(dy, x, low, high, dx):
    """dx = dy where low <= x <= high, else 0."""
    dx[...] = np.where((x < low) | (x > high), 0, dy)


def total(x, weight=None):
    """sum_i weight_i sum_j x_ij as a float, added in float64; weight (B,) float64, None: all 1."""
    of_rows = x.sum(axis=1, dtype=np.float64)
    return float(np.sum(of_rows if weight is None else weight * of_rows))
