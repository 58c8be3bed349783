"""Precision "medium": products of numbers rounded to bf16, where the processor has them."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.noise import Noise
from pyvae.training.step import Step

BOUND = 2.0**-7  # of |x| @ |W|
UNITS = []  # what multiplies bf16 numbers here
if _kernels.KERNELS == "native":
    from pyvae._kernels import cpu

    best = cpu.get_bf16()
    UNITS = [unit for unit in cpu.BF16_UNITS if unit and cpu.BF16_UNITS.index(unit) <= cpu.BF16_UNITS.index(best)]

SHAPES = [  # rows, depth, columns: full patches, their edges, odd depths and boundaries between blocks of them
    (128, 784, 400), (1, 1, 1), (13, 17, 19), (33, 513, 31), (15, 1, 33), (29, 1027, 48), (65, 64, 16), (300, 40, 100),
]  # fmt: skip


@pytest.fixture(params=UNITS or [None])
def unit(request):
    if request.param is None:
        pytest.skip(reason="this processor multiplies no bf16 numbers, or the NumPy twins run")
    cpu.set_bf16(request.param)
    yield request.param
    cpu.set_bf16(best)


def operands(rows, depth, columns):
    rng = np.random.default_rng(rows + depth + columns)
    return [
        rng.standard_normal(shape).astype(np.float32) for shape in ((rows, depth), (depth, columns), (rows, columns))
    ]


def products(x, W, dy):
    """Each product and the size of what it adds up."""
    out = np.empty_like(dy)
    _kernels.dense(x, W, None, None, out)
    yield out, x, W
    out = np.empty_like(x)
    _kernels.dense_dx(dy, W, out)
    yield out, dy, W.T
    out = np.empty_like(W)
    _kernels.dense_dW(x, dy, out)
    yield out, x.T, dy
    start = np.ones_like(W)
    _kernels.dense_dW(x, dy, start, accumulate=True)
    yield start - 1, x.T, dy


@pytest.mark.parametrize("shape", SHAPES)
def test_the_error_is_within_the_bound_and_there_is_one(shape, unit):
    with pyvae.set_matmul_precision("medium"):
        for out, a, b in products(*operands(*shape)):
            error = np.abs(out - a.astype(np.float64) @ b)
            size = np.abs(a.astype(np.float64)) @ np.abs(b)
            assert (error <= BOUND * size + 1e-6).all()
            if out.size > 100:
                assert error.max() > 2.0**-20 * size.max()  # float32 would be nearer: this is what ran


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_bits_on_any_number_of_threads_and_beside_any_rows(shape, unit):
    x, W, dy = operands(*shape)
    with pyvae.set_matmul_precision("medium"):
        with pyvae.threads(1):
            one = [out for out, *_ in products(x, W, dy)]
            part = np.empty((len(x[::2]), W.shape[1]), np.float32)
            _kernels.dense(np.ascontiguousarray(x[::2]), W, None, None, part)
        for threads in (2, 3, 7):
            with pyvae.threads(threads):
                assert all(np.array_equal(a[0], b) for a, b in zip(products(x, W, dy), one, strict=True))
    assert np.array_equal(part, one[0][::2])


def test_float64_is_left_alone(unit):
    x, W, _ = (a.astype(np.float64) for a in operands(20, 30, 40))
    out, again = np.empty((20, 40)), np.empty((20, 40))
    _kernels.dense(x, W, None, None, out)
    with pyvae.set_matmul_precision("medium"):
        _kernels.dense(x, W, None, None, again)
    assert np.array_equal(out, again)


def test_gradients_are_near_those_of_float32(unit):
    X = np.random.default_rng(0).random((100, 50)).astype(np.float32)
    eps = Noise(0).normal("z", (100, 5), np.arange(100))
    model = pyvae.VAE.mlp(50, 5, (64,), "tanh")
    model.loss_and_gradients(X, eps)
    exact = model.parameters.grads.copy()
    with pyvae.set_matmul_precision("medium"):
        model.loss_and_gradients(X, eps)
    assert 0 < np.abs(model.parameters.grads - exact).max() < 0.02 * np.abs(exact).max()


def test_a_training_changes_over_when_the_precision_does(unit):
    X = np.random.default_rng(0).random((64, 50)).astype(np.float32)
    step = Step(pyvae.VAE.mlp(50, 5, (64,)), pyvae.ELBO())
    source, rows = pyvae.ArraySource(X), np.arange(64)
    grads = []
    for precision in ("highest", "medium", "highest"):
        with pyvae.set_matmul_precision(precision):
            step(source, rows, Noise(0))
        grads.append(step.model.parameters.grads.copy())
    assert np.array_equal(grads[0], grads[2])
    assert not np.array_equal(grads[0], grads[1])


def test_the_word_is_checked_and_put_back():
    with pytest.raises(ValueError, match="precision must be one of highest, high, medium, not 'low'"):
        pyvae.set_matmul_precision("low")
    assert pyvae.get_matmul_precision() == "highest"
    with pyvae.set_matmul_precision("medium"):
        with pyvae.set_matmul_precision("high"):
            assert pyvae.get_matmul_precision() == "high"
        assert pyvae.get_matmul_precision() == "medium"
    assert pyvae.get_matmul_precision() == "highest"


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_without_hardware_all_words_mean_float32(precision):
    x, W, _ = operands(20, 30, 40)
    out, again = np.empty((20, 40), np.float32), np.empty((20, 40), np.float32)
    _kernels.dense(x, W, None, None, out)
    if UNITS:
        cpu.set_bf16(None)
    try:
        with pyvae.set_matmul_precision(precision):
            _kernels.dense(x, W, None, None, again)
    finally:
        if UNITS:
            cpu.set_bf16(best)
    assert np.array_equal(out, again)


@pytest.fixture(scope="module")
def amx(tmp_path_factory):
    """The product of numbers on AMX, its instructions emulated."""
    here = Path(__file__).parent
    simd = here.parents[1] / "pyvae" / "_kernels" / "simd"
    if not simd.is_dir():
        pytest.skip(reason="the C sources do not stand beside the tests: it was installed from a wheel")
    if not UNITS:
        pytest.skip(reason="packing needs a processor with AVX-512 and bf16, even if AMX is emulated")
    library = tmp_path_factory.mktemp("amx") / "amx.so"
    flags = "-O1 -std=gnu11 -ffp-contract=off -shared -fPIC -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl"
    command = [
        "cc",
        *flags.split(),
        "-mavx512bf16",
        f"-I{simd}",
        str(here / "amx_emulated.c"),
        "-o",
        str(library),
        "-lm",
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(reason="the emulation must be compiled, and there is no cc")
    product = ctypes.CDLL(str(library)).product
    n, array = ctypes.c_ssize_t, np.ctypeslib.ndpointer(np.float32)
    product.argtypes = (array, n, n, array, n, n, array, n, n, n, ctypes.c_int, ctypes.c_int, n)
    product.restype = None
    return product


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_code_for_amx_on_emulated_tiles(shape, threads, amx):
    rows, depth, columns = shape
    x, W, dy = operands(*shape)
    y, dx, dW = np.empty_like(dy), np.empty_like(x), np.ones_like(W)
    amx(x, depth, 1, W, columns, 1, y, rows, columns, depth, 0, 0, threads)
    amx(dy, columns, 1, W, 1, columns, dx, rows, depth, columns, 0, 0, threads)
    amx(x, 1, depth, dy, columns, 1, dW, depth, columns, rows, 1, 1, threads)
    for out, a, b in ((y, x, W), (dx, dy, W.T), (dW - 1, x.T, dy)):
        size = np.abs(a.astype(np.float64)) @ np.abs(b)
        assert (np.abs(out - a.astype(np.float64) @ b) <= BOUND * size + 1e-6).all()
