"""Data: what a minibatch is, where its rows come from, and the checks of what users hand in."""

from copy import copy
from dataclasses import dataclass

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.noise import Noise

CHUNK_ROWS = 1024  # rows looked at together when all of a source are checked


@dataclass
class Batch:
    """Rows for one forward pass."""

    x: np.ndarray  # (B, D) float32 or float64
    y: np.ndarray | None = None  # (B,) labels
    observed: np.ndarray | None = None  # (B, D) which entries are known; None: all
    weight: np.ndarray | None = None  # (B,) weights of the rows; None: all 1
    rows: np.ndarray | None = None  # (B,) the rows' global numbers, for the noise; None: 0 .. B - 1

    def __post_init__(self):
        if self.rows is None:
            self.rows = np.arange(len(self.x))


class DataSource:
    """Where minibatches come from: ``len(source)`` rows of ``n_features`` numbers, picked by ``gather``."""

    n_features = None
    name = "X"  # what messages call it

    def __len__(self):
        raise NotImplementedError

    def gather(self, rows, noise=None, out=None):
        """Batch of the rows with these numbers, in this order. out (B, D): where to put x, float32 or float64 (None:
        a new float32 array). noise: what freshly binarised rows are drawn from."""
        raise NotImplementedError

    def place(self, i, j):
        """What messages call the value in column j of the row whose global number is i."""
        return f"{self.name}[{i}, {j}]"


class ArraySource(DataSource):
    """Rows of an array, scaled and binarised as they are picked; a memory-mapped array stays on disk.

    X: (N, D) of uint8, float32 or float64 (other real numbers are converted at once). scale: a factor, such as 1/255.
    binarize: None, "threshold" (1 where the scaled value is above ``threshold``) or "draw" (1 with the scaled value as
    probability, afresh at every step). Raises TypeError or ValueError where X cannot be used, naming the place.
    """

    def __init__(self, X, scale=1.0, binarize=None, threshold=0.5, name="X"):
        if binarize not in (None, "threshold", "draw"):
            raise ValueError(f"binarize must be None, 'threshold' or 'draw', not {binarize!r}")
        self.X = check_array(X, name)
        self.scale, self.threshold = check_number("scale", scale, 0), check_number("threshold", threshold, -np.inf)
        self.binarize, self.name = binarize, name
        self.n_features = self.X.shape[1]

    def __len__(self):
        return len(self.X)

    def gather(self, rows, noise=None, out=None):
        rows = np.asarray(rows, dtype=np.int64)
        out = np.empty((len(rows), self.n_features), np.float32) if out is None else out
        noise = noise or Noise(0)
        _kernels.gather(self.X, rows, self.scale, self.binarize, self.threshold, noise.key("binarize"), noise.step, out)
        return Batch(out, rows=rows)


class Rows(DataSource):
    """Some rows of another source, such as the training share; each keeps its global number."""

    def __init__(self, source, numbers):
        self.source, self.numbers = source, np.asarray(numbers, dtype=np.int64)
        self.n_features, self.name = source.n_features, source.name

    def __len__(self):
        return len(self.numbers)

    def gather(self, rows, noise=None, out=None):
        return self.source.gather(self.numbers[rows], noise, out)

    def place(self, i, j):
        return self.source.place(i, j)


def check_array(X, name="X"):
    """X as a two-dimensional array of uint8, float32 or float64, copied only where its type is another.

    Raises TypeError where it holds no real numbers or masks some, and ValueError where it is not two-dimensional or
    is empty.
    """
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: fill or drop what is masked")
    X = X if isinstance(X, np.ndarray) else np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, not {X.dtype}")
    if X.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, (rows, features), not of shape {X.shape}")
    if X.shape[0] == 0 or X.shape[1] == 0:
        raise ValueError(f"{name} must have at least one row and one column, not the shape {X.shape}")
    return X if X.dtype in (np.uint8, np.float32, np.float64) else X.astype(np.float32)


def as_source(X, n_features=None, name="X"):
    """X as a DataSource; ValueError where it has not n_features columns."""
    source = X if isinstance(X, DataSource) else ArraySource(X, name=name)
    if n_features is not None and source.n_features != n_features:
        raise ValueError(f"{source.name} must have {n_features} columns, as the model has, not {source.n_features}")
    return source


def check_support(source, likelihood):
    """Raise ValueError, naming the place, where a value of the source lies outside the likelihood's support.

    Where values are binarised, they have to be from 0 to 1 before if they are drawn from, or cut at a threshold between
    0 and 1 (the scale is wrong otherwise, and the cut would hide it), and finite in any case.
    """
    array = source.source if isinstance(source, Rows) else source
    binarize = getattr(array, "binarize", None)

    def takes(j):
        part = likelihood.of_column(j)
        return f"the {type(part).__name__} likelihood takes {part.support}"

    if binarize is not None:
        gray = copy(array)
        gray.binarize = None
        gray = Rows(gray, source.numbers) if isinstance(source, Rows) else gray
        if binarize == "draw":
            _check_values(gray, _not_a_share, lambda j: "a draw takes probabilities, from 0 to 1")
        elif 0 < array.threshold < 1:
            _check_values(gray, _not_a_share, lambda j: f"a threshold of {array.threshold:g} takes numbers from 0 to 1")
        else:
            _check_values(gray, lambda x: ~np.isfinite(x), lambda j: "a threshold takes finite numbers")
    _check_values(source, likelihood.outside, takes)


def _not_a_share(x):
    return ~((x >= 0) & (x <= 1))


def check_finite(source):
    """Raise ValueError, naming the place, where a value of the source is infinite or not a number."""
    _check_values(source, lambda x: ~np.isfinite(x), lambda j: "it must be finite")


def _check_values(source, outside, expected):
    for start in range(0, len(source), CHUNK_ROWS):
        batch = source.gather(np.arange(start, min(start + CHUNK_ROWS, len(source))))
        wrong = outside(batch.x)
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise ValueError(f"{source.place(batch.rows[i], j)} is {batch.x[i, j]:g}, but {expected(j)}")
