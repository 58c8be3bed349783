"""Every native kernel against its NumPy twin: values, shapes, layouts of memory, threads and instruction sets.

Most tests go over all of the catalogue in kernel_cases.py, which says what is right, and how nearly.
"""

import inspect
import math
import platform
from itertools import product

import numpy as np
import pytest
from kernel_cases import (
    ACTIVATIONS,
    CASE,
    CASES,
    FUNCTIONS,
    KEY,
    LARGE,
    LEVELS,
    NATIVE,
    REALS,
    SIZES,
    SMALL,
    TWINS,
    Array,
    Sizes,
    assert_within,
    every_case,
    run_native,
    run_twin,
    runtime,
)
from scipy.special import gammaln, ndtr
from scipy.stats import poisson

from pyvae import _kernels

NOT_KERNELS = {
    "Tape", "get_matmul_precision", "get_num_threads", "info", "set_matmul_precision", "set_num_threads", "team",
    "threads",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread_unless_the_test_says_more():
    level, threads = runtime.get_level(), runtime.get_num_threads()
    runtime.set_num_threads(1)
    yield
    runtime.set_level(level)
    runtime.set_num_threads(threads)


@pytest.fixture(params=LEVELS)
def level(request):
    runtime.set_level(request.param)
    return request.param


@pytest.fixture(params=REALS, ids=["float32", "float64"])
def real(request):
    return request.param


# --- The catalogue is complete ---------------------------------------------------------------------------------------


def test_every_exported_kernel_has_a_case():
    assert {case.kernel for case in CASES} == set(_kernels.__all__) - NOT_KERNELS


@pytest.mark.parametrize("module", FUNCTIONS)
def test_every_native_function_is_exported(module):
    kernel = NATIVE["dense"].dense
    functions = {name for name, value in vars(NATIVE[module]).items() if isinstance(value, type(kernel))}
    functions = {name for name in functions if not name.startswith("__")}  # Cython's own
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


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_activation_is_the_activation_of_the_product(activation, real, level):
    for sizes in (SMALL, LARGE):
        arguments = CASE["dense None"].make(sizes, real)
        product = run_native(CASE["dense None"], arguments)["out"]
        fused = run_native(CASE["dense None"], {**arguments, "activation": activation})["out"]
        right = run_native(CASE["activate None"], {"x": product, "activation": activation, "out": product.copy()})
        np.testing.assert_array_equal(fused, right["out"])


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


# --- Single functions to a few units in the last place ---------------------------------------------------------------


def sweep(low, high):
    """Numbers of float32 that lie evenly, and ones that come near zero in even steps of the exponent."""
    magnitudes = np.geomspace(1e-30, max(-low, high), 20011)
    x = np.concatenate([np.linspace(low, high, 40009), magnitudes, -magnitudes])
    return x[(x >= low) & (x <= high)].astype(np.float32)[None]


def expm1_minus(x):
    """exp(x) - 1 - x, by its series near zero."""
    series = x**2 / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))
    return np.where(np.abs(x) < 1e-3, series, np.expm1(x) - x)


def activate_by(activation):
    def f(x):
        y = np.empty_like(x)
        NATIVE["elementwise"].activate(x, activation, y)
        return y

    return f


def softplus_slope(x):
    dx = np.empty_like(x)
    NATIVE["elementwise"].activate_backward(np.ones_like(x), x, "softplus", dx)
    return dx


def exp_by_reparameterize(x):
    z = np.empty_like(x)
    NATIVE["gaussian"].reparameterize(np.zeros_like(x), 2 * x, np.ones_like(x), z, np.empty(1, x.dtype))
    return z


def expm1_by_kl_backward(x):
    dlogvar = np.empty_like(x)
    NATIVE["gaussian"].kl_backward(np.full(1, 2, x.dtype), x, x, np.empty_like(x), dlogvar)
    return dlogvar


def expm1_minus_by_kl(x):
    out = np.empty(x.size, x.dtype)
    NATIVE["gaussian"].kl(np.zeros_like(x).T, x.T, out)
    return 2 * out[None]


def surprise(x):
    """-log p of a black pixel with these logits."""
    out = np.empty(x.size, x.dtype)
    NATIVE["likelihood"].bernoulli(np.ones_like(x).T, x.T, out)
    return -out[None]


