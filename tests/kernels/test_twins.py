"""Every native kernel against its NumPy twin: values at all sizes, threads and instruction sets.

These tests go over all of the catalogue in kernel_cases.py, which says what is right, and how nearly. Those of places
in memory and of extreme numbers stand in test_places_in_memory.py and test_kernels_extremes.py, those of one kind of
kernel in the files named after it.
"""

import inspect

import numpy as np
import pytest
from kernel_cases import (
    CASE,
    CASES,
    FUNCTIONS,
    LARGE,
    MODULE,
    NATIVE,
    SIZES,
    TWINS,
    Sizes,
    assert_within,
    cpu,
    every_case,
    run_native,
    run_twin,
    runtime,
)

from pyvae import _kernels

pytestmark = pytest.mark.usefixtures("one_thread")

# --- The catalogue is complete ---------------------------------------------------------------------------------------


def test_every_exported_kernel_has_a_case():
    assert {case.kernel for case in CASES} == set(MODULE)


@pytest.mark.parametrize("module", FUNCTIONS)
def test_every_native_function_is_exported(module):
    kernel = NATIVE["products"].dense
    functions = {name for name, value in vars(NATIVE[module]).items() if isinstance(value, type(kernel))}
    functions = {name for name in functions if not name.startswith("__")}  # Cython's own, and imported
    assert functions == set(FUNCTIONS[module])


@pytest.mark.parametrize("kernel", sorted({case.kernel for case in CASES}))
def test_native_and_twin_have_the_same_signature(kernel):
    case = next(case for case in CASES if case.kernel == kernel)
    native, twin = (inspect.signature(case.function(modules)).parameters.values() for modules in (NATIVE, TWINS))
    assert [(p.name, p.kind, p.default) for p in native] == [(p.name, p.kind, p.default) for p in twin]


@pytest.mark.parametrize("kernel", sorted({case.kernel for case in CASES}))
def test_the_package_exports_the_kernel_under_its_name(kernel):
    case = next(case for case in CASES if case.kernel == kernel)
    assert getattr(_kernels, kernel) is case.function(NATIVE if _kernels.KERNELS == "native" else TWINS)


# --- Values ----------------------------------------------------------------------------------------------------------


@every_case
def test_native_is_right_at_every_size(case, real, level):
    for sizes in [*SIZES, LARGE]:
        arguments = case.make(sizes, real)
        assert_within(case, arguments, run_native(case, arguments), real)


@every_case
def test_twin_is_right_within_the_same_bound(case, real):
    for sizes in [*SIZES, LARGE]:
        arguments = case.make(sizes, real)
        assert_within(case, arguments, run_twin(case, arguments, real), real)


@every_case
def test_threads_change_no_bit(case, real, level):
    arguments = case.make(LARGE, real)
    one = run_native(case, arguments)
    for threads in (2, 3):
        runtime.set_num_threads(threads)
        several = run_native(case, arguments)
        for name in one:
            np.testing.assert_array_equal(several[name], one[name])


@pytest.mark.parametrize(
    ("kernel", "size"),
    [
        *(("adam", size) for size in (16383, 16384, 16385)),
        *(("sum_of_squares", size) for size in (16383, 16384, 16385, 64 * 16384, 64 * 16384 + 1)),
    ],
)
def test_chunks_of_the_arena(kernel, size, level):
    case = CASE[kernel]
    arguments = case.make(Sizes(size, 1, 1, 1), np.float32)
    runtime.set_num_threads(2)
    assert_within(case, arguments, run_native(case, arguments), np.float32)


# --- Threads and instruction sets ------------------------------------------------------------------------------------


def test_unknown_levels_are_refused():
    with pytest.raises(ValueError, match="no kernels for instruction set 'v9'"):
        cpu.set_level("v9")


@pytest.mark.parametrize("n", [0, -1, True, 1.5, "2", None, 2**31, 2**64])
def test_numbers_of_threads_are_checked(n):
    with pytest.raises(ValueError, match="n must be a whole number of threads"):
        _kernels.set_num_threads(n)


def test_threads_are_put_back():
    before = _kernels.get_num_threads()
    with pytest.raises(KeyError), _kernels.threads(before + 1):
        raise KeyError
    assert _kernels.get_num_threads() == before
