"""Numbers at the ends of the range: huge, infinite, NaN and subnormal ones."""

import platform
from itertools import product

import numpy as np
import pytest
from kernel_cases import (
    ACTIVATIONS,
    CASE,
    LARGE,
    NATIVE,
    REALS,
    SMALL,
    assert_within,
    both,
    every_case,
    run_native,
    run_twin,
    runtime,
)

pytestmark = pytest.mark.usefixtures("one_thread")


# --- Extreme numbers -------------------------------------------------------------------------------------------------

LOGITS = (-1e4, -100, -85, -20, -1e-8, 0, 1e-8, 20, 85, 100, 1e4)
LOGVARS = (-1e3, -80, -1e-8, 0, 1e-8, 80, 1e3)
EXTREMES = [
    *((f"activate {activation}", "x", LOGITS) for activation in ACTIVATIONS),
    ("activate_backward relu", "y", (0, -0.0, 1e-8, 1e4)),
    ("activate_backward leaky_relu", "y", (-1e4, -0.0, 0, 1e-8, 1e4)),
    ("activate_backward elu", "y", (-1, -1e-8, -0.0, 0, 1e-8, 1e4)),
    ("activate_backward silu", "y", LOGITS),
    ("activate_backward gelu", "y", LOGITS),
    ("activate_backward tanh", "y", (-1, 0, 1e-8, 1)),
    ("activate_backward sigmoid", "y", (0, 1e-8, 1)),
    ("activate_backward softplus", "y", (0, 1e-8, 20, 1e4)),
    ("bernoulli", "logits", LOGITS),
    ("bernoulli_backward", "logits", LOGITS),
    ("categorical", "logits", LOGITS),
    ("categorical_backward", "logits", LOGITS),
    ("poisson", "log_rates", LOGITS),
    ("poisson", "x", (0, 1, 1e3, 1e6, 1e8)),
    ("poisson_backward", "log_rates", LOGITS),
    ("multinomial", "logits", LOGITS),
    ("multinomial", "x", (0, 0, 1, 1e6)),
    ("multinomial_backward", "logits", LOGITS),
    ("negative_binomial one r", "log_means", LOGITS),
    ("negative_binomial_backward one r", "log_means", LOGITS),
    ("negative_binomial r of each row", "log_r", (-80, -20, -1e-8, 0, 1e-8, 20, 80)),
    ("negative_binomial_backward r of each row", "log_r", (-80, -20, -1e-8, 0, 1e-8, 20, 80)),
    ("gaussian logvar of each row", "logvar", LOGVARS),
    ("gaussian_backward logvar of each row", "logvar", LOGVARS),
    ("gaussian one logvar", "logvar", (-80, 80)),
    ("reparameterize", "logvar", LOGVARS),
    ("reparameterize_backward", "logvar", LOGVARS),
    ("kl", "logvar", LOGVARS[:-1]),
    ("kl", "logvar", (1e3, 0)),
    ("kl_backward", "logvar", LOGVARS),
    ("gaussian_components", "logvar", LOGVARS),
    ("gaussian_components_backward", "logvar", LOGVARS),
    ("gaussian_components", "z", LOGITS),
    ("log_softmax", "x", LOGITS),
    ("coupling", "outputs", LOGITS),
    ("coupling_inverse", "outputs", LOGITS),
    ("coupling_backward", "outputs", LOGITS),
    ("adam", "grads", (-1e15, -1e-15, 0, 1e-15, 1e15)),
]


@pytest.mark.parametrize(("name", "argument", "values"), EXTREMES, ids=lambda value: str(value)[:40])
def test_extreme_inputs(name, argument, values, real, level):
    case = CASE[name]
    arguments = case.make(SMALL, real)
    arguments[argument][...] = np.resize(values, arguments[argument].shape)
    assert_within(case, arguments, run_native(case, arguments), real)


def is_decided_by_comparison(case, argument):
    """Comparisons are false for NaN, so what they decide is a number; so is what does not depend on an argument."""
    return (
        case.kernel == "bernoulli_draw"
        or (case.kernel == "activate_backward" and case.inputs["activation"] in ("relu", "leaky_relu"))
        or (case.kernel == "activate_backward" and case.inputs["activation"] is None and argument == "y")
        or case.kernel == "clip_backward"
        or case.kernel.startswith("class_shares")  # of a labelled row, the label's numbers alone
        or (case.note == "no dx" and argument in ("r", "gain"))
        or (case.kernel == "coupling_backward" and argument == "outputs")  # half of which are the shift
    )


def only_infinite(a):
    """Infinities and NaN as they are, all else as 0."""
    return np.where(np.isfinite(a), 0, a)


