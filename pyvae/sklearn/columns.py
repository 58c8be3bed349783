"""The columns of X as an estimator uses them: numbers that a model takes, their likelihood, and the way back.

Each column of a DataFrame has its own kind (pyvae.tables); those of an array are all of one kind, which the likelihood
determines. Columns of a Gaussian are brought to mean 0 and standard deviation 1 for the model, and back: all by the
same factor if they share one standard deviation, else each by its own.
"""

from copy import deepcopy
from functools import partial

import numpy as np
from scipy.sparse import csr_array, hstack

from pyvae.arguments import shown
from pyvae.data.scaling import (
    BOUND,
    is_far,
    moments,
    reach,
    scale_of,
    scaled,
    sum_over_rows,
    too_large,
    warn_of_far_cells,
)
from pyvae.data.sources import CHUNK_ROWS, ArraySource, DataSource, SparseSource
from pyvae.data.tables import Table
from pyvae.data.validation import check_row_numbers, check_sparse
from pyvae.layers.inputs import Clip
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.start import smoothed_mean, start
from pyvae.likelihoods.words import make_likelihood
from pyvae.sklearn.steps import smallest_step, smallest_steps, with_steps

STANDARDIZED = {"gaussian": "each", "gaussian-predicted": "each", "gaussian-shared": "all", "gaussian-fixed": "all"}


