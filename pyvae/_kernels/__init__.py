"""The ground floor: arrays in, arrays out. This file is the only switchboard between native kernels and NumPy twins.

Every function below exists twice with the same arguments: in ``x.pyx`` (Cython, OpenMP, C) and in ``x_ref.py``
(NumPy, the definition). Which one runs is decided here, once, at import, and never changes silently:

    PYVAE_KERNELS=reference   run the twins: to step through with a debugger, or to compare
    PYVAE_KERNELS=native      insist on the native kernels: an ImportError where they were not built
    PYVAE_MAX_ISA=v3          use no newer instruction set (x86-64: v2, v3 = AVX2 and FMA, v4 = AVX-512; and of
                              what multiplies bf16 numbers, bf16 = AVX-512 with bf16, amx)

Without PYVAE_KERNELS the native kernels run where they were built, else the twins; ``pyvae info`` says which.
"""

import contextlib
import importlib.util
import os
import threading

import numpy as np

from pyvae._kernels.team import Team
from pyvae._kernels.threads import MOST_THREADS, default_threads

BUILT = importlib.util.find_spec("pyvae._kernels.dense") is not None
KERNELS = os.environ.get("PYVAE_KERNELS", "native" if BUILT else "reference")
PRECISIONS = ("highest", "high", "medium")
_THREADS = default_threads()  # before libgomp is loaded: told to OMP_PROC_BIND, it binds this thread to one processor


@contextlib.contextmanager
def _brief_spinning():
    """While libgomp is loaded: let idle threads spin for microseconds and then sleep, not spin for milliseconds.

    Where another process wants the processor, a thread that spins keeps it from the one that it is waiting for: a
    product of 40 microseconds then took 12 milliseconds. libgomp reads the variable once, when it is loaded; the
    environment is put back. OMP_WAIT_POLICY and GOMP_SPINCOUNT, where they are set, are respected.
    """
    if "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "1000"
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


if KERNELS == "native":
    if not BUILT:
        raise ImportError("PYVAE_KERNELS=native, but this installation of pyvae was built without native kernels")
    with _brief_spinning():
        from pyvae._kernels import runtime
    from pyvae._kernels.adam import adam, clear, sum_of_squares
    from pyvae._kernels.count_likelihood import (
        multinomial,
        multinomial_backward,
        negative_binomial,
        negative_binomial_backward,
        poisson,
        poisson_backward,
    )
    from pyvae._kernels.dense import dense, dense_dW, dense_dx
    from pyvae._kernels.elementwise import activate, activate_backward, add, column_sums, copy, multiply, shift
    from pyvae._kernels.gather import gather
    from pyvae._kernels.gaussian import kl, kl_backward, reparameterize, reparameterize_backward, standard_normal
    from pyvae._kernels.likelihood import (
        bernoulli,
        bernoulli_backward,
        categorical,
        categorical_backward,
        gaussian,
        gaussian_backward,
    )
    from pyvae._kernels.norm import layer_norm, layer_norm_backward
    from pyvae._kernels.random import bernoulli as bernoulli_draw
    from pyvae._kernels.random import normal, permutation, philox4x32, uniform
    from pyvae._kernels.runtime import Tape
elif KERNELS == "reference":
    from pyvae._kernels import runtime_ref as runtime
    from pyvae._kernels.adam_ref import adam, clear, sum_of_squares
    from pyvae._kernels.count_likelihood_ref import (
        multinomial,
        multinomial_backward,
        negative_binomial,
        negative_binomial_backward,
        poisson,
        poisson_backward,
    )
    from pyvae._kernels.dense_ref import dense, dense_dW, dense_dx
    from pyvae._kernels.elementwise_ref import activate, activate_backward, add, column_sums, copy, multiply, shift
    from pyvae._kernels.gather_ref import gather
    from pyvae._kernels.gaussian_ref import kl, kl_backward, reparameterize, reparameterize_backward, standard_normal
    from pyvae._kernels.likelihood_ref import (
        bernoulli,
        bernoulli_backward,
        categorical,
        categorical_backward,
        gaussian,
        gaussian_backward,
    )
    from pyvae._kernels.norm_ref import layer_norm, layer_norm_backward
    from pyvae._kernels.random_ref import bernoulli as bernoulli_draw
    from pyvae._kernels.random_ref import normal, permutation, philox4x32, uniform
    from pyvae._kernels.runtime_ref import Tape
else:
    raise ImportError(f"PYVAE_KERNELS must be 'native' or 'reference', not {KERNELS!r}")

__all__ = [
    "Tape",
    "activate",
    "activate_backward",
    "adam",
    "add",
    "bernoulli",
    "bernoulli_backward",
    "bernoulli_draw",
    "categorical",
    "categorical_backward",
    "clear",
    "column_sums",
    "copy",
    "dense",
    "dense_dW",
    "dense_dx",
    "gather",
    "gaussian",
    "gaussian_backward",
    "get_matmul_precision",
    "get_num_threads",
    "info",
    "kl",
    "kl_backward",
    "layer_norm",
    "layer_norm_backward",
    "multinomial",
    "multinomial_backward",
    "multiply",
    "negative_binomial",
    "negative_binomial_backward",
    "normal",
    "permutation",
    "philox4x32",
    "poisson",
    "poisson_backward",
    "reparameterize",
    "reparameterize_backward",
    "set_matmul_precision",
    "set_num_threads",
    "shift",
    "standard_normal",
    "sum_of_squares",
    "team",
    "threads",
    "uniform",
]