def log_factorial_by_poisson(x):
    """log x! + 1: the surprise of a count of rate 1."""
    out = np.empty(x.size, x.dtype)
    NATIVE["count_likelihood"].poisson(x.T, np.zeros_like(x).T, out)
    return -out[None]


# native function, the same in float64, lowest and highest x, bound in units in the last place
SINGLE_FUNCTIONS = {
    "tanh": (activate_by("tanh"), np.tanh, -100, 100, 4),
    "sigmoid": (activate_by("sigmoid"), lambda x: 1 / (1 + np.exp(-x)), -87, 100, 4),
    "softplus": (activate_by("softplus"), lambda x: np.logaddexp(0, x), -87, 100, 4),
    "elu": (activate_by("elu"), lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), -100, 100, 6),
    "silu": (activate_by("silu"), lambda x: x / (1 + np.exp(-x)), -80, 100, 6),
    "gelu": (activate_by("gelu"), lambda x: x * ndtr(x), -2, 100, 6),
    "softplus slope": (softplus_slope, lambda y: -np.expm1(-y), 0, 100, 6),
    "Bernoulli, x = 1": (surprise, lambda x: np.logaddexp(0, -x), -100, 87, 4),
    "exp": (exp_by_reparameterize, np.exp, -87, 88, 3),
    "expm1": (expm1_by_kl_backward, np.expm1, -100, 88, 6),
    "log-gamma": (log_factorial_by_poisson, lambda x: gammaln(x + 1) + 1, 2, 1e8, 1),
    "expm1 - x near zero": (expm1_minus_by_kl, expm1_minus, -0.33, 0.33, 6),
}


@pytest.mark.parametrize("name", SINGLE_FUNCTIONS)
def test_single_functions_in_float32(name, level):
    native, exact, low, high, ulps = SINGLE_FUNCTIONS[name]
    x = sweep(low, high)
    right = exact(x.astype(np.float64))
    normal = np.abs(right) >= 4 * np.finfo(np.float32).tiny
    error = np.abs(native(x) - right)[normal] / np.spacing(np.abs(right[normal]).astype(np.float32))
    assert error.max() <= ulps


# Counts, log-means and log r: r from 1e-3 to far beyond where a Poisson is all that is left.
COUNTS = (0, 1, 2, 5, 7, 8, 20, 300, 10_000)
LOG_MEANS, LOG_R = (-5, 0.5, 3, 9), (-7, -3, -1, 0, 1, 2, 2.0625, 4, 8, 12, 18.4375, 40, 80)


def negative_binomial_term_by_term(x, log_mean, log_r):
    """log p and its derivatives by log_mean and by log_r, without a gamma function: x factors, one after the other."""
    r, mean, steps = math.exp(log_r), math.exp(log_mean), range(int(x))
    rising = math.fsum(math.log1p(i / r) if r > 1 else math.log(r + i) - log_r for i in steps)  # of (r + i) / r
    softplus = float(np.logaddexp(0, log_mean - log_r))  # log(1 + m / r)
    log_p = math.fsum([rising, -math.lgamma(x + 1), x * log_mean, -x * softplus, -r * softplus])
    dl = math.fsum([x / (1 + mean / r), -mean / (1 + mean / r)])
    return log_p, dl, math.fsum([*(1 / (1 + i / r) for i in steps), -r * softplus, -dl])


@pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])
def test_negative_binomial_of_any_dispersion(modules, real, level):
    """From r = 1e-3 to r = 1e34 nothing cancels: in float32, log p is right to two units in its last place."""
    eps = np.finfo(real).eps
    for x, log_mean, log_r in product(COUNTS, LOG_MEANS, LOG_R):
        arrays = [np.full((1, 1), number, real) for number in (x, log_mean, log_r)]
        log_p, dl, dlog_r = np.empty(1, real), np.empty((1, 1), real), np.empty((1, 1), real)
        modules["count_likelihood"].negative_binomial(*arrays, log_p)
        modules["count_likelihood"].negative_binomial_backward(np.ones(1, real), *arrays, dl, dlog_r)
        right = negative_binomial_term_by_term(x, log_mean, float(real(log_r)))
        mean = math.exp(log_mean)
        rounding = 2 * eps * np.abs(right) + 8 * np.finfo(np.float64).eps * np.array(
            [1 + x * (abs(log_mean) + 1) + mean + math.lgamma(x + 1), x + mean, 1 + x + mean]
        )
        assert np.all(np.abs(np.subtract([log_p[0], dl[0, 0], dlog_r[0, 0]], right)) <= rounding), (x, log_mean, log_r)


@pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])
def test_a_large_dispersion_is_poisson(modules, real, level):
    """What is left is about ((x - m)^2 - x) / (2 r)."""
    x = np.arange(40, dtype=real)[:, None]
    log_means = np.linspace(-3, 4, 40).astype(real)[:, None]
    for log_r in (18.42, 60):
        out, limit = np.empty(40, real), np.empty(40, real)
        modules["count_likelihood"].negative_binomial(x, log_means, np.full((1, 1), log_r, real), out)
        modules["count_likelihood"].poisson(x, log_means, limit)
        bound = 0.5 * np.exp(-log_r) * ((x - np.exp(log_means)) ** 2 + x)[:, 0] + 4 * np.finfo(real).eps * np.abs(limit)
        assert np.all(np.abs(out - limit) <= 1.1 * bound + 1e-12)


def test_large_counts_are_no_less_exact_in_float32(level):
    """x l, exp(l) and log x! are ten million each, and leave 8."""
    x = np.array([[1e6], [1e6 + 1000]], np.float32)
    log_rates, out = np.full((2, 1), np.log(1e6), np.float32), np.empty(2, np.float32)
    NATIVE["count_likelihood"].poisson(x, log_rates, out)
    right = poisson.logpmf(x[:, 0].astype(np.float64), np.exp(log_rates[:, 0].astype(np.float64)))
    np.testing.assert_allclose(out, right, rtol=1e-6)


def test_normals_near_zero_keep_their_relative_precision(level):
    """A radius near zero comes from a uniform number that float32 cannot tell from 1."""
    rows, single, double = np.arange(100_000), np.empty((100_000, 16), np.float32), np.empty((100_000, 16))
    NATIVE["random"].normal(KEY, 0, rows, single)
    NATIVE["random"].normal(KEY, 0, rows, double)
    error = np.abs(single - double) / np.spacing(np.abs(double).astype(np.float32))
    assert np.abs(double).min() < 1e-6
    assert error.max() <= 6


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
    )


def only_infinite(a):
    """Infinities and NaN as they are, all else as 0."""
    return np.where(np.isfinite(a), 0, a)


@every_case
def test_infinities_and_nan_propagate(case, real, level):
    """In the first column, which is part of a full vector register, and in the last."""
    for argument, value, place in product(case.floats(), (np.nan, np.inf, -np.inf), (0, -1)):
        arguments = case.make(SMALL, real)
        if case.inputs.get("activation") == "softplus" and argument == "y" and value < 0:
            continue  # no softplus is negative
        arguments[argument][(0,) * (arguments[argument].ndim - 1)][place] = value
        native, twin = run_native(case, arguments), run_twin(case, arguments, real)
        for name in native:
            np.testing.assert_array_equal(only_infinite(native[name]), only_infinite(twin[name]))
        if np.isnan(value) and not is_decided_by_comparison(case, argument):
            assert any(np.isnan(result).any() for result in native.values())


@pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])
def test_kl_is_never_negative(modules, real, level):
    logvar = np.concatenate([np.geomspace(1e-37, 1, 5000), -np.geomspace(1e-37, 1, 5000), [0.0]]).astype(real)
    for columns in (1, 17):
        rows = np.resize(logvar, (len(logvar), columns))
        out = np.empty(len(rows), real)
        modules["gaussian"].kl(np.zeros_like(rows), rows, out)
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
    NATIVE["adam"].adam(values, grads, m, v, 1.0, 0.9, 0.999, 1e-30, 10)
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


# --- Layouts of memory -----------------------------------------------------------------------------------------------


