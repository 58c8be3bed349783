"""Optimizers: how gradients become steps.

Adam (Kingma and Ba 2015, algorithm 1) keeps two running means of every gradient, of itself and of its square, and moves
each weight by their ratio, so that the step's size does not depend on the gradient's scale:

    m = beta1 m + (1 - beta1) g         v = beta2 v + (1 - beta2) g^2
    weight -= learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

The divisions by 1 - beta^t undo the bias of means that start from zero. Weights, gradients and both means are flat
arrays of equal length, so a step is one pass over four of them, for all layers at once.

(beta1 and beta2 have nothing to do with the beta of the KL.)

AdamW (Loshchilov and Hutter 2019, algorithm 2) also takes a share of every weight away, directly and not by way of the
two means, which would rescale the gradient of a penalty |weight|^2 with all the rest:

    weight -= learning_rate * weight_decay * weight

Clipping (Pascanu et al. 2013, algorithm 1) shortens a gradient that is longer than clip_norm, over all weights at once,
and keeps its direction:

    g = g * min(1, clip_norm / norm),       norm = sqrt(sum g^2)
"""

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.workspace import aligned_empty


class Adam:
    """Adam over the Arena ``parameters``; AdamW where there is a weight_decay, of every parameter, biases too.

    Raises ValueError for numbers out of range.
    """

    def __init__(self, parameters, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
        self.parameters = parameters
        self.learning_rate = check_number("learning_rate", learning_rate, 0)
        self.beta1 = check_number("beta1", beta1, 0, 1, low_included=True)
        self.beta2 = check_number("beta2", beta2, 0, 1, low_included=True)
        self.epsilon = check_number("epsilon", epsilon, 0)
        self.weight_decay = check_number("weight_decay", weight_decay, 0, low_included=True)
        self.m = aligned_empty(parameters.values.shape, parameters.dtype)
        self.v = aligned_empty(parameters.values.shape, parameters.dtype)
        self.m[...] = 0
        self.v[...] = 0
        self.t = 0  # steps taken

    def step(self, scale=1.0):
        """Move the values by one step, from scale times the gradients as they stand."""
        self.t += 1
        _kernels.adam(
            self.parameters.values, self.parameters.grads, self.m, self.v,
            self.learning_rate, self.beta1, self.beta2, self.epsilon, self.t, self.parameters.extents,
            scale, self.weight_decay,
        )  # fmt: skip


def clip_factor(norm, clip_norm):
    """min(1, clip_norm / norm): what a gradient of this norm is multiplied by; None for clip_norm is no limit."""
    return 1.0 if clip_norm is None or norm <= clip_norm else clip_norm / norm
