"""Workspace: the memory of a training step, used again by the next one.

A step needs a few dozen arrays, the same ones every time. A workspace hands them out in order and, after ``reset()``,
hands out the same memory again, so that training allocates nothing in its steady state. The caller owns it and resets
it at the start of a step. Everywhere a workspace is an argument, None means fresh arrays from NumPy.
"""

import math

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned_empty(shape, dtype):
    """Like np.empty, with the first element on a 64-byte boundary."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    buffer = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


class Workspace:
    """Arrays handed out in order, and again in the same order after each ``reset()``."""

    def __init__(self):
        self.generation = 0  # how many times it was reset
        self._buffers = []  # one per take() of a step
        self._views = []  # (shape, dtype, array): what that take() returned last
        self._next = 0

    def reset(self):
        """Start a step: every array handed out before may be overwritten from now on."""
        self.generation += 1
        self._next = 0

    def take(self, shape, dtype):
        """An uninitialised array, valid until the next reset."""
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


class Lease:
    """The right to take arrays from a workspace until it is reset; what caches hold, so that a stale one is noticed."""

    __slots__ = ("generation", "workspace")

    def __init__(self, workspace):
        self.workspace = workspace
        self.generation = None if workspace is None else workspace.generation

    def take(self, shape, dtype):
        """An uninitialised array. Raises RuntimeError where the workspace was reset since the lease began."""
        if self.workspace is None:
            return np.empty(shape, dtype)
        if self.workspace.generation != self.generation:
            raise RuntimeError(
                "this cache's workspace has been reset since its forward pass, so its arrays are overwritten: "
                "call backward before the workspace's next reset, or forward again"
            )
        return self.workspace.take(shape, dtype)
