"""The interface of layers, and layers in sequence.

A layer maps rows to rows, x (B, n_in) -> y (B, n_out), by

    y, cache = layer.forward(x)         cache: what backward needs, and nothing else
    dx = layer.backward(dy, cache)      dy: the loss's derivative by y; also ADDS to the layer's own gradients

The layer itself keeps nothing between the two calls, so a model can use one layer twice. dX always means the loss's
derivative by X, and has X's shape. Arrays come from ``memory`` (workspace.py).
"""

from pyvae.module import Module, build, parameter_shapes, register
from pyvae.workspace import FRESH


class Layer(Module):
    """The interface of layers. n_in and n_out are None where a layer takes any number of columns."""

    n_in = n_out = None

    def forward(self, x, noise=None, memory=FRESH):
        """y, cache = forward(x): x (B, n_in), y (B, n_out). Only dropout uses noise; without noise it drops
        nothing."""
        raise NotImplementedError

    def backward(self, dy, cache, need_dx=True):
        """dx = backward(dy, cache): dy (B, n_out), dx (B, n_in). Adds to the gradients of its own parameters.

        need_dx: False returns None in place of dx, for the first layer of a network, whose x are data and need no
        derivative.
        """
        raise NotImplementedError

    def output_bias(self):
        """The parameter that is added to the outputs last, (n_out,), a view; None for a layer without one."""
        return None

    def output_weights(self):
        """The parameter (n, n_out) that makes, of what n units hold, all of the outputs but ``output_bias``, a view;
        None for a layer without one."""
        return None


@register
class Sequential(Layer):
    """Layers in sequence, y = f_n(... f_2(f_1(x))): forward from first to last, backward from last to first.

    Raises ValueError where a layer takes another number of columns than the layer before it makes.
    """

    playable = True

    def __init__(self, *layers):
        self.layers = layers
        width = None
        for i, layer in enumerate(layers):
            if None not in (width, layer.n_in) and layer.n_in != width:
                raise ValueError(f"layer {i} takes {layer.n_in} columns, but the layer before it makes {width}")
            width = width if layer.n_out is None else layer.n_out
        self.n_in = next((layer.n_in for layer in layers if layer.n_in is not None), None)
        self.n_out = width
        learns = (i for i, layer in enumerate(layers) if parameter_shapes({"": layer}))
        self.first = next(learns, len(layers))  # the first layer with parameters

    def forward(self, x, noise=None, memory=FRESH):
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x, noise, memory)
            caches.append(cache)
        return x, caches

    def backward(self, dy, cache, need_dx=True):
        first = 0 if need_dx else self.first  # the layers before it learn nothing
        for i in reversed(range(first, len(self.layers))):
            dy = self.layers[i].backward(dy, cache[i], need_dx or i > first)
        return dy if need_dx else None

    def output_bias(self):
        return self.layers[-1].output_bias() if self.layers else None

    def output_weights(self):
        return self.layers[-1].output_weights() if self.layers else None

    def children(self):
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def config(self):
        return {"layers": [layer.describe() for layer in self.layers]}

    @classmethod
    def from_config(cls, config):
        return cls(*(build(layer) for layer in config["layers"]))
