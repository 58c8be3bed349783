"""The dense products and the activations, which can be fused into them."""

import numpy as np
import pytest
from kernel_cases import ACTIVATIONS, CASE, LARGE, NATIVE, SMALL, Sizes, both, run_native

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_activation_is_the_activation_of_the_product(activation, real, level):
    for sizes in (SMALL, LARGE):
        arguments = CASE["dense None"].make(sizes, real)
        product = run_native(CASE["dense None"], arguments)["out"]
        fused = run_native(CASE["dense None"], {**arguments, "activation": activation})["out"]
        right = run_native(CASE["activate None"], {"x": product, "activation": activation, "out": product.copy()})
        np.testing.assert_array_equal(fused, right["out"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_may_work_in_place(activation, real, level):
    arguments = CASE["activate None"].make(SMALL, real) | {"activation": activation}
    beside = run_native(CASE["activate None"], arguments)["out"]
    x = arguments["x"].copy()
    NATIVE["elementwise"].activate(x, activation, x)
    np.testing.assert_array_equal(x, beside)

    case = CASE[f"activate_backward {activation}"]
    arguments = case.make(SMALL, real)
    beside = run_native(case, arguments)["dx"]
    dy = arguments["dy"].copy()
    NATIVE["elementwise"].activate_backward(dy, arguments["y"], activation, dx=dy)
    np.testing.assert_array_equal(dy, beside)


@pytest.mark.parametrize("kernel", ["dense", "activate", "activate_backward"])
@both
def test_unknown_activation(kernel, modules):
    case = CASE[f"{kernel} None"]
    with pytest.raises(ValueError, match="activation must be one of .*, not 'swish'"):
        case.function(modules)(**case.make(SMALL, np.float32) | {"activation": "swish"})


def test_accumulate_adds_to_what_is_there(level):
    """Small whole numbers, so that every order of additions gives the same bits."""
    case = CASE["dense_dW"]
    arguments = {k: np.rint(v) for k, v in case.make(SMALL, np.float32).items()}
    arguments["out"] = np.arange(arguments["out"].size, dtype=np.float32).reshape(arguments["out"].shape)
    product = run_native(case, arguments)["out"]
    total = run_native(case, {**arguments, "accumulate": True})["out"]
    np.testing.assert_array_equal(total, product + arguments["out"])


def test_accumulate_over_no_rows_changes_nothing(real, level):
    """No terms to add: a chain of additions of length 0."""
    case = CASE["dense_dW accumulate"]
    arguments = case.make(Sizes(0, 1, 5, 7), real)
    np.testing.assert_array_equal(run_native(case, arguments)["out"], arguments["out"])


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("dense no b", "x"),
        ("dense no b", "W"),
        ("dense_dx", "dy"),
        ("dense_dx", "W"),
        ("dense_dW", "x"),
        ("dense_dW", "dy"),
    ],
)
@pytest.mark.parametrize("upside_down", [1, -1])
def test_products_refuse_an_output_that_overlaps_an_input(name, argument, upside_down):
    """They read an input again after they have begun to write. To begin where an input ends is fine."""
    function = CASE[name].function(NATIVE)
    arguments = CASE[name].make(Sizes(8, 1, 8, 8), np.float32)
    memory = np.ones((20, 8), np.float32)[::upside_down]
    function(**arguments | {argument: memory[:8], "out": memory[8:16]})
    with pytest.raises(ValueError, match=f"out must not overlap {argument}"):
        function(**arguments | {argument: memory[:8], "out": memory[7:15]})


def test_products_refuse_outputs_that_overlap_their_inputs(real):
    whole = np.zeros((9, 9), real)
    x, W = np.zeros((9, 9), real), np.zeros((9, 9), real)
    for kernel, arguments in (
        ("dense", {"x": whole, "W": W, "b": None, "activation": None}),
        ("dense", {"x": x, "W": whole[::-1], "b": None, "activation": None}),
        ("dense_dx", {"dy": whole, "W": W}),
        ("dense_dW", {"x": x, "dy": whole}),
    ):
        with pytest.raises(ValueError, match="out must not overlap"):
            getattr(NATIVE["products"], kernel)(**arguments, out=whole)
    halves = np.zeros((18, 9), real)
    NATIVE["products"].dense(halves[:9], W, None, None, halves[9:])
