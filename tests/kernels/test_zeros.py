"""Products that leave out zeros have the bits of those that multiply all, and which way is taken shows nowhere else.

Small products never look for zeros: so the same numbers, a row or a few columns at a time, are what is right.
"""

import numpy as np
import pytest
from kernel_cases import LEVELS, NATIVE, REALS, TWINS, cpu

from pyvae import _kernels
from pyvae._kernels import zeros

SHAPES = [(128, 200, 96), (140, 257, 33), (70, 130, 128), (20, 1570, 50), (420, 64, 40)]  # B, D, H
products = NATIVE["products"]


@pytest.fixture(params=LEVELS)
def level(request):
    before = cpu.get_level()
    cpu.set_level(request.param)
    yield request.param
    cpu.set_level(before)


@pytest.fixture(params=[1, 2])
def threads(request):
    with _kernels.threads(request.param):
        yield request.param


def with_zeros(rng, rows, columns, real, share):
    """Numbers of which all but a share are zeros of both signs, and some subnormal, which count as zeros."""
    x = rng.standard_normal((rows, columns)).astype(real)
    x[rng.random(x.shape) >= share] = 0
    x[rng.random(x.shape) < 0.1] *= -1
    x[rng.random(x.shape) < 0.01] = np.finfo(real).tiny / 8
    return x


class Ways:
    """``with Ways() as ways:`` ways.all, ways.some: how many products inside multiplied all, and left out zeros."""

    def __enter__(self):
        self.before = zeros.products_done()
        return self

    def __exit__(self, *exception):
        self.all, self.some = np.subtract(zeros.products_done(), self.before)


def forward(x, W, b=None, activation=None):
    out = np.empty((len(x), W.shape[1]), x.dtype)
    products.dense(x, W, b, activation, out)
    return out


def row_by_row(function, x, *arguments):
    return np.concatenate([function(x[i : i + 1], *arguments) for i in range(len(x))])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("share", [0, 0.05, 0.3])
def test_forward(shape, real, share, level, threads, rng):
    B, D, H = shape
    x, W, b = with_zeros(rng, B, D, real, share), rng.standard_normal((D, H)).astype(real), rng.random(H).astype(real)
    b[::3] = -0.0
    for arguments in ((W,), (W, b), (W, b, "relu"), (W, None, "tanh")):
        with Ways() as ways:
            y = forward(x, *arguments)
        assert (ways.all, ways.some) == (0, 1)
        with Ways() as ways:
            expected = row_by_row(forward, x, *arguments)
        assert ways.some == 0
        assert y.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("real", REALS)
def test_backward(shape, real, level, threads, rng):
    B, D, H = shape
    x, dy, W = (with_zeros(rng, *size, real, share) for size, share in (((B, D), 0.2), ((B, H), 0.1), ((D, H), 1)))

    def dx(dy):
        out = np.empty((len(dy), D), real)
        products.dense_dx(dy, W, out)
        return out

    with Ways() as ways:
        found = dx(dy)
    assert (ways.all, ways.some) == (0, 1)
    assert found.tobytes() == row_by_row(dx, dy).tobytes()
    x[:, ::5] = 0  # whose rows of dW get nothing
    for accumulate in (False, True):
        start, start_b = rng.standard_normal((D, H)).astype(real), rng.standard_normal(H).astype(real)
        start[0], start[5], start[10::20] = -0.0, -np.finfo(real).tiny / 8, np.finfo(real).tiny / 8
        out, db, expected, expected_b = start.copy(), start_b.copy(), start.copy(), start_b.copy()
        with Ways() as ways:
            products.dense_dW(x, dy, out, db, accumulate)
        assert (ways.all, ways.some) == (0, 1)
        with Ways() as ways:
            for j in range(0, H, 16):
                part = slice(j, j + 16)
                products.dense_dW(x, np.ascontiguousarray(dy[:, part]), expected[:, part], expected_b[part], accumulate)
        assert (ways.all, ways.some) == (0, 0)
        assert out.tobytes() == expected.tobytes() and db.tobytes() == expected_b.tobytes()


@pytest.mark.parametrize("real", REALS)
def test_every_single_entry_is_found(real, level, rng):
    B, D, H = 66, 130, 136
    W = rng.standard_normal((D, H)).astype(real)
    for k in range(D):
        x = np.zeros((B, D), real)
        i = (7 * k) % B
        x[i, k] = 2
        y, dW = forward(x, W), np.empty((D, H), real)
        dy = rng.standard_normal((B, H)).astype(real)
        products.dense_dW(x, dy, dW)
        assert np.array_equal(y[i], 2 * W[k]) and not np.delete(y, i, axis=0).any()
        assert np.array_equal(dW[k], 2 * dy[i]) and not np.delete(dW, k, axis=0).any()


@pytest.mark.parametrize("real", REALS)
def test_no_zero_is_negative(real, level, rng):
    """Sums that are flushed to -0 and go on with terms that are left out would stay so."""
    tiny = np.finfo(real).tiny
    x = np.zeros((64, 128), real)
    x[:, 5] = -tiny
    W = np.full((128, 136), tiny, real)
    for y in (forward(x, W), row_by_row(forward, x, W), forward(np.where(x, x, tiny).astype(real), W)):
        assert not np.signbit(y).any() and not y.any()