class ArrayColumns:
    """The columns of an array or a sparse matrix, all described by one likelihood: a word of likelihoods/words.py, or a
    Likelihood, whose columns are taken as they are.

    frame: a DataFrame without rows, the template of those that ``decode`` makes; None: it makes arrays. dequantize:
    True trains columns of an array that have a standard deviation each with their place in the grid step drawn
    (steps.py); ``steps`` (n_features,) are then the grid steps of the model's numbers, else None.
    """

    def __init__(self, X, likelihood, weight=None, frame=None, dequantize=False):
        """Learn from the rows to fit. Raises ValueError where a column has no known value, or numbers too large, or
        the Likelihood has other columns."""
        self.n_features, self.word, self.frame = X.shape[1], likelihood, frame
        self.mean, self.scale = np.zeros(self.n_features), np.ones(self.n_features)
        self.low, self.high = np.full((2, self.n_features), [[-np.inf], [np.inf]])  # where far cells begin
        self.steps = None
        if isinstance(likelihood, Likelihood) and likelihood.n_features != self.n_features:
            raise ValueError(f"likelihood has {likelihood.n_features} columns, but X has {self.n_features}")
        if isinstance(likelihood, str) and likelihood in STANDARDIZED:
            self._standardize(X, weight, STANDARDIZED[likelihood])
            if dequantize and STANDARDIZED[likelihood] == "each" and not hasattr(X, "tocsr"):
                steps = smallest_steps(X)
                self.scale = with_steps(self.scale, steps)
                self.steps = steps / self.scale
        elif not hasattr(X, "tocsr"):
            self._known_weight(X)

    def _standardize(self, X, weight, which):
        weight = np.ones(X.shape[0]) if weight is None else weight
        if hasattr(X, "tocsr"):
            mean, variance = _sparse_moments(check_sparse(X), weight)  # the mean stays, else no entry would be zero
            std = np.sqrt(variance)
        else:
            self._known_weight(X)
            self.low, self.high = reach(X, together=which == "all")
            far = sum_over_rows(X, lambda x: is_far(x, self.low, self.high), np.ones(len(X)))
            warn_of_far_cells([self._name(j) for j in range(self.n_features)], far)
            mean, std = moments(X, weight, self.low, self.high)
            self.mean = mean
        wrong = np.flatnonzero(too_large(mean, std))
        if wrong.size:
            raise ValueError(f"{self._name(wrong[0])} holds numbers too large to be scaled: divide them before")
        if which == "all":
            mean, std = np.full_like(mean, np.abs(mean).max()), np.full_like(std, np.sqrt(np.mean(std**2)))
        self.scale = scale_of(std, mean)

    def _known_weight(self, X, weight=None):
        """The total weight of each column's known entries, (n_features,). Raises ValueError where a column has none."""
        total = sum_over_rows(X, lambda x: ~np.isnan(x), np.ones(X.shape[0]) if weight is None else weight)
        empty = np.flatnonzero(total == 0)
        if empty.size:
            raise ValueError(f"{self._name(empty[0])} has no known value: drop it")
        return total

    def _name(self, j):
        return f"column {j} of X" if self.frame is None else f"column {shown(self.frame.columns[j])!r} of X"

    def likelihood(self):
        """A new Likelihood."""
        return deepcopy(self.word) if isinstance(self.word, Likelihood) else make_likelihood(self.word, self.n_features)

    @property
    def places(self):
        """The slice of the model's columns for each feature."""
        return [slice(j, j + 1) for j in range(self.n_features)]

    def log_scale(self):
        """The logs of the columns' divisors, (n_features,)."""
        return np.log(self.scale)

    def known(self, X):
        """Booleans (N, D): True where an entry of an array is not missing."""
        return ~np.isnan(X)

    def first_layers(self):
        """The layers that an encoder of these columns begins with."""
        return [Clip(BOUND)] if self.word in STANDARDIZED else []

    def source(self, X, weight=None, targets=None, training=False):
        """A DataSource of the rows of X, with targets (N, T) beside them. X: an array, perhaps with NaN or
        memory-mapped, or a sparse matrix. training: True takes far cells (data/scaling.py) for missing ones."""
        if hasattr(X, "tocsr"):
            return _sparse_source(self._scaled(X), weight, targets)
        if isinstance(X, np.memmap):
            return MappedSource(X, partial(self.encode, training=training), weight, targets)
        return _source(self.encode(X, training=training), weight, targets)

    @np.errstate(over="ignore", invalid="ignore")  # from numbers outside the support, which training refuses
    def start(self, model, X, weight=None):
        """Start a new model at the means of these rows (pyvae.start), unless they are standardised."""
        if self.word in STANDARDIZED or self.word == "multinomial":  # a multinomial starts uniform
            return
        weight = np.ones(X.shape[0]) if weight is None else weight
        if hasattr(X, "tocsr"):
            n = weight.sum()
            mean, variance = _sparse_moments(check_sparse(X), weight)
            start(model, smoothed_mean(n * mean, n), variance)
        else:
            n, total = self._known_weight(X, weight), sum_over_rows(X, np.nan_to_num, weight)
            squares = sum_over_rows(X, lambda x: np.where(np.isnan(x), 0, x - total / n) ** 2, weight)
            start(model, smoothed_mean(total, n), squares / n)

    def _scaled(self, X):
        """A sparse matrix with its columns divided by their scales."""
        if np.all(self.scale == 1):
            return X
        data = (X.data / self.scale[X.indices]).astype(np.float32)
        return type(X)((data, X.indices, X.indptr), shape=X.shape)

    def encode(self, X, rows=None, training=False):
        """The numbers of an array as float32; training: with NaN for far cells. rows: row numbers for messages; None:
        0, 1, ... Raises ValueError where a row has no known value."""
        rows = range(len(X)) if rows is None else rows
        empty = np.flatnonzero(np.isnan(X).all(axis=1))
        if empty.size:
            raise ValueError(f"row {rows[empty[0]]} of X has no known value: drop it")
        if training:
            X = np.where(is_far(X, self.low, self.high), np.nan, X)
        return scaled(X, self.mean, self.scale).astype(np.float32)

    def decode(self, x, dtype=np.float64):
        """An array of this type from a model's means or draws; a DataFrame if one was fitted."""
        values = (x * self.scale + self.mean).astype(dtype)
        return values if self.frame is None else _like(self.frame, values)

    def fill(self, given, X, x):
        """X, the array of ``given``, with the missing entries taken from a model's means x; a DataFrame if one was
        given."""
        filled = np.where(np.isnan(X), x * self.scale + self.mean, X).astype(X.dtype)
        return _like(given, filled, given.index) if hasattr(given, "iloc") else filled


