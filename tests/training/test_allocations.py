"""A training step allocates nothing: NumPy's allocations counted, every buffer that an array owns, however short-lived.

NumPy lets a program replace the four functions that allocate the data of arrays (NEP 49). Here they are replaced by
ones that count the sizes and call the C library, by way of ctypes.
"""

import contextlib
import ctypes
from itertools import product

import numpy as np

import pyvae
from pyvae.likelihoods.words import LIKELIHOODS
from pyvae.training import loop as training

SIZE, POINTER = ctypes.c_size_t, ctypes.c_void_p
MALLOC = ctypes.CFUNCTYPE(POINTER, POINTER, SIZE)
CALLOC = ctypes.CFUNCTYPE(POINTER, POINTER, SIZE, SIZE)
REALLOC = ctypes.CFUNCTYPE(POINTER, POINTER, POINTER, SIZE)
FREE = ctypes.CFUNCTYPE(None, POINTER, POINTER, SIZE)
SET_HANDLER = 304  # the place of PyDataMem_SetHandler in NumPy's C API


class Handler(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", POINTER),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", REALLOC),
        ("free", FREE),
    )


libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = (SIZE,), POINTER
libc.calloc.argtypes, libc.calloc.restype = (SIZE, SIZE), POINTER
libc.realloc.argtypes, libc.realloc.restype = (POINTER, SIZE), POINTER
libc.free.argtypes, libc.free.restype = (POINTER,), None

sizes = []


def _malloc(context, size):
    sizes.append(size)
    return libc.malloc(size)


def _calloc(context, count, size):
    sizes.append(count * size)
    return libc.calloc(count, size)


def _realloc(context, pointer, size):
    sizes.append(size)
    return libc.realloc(pointer, size)


def _free(context, pointer, size):
    libc.free(pointer)


# Kept for ever: arrays made while it was in use are freed by it, whenever that is.
handler = Handler(b"counting", 1, None, MALLOC(_malloc), CALLOC(_calloc), REALLOC(_realloc), FREE(_free))


@contextlib.contextmanager
def counted_allocations():
    """``with counted_allocations() as sizes``: the bytes of every buffer that NumPy allocates inside the block."""
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.argtypes, get_pointer.restype = (ctypes.py_object, ctypes.c_char_p), POINTER
    new_capsule = ctypes.pythonapi.PyCapsule_New
    new_capsule.argtypes, new_capsule.restype = (POINTER, ctypes.c_char_p, POINTER), ctypes.py_object
    api = get_pointer(np._core._multiarray_umath._ARRAY_API, None)
    address = ctypes.cast(api, ctypes.POINTER(POINTER))[SET_HANDLER]
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(address)
    before = set_handler(new_capsule(ctypes.addressof(handler), b"mem_handler", None))
    sizes.clear()
    try:
        yield sizes
    finally:
        set_handler(before)


def test_no_buffer_is_allocated_once_steps_are_played(rng, monkeypatch):
    """The promise of the workspace, counted: from the third batch of a size on no step allocates an array of over 1 KB.

    The last batch of an epoch is shorter: its third stands in the third epoch.
    """
    counts = []
    original = training.Training.pass_over_rows

    def counting(*args):
        with counted_allocations() as sizes:
            result = original(*args)
            counts.append([size for size in sizes if size > 1024])
        return result

    monkeypatch.setattr(training.Training, "pass_over_rows", counting)
    X = (rng.random((1000, 100)) < 0.5).astype(np.uint8)
    everything = {
        "learning_rate": pyvae.CosineDecay(1e-3, 3), "weight_decay": 0.1, "clip_norm": 1.0, "kl_warmup": 2.5,
        "validation_fraction": 0.2, "patience": 2,
    }  # fmt: skip
    for likelihood, options in product(LIKELIHOODS, ({}, everything)):
        counts.clear()
        model = pyvae.VAE.mlp(100, latent_dim=10, hidden=(64,), likelihood=likelihood)
        pyvae.train(model, X, epochs=4, batch_size=128, progress=False, **options)
        assert counts[0], "the first epoch fills the workspace, or the count sees nothing"
        if pyvae._kernels.KERNELS == "native":
            assert counts[2] == counts[3] == []