def unaligned(a):
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    view = buffer[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def spread(a, step, axis):
    """The same values in an array whose neighbours along an axis lie ``step`` apart."""
    size = list(a.shape)
    size[axis] *= abs(step)
    index = [slice(None)] * a.ndim
    index[axis] = slice(None, None, step)
    view = np.full(size, 99, a.dtype)[tuple(index)]
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "read-only": read_only,
    "every second row": lambda a: spread(a, 2, 0),
    "every third column": lambda a: spread(a, 3, -1),
    "rows upside down": lambda a: spread(a, -1, 0),
    "columns backwards": lambda a: spread(a, -2, -1),
    "column-major": np.asfortranarray,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": unaligned,
}


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
                if case.kernel == "gather" and wrong == "another float type":
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
    elif case.kernel == "adam" and name == "values":
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


@pytest.mark.parametrize("kernel", ["dense", "activate", "activate_backward"])
@pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])
def test_unknown_activation(kernel, modules):
    case = CASE[f"{kernel} None"]
    with pytest.raises(ValueError, match="activation must be one of .*, not 'swish'"):
        case.function(modules)(**case.make(SMALL, np.float32) | {"activation": "swish"})


@pytest.mark.parametrize("edges", [[], [0, 5], [0, 5, 5, 37], [0, 20, 5, 37], [1, 37], [0, 38], [[0, 37]]])
@pytest.mark.parametrize("kernel", ["categorical", "categorical_backward"])
def test_groups_that_do_not_cover_the_columns(kernel, edges):
    case = CASE[kernel]
    with pytest.raises(ValueError, match="edges must rise from 0 to the 37 columns"):
        case.function(NATIVE)(**case.make(SMALL, np.float32) | {"edges": edges})


@pytest.mark.parametrize(("name", "argument"), [("categorical", "edges"), ("clear", "extents")])
def test_places_are_whole_numbers(name, argument):
    arguments = CASE[name].make(SMALL, np.float32)
    with pytest.raises(TypeError, match=f"{argument} must be whole numbers, not an array of float64"):
        CASE[name].function(NATIVE)(**arguments | {argument: [[0.0, 37.0]]})


def test_rows_of_outputs_must_be_a_multiple_of_the_rows():
    case = CASE["bernoulli"]
    arguments = case.make(SMALL, np.float32)
    arguments |= {"logits": arguments["logits"][:-1], "log_px": arguments["log_px"][:-1]}
    with pytest.raises(ValueError, match="logits has 37 rows, which is no multiple of 19"):
        case.function(NATIVE)(**arguments)


def test_logvar_of_a_few_rows():
    case = CASE["gaussian one logvar"]
    arguments = case.make(SMALL, np.float32) | {"logvar": np.zeros((3, 37), np.float32)}
    with pytest.raises(ValueError, match="logvar must have 38 rows or one, not 3"):
        case.function(NATIVE)(**arguments)


@pytest.mark.parametrize("case", [case for case in CASES if case.kernel not in ("gather", "permutation")], ids=str)
def test_empty_arrays_may_have_any_strides(case, real):
    """In NumPy 2.4 they are 0, and were those of full arrays before."""
    arguments = case.make(Sizes(0, 1, 5, 3), real)
    for name, a in arguments.items():
        if isinstance(a, np.ndarray) and a.size == 0 and case.kernel != "philox4x32":
            arguments[name] = np.lib.stride_tricks.as_strided(a, strides=(0,) * a.ndim)
    case.function(NATIVE)(**arguments)


@pytest.mark.parametrize("key", [(), (1,), (1, 2, 3), 1, None])
@pytest.mark.parametrize("name", ["uniform", "philox4x32", "permutation", "gather uint8 draw"])
def test_keys_are_two_words(name, key):
    """The kernels are compiled without checks of bounds, and a word beyond the end of a tuple was read once."""
    with pytest.raises((TypeError, ValueError)):
        CASE[name].function(NATIVE)(**CASE[name].make(SMALL, np.float32) | {"key": key})


def test_unknown_levels_are_refused():
    with pytest.raises(ValueError, match="no kernels for instruction set 'v9'"):
        runtime.set_level("v9")


@pytest.mark.parametrize("n", [0, -1, True, 1.5, "2", None, 2**31, 2**64])
def test_numbers_of_threads_are_checked(n):
    with pytest.raises(ValueError, match="n must be a whole number of threads"):
        _kernels.set_num_threads(n)


