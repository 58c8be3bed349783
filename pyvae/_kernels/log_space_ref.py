"""Softmax and the logarithm of a sum of exponentials: the definition, in NumPy.

x, out, dx, dout (B, K); log_sum (B,). Nothing overflows: what is exponentiated is the distance from the row's highest
number.
"""

import numpy as np


def softmax(x, out, log_sum):
    """log_sum = log sum_k exp(x_k) of each row, and out_k = exp(x_k - log_sum): shares that add up to 1. A row of -inf
    alone, or without columns, has the log_sum -inf and shares of 0."""
    highest = x.max(axis=1, keepdims=True, initial=-np.inf)
    highest[highest == -np.inf] = 0
    e = np.exp(x - highest)
    total = e.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_sum[...] = (highest + np.log(total))[:, 0]
    out[...] = e / np.where(total == 0, 1, total)


def log_softmax(x, out):
    """out_k = x_k - log sum_l exp(x_l), row by row: logarithms of shares that add up to 1."""
    distance = x - x.max(axis=1, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        out[...] = distance - np.log(np.exp(distance).sum(axis=1, keepdims=True))


def log_softmax_backward(dout, out, dx):
    """dx_k = dout_k - exp(out_k) sum_l dout_l, for the out of log_softmax."""
    dx[...] = dout - np.exp(out) * dout.sum(axis=1, keepdims=True)
