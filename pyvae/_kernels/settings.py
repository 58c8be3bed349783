"""Settings of the kernels: native or NumPy, which instruction set, how many threads, and how exact products are.

Environment variables choose the kernels once, at import; the choice never changes silently:

    PYVAE_KERNELS=reference   run the twins: to step through with a debugger, or to compare
    PYVAE_KERNELS=native      insist on the native kernels: ImportError if they were not built
    PYVAE_MAX_ISA=v3          use no newer instruction set (x86-64: v2, v3 = AVX2 and FMA, v4 = AVX-512; and for
                              products of bf16 numbers: bf16 = AVX-512 with bf16, amx)

Without PYVAE_KERNELS the native kernels run if they were built, else the twins; ``pyvae info`` says which.
"""

import contextlib
import importlib.util
import os
import threading
from collections.abc import Iterator

import numpy as np

from pyvae._kernels.processors import MOST_THREADS, default_threads
from pyvae._kernels.thread_trials import Team

BUILT = importlib.util.find_spec("pyvae._kernels.runtime") is not None
KERNELS = os.environ.get("PYVAE_KERNELS", "native" if BUILT else "reference")
PRECISIONS = ("highest", "high", "medium")


@contextlib.contextmanager
def _brief_spinning():
    """Load libgomp inside the block: idle threads then spin for microseconds before they sleep, not for milliseconds.

    If another process wants the processor, a spinning thread keeps it from the very thread that it waits for: a product
    of 40 microseconds then took 12 milliseconds. libgomp reads the variable once, when it is loaded; the environment is
    restored. OMP_WAIT_POLICY and GOMP_SPINCOUNT are respected if they are set.
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
    _threads = default_threads()  # before libgomp is loaded: under OMP_PROC_BIND it binds this thread to a processor
    with _brief_spinning():
        from pyvae._kernels import cpu, runtime
    runtime.set_num_threads(_threads)
    # The threads of libgomp do not survive a fork, and waiting for them would never end: a child runs serially.
    os.register_at_fork(after_in_child=runtime.stay_serial)
elif KERNELS == "reference":
    from pyvae._kernels import runtime_ref as runtime
else:
    raise ImportError(f"PYVAE_KERNELS must be 'native' or 'reference', not {KERNELS!r}")


def _own():
    """True if settings made here are this thread's own; those of the main thread are the whole process's."""
    return threading.get_ident() != threading.main_thread().ident


def set_num_threads(n: int) -> None:
    """Use n threads in the native kernels, from now on and in the whole process.

    Another thread than the main one sets n for itself alone. Results are the same to the bit for every n. The default
    is the number of physical cores that this process may use (by affinity and cgroup quota), or OMP_NUM_THREADS. Fewer
    threads run if threadpoolctl limits OpenMP, and while other Python threads use kernels too, so that all of them
    together keep to n. n is ignored without OpenMP, in the NumPy twins, and in a forked child. Raises ValueError unless
    n is a whole number from 1 to 1024.
    """
    if isinstance(n, bool | np.bool) or not hasattr(n, "__index__") or not 1 <= n <= MOST_THREADS:
        raise ValueError(f"n must be a whole number of threads from 1 to {MOST_THREADS}, not {n!r}")
    runtime.set_num_threads(n, _own())


def get_num_threads() -> int:
    """The number of threads that the native kernels use; 1 for the NumPy twins."""
    return runtime.get_num_threads()


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """``with threads(n):`` uses n threads inside the block, as set_num_threads does, then the number from before."""
    own = _own()
    before = runtime.get_num_threads(own)
    set_num_threads(n)
    try:
        yield
    finally:
        runtime.set_num_threads(before, own)


class _PutBack:
    """The result of ``set_matmul_precision``: in ``with``, it puts the precision back at the end of the block."""

    def __init__(self, before, own):
        self.before, self.own = before, own

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        runtime.set_precision(self.before, self.own)


def set_matmul_precision(precision: str) -> contextlib.AbstractContextManager:
    """Set how exactly float32 products are computed, from now on and in the whole process; or inside ``with``.

    "highest" (the default): in float32. "medium": if the processor can, the numbers are rounded to bf16 (8 bits) before
    they are multiplied, and added up in float32, with an error of at most 2^-7 of |x| @ |W|. "high" stands for three
    bf16 products per float32 product, with 2^-15 of |x| @ |W|; it runs in float32, as three products of half the time
    each take longer. Parameters, moments and everything else remain float32, and float64 is always computed in float64.
    Without faster hardware, and in the NumPy twins, all three are float32. Another thread than the main one sets it for
    itself alone. Raises ValueError for another word.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    own = _own()
    before = runtime.get_precision(own)
    runtime.set_precision(PRECISIONS.index(precision), own)
    return _PutBack(before, own)


def get_matmul_precision() -> str:
    """The precision that ``set_matmul_precision`` set."""
    return PRECISIONS[runtime.get_precision()]


def team():
    """A Team, whose ``with`` block runs on all threads or on one, whichever was quicker lately."""
    return Team(runtime.limit_threads, get_num_threads)


def info():
    """The running kernels, instruction set, OpenMP and threads, as a dict of words and numbers."""
    if KERNELS == "reference":
        reason = "PYVAE_KERNELS=reference" if BUILT else "this installation was built without native kernels"
        return {"kernels": f"reference (NumPy): {reason}", "isa": None, "bf16": None, "openmp": False, "threads": 1}
    return {
        "kernels": "native (Cython and C)",
        "isa": cpu.get_level(),
        "bf16": cpu.get_bf16(),
        "openmp": runtime.HAS_OPENMP,
        "threads": runtime.get_num_threads(),
    }


def limit_instructions(word):
    """Use no newer instruction set, or bf16 unit, than this one. Raises ImportError for another word."""
    known = (*cpu.LEVELS, *filter(None, cpu.BF16_UNITS))
    if word not in known:
        raise ImportError(f"PYVAE_MAX_ISA must be one of {', '.join(known)}, not {word!r}")
    if word in cpu.LEVELS:
        cpu.set_level(min(word, cpu.HIGHEST_LEVEL, key=cpu.LEVELS.index))
        cpu.set_bf16(None)
    else:
        cpu.set_bf16(min(word, cpu.get_bf16(), key=cpu.BF16_UNITS.index))


def refuse_amx_that_errs(dense):
    """Do without AMX if a product on it comes out wrong: a virtual machine may claim registers that it does not
    save."""
    if cpu.get_bf16() != "amx":
        return
    x = np.linspace(-1, 1, 33 * 70, dtype=np.float32).reshape(33, 70)
    W = np.linspace(1, -2, 70 * 40, dtype=np.float32).reshape(70, 40)
    out = np.empty((33, 40), np.float32)
    with set_matmul_precision("medium"):
        dense(x, W, None, None, out)
    if not np.all(np.abs(out - x @ W) <= 2**-7 * (np.abs(x) @ np.abs(W))):
        cpu.set_bf16("bf16")
