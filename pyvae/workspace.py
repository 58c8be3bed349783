"""Memory: the source of the arrays of forward and backward passes.

A training step needs a few dozen arrays, the same ones every time. A Workspace hands them out in order and, for the
next step, hands out the same memory again, so that training allocates nothing in its steady state:

    workspace = Workspace()
    for every step:
        memory = workspace.begin()                   a Lease, which is passed in, and which caches keep
        terms, cache = model.forward(..., memory)

As a ``memory`` argument, FRESH allocates new arrays. Read ``memory.take(shape, dtype)`` as np.empty(shape, dtype).
"""

import math

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
HUGE = 2**21  # bytes of a huge page, for which NumPy asks wherever an array is of two of them or more


def aligned_empty(shape, dtype):
    """Like np.empty, with the first element on a 64-byte boundary; from 1 MB on, on that of a huge page, as the arrays
    of a step are on more small pages than a processor keeps at hand."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    huge = size >= HUGE // 2
    buffer = np.empty(max(size + HUGE, 2 * HUGE) if huge else size + ALIGNMENT, dtype=np.uint8)
    start = -buffer.ctypes.data % (HUGE if huge else ALIGNMENT)
    return buffer[start : start + size].view(dtype).reshape(shape)


class Workspace:
    """Arrays handed out in order, and again in the same order after each ``begin()``."""

    def __init__(self):
        self.generation = 0  # number of steps begun
        self._buffers = []  # one per take() of a step
        self._views = []  # (shape, dtype, array): what that take() returned last
        self._next = 0

    def begin(self):
        """Begin a step: a Lease on its arrays. Those handed out before may be overwritten from now on."""
        self.generation += 1
        self._next = 0
        return Lease(self)

    def take(self, shape, dtype):
        """An uninitialised array, valid until the next step begins."""
        i = self._next
        self._next += 1
        if i == len(self._buffers):
            self._buffers.append(aligned_empty((0,), np.uint8))
            self._views.append((None, None, None))
        known_shape, known_dtype, array = self._views[i]
        if known_shape != shape or known_dtype != dtype:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            if self._buffers[i].size < size:
                self._buffers[i] = aligned_empty((size,), np.uint8)
            array = self._buffers[i][:size].view(dtype).reshape(shape)
            self._views[i] = (shape, dtype, array)
        return array

    def owns(self, array):
        """True if this very array was handed out since the step began."""
        return any(array is view for _, _, view in self._views[: self._next])


class Lease:
    """The right to take arrays from a workspace for one step; it notices a cache that outlived its step."""

    __slots__ = ("generation", "workspace")

    def __init__(self, workspace):
        self.workspace, self.generation = workspace, workspace.generation

    def take(self, shape, dtype):
        """An uninitialised array. Raises RuntimeError where the workspace has begun another step."""
        if self.workspace.generation != self.generation:
            raise RuntimeError(
                "this cache's workspace has begun another step since its forward pass, so its arrays are overwritten: "
                "call backward before the next step begins, or forward again"
            )
        return self.workspace.take(shape, dtype)


class _Fresh:
    """Memory that nobody shares: every array is a new one."""

    def take(self, shape, dtype):
        """An uninitialised array."""
        return np.empty(shape, dtype)


FRESH = _Fresh()