class TableColumns:
    """The columns of a DataFrame, each of its own kind. dequantize: as for ArrayColumns, for the numeric ones."""

    def __init__(self, frame, kinds=None, weight=None, dequantize=False):
        self.table = Table.infer(frame, kinds, weight)
        self.n_features = self.table.n_features
        self.steps = None
        if dequantize:
            self.steps = np.zeros(self.n_features)
            for j, (column, place) in enumerate(zip(self.table.columns, self.places, strict=True)):
                if column.kind == "numeric":
                    step = smallest_step(frame.iloc[:, j].to_numpy(np.float64, na_value=np.nan))
                    column.scale = float(with_steps(column.scale, step))
                    self.steps[place] = step / column.scale

    def likelihood(self):
        """A new Likelihood."""
        return self.table.likelihood()

    def start(self, model, frame, weight=None):
        """Start a new model at the means of these rows."""
        self.table.start(model, self.table.encode(frame, training=True), weight)

    @property
    def places(self):
        """The slice of the model's columns for each feature."""
        return self.table.places

    def log_scale(self):
        """The logs of the columns' divisors, (n_features,)."""
        return self.table.log_scale()

    def known(self, frame):
        """Booleans (N, number of columns): True where an entry of a DataFrame is not missing."""
        return frame.notna().to_numpy()

    def first_layers(self):
        """The layers that an encoder of these columns begins with."""
        return self.table.first_layers()

    def source(self, frame, weight=None, targets=None, training=False):
        """A DataSource of the rows of a DataFrame, with targets (N, T) beside them; training: as for ArrayColumns.
        Raises TypeError or ValueError where it is another table."""
        return _source(self.table.encode(frame, training), weight, targets)

    def decode(self, x, dtype=None):
        """A DataFrame from a model's means or draws."""
        return self.table.decode(x)

    def fill(self, given, frame, x):
        """The DataFrame with the missing entries taken from a model's means."""
        decoded = self.decode(x)
        decoded.index = frame.index
        return frame.where(frame.notna(), decoded)


class MappedSource(DataSource):
    """Rows of a memory-mapped array, read and encoded a minibatch at a time, with targets (N, T) beside them."""

    missing = True  # perhaps

    def __init__(self, X, encode, weight=None, targets=None):
        self.X, self.encode, self.weight, self.targets = X, encode, weight, targets
        self.n_features = X.shape[1] + (0 if targets is None else targets.shape[1])

    def __len__(self):
        return len(self.X)

    def gather(self, rows, noise=None, out=None):
        targets = None if self.targets is None else self.targets[rows]
        batch = _source(self.encode(np.asarray(self.X[rows]), rows), None, targets).gather(
            np.arange(len(rows)), noise, out
        )
        batch.rows, batch.weight = check_row_numbers(rows), None if self.weight is None else self.weight[rows]
        return batch


def _source(encoded, weight=None, targets=None):
    encoded = encoded if targets is None else np.hstack([encoded, targets.astype(np.float32)])
    return ArraySource(encoded, weight=weight, missing=bool(np.isnan(encoded).any()))


def _sparse_source(X, weight, targets):
    if targets is not None:
        X = hstack([X, csr_array(targets.astype(np.float32))], format="csr")
    return SparseSource(X, weight=weight)


def _sparse_moments(X, weight):
    """Weighted mean and variance of each column of a CSR matrix, (D,) each."""
    total = weight.sum()
    stored = _sparse_sum(X, lambda values, columns: np.ones(len(values)), weight)
    mean = _sparse_sum(X, lambda values, columns: values, weight) / total
    squares = _sparse_sum(X, lambda values, columns: (values - mean[columns]) ** 2, weight)
    return mean, (squares + np.maximum(total - stored, 0) * mean**2) / total


def _sparse_sum(X, function, weight):
    """sum_i weight_i function(x_ij, j) over the stored entries of each column, (D,), a few rows at a time."""
    total = np.zeros(X.shape[1])
    for first in range(0, X.shape[0], CHUNK_ROWS):
        starts = X.indptr[first : first + CHUNK_ROWS + 1]
        entries = slice(starts[0], starts[-1])
        w = np.repeat(weight[first : first + CHUNK_ROWS], np.diff(starts))  # one for each entry
        columns = X.indices[entries]
        total += np.bincount(columns, w * function(X.data[entries].astype(np.float64), columns), X.shape[1])
    return total


def _like(frame, values, index=None):
    """values (N, D) as a DataFrame with the columns of another and its floating-point types."""
    import pandas as pd

    types = {name: dtype for name, dtype in frame.dtypes.items() if dtype.kind == "f"}
    return pd.DataFrame(values, columns=frame.columns, index=index).astype(types)