def _own():
    """Whether settings made here are this thread's own: those of the main thread are the whole process's."""
    return threading.get_ident() != threading.main_thread().ident


def set_num_threads(n):
    """Use n threads in the native kernels, from now on and in the whole process.

    Set in another thread than the main one, it holds for that thread alone. Results are the same to the bit for every
    n. The default is the number of physical cores that this process may use (affinity and cgroup quota counted), or
    OMP_NUM_THREADS; fewer run where threadpoolctl allows OpenMP fewer, and while other threads use kernels too, so that
    all of them together keep to n. Without OpenMP, in the NumPy twins, and in a forked child, n is ignored.
    Raises ValueError unless n is a whole number from 1 to 1024.
    """
    if isinstance(n, bool | np.bool) or not hasattr(n, "__index__") or not 1 <= n <= MOST_THREADS:
        raise ValueError(f"n must be a whole number of threads from 1 to {MOST_THREADS}, not {n!r}")
    runtime.set_num_threads(n, _own())


def get_num_threads():
    """How many threads the native kernels use; 1 for the NumPy twins."""
    return runtime.get_num_threads()


@contextlib.contextmanager
def threads(n):
    """``with threads(n):`` use n threads inside the block, as set_num_threads does; they are put back on leaving it."""
    own = _own()
    before = runtime.get_num_threads(own)
    set_num_threads(n)
    try:
        yield
    finally:
        runtime.set_num_threads(before, own)


class _PutBack:
    """What ``set_matmul_precision`` returns: used in ``with``, it puts the precision back at the end of the block."""

    def __init__(self, before, own):
        self.before, self.own = before, own

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        runtime.set_precision(self.before, self.own)


def set_matmul_precision(precision):
    """How exactly float32 products are computed, from now on and in the whole process; or inside ``with``.

    "highest" (the default): in float32. "medium": where the processor can, the numbers are rounded to bf16 (8 bits)
    before they are multiplied, and added up in float32: an error of at most 2^-7 of |x| @ |W|. "high" would be three
    bf16 products for one of float32, 2^-15 of |x| @ |W|; it is float32, as three of half the time each take longer.
    Weights, moments and everything else remain float32, and float64 is always computed in float64. Where there is no
    faster hardware, and in the NumPy twins, all three are float32. Set in another thread than the main one, it holds
    for that thread alone. Raises ValueError for another word.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    own = _own()
    before = runtime.get_precision(own)
    runtime.set_precision(precision, own)
    return _PutBack(before, own)


def get_matmul_precision():
    """What ``set_matmul_precision`` set."""
    return runtime.get_precision()


def team():
    """A Team, whose ``with`` block runs on all threads or on one, whichever was quicker of late."""
    return Team(runtime.limit_threads, get_num_threads)


def info():
    """What runs: kernels, instruction set, OpenMP and threads, as a dict of words and numbers."""
    if KERNELS == "reference":
        reason = "PYVAE_KERNELS=reference" if BUILT else "this installation was built without native kernels"
        return {"kernels": f"reference (NumPy): {reason}", "isa": None, "bf16": None, "openmp": False, "threads": 1}
    return {
        "kernels": "native (Cython and C)",
        "isa": runtime.get_level(),
        "bf16": runtime.get_bf16(),
        "openmp": runtime.HAS_OPENMP,
        "threads": runtime.get_num_threads(),
    }


def _amx_agrees():
    """Whether a product on AMX comes out right here: a virtual machine may claim registers that it does not save."""
    x = np.linspace(-1, 1, 33 * 70, dtype=np.float32).reshape(33, 70)
    W = np.linspace(1, -2, 70 * 40, dtype=np.float32).reshape(70, 40)
    out = np.empty((33, 40), np.float32)
    with set_matmul_precision("medium"):
        dense(x, W, None, None, out)
    return bool(np.all(np.abs(out - x @ W) <= 2**-7 * (np.abs(x) @ np.abs(W))))


if KERNELS == "native":
    if "PYVAE_MAX_ISA" in os.environ:
        wanted = os.environ["PYVAE_MAX_ISA"]
        known = (*runtime.LEVELS, *filter(None, runtime.BF16_UNITS))
        if wanted not in known:
            raise ImportError(f"PYVAE_MAX_ISA must be one of {', '.join(known)}, not {wanted!r}")
        if wanted in runtime.LEVELS:
            runtime.set_level(min(wanted, runtime.HIGHEST_LEVEL, key=runtime.LEVELS.index))
            runtime.set_bf16(None)
        else:
            runtime.set_bf16(min(wanted, runtime.get_bf16(), key=runtime.BF16_UNITS.index))
    runtime.set_num_threads(_THREADS)
    if runtime.get_bf16() == "amx" and not _amx_agrees():
        runtime.set_bf16("bf16")
    # The threads of libgomp do not survive a fork, and waiting for them would never end: a child runs serially.
    os.register_at_fork(after_in_child=runtime.stay_serial)