def test_threads_are_put_back():
    before = _kernels.get_num_threads()
    with pytest.raises(KeyError), _kernels.threads(before + 1):
        raise KeyError
    assert _kernels.get_num_threads() == before


# --- Random words and the order of rows: exact -----------------------------------------------------------------------

both = pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
@both
def test_philox_known_answers(modules, counter, key, words):
    np.testing.assert_array_equal(modules["random"].philox4x32(counter, key), np.array(words, dtype=np.uint32))


@both
def test_uniforms_are_the_words_of_their_place(modules, real):
    """Counter = (block of four columns, sample, row, step); the middle of one of 2^23 cells."""
    rows, k, columns, step = [5, 2**32 - 1, 0], 2, 6, 77
    out = np.empty((6, columns), real)
    modules["random"].uniform(KEY, step, rows, out)
    for i, row in enumerate(rows):
        for sample in range(k):
            words = [modules["random"].philox4x32([block, sample, row, step], KEY) for block in (0, 1)]
            right = (np.concatenate(words)[:columns].astype(np.float64) // 512 + 0.5) / 2**23
            np.testing.assert_array_equal(out[i * k + sample], right)


@both
def test_philox_needs_four_words(modules):
    with pytest.raises(ValueError):
        modules["random"].philox4x32(np.zeros((2, 3), np.uint32), KEY)


@pytest.mark.parametrize("name", ["uniform", "normal"])
@pytest.mark.parametrize(("step", "rows"), [(-1, [0]), (2**32, [0]), (0, [-1]), (0, [0, 2**32])])
@both
def test_counters_that_overflow(modules, name, step, rows):
    with pytest.raises(OverflowError):
        getattr(modules["random"], name)(KEY, step, rows, np.empty((len(rows), 3), np.float32))


def permute(modules, n, start=0, stop=None, key=KEY, epoch=0):
    out = np.empty((n if stop is None else stop) - start, np.int64)
    modules["random"].permutation(key, epoch, n, start, out)
    return out


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 16, 17, 100, 1000, 65536, 65537])
@both
def test_permutation_has_every_number_once(modules, n):
    np.testing.assert_array_equal(np.sort(permute(modules, n)), np.arange(n))


