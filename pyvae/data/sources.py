"""Data: what a minibatch is, where its rows come from, and the check that a model can take their values."""

from copy import copy
from dataclasses import dataclass

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.data.validation import UNKNOWN, check_array, check_row_numbers, check_sparse, column_labels, place
from pyvae.noise import Noise
from pyvae.workspace import FRESH

CHUNK_ROWS, CHUNK_NUMBERS = 1024, 2**20  # the most in one chunk


def chunks_of(n_rows, numbers_per_row=1):
    """Yield an array of row numbers for each chunk. numbers_per_row: how many numbers are made from a row."""
    step = max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // numbers_per_row))
    for start in range(0, n_rows, step):
        yield np.arange(start, min(start + step, n_rows))


@dataclass
class Batch:
    """Rows for one forward pass. Entries of x that are not observed become 0 in x and in observed, whatever was given
    there."""

    x: np.ndarray  # (B, D) float32 or float64
    observed: np.ndarray | None = None  # (B, D) 1 where an entry is known, 0 where it is not; None: all are
    weight: np.ndarray | None = None  # (B,) weights of the rows; None: all 1
    rows: np.ndarray | None = None  # (B,) row numbers, for the noise; None: 0 .. B - 1

    def __post_init__(self):
        is_table = isinstance(self.x, np.ndarray) and self.x.ndim == 2
        if not is_table or self.x.dtype not in (np.float32, np.float64):
            raise TypeError("x of a Batch must be a two-dimensional array of float32 or float64")
        for name, shape in (("observed", self.x.shape), ("weight", self.x.shape[:1])):
            values = getattr(self, name)
            if values is not None and np.shape(values) != shape:
                raise ValueError(f"{name} of a Batch must have the shape {shape}, not {np.shape(values)}")
        if self.observed is not None:
            known = np.asarray(self.observed) != 0
            self.x, self.observed = np.where(known, self.x, self.x.dtype.type(0)), known.astype(self.x.dtype)
        if self.weight is not None:
            self.weight = check_weight(self.weight)
        self.rows = np.arange(len(self.x)) if self.rows is None else check_row_numbers(self.rows)
        if len(self.rows) != len(self.x):
            raise ValueError(f"rows of a Batch must be one number for each of its {len(self.x)}, not {len(self.rows)}")


class DataSource:
    """The source of minibatches: ``len(source)`` rows of ``n_features`` numbers, which ``gather`` picks."""

    n_features = None
    name = "X"  # its name in messages
    weight = None  # (N,) weights of the rows; None: all 1
    missing = False  # True if entries may be unobserved
    binarize, threshold = None, 0.5  # how gather makes values 0 and 1 (see ArraySource); None: it does not
    strata = None  # (N,) numbers 0, 1, ...: of each, the same share of rows is held out (training/held_out.py)
    standardization = None  # by which its columns are standardised (standardization.py); None: they are as given

    def __len__(self):
        raise NotImplementedError

    def gather(self, rows, noise=None, out=None):
        """The Batch of the rows with these numbers, in this order. out (B, D): memory for x, float32 or float64 (None:
        a new float32 array). noise: the random numbers that binarise rows afresh."""
        raise NotImplementedError

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        """The Batch of these rows to train a model of this dtype on."""
        return self.gather(rows, noise, memory.take((len(rows), self.n_features), dtype))

    def place(self, i, j):
        """Return the name that messages give the value in column j of row number i."""
        return place(self.name, i, j)

    def gray(self):
        """The same rows before they are binarised."""
        gray = copy(self)
        gray.binarize = None
        return gray


class ArraySource(DataSource):
    """Rows of an array, scaled and binarised as they are picked; a memory-mapped array stays on disk.

    X: (N, D) of uint8, float32 or float64, in any memory and byte order; anything that can become such an array
    (validation.py) is converted at once. X is never changed. float64 is rounded to the model's type; integers beyond
    2^24, which float32 would round, are refused. scale: a factor, such as 1/255. binarize: None, "threshold" (1 where
    the scaled value is above ``threshold``) or "draw" (1 with the scaled value as probability, afresh at every step).
    weight (N,): of each row in the loss. missing: True takes NaN as an unobserved entry, not as an error. Raises
    TypeError or ValueError where X cannot be used, naming the place.
    """

    def __init__(self, X, scale=1.0, binarize=None, threshold=0.5, name="X", weight=None, missing=False):
        if binarize not in (None, "threshold", "draw"):
            raise ValueError(f"binarize must be None, 'threshold' or 'draw', not {binarize!r}")
        if binarize is not None and missing:
            raise ValueError("what is missing cannot be binarised: give binarize or missing, not both")
        self.X, self.labels = check_array(X, name, missing), column_labels(X)
        self.weight, self.missing = _weight_of_rows(weight, self.X), missing
        self.scale, self.threshold = check_number("scale", scale, 0), check_number("threshold", threshold, -np.inf)
        self.binarize, self.name = binarize, name
        self.n_features = self.X.shape[1]

    def __len__(self):
        return len(self.X)

    def place(self, i, j):
        return place(self.name, i, j, self.labels)

    def gather(self, rows, noise=None, out=None):
        """The Batch of the rows with these numbers; see DataSource. Raises TypeError unless they are whole numbers."""
        rows = check_row_numbers(rows)
        out = np.empty((len(rows), self.n_features), np.float32) if out is None else out
        noise = noise or Noise(0)
        _kernels.gather(self.X, rows, self.scale, self.binarize, self.threshold, noise.key("binarize"), noise.step, out)
        observed = ~np.isnan(out) if self.missing else None
        return Batch(out, observed=observed, weight=_of(rows, self.weight), rows=rows)


