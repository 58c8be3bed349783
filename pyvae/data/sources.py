"""Data: where the rows of a minibatch come from."""

from copy import copy

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.data.batch import Batch, condition_of_rows, label_of_rows, weight_of_rows
from pyvae.data.validation import check_array, check_row_numbers, check_sparse, column_labels, place
from pyvae.noise import Noise
from pyvae.workspace import FRESH

CHUNK_ROWS, CHUNK_NUMBERS = 1024, 2**20  # the most in one chunk
OF_EACH_ROW = ("weight", "condition", "label")  # what sources have beside their rows, and hand on in a Batch


def chunks_of(n_rows, numbers_per_row=1):
    """Yield an array of row numbers for each chunk. numbers_per_row: how many numbers are made from a row."""
    step = max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // numbers_per_row))
    for start in range(0, n_rows, step):
        yield np.arange(start, min(start + step, n_rows))


class DataSource:
    """The source of minibatches: ``len(source)`` rows of ``n_features`` numbers, which ``gather`` picks."""

    n_features = None
    name = "X"  # its name in messages
    weight = None  # (N,) weights of the rows; None: all 1
    condition = None  # (N, C) what a ConditionalVAE is told of each row; None: nothing
    label = None  # (N,) class of each row, -1 where it is not known; None: of no row
    missing = False  # True if entries may be unobserved
    binarize, threshold = None, 0.5  # how gather makes values 0 and 1 (see ArraySource); None: it does not
    strata = None  # (N,) 0, 1, ...: of each, the same share of rows is held out, of -1 none (training/held_out.py)
    marked = None  # (N,) booleans: of the rows where it is True each minibatch has its share (training/order.py)
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

    def beside(self, rows):
        """What a Batch of these rows has beside x, by name."""
        return {"rows": rows, **{name: of_rows(rows, getattr(self, name)) for name in OF_EACH_ROW}}

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
    weight (N,): of each row in the loss. missing: True takes NaN as an unobserved entry, not as an error. condition
    (N, C): what a ConditionalVAE is told of each row. label (N,): the class of each row for a SemiSupervisedVAE, 0, 1,
    ..., and -1 where it is not known. Raises TypeError or ValueError where X cannot be used, naming the place.
    """

    def __init__(self, X, scale=1.0, binarize=None, threshold=0.5, name="X", weight=None, missing=False,
                 condition=None, label=None):  # fmt: skip
        if binarize not in (None, "threshold", "draw"):
            raise ValueError(f"binarize must be None, 'threshold' or 'draw', not {binarize!r}")
        if binarize is not None and missing:
            raise ValueError("what is missing cannot be binarised: give binarize or missing, not both")
        self.X, self.labels = check_array(X, name, missing), column_labels(X)
        self.weight, self.missing = weight_of_rows(weight, len(self.X)), missing
        self.condition = condition_of_rows(condition, len(self.X))
        self.label = label_of_rows(label, len(self.X))
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
        return Batch(out, observed, **self.beside(rows))


class SparseSource(DataSource):
    """Rows of a SciPy sparse matrix or array, such as counts of words, which becomes dense a minibatch at a time; the
    products of dense layers leave the zeros out (simd/zeros.c).

    X: (N, D) of real numbers in any format. CSR with its columns in order is used in place; else X is converted once.
    weight (N,), condition (N, C), label (N,): of each row, as in ArraySource. Raises TypeError or ValueError where X
    cannot be used, naming the place.
    """

    def __init__(self, X, name="X", weight=None, condition=None, label=None):
        self.X, self.name = check_sparse(X, name), name
        self.n_features = self.X.shape[1]
        self.weight = weight_of_rows(weight, len(self))
        self.condition, self.label = condition_of_rows(condition, len(self)), label_of_rows(label, len(self))

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
        return Batch(out, **self.beside(rows))


def as_source(X, n_features=None, name="X"):
    """X as a DataSource. Raises ValueError unless it has n_features columns."""
    kind = SparseSource if hasattr(X, "tocsr") else ArraySource
    source = X if isinstance(X, DataSource) else kind(X, name=name)
    if n_features is not None and source.n_features != n_features:
        raise ValueError(f"{source.name} must have {n_features} columns, as the model has, not {source.n_features}")
    return source


def all_rows(source, dtype):
    """All rows of a source as one Batch, in a new array of this type."""
    return source.gather(np.arange(len(source)), out=np.empty((len(source), source.n_features), dtype))


def of_rows(rows, values):
    """The values that belong to these rows; None without any."""
    return None if values is None else values[rows]
