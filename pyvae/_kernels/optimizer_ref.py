"""Adam and AdamW over the flat arena: the definition, in NumPy.

values, grads, m and v are vectors of equal length: every parameter of the model, its gradient and its two moments.
extents (T, 2) says where each tensor begins and ends in them, in rising order, for the native kernels to share out
among threads; None is one tensor. Between tensors lies padding, which holds zeros.
"""

import numpy as np


def adam(values, grads, m, v, learning_rate, beta1, beta2, epsilon, step, extents=None, scale=1.0, decay=0.0):
    """Kingma and Ba (2015), algorithm 1, step t = 1, 2, ...; with decay: Loshchilov and Hutter (2019), algorithm 2.

    g = scale grads
    m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
    values -= learning_rate ((m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + decay values)
    """
    real = values.dtype.type
    correction1, correction2 = 1 - beta1**step, np.sqrt(1 - beta2**step)
    g = real(scale) * grads
    m[...] = real(beta1) * m + real(1 - beta1) * g
    v[...] = real(beta2) * v + real(1 - beta2) * (g * g)
    move = real(learning_rate / correction1) * (m / (np.sqrt(v) / real(correction2) + real(epsilon)))
    values -= move + real(learning_rate * decay) * values


def clear(x, extents=None):
    """x = 0."""
    x[...] = 0


def sum_of_squares(x):
    """sum_i x_i^2, added in double."""
    return float(np.sum(np.square(x, dtype=np.float64)))
