"""The affine coupling of a flow, its inverse and its backward pass: the definition, in NumPy.

Shapes: x, y, dx, dy (N, n); outputs, doutputs (N, 2 n) = [raw | shift]; log_det, dlog_det (N,). s = tanh(raw).
"""

import numpy as np


def coupling(x, outputs, y, log_det):
    """y = x e^s + shift, s = tanh(raw); log_det += sum_j s_j, the logarithm of the determinant of dy/dx."""
    raw, shift = np.split(outputs, 2, axis=1)
    s = np.tanh(raw)
    y[...] = x * np.exp(s) + shift
    log_det += s.sum(axis=1)


def coupling_inverse(y, outputs, x):
    """x = (y - shift) e^-s."""
    raw, shift = np.split(outputs, 2, axis=1)
    x[...] = (y - shift) * np.exp(-np.tanh(raw))


def coupling_backward(dy, dlog_det, x, outputs, dx, doutputs):
    """dx = dy e^s;  dshift = dy;  draw = (dy x e^s + dlog_det) (1 - s^2)."""
    raw, _ = np.split(outputs, 2, axis=1)
    s = np.tanh(raw)
    through_x = dy * np.exp(s)
    draw = (through_x * x + dlog_det[:, None]) * (1 - s * s)
    doutputs[...] = np.hstack([draw, dy])
    dx[...] = through_x
