"""Random words, the numbers made of them, and the order of rows."""

import numpy as np
import pytest
from kernel_cases import CASE, KEY, NATIVE, SMALL, TWINS, both

pytestmark = pytest.mark.usefixtures("one_thread")


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


@pytest.mark.parametrize("first_sample", [-1, 2**32 - 1, 2**32])
@both
def test_sample_numbers_that_overflow(modules, first_sample):
    with pytest.raises(OverflowError):
        modules["random"].uniform(KEY, 0, [0], np.empty((2, 3), np.float32), first_sample)


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


def test_normals_near_zero_keep_their_relative_precision(level):
    """A radius near zero comes from a uniform number that float32 cannot tell from 1."""
    rows, single, double = np.arange(100_000), np.empty((100_000, 16), np.float32), np.empty((100_000, 16))
    NATIVE["random"].normal(KEY, 0, rows, single)
    NATIVE["random"].normal(KEY, 0, rows, double)
    error = np.abs(single - double) / np.spacing(np.abs(double).astype(np.float32))
    assert np.abs(double).min() < 1e-6
    assert error.max() <= 6


# --- The order of rows -----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("n", "start", "epoch", "error"),
    [(9, 0, 0, ValueError), (100, 91, 0, ValueError), (2**32 + 1, 0, 0, ValueError), (100, 0, 2**32, OverflowError)],
)
@both
def test_permutation_refuses_what_it_cannot_do(modules, n, start, epoch, error):
    with pytest.raises(error):
        modules["random"].permutation(KEY, epoch, n, start, np.empty(10, np.int64))


@pytest.mark.parametrize("key", [(), (1,), (1, 2, 3), 1, None])
@pytest.mark.parametrize("name", ["uniform", "philox4x32", "permutation", "gather uint8 draw"])
def test_keys_are_two_words(name, key):
    """The kernels are compiled without checks of bounds, and a word beyond the end of a tuple was read once."""
    with pytest.raises((TypeError, ValueError)):
        CASE[name].function(NATIVE)(**CASE[name].make(SMALL, np.float32) | {"key": key})


@pytest.mark.parametrize("name", ["uniform", "normal"])
@both
def test_rows_are_whole_numbers(modules, name):
    with pytest.raises(TypeError, match="rows must be whole numbers, not an array of float64"):
        getattr(modules["random"], name)(KEY, 0, [1.5], np.empty((1, 3), np.float32))


def test_permutation_refuses_a_start_that_overflows():
    """start + 10 is 5, modulo 2^64: it once walked for ever."""
    with pytest.raises(ValueError, match="must lie within n = 100"):
        NATIVE["random"].permutation(KEY, 0, 100, 2**64 - 5, np.empty(10, np.int64))