def test_nan_is_an_entry(level):
    x, W = np.zeros((64, 128), np.float32), np.ones((128, 136), np.float32)
    x[3, 70] = np.nan
    y = forward(x, W)
    assert np.isnan(y[3]).all() and not np.delete(y, 3, axis=0).any()


def test_full_matrices_are_multiplied_whole(rng):
    x, W = rng.standard_normal((64, 128)).astype(np.float32), np.ones((128, 136), np.float32)
    with Ways() as ways:
        forward(x, W)
    assert (ways.all, ways.some) == (1, 0)


def test_a_tape_looks_for_the_zeros_of_each_step(rng):
    """One mask for the products that share a matrix, made again whenever the tape is played."""
    B, D, H = 64, 128, 136
    x, W, dy = (rng.standard_normal(shape).astype(np.float32) for shape in ((B, D), (D, H), (B, H)))
    y, dW = np.empty((B, H), np.float32), np.empty((D, H), np.float32)
    tape = _kernels.Tape()
    with tape:
        products.dense(x, W, None, None, y)
        products.dense_dW(x, dy, dW)
    assert len(tape) == 4  # mask, product, transposed mask, product
    for share in (0.1, 1, 0.3):
        x[...] = with_zeros(rng, B, D, np.float32, share)
        with Ways() as ways:
            tape.play()
        assert (ways.all, ways.some) == ((2, 0) if share == 1 else (0, 2))
        np.testing.assert_allclose(y, x @ W, atol=1e-4)
        np.testing.assert_allclose(dW, x.T @ dy, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "view"),
    [(64, lambda x: x), (64, lambda x: x[::-1]), (1, lambda x: x[0][None])],
    ids=["as it is", "backwards", "one row without a stride"],
)
def test_a_matrix_that_a_kernel_writes_is_looked_at_again(rows, view, rng):
    D, H = 1200 // min(rows, 8), 1000
    x, W = view(with_zeros(rng, rows, D, np.float32, 0.1)), rng.standard_normal((D, H)).astype(np.float32)
    other, y = with_zeros(rng, rows, D, np.float32, 0.1), np.empty((2, rows, H), np.float32)
    first = x.copy()
    tape = _kernels.Tape()
    with tape:
        products.dense(x, W, None, None, y[0])
        NATIVE["elementwise"].copy(other, x)
        products.dense(x, W, None, None, y[1])
    assert len(tape) == 5  # mask, product, copy, mask, product
    for _ in range(2):
        np.testing.assert_allclose(y[0], first @ W, atol=1e-4)
        np.testing.assert_allclose(y[1], other @ W, atol=1e-4)
        x[...], y[...] = first, 0
        tape.play()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_product_with_zeros_is_right_where_W_is_not_finite_in_rows_that_meet_entries(bad, rng):
    """Only finite numbers are promised: 0 times infinity is left out, and what meets an entry is not."""
    x, W = with_zeros(rng, 64, 128, np.float32, 0.1), rng.standard_normal((128, 136)).astype(np.float32)
    W[7] = bad
    y, hit = forward(x, W), x[:, 7] != 0
    assert not np.isfinite(y[hit & (abs(x[:, 7]) > 1e-30)]).any()


def test_twins_agree(rng):
    x, W = with_zeros(rng, 64, 128, np.float64, 0.1), rng.standard_normal((128, 136))
    expected = np.empty((64, 136))
    TWINS["products"].dense(x, W, None, "relu", expected)
    np.testing.assert_allclose(forward(x, W, None, "relu"), expected, rtol=0, atol=1e-12)


def test_a_matrix_that_no_kernel_writes_is_seen_at_the_recording(rng):
    """It breaks the tape's rules, so that the tape plays it wrongly; the calls that are recorded are right."""
    x, other = (with_zeros(rng, 64, 128, np.float32, 0.1) for _ in range(2))
    W = rng.standard_normal((128, 136)).astype(np.float32)
    expected, tape = forward(other, W), _kernels.Tape()
    with tape:
        forward(x, W)
        x[...] = other
        found = forward(x, W)
    assert found.tobytes() == expected.tobytes()


def test_masks_of_one_place_and_two_types_are_told_apart(rng):
    wide = with_zeros(rng, 64, 128, np.float64, 0.1)
    narrow = wide.view(np.float32)[:, :128]
    W = rng.standard_normal((128, 136))
    expected, tape = forward(narrow, W.astype(np.float32)), _kernels.Tape()
    with tape:
        forward(wide, W)
        found = forward(narrow, W.astype(np.float32))
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_more_threads_than_rows_of_the_gradient(rows, rng):
    x, dy = with_zeros(rng, 20_000, rows, np.float32, 0.05), rng.standard_normal((20_000, 136)).astype(np.float32)
    found = np.empty((rows, 136), np.float32)
    with _kernels.threads(5), Ways() as ways:
        products.dense_dW(x, dy, found)
    assert (ways.all, ways.some) == (0, 1)
    with _kernels.threads(1):
        expected = np.empty_like(found)
        products.dense_dW(x, dy, expected)
    assert found.tobytes() == expected.tobytes()