@every_case
def test_infinities_and_nan_propagate(case, real, level):
    """In the first column, which is part of a full vector register, and in the last."""
    for argument, value, place in product(case.floats(), (np.nan, np.inf, -np.inf), (0, -1)):
        arguments = case.make(SMALL, real)
        if argument == "observed" or (case.inputs.get("activation") == "softplus" and argument == "y" and value < 0):
            continue  # of which all are 0 or 1, or above 0
        arguments[argument][(0,) * (arguments[argument].ndim - 1)][place] = value
        native, twin = run_native(case, arguments), run_twin(case, arguments, real)
        for name in native:
            np.testing.assert_array_equal(only_infinite(native[name]), only_infinite(twin[name]))
        if np.isnan(value) and not is_decided_by_comparison(case, argument):
            assert any(np.isnan(result).any() for result in native.values())


@both
def test_kl_is_never_negative(modules, real, level):
    logvar = np.concatenate([np.geomspace(1e-37, 1, 5000), -np.geomspace(1e-37, 1, 5000), [0.0]]).astype(real)
    for columns in (1, 17):
        rows = np.resize(logvar, (len(logvar), columns))
        out = np.empty(len(rows), real)
        modules["latent"].kl(np.zeros_like(rows), rows, out)
        assert out.min() >= 0


# --- Subnormal numbers -----------------------------------------------------------------------------------------------

FLUSHES = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")
flushes = pytest.mark.skipif(not FLUSHES, reason=f"the kernels cannot flush to zero on {platform.machine()}")


@flushes
@every_case
def test_subnormal_inputs_are_zeros(case, real, level):
    """To within the smallest normal number, which an input that is only passed on may differ by."""
    tiny = np.finfo(real).tiny
    for argument in case.floats():
        subnormal, zero = case.make(SMALL, real), case.make(SMALL, real)
        subnormal[argument][..., ::2], zero[argument][..., ::2] = tiny / 4, 0
        with_subnormals, with_zeros = run_native(case, subnormal), run_native(case, zero)
        for name in with_zeros:
            np.testing.assert_allclose(with_subnormals[name], with_zeros[name], rtol=0, atol=tiny)


# A subnormal number times a huge one: far from zero, unless it was taken as zero.
AMPLIFIED = [
    ("dense no b", "x", {"W": 1e30}, "out"),
    ("dense no b", "W", {"x": 1e30}, "out"),
    ("dense_dx", "dy", {"W": 1e30}, "out"),
    ("dense_dW", "x", {"dy": 1e30}, "out"),
    ("activate_backward tanh", "dy", {"y": 1e15}, "dx"),
    ("reparameterize", "eps", {"mu": 0, "logvar": 130}, "z"),
    ("kl_backward", "dkl", {"mu": 1e30}, "dmu"),
    ("bernoulli_backward", "dlog_px", {"x": 1e30}, "dlogits"),
    ("gaussian_backward one logvar", "x", {"mean": 0, "logvar": -70}, "dmean"),
]


@flushes
@pytest.mark.parametrize(("name", "argument", "others", "output"), AMPLIFIED)
def test_subnormal_inputs_are_zeros_even_times_large_numbers(name, argument, others, output, level):
    case = CASE[name]
    arguments = case.make(SMALL, np.float32)
    for other, value in others.items():
        arguments[other][...] = value
    arguments[argument][...] = np.finfo(np.float32).tiny / 4
    assert np.abs(run_twin(case, arguments, np.float32)[output]).max() > 1e-12
    assert np.all(run_native(case, arguments)[output] == 0)


@flushes
def test_adam_does_not_move_on_subnormal_moments(level):
    subnormal = np.full(40, np.finfo(np.float32).tiny / 4)
    values, grads, m, v = np.zeros((4, 40), np.float32)
    m[...], v[...] = subnormal, subnormal
    NATIVE["optimizer"].adam(values, grads, m, v, 1.0, 0.9, 0.999, 1e-30, 10)
    assert not values.any() and not m.any() and not v.any()


@every_case
def test_the_callers_floating_point_state_is_left_alone(case, real, level):
    """Subnormal arithmetic goes on working in this thread: neither results nor inputs are flushed to zero."""
    for threads, sizes in ((1, SMALL), (2, LARGE)):
        runtime.set_num_threads(threads)
        run_native(case, case.make(sizes, real))
        for dtype in REALS:
            tiny = np.full(40, np.finfo(dtype).tiny)
            assert np.all(tiny * dtype(0.5) == tiny / 2) and np.all(tiny / 2 > 0)
            assert np.all((tiny / 4) * dtype(4) == tiny)
