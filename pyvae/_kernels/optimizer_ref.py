"""Adam, AdamW and the natural step over the flat arena: the definition, in NumPy.

values, grads, m and v are vectors of equal length: every parameter of the model, its gradient and its two moments.
extents (T, 2) says where each tensor begins and ends in them, in rising order, for the native kernels to share out
among threads; None is one tensor. What lies between tensors is left alone. rates (T,), in double: a factor of the
tensors' rates; None is 1 for all.
"""

import numpy as np


def adam(
    values, grads, m, v, learning_rate, beta1, beta2, epsilon, step, extents=None, scale=1.0, decay=0.0, rates=None,
    l2=0.0,
):  # fmt: skip
    """Kingma and Ba (2015), algorithm 1, step t = 1, 2, ...; with decay: Loshchilov and Hutter (2019), algorithm 2.

    g = scale grads + l2 values
    m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
    values -= rate ((m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + decay values)

    where rate is learning_rate times that of the tensor.
    """
    real = values.dtype.type
    correction1, correction2 = 1 - beta1**step, np.sqrt(1 - beta2**step)
    for tensor, rate in _tensors(len(values), extents, rates):
        g = real(scale) * grads[tensor] + real(l2) * values[tensor]
        m[tensor] = real(beta1) * m[tensor] + real(1 - beta1) * g
        v[tensor] = real(beta2) * v[tensor] + real(1 - beta2) * (g * g)
        direction = m[tensor] / (np.sqrt(v[tensor]) / real(correction2) + real(epsilon))
        move = real(learning_rate * rate / correction1) * direction
        values[tensor] -= move + real(learning_rate * rate * decay) * values[tensor]


def natural_step(values, grads, extents=None, rates=None):
    """values += log(1 + max(-2 rate grads, -1/2)), where values are logs of variances."""
    real = values.dtype.type
    for tensor, rate in _tensors(len(values), extents, rates):
        values[tensor] += np.log1p(np.maximum(real(-2 * rate) * grads[tensor], real(-0.5)))


def _tensors(size, extents, rates):
    """The slice and the rate of each tensor."""
    extents = [(0, size)] if extents is None else extents
    rates = np.ones(len(extents)) if rates is None else rates
    return [(slice(begin, end), rate) for (begin, end), rate in zip(extents, rates, strict=True)]


def clear(x, extents=None):
    """x = 0."""
    x[...] = 0


def sum_of_squares(x):
    """sum_i x_i^2, added in double."""
    return float(np.sum(np.square(x, dtype=np.float64)))