@pytest.mark.parametrize("n", [5, 100, 1000, 65537])
@both
def test_a_window_of_a_permutation_is_part_of_the_whole(modules, n):
    whole = permute(modules, n)
    for start, stop in ((0, 1), (1, 3), (n // 3, n // 2), (n - 1, n), (n, n)):
        np.testing.assert_array_equal(permute(modules, n, start, stop), whole[start:stop])


@both
def test_permutations_of_other_keys_and_epochs_differ(modules):
    orders = [permute(modules, 100, key=key, epoch=epoch) for key in (KEY, (1, 2), (2, 1)) for epoch in (0, 1, 2**31)]
    orders.append(np.arange(100))
    assert len({tuple(order) for order in orders}) == len(orders)


def test_permutations_are_the_twins():
    for n, start, stop in (
        (1, 0, 1),
        (100, 0, 100),
        (65537, 500, 1500),
        (2**32, 2**32 - 50, 2**32),
        (2**31 + 1, 7, 70),
    ):
        native, twin = (permute(modules, n, start, stop, epoch=2**32 - 1) for modules in (NATIVE, TWINS))
        np.testing.assert_array_equal(native, twin)


@pytest.mark.parametrize("name", ["uniform", "normal"])
@both
def test_rows_are_whole_numbers(modules, name):
    with pytest.raises(TypeError, match="rows must be whole numbers, not an array of float64"):
        getattr(modules["random"], name)(KEY, 0, [1.5], np.empty((1, 3), np.float32))


def test_permutation_refuses_a_start_that_overflows():
    """start + 10 is 5, modulo 2^64: it once walked for ever."""
    with pytest.raises(ValueError, match="must lie within n = 100"):
        NATIVE["random"].permutation(KEY, 0, 100, 2**64 - 5, np.empty(10, np.int64))


@pytest.mark.parametrize(
    ("n", "start", "epoch", "error"),
    [(9, 0, 0, ValueError), (100, 91, 0, ValueError), (2**32 + 1, 0, 0, ValueError), (100, 0, 2**32, OverflowError)],
)
@both
def test_permutation_refuses_what_it_cannot_do(modules, n, start, epoch, error):
    with pytest.raises(error):
        modules["random"].permutation(KEY, epoch, n, start, np.empty(10, np.int64))


# --- Picking rows ----------------------------------------------------------------------------------------------------


def gather(source, rows, real, scale=1.0, binarize=None, threshold=0.5, modules=NATIVE):
    out = np.empty((len(rows), source.shape[1]), real)
    modules["gather"].gather(source, rows, scale, binarize, threshold, KEY, 7, out)
    return out


def bytes_source():
    return np.random.default_rng(1).integers(0, 256, (40, 37), dtype=np.uint8)


def memory_mapped(source, folder):
    path = folder / "rows.npy"
    np.save(path, source)
    return np.load(path, mmap_mode="r")


SOURCES = {
    "uint8": lambda folder: bytes_source(),
    "float32": lambda folder: bytes_source().astype(np.float32),
    "float64": lambda folder: bytes_source().astype(np.float64),
    "big-endian": lambda folder: bytes_source().astype(">f8"),
    "column-major": lambda folder: np.asfortranarray(bytes_source()),
    "memory-mapped": lambda folder: memory_mapped(bytes_source(), folder),
    "memory-mapped, column-major": lambda folder: memory_mapped(np.asfortranarray(bytes_source() * 1.0), folder),
    "every second row": lambda folder: spread(bytes_source(), 2, 0),
    "upside down": lambda folder: spread(bytes_source(), -1, 0),
}


@pytest.mark.parametrize("binarize", [None, "threshold", "draw"])
@pytest.mark.parametrize("kind", SOURCES)
@both
def test_gather_picks_the_same_rows_from_any_source(modules, kind, binarize, real, tmp_path):
    rows = np.array([3, 3, 39, 0, 17])
    x = bytes_source()[rows].astype(real) * real(1 / 255)
    if binarize == "threshold":
        x = x > real(0.4)
    elif binarize == "draw":
        u = np.empty(x.shape, real)
        TWINS["random"].uniform(KEY, 7, rows, u)
        x = u < x
    source = SOURCES[kind](tmp_path)
    np.testing.assert_array_equal(gather(source, rows, real, 1 / 255, binarize, 0.4, modules), x)


@pytest.mark.parametrize("binarize", [None, "draw"])
@both
def test_gather_does_not_depend_on_the_rows_beside(modules, binarize):
    source = bytes_source()
    together = gather(source, np.arange(40), np.float32, 1 / 255, binarize, modules=modules)
    for row in (0, 21, 39):
        alone = gather(source, [row], np.float32, 1 / 255, binarize, modules=modules)
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize(
    ("rows", "error"),
    [([0, 40], IndexError), ([2**31], IndexError), ([-1], OverflowError), ([2**32], OverflowError)],
)
@pytest.mark.parametrize("order", ["C", "F"])
@both
def test_gather_refuses_rows_that_are_not_there(modules, rows, error, order):
    with pytest.raises(error):
        gather(np.asarray(bytes_source(), order=order), rows, np.float32, modules=modules)


@pytest.mark.parametrize("source", [np.zeros((3, 4), np.int16), np.zeros(4), np.zeros((3, 4), complex)])
def test_gather_refuses_other_sources(source):
    with pytest.raises(TypeError, match="source must be a two-dimensional array of uint8, float32 or float64"):
        NATIVE["gather"].gather(source, [0], 1.0, None, 0.5, KEY, 0, np.empty((1, 4), np.float32))


@both
def test_gather_refuses_unknown_ways_to_binarize(modules):
    with pytest.raises(ValueError, match="binarize must be one of .*, not 'round'"):
        gather(bytes_source(), [0], np.float32, binarize="round", modules=modules)


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
            getattr(NATIVE["dense"], kernel)(**arguments, out=whole)
    halves = np.zeros((18, 9), real)
    NATIVE["dense"].dense(halves[:9], W, None, None, halves[9:])