class SparseSource(DataSource):
    """Rows of a SciPy sparse matrix or array, such as counts of words, which becomes dense a minibatch at a time; the
    products of dense layers leave the zeros out (simd/zeros.c).

    X: (N, D) of real numbers in any format. CSR with its columns in order is used in place; else X is converted once.
    weight (N,): of each row in the loss. Raises TypeError or ValueError where X cannot be used, naming the place.
    """

    def __init__(self, X, name="X", weight=None):
        self.X, self.name = check_sparse(X, name), name
        self.n_features = self.X.shape[1]
        self.weight = _weight_of_rows(weight, self.X)

    def __len__(self):
        return self.X.shape[0]

    def gather(self, rows, noise=None, out=None):
        """The Batch of the rows with these numbers; see DataSource. Raises TypeError unless they are whole numbers."""
        rows = check_row_numbers(rows)
        out = np.empty((len(rows), self.n_features), np.float32) if out is None else out
        begin, counts = self.X.indptr[rows], self.X.indptr[rows + 1] - self.X.indptr[rows]
        i = np.repeat(np.arange(len(rows)), counts)  # the row of each entry, and its place in the arrays of X
        entry = np.arange(len(i)) + np.repeat(begin - (np.cumsum(counts) - counts), counts)
        out[...] = 0
        out[i, self.X.indices[entry]] = self.X.data[entry]
        return Batch(out, weight=_of(rows, self.weight), rows=rows)


class WrappedSource(DataSource):
    """The rows of another source, with something changed: which rows they are (``numbers_of``) or what is in a batch
    (``change``). Everything else is the other source's."""

    def __init__(self, source):
        self.source, self.n_features, self.name, self.weight = source, source.n_features, source.name, source.weight
        self.binarize, self.threshold, self.missing = source.binarize, source.threshold, source.missing
        self.standardization, self.strata = source.standardization, source.strata

    def __len__(self):
        return len(self.source)

    def numbers_of(self, rows):
        """The row numbers of these rows in the other source."""
        return rows

    def change(self, batch, noise):
        """The batch as this source hands it on."""
        return batch

    def gather(self, rows, noise=None, out=None):
        return self.change(self.source.gather(self.numbers_of(rows), noise, out), noise or Noise(0))

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        return self.change(self.source.minibatch(self.numbers_of(rows), noise, dtype, memory), noise)

    def place(self, i, j):
        return self.source.place(i, j)

    def gray(self):
        gray = copy(self)
        gray.source, gray.binarize = self.source.gray(), None
        return gray


class Rows(WrappedSource):
    """Some rows of another source, such as the training share; each keeps its row number."""

    def __init__(self, source, numbers):
        super().__init__(source)
        self.numbers = np.asarray(numbers, dtype=np.int64)
        self.weight, self.strata = _of(self.numbers, source.weight), _of(self.numbers, source.strata)

    def __len__(self):
        return len(self.numbers)

    def numbers_of(self, rows):
        return self.numbers[rows]


class Dequantized(WrappedSource):
    """The rows of another source, with a uniform number from -steps_j/2 to steps_j/2 added to column j, drawn afresh at
    every step of training.

    A density of rounded numbers has no bound: a model gains without end by concentrating on them. With their place in
    the grid step drawn, the mean log density is a lower bound on log P(grid step) - log steps_j (Uria et al. 2013;
    Theis et al. 2016, section 3.1). steps: (n_features,), the grid steps; 0 leaves a column as it is.
    """

    def __init__(self, source, steps):
        super().__init__(source)
        self.steps = np.broadcast_to(steps, (self.n_features,))

    minibatch = DataSource.minibatch  # as an array, of sparse rows too: no entry stays zero

    def change(self, batch, noise):
        place_in_step = noise.uniform("dequantize", batch.x.shape, batch.rows, batch.x.dtype)
        place_in_step -= 0.5
        place_in_step *= self.steps
        if batch.observed is not None:
            place_in_step *= batch.observed
        batch.x += place_in_step
        return batch


