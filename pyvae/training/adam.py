"""Optimizers: how gradients become steps.

Adam (Kingma and Ba 2015, algorithm 1) keeps two running means, of each gradient g and of its square, and moves each
parameter W by their ratio, so that the size of the step does not depend on the gradient's scale:

    m = beta1 m + (1 - beta1) g         v = beta2 v + (1 - beta2) g^2
    W -= learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

The divisions by 1 - beta^t undo the bias of means that start from zero. Values, gradients and both means are four flat
arrays of equal length, so a step is one pass over them, for all layers at once. A layer's W is a view into the first
(arena.py): it moves when the array does.

(beta1 and beta2 have nothing to do with the beta of the KL.)

A step of Adam is about as long as the learning rate, which is short for a log variance that lies several nats from
where it began. So the logs v of variances that a likelihood learns take the natural step instead (Amari 1998), which
knows how far to go: their gradient g, divided by the Fisher information 1/2, at a rate of their own and in a form in
which the variance follows a running mean of squared residuals exactly (likelihoods/gaussian.py):

    v += log(1 + max(-2 rate g, -1/2))

A prior N(0, 1/s) of every parameter adds s W^2 / 2 to the loss of all N rows together, so l2 = s / N to its mean:

    g = dW + l2 W

This goes through the two means, and is rescaled with all the rest. AdamW (Loshchilov and Hutter 2019, algorithm 2)
instead takes a share of every parameter away directly:

    W -= learning_rate * weight_decay * W

Clipping (Pascanu et al. 2013, algorithm 1) shortens the gradient, over all parameters at once, if it is longer than
clip_norm, and keeps its direction:

    g = g * min(1, clip_norm / norm),       norm = sqrt(sum g^2)
"""

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.workspace import aligned_empty


class Adam:
    """Adam over the Arena ``parameters``; with a weight_decay AdamW.

    l2: the gradient of l2 / 2 times the sum of all squares is added to that of the loss, in nats per row. Both decay
    every parameter, biases too, but for the log variances that take the natural step. Losses are reported without it.
    Raises ValueError for numbers out of range.
    """

    def __init__(
        self, parameters, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0, l2=0.0
    ):  # fmt: skip
        self.parameters = parameters
        self.learning_rate = check_number("learning_rate", learning_rate, 0)
        self.beta1 = check_number("beta1", beta1, 0, 1, low_included=True)
        self.beta2 = check_number("beta2", beta2, 0, 1, low_included=True)
        self.epsilon = check_number("epsilon", epsilon, 0)
        self.weight_decay = check_number("weight_decay", weight_decay, 0, low_included=True)
        self.l2 = check_number("l2", l2, 0, low_included=True)
        self.m = aligned_empty(parameters.values.shape, parameters.dtype)
        self.v = aligned_empty(parameters.values.shape, parameters.dtype)
        self.m[...] = 0
        self.v[...] = 0
        self.t = 0  # steps taken

    def step(self, scale=1.0):
        """Move the values by one step, with scale times the present gradients (natural steps by the gradients as they
        are)."""
        self.t += 1
        values, grads, ordinary = self.parameters.values, self.parameters.grads, self.parameters.ordinary
        _kernels.adam(
            values, grads, self.m, self.v, self.learning_rate, self.beta1, self.beta2, self.epsilon, self.t,
            ordinary.extents, scale, self.weight_decay, ordinary.rates, self.l2,
        )  # fmt: skip
        if len(self.parameters.natural.rates):
            _kernels.natural_step(values, grads, *self.parameters.natural)


def clip_factor(norm, clip_norm):
    """min(1, clip_norm / norm), the factor for a gradient of this norm; a clip_norm of None is no limit."""
    return 1.0 if clip_norm is None or norm <= clip_norm else clip_norm / norm
