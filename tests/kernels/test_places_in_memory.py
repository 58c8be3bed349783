"""Arrays anywhere in memory: which places kernels take, with the same bits, and which they refuse by name."""

from itertools import product

import numpy as np
import pytest
from kernel_cases import CASES, LARGE, NATIVE, SMALL, Array, Sizes, every_case, run_native
from layouts import LAYOUTS, read_only, spread, unaligned

pytestmark = pytest.mark.usefixtures("one_thread")


# --- What is taken ---------------------------------------------------------------------------------------------------


@every_case
def test_inputs_may_have_any_layout(case, real, level):
    arguments = case.make(SMALL, real)
    plain = run_native(case, arguments)
    names = [name for name, spec in case.inputs.items() if isinstance(spec, Array)]
    for layout, changed in product(LAYOUTS, [*([name] for name in names), names]):
        same = arguments | {name: LAYOUTS[layout](arguments[name]) for name in changed}
        results = run_native(case, same)
        for name in plain:
            np.testing.assert_array_equal(results[name], plain[name], f"{layout} {changed}")


@pytest.mark.parametrize("case", [case for case in CASES if case.any_row_stride], ids=str)
def test_outputs_may_have_any_row_stride(case, real, level):
    for sizes in (SMALL, LARGE):
        arguments = case.make(sizes, real)
        plain = run_native(case, arguments, "contiguous")
        for layout in ("rows apart", "upside down"):
            results = run_native(case, arguments, layout)
            for name in plain:
                np.testing.assert_array_equal(results[name], plain[name])


@pytest.mark.parametrize("case", [case for case in CASES if case.kernel not in ("gather", "permutation")], ids=str)
def test_empty_arrays_may_have_any_strides(case, real):
    """In NumPy 2.4 they are 0, and were those of full arrays before."""
    arguments = case.make(Sizes(0, 1, 5, 3), real)
    for name, a in arguments.items():
        if isinstance(a, np.ndarray) and a.size == 0 and case.kernel != "philox4x32":
            arguments[name] = np.lib.stride_tricks.as_strided(a, strides=(0,) * a.ndim)
    case.function(NATIVE)(**arguments)


# --- What is refused -------------------------------------------------------------------------------------------------

WRONG = {
    "a list": lambda a: a.tolist(),
    "int32": lambda a: a.astype(np.int32),
    "complex": lambda a: a.astype(complex),
    "a dimension more": lambda a: a[..., None].copy(),
    "read-only": read_only,
    "every second column": lambda a: spread(a, 2, -1),
    "columns backwards": lambda a: spread(a, -1, -1),
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": unaligned,
    "another float type": lambda a: a.astype(np.float64 if a.dtype == np.float32 else np.float32),
    "a row more": lambda a: np.zeros((len(a) + 1, *a.shape[1:]), a.dtype),
    "a row less": lambda a: a[:-1].copy(),
    "a column more": lambda a: np.zeros((*a.shape[:-1], a.shape[-1] + 1), a.dtype),
    "a column less": lambda a: a[..., :-1].copy(),
}
SHAPES = ("a row more", "a row less", "a column more", "a column less")
# These take the float type and the number of columns from out, as they have no other array to take it from.
FROM_OUT = ("uniform", "normal", "permutation")


def refusals():
    for case in CASES:
        for name in case.outputs:
            for wrong in WRONG:
                if case.kernel in FROM_OUT and wrong in ("another float type", "a column more", "a column less"):
                    continue
                if case.kernel == "permutation" and wrong in SHAPES:
                    continue
                if case.kernel == "clear" and wrong in (*SHAPES, "another float type"):
                    continue
                if case.kernel in ("gather", "class_columns") and wrong == "another float type":
                    continue
                yield pytest.param(case, name, wrong, id=f"{case}-{name}-{wrong}")


@pytest.mark.parametrize(("case", "name", "wrong"), list(refusals()))
def test_wrong_outputs_are_refused_by_name(case, name, wrong):
    arguments = case.make(SMALL, np.float32)
    with np.errstate(invalid="ignore"):
        arguments = {key: np.nan_to_num(v) if key in case.outputs else v for key, v in arguments.items()}
    arguments[name] = WRONG[wrong](arguments[name])
    # Where the arrays disagree about the type or the shape, the other one may be blamed.
    names = name
    if case.kernel == "bernoulli_draw":
        names = "out|probability"
    elif case.kernel == "sum_groups":
        names = "out|x"
    elif case.kernel in ("adam", "natural_step") and name == "values":
        names = "values|grads"
    with pytest.raises((TypeError, ValueError), match=rf"\b({names})\b"):
        case.function(NATIVE)(**arguments)


@pytest.mark.parametrize("case", [case for case in CASES if not case.any_row_stride], ids=str)
def test_outputs_that_must_be_contiguous_are_refused_otherwise(case):
    for name, array in case.make(SMALL, np.float32).items():
        if name in case.outputs and array.ndim == 2:
            arguments = case.make(SMALL, np.float32) | {name: spread(array, 2, 0)}
            with pytest.raises(ValueError, match=rf"\b{name}\b must be contiguous"):
                case.function(NATIVE)(**arguments)


@every_case
def test_inputs_of_another_type_are_refused_by_name(case):
    for name in case.floats():
        arguments = case.make(SMALL, np.float32)
        arguments[name] = arguments[name].astype(np.float16)
        with pytest.raises(TypeError, match=rf"\b{name}\b must be"):
            case.function(NATIVE)(**arguments)
