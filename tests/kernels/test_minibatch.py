"""Picking, scaling and binarising rows."""

import numpy as np
import pytest
from kernel_cases import KEY, NATIVE, TWINS, both
from layouts import spread

pytestmark = pytest.mark.usefixtures("one_thread")


def gather(source, rows, real, scale=1.0, binarize=None, threshold=0.5, modules=NATIVE):
    out = np.empty((len(rows), source.shape[1]), real)
    modules["minibatch"].gather(source, rows, scale, binarize, threshold, KEY, 7, out)
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
        NATIVE["minibatch"].gather(source, [0], 1.0, None, 0.5, KEY, 0, np.empty((1, 4), np.float32))


@both
def test_gather_refuses_unknown_ways_to_binarize(modules):
    with pytest.raises(ValueError, match="binarize must be one of .*, not 'round'"):
        gather(bytes_source(), [0], np.float32, binarize="round", modules=modules)