class SameNoise(WrappedSource):
    """The rows of another source, all with the noise of row 0: a row's score then does not depend on the rows beside
    it. The mean over rows has the same error as the score of one row, so scores need many samples."""

    def change(self, batch, noise):
        batch.rows = np.zeros_like(batch.rows)
        return batch


def as_source(X, n_features=None, name="X"):
    """X as a DataSource. Raises ValueError unless it has n_features columns."""
    kind = SparseSource if hasattr(X, "tocsr") else ArraySource
    source = X if isinstance(X, DataSource) else kind(X, name=name)
    if n_features is not None and source.n_features != n_features:
        raise ValueError(f"{source.name} must have {n_features} columns, as the model has, not {source.n_features}")
    return source


def all_rows(source, dtype):
    """All rows of a source, in one new array of this type."""
    return source.gather(np.arange(len(source)), out=np.empty((len(source), source.n_features), dtype)).x


def check_support(source, likelihood, dtype=np.float32):
    """Raise ValueError, naming the place, where a value of the source is outside the likelihood's support.

    dtype: the type that the model computes in, which may have a smaller range than the values' own type. Values that
    are binarised must be finite, and from 0 to 1 if they are probabilities to draw with or the threshold lies between
    0 and 1: otherwise the scale is wrong, and the cut would hide it.
    """

    def takes(j, is_nan):
        part = likelihood.of_column(j)
        return f"the {type(part).__name__} likelihood takes {part.support}" + (f": {UNKNOWN}" if is_nan else "")

    if source.binarize == "draw":
        _check_values(source.gray(), dtype, _not_a_share, lambda *_: "a draw takes probabilities, from 0 to 1")
    elif source.binarize == "threshold":
        if 0 < source.threshold < 1:
            expected = f"a threshold of {source.threshold:g} takes numbers from 0 to 1"
            _check_values(source.gray(), dtype, _not_a_share, lambda *_: expected)
        else:
            _check_values(source.gray(), dtype, _not_finite, lambda *_: "a threshold takes finite numbers")
    _check_values(source, dtype, likelihood.outside, takes)


def check_finite(source, dtype=np.float32):
    """Raise ValueError, naming the place, where a value of the source is not finite, in this type."""
    _check_values(source, dtype, _not_finite, lambda *_: "it must be finite")


def check_weight(weight):
    """Weights of rows (B,) as an array. Raises TypeError unless they are real numbers, ValueError for one below 0."""
    weight = np.asarray(weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"weight must hold real numbers, not {weight.dtype}")
    wrong = np.flatnonzero(~((weight >= 0) & (weight < np.inf)))
    if wrong.size:
        raise ValueError(f"weight[{wrong[0]}] must be a finite number from 0, not {weight[wrong[0]]:g}")
    return weight


def _weight_of_rows(weight, X):
    """The weights as float64 (N,), or None. Raises ValueError unless each row has one, and at least one is above 0."""
    if weight is None:
        return None
    weight = check_weight(weight).astype(np.float64)
    if weight.shape != X.shape[:1]:
        raise ValueError(f"weight must be one number for each of the {X.shape[0]} rows, not of shape {weight.shape}")
    if not weight.any():
        raise ValueError("weight must not be 0 for every row")
    return weight


def _of(rows, weight):
    return None if weight is None else weight[rows]


def _not_a_share(x):
    return ~((x >= 0) & (x <= 1))


def _not_finite(x):
    return ~np.isfinite(x)


@np.errstate(over="ignore", invalid="ignore")  # in the twins; the values are checked here
def _check_values(source, dtype, outside, expected):
    for rows in chunks_of(len(source), source.n_features):
        batch = source.gather(rows, out=np.empty((len(rows), source.n_features), dtype))
        wrong = outside(batch.x)
        if batch.observed is not None:
            wrong &= batch.observed != 0
        if not wrong.any():
            continue
        i, j = np.argwhere(wrong)[0]
        where, found = source.place(batch.rows[i], j), batch.x[i, j]
        given = source.gather(rows[i : i + 1], out=np.empty((1, source.n_features))).x[0, j]
        if np.isfinite(given) and not np.isfinite(found):
            limit = np.finfo(dtype).max
            raise ValueError(f"{where} is {given:g}, but {found.dtype} ends at {limit:.2g}")
        written = f"{found:g}" if float(f"{found:g}") == found else str(found)  # 1.0000001 is not written as 1
        raise ValueError(f"{where} is {written}, but {expected(j, np.isnan(found))}")
