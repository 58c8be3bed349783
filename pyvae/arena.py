"""Arena: all parameters of a model in one flat array, all gradients in another, and named views into both.

    values  | encoder.0.W ........ | encoder.0.b .. | decoder.0.W ........ |
    grads   | encoder.0.dW ....... | encoder.0.db . | decoder.0.dW ....... |

Every tensor starts on a 64-byte boundary; the gaps between tensors hold zeros. So an optimizer's step is one pass over
flat arrays, the norm of the gradient is one sum, and a snapshot of all parameters is one copy. Layers see none of this:
a layer holds the views ``W, b, dW, db``.
"""

import math
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.module import check_signatures, owners, parameter_shapes
from pyvae.noise import Noise
from pyvae.workspace import ALIGNMENT, aligned_empty


class Pace(NamedTuple):
    """How some parameters move in training, where that is not the optimizer's ordinary step (training/adam.py)."""

    values: np.ndarray  # a vector, a view into the values of an arena
    times: float = 1.0  # as long as the ordinary step
    natural: float = 0.0  # if not 0: the rate of the natural step of a log variance, in place of the ordinary one


class Stretches(NamedTuple):
    """Stretches of an arena, and a rate for each."""

    extents: np.ndarray  # (T, 2): where each begins and ends
    rates: np.ndarray  # (T,)


class Arena:
    """Values and gradients of the parameters of some modules; it sets views of them on the modules.

    modules: a dict of names and modules. dtype: float32 to train, float64 to check gradients. seed: of the first
    values. A module that stands in two places has one set of parameters. Raises ValueError where a module's
    parameters are bound to another arena already, as two models cannot share it, and where its methods do not take
    the arguments of its interface.
    """

    def __init__(self, modules, dtype=np.float32, seed=0):
        owned = owners(modules)
        for prefix, module in owned:
            if any(hasattr(module, name) for name in module.shapes()):
                raise ValueError(f"{prefix} is part of another model already: make a {type(module).__name__} anew")
            check_signatures(type(module))
        self._allocate(parameter_shapes(modules), dtype, paces={})
        self.bind(modules)
        for number, (_, module) in enumerate(owned):
            module.initialize(Noise(seed, step=number))

    def _allocate(self, shapes, dtype, paces):
        """Allocate zeros for parameters of these names, shapes and paces (as ``set_paces`` keeps them)."""
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, not {self.dtype}")
        self._slices = {}  # name: (start, stop, shape)
        step = ALIGNMENT // self.dtype.itemsize
        size = 0
        for name, shape in shapes.items():
            stop = size + math.prod(shape)
            self._slices[name] = (size, stop, shape)
            size = -(-stop // step) * step
        extents = [(start, stop) for start, stop, _ in self._slices.values()]
        self.extents = np.array(extents, dtype=np.int64).reshape(-1, 2)  # where each tensor begins and ends
        self.values = aligned_empty((size,), self.dtype)
        self.grads = aligned_empty((size,), self.dtype)
        self.values[...] = 0
        self.grads[...] = 0
        self._paces = paces
        self._share_out()

    def set_paces(self, paces):
        """Let parameters move as a list of Pace says. ``ordinary`` and ``natural`` are the Stretches that then take the
        optimizer's step and the natural step."""
        self._paces = {}  # name of the tensor: [(first, end, times, natural)], in rising order, from its begin on
        for values, times, natural in paces:
            place = (values.ctypes.data - self.values.ctypes.data) // self.dtype.itemsize
            name = next(name for name, (start, stop, _) in self._slices.items() if start <= place < stop)
            first = place - self._slices[name][0]
            self._paces[name] = sorted([*self._paces.get(name, []), (first, first + len(values), times, natural)])
        self._share_out()

    def _share_out(self):
        ordinary, natural = [], []
        for name, (start, stop, _) in self._slices.items():
            begin = start
            for first, end, times, rate in self._paces.get(name, []):
                ordinary.append((begin, start + first, 1.0))
                if rate:
                    natural.append((start + first, start + end, rate))
                else:
                    ordinary.append((start + first, start + end, times))
                begin = start + end
            ordinary.append((begin, stop, 1.0))
        self.ordinary, self.natural = _stretches(ordinary), _stretches(natural)

    def bind(self, modules):
        """Give the modules that it was made for, or copies of them, their views into it."""
        for prefix, module in owners(modules):
            for name in module.shapes():
                setattr(module, name, self[f"{prefix}.{name}"])
                setattr(module, "d" + name, self.grad(f"{prefix}.{name}"))

    def astype(self, dtype):
        """A copy, float32 or float64, that no module is bound to yet; its gradients are zero."""
        copy = Arena.__new__(Arena)
        copy._allocate(self._shapes(), dtype, self._paces)
        for name in self.names:
            copy[name][...] = self[name]
        return copy

    def __getstate__(self):
        return {"shapes": self._shapes(), "values": self.values, "paces": self._paces}

    def __setstate__(self, state):
        """Restore a copy or a pickle: its memory is its own, aligned as the original's, and its gradients are zero."""
        self._allocate(state["shapes"], state["values"].dtype, state["paces"])
        self.values[...] = state["values"]

    def _shapes(self):
        return {name: shape for name, (_, _, shape) in self._slices.items()}

    @property
    def names(self):
        """Names of the parameters, in the order of the arena."""
        return tuple(self._slices)

    @property
    def count(self):
        """The number of values to learn."""
        return sum(stop - start for start, stop, _ in self._slices.values())

    def __getitem__(self, name):
        """The values of one parameter, a view."""
        start, stop, shape = self._slices[name]
        return self.values[start:stop].reshape(shape)

    def grad(self, name):
        """The gradient of one parameter, a view."""
        start, stop, shape = self._slices[name]
        return self.grads[start:stop].reshape(shape)

    def views(self, flat):
        """The tensors, by their names, in an array with the layout of ``values``."""
        return {name: flat[start:stop].reshape(shape) for name, (start, stop, shape) in self._slices.items()}

    def zero_grads(self):
        """Set every gradient to zero: backward passes add to them."""
        _kernels.clear(self.grads, self.extents)


def _stretches(rows):
    """Stretches of (begin, end, rate), without the empty ones."""
    rows = [row for row in rows if row[0] < row[1]]
    extents = np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2)
    return Stretches(extents, np.array([row[2] for row in rows]))
