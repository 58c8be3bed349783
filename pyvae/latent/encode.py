"""The model's own encoder, as a prior is given it: a function from rows to q, and its backward pass."""

from typing import NamedTuple

import numpy as np

from pyvae.workspace import FRESH


class EncodeCache(NamedTuple):
    encoder: object
    outputs: np.ndarray  # (K, n_outputs), the encoder's
    memory: object


class Encode:
    """``q, cache = encode(u)`` for rows u (K, n_features), without noise, so that no layer drops anything; and
    ``du = encode.backward(dq, cache)``, which ADDS to the gradients of the encoder, like every other pass through it.
    """

    def __init__(self, encoder, posterior):
        self.encoder, self.posterior = encoder, posterior

    def __call__(self, u, memory=FRESH):
        outputs, cache = self.encoder.forward(u, None, memory)
        return self.posterior.split(outputs, memory), EncodeCache(cache, outputs, memory)

    def backward(self, dq, cache):
        doutputs = self.posterior.split_backward(dq, cache.outputs, cache.memory)
        return self.encoder.backward(doutputs, cache.encoder)
