"""Products with sparse rows: those of the same rows as an array, to the bit, and never outside of their arrays."""

import numpy as np
import pytest
from kernel_cases import NATIVE, TWINS, Guarded, runtime

from pyvae._kernels.sparse_rows import SparseRows

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPES = [(1, 1, 1), (5, 7, 3), (19, 300, 37), (64, 33, 16), (3, 8, 0), (0, 5, 4), (33, 513, 67)]


def sparse_and_dense(rng, rows, columns, real, share=0.2):
    """The same rows twice; the last is empty, and some entries are stored zeros."""
    kept = rng.random((rows, columns)) < share
    kept[-1:] = False
    x = (rng.standard_normal((rows, columns)) * kept).astype(real)
    x[rng.random(x.shape) < 0.1] = 0
    i, j = np.nonzero(kept)
    return SparseRows(x[i, j], j.astype(np.int32), np.searchsorted(i, np.arange(rows + 1)), columns), x


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_has_the_bits_of_the_dense_product(shape, real, level, rng):
    B, D, H = shape
    rows, x = sparse_and_dense(rng, B, D, real)
    W, b = rng.standard_normal((D, H)).astype(real), rng.standard_normal(H).astype(real)
    for threads in (1, 3):
        runtime.set_num_threads(threads)
        for bias, activation in ((b, None), (None, None), (b, "tanh")):
            expected = np.empty((B, H), real)
            NATIVE["products"].dense(x, W, bias, activation, expected)
            out = Guarded(np.full((B, H), np.nan, real), "rows apart")
            NATIVE["products"].dense(rows, W, bias, activation, out.array)
            out.check()
            np.testing.assert_array_equal(out.array, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("accumulate", [False, True])
def test_backward_has_the_bits_of_the_dense_product(shape, accumulate, real, level, rng):
    B, D, H = shape
    rows, x = sparse_and_dense(rng, B, D, real)
    dy, first, first_b = (rng.standard_normal(size).astype(real) for size in ((B, H), (D, H), (H,)))
    expected, expected_b = first.copy(), first_b.copy()
    NATIVE["products"].dense_dW(x, dy, expected, expected_b, accumulate)
    for threads in (1, 3):
        runtime.set_num_threads(threads)
        out, db = Guarded(first, "upside down"), Guarded(first_b, "contiguous")
        NATIVE["products"].dense_dW(rows, dy, out.array, db.array, accumulate)
        out.check()
        db.check()
        np.testing.assert_array_equal(out.array, expected)
        np.testing.assert_array_equal(db.array, expected_b)


@pytest.mark.parametrize("shape", SHAPES)
def test_twin_says_the_same(shape, real, rng):
    B, D, H = shape
    rows, x = sparse_and_dense(rng, B, D, real)
    W, b, dy = (rng.standard_normal(size).astype(real) for size in ((D, H), (H,), (B, H)))
    tolerance = 4 * max(B, D) * np.finfo(real).eps
    for activation in (None, "relu"):
        results = np.full((2, B, H), np.nan, real)
        for modules, out in zip((NATIVE, TWINS), results, strict=True):
            modules["products"].dense(rows, W, b, activation, out)
        np.testing.assert_allclose(*results, rtol=0, atol=tolerance * (np.abs(x) @ np.abs(W)).max(initial=1))
    for accumulate in (False, True):
        results, sums = np.ones((2, D, H), real), np.ones((2, H), real)
        for modules, out, db in zip((NATIVE, TWINS), results, sums, strict=True):
            modules["products"].dense_dW(rows, dy, out, db, accumulate)
        np.testing.assert_allclose(*results, rtol=0, atol=tolerance * (np.abs(x.T) @ np.abs(dy)).max(initial=1))
        np.testing.assert_allclose(*sums, rtol=0, atol=tolerance * np.abs(dy).sum(axis=0).max(initial=1))


def wrong(**changes):
    parts = {"values": np.ones(2), "columns": np.array([0, 2], np.int32), "starts": np.array([0, 1, 2]), "n_columns": 3}
    return SparseRows(**{**parts, **changes})


WRONG = [
    (wrong(columns=np.array([0, 3], np.int32)), r"columns must lie in 0 .. 2; columns\[1\] is 3"),
    (wrong(columns=np.array([-1, 0], np.int32)), r"columns must lie in 0 .. 2; columns\[0\] is -1"),
    (wrong(columns=np.array([0], np.int32)), "columns must be one number for each of the 2 values"),
    (wrong(starts=np.array([0, 1, 3])), "starts must rise from 0 to the 2 entries"),
    (wrong(starts=np.array([0, 3, 2])), "starts must rise from 0 to the 2 entries"),
    (wrong(starts=np.array([0, -1, 2])), "starts must rise from 0 to the 2 entries"),
    (wrong(starts=np.array([1, 1, 2])), "starts must rise from 0 to the 2 entries"),
]


@pytest.mark.parametrize(("rows", "message"), WRONG)
def test_entries_outside_of_the_rows_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        NATIVE["products"].dense(rows, np.ones((3, 4)), None, None, np.empty((2, 4)))
    with pytest.raises(ValueError, match=message):
        NATIVE["products"].dense_dW(rows, np.ones((2, 4)), np.empty((3, 4)))


def test_starts_must_be_whole_and_one_more_than_the_rows():
    rows = wrong(starts=np.array([0.0, 1.5, 2.0]))
    with pytest.raises(TypeError, match="starts must be whole numbers"):
        NATIVE["products"].dense(rows, np.ones((3, 4)), None, None, np.empty((2, 4)))
    rows = wrong()
    rows.shape = (5, 3)
    with pytest.raises(ValueError, match="starts must have 6 elements"):
        NATIVE["products"].dense(rows, np.ones((3, 4)), None, None, np.empty((5, 4)))


def test_rows_in_other_forms(rng):
    rows, x = sparse_and_dense(rng, 9, 20, np.float64)
    np.testing.assert_array_equal(rows.to_dense(), x)
    np.testing.assert_array_equal(rows.to_scipy().toarray(), x)
    out = np.full((9, 20), np.nan)
    assert rows.to_dense(out) is out
    np.testing.assert_array_equal(rows.with_values(2 * rows.values).to_dense(), 2 * x)
    for n in range(1, x.shape[1] + 1):
        first = rows.first_columns(n)
        assert first.shape == (len(x), n)
        np.testing.assert_array_equal(first.to_dense(), x[:, :n])
    assert len(rows) == 9
