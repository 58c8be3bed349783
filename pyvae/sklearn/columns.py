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
from pyvae.data.scaling import BOUND, known_weight
from pyvae.data.sources import ArraySource, DataSource, SparseSource
from pyvae.data.standardization import STANDARDIZED, Standardization, divided
from pyvae.data.starting import start_at_rows
from pyvae.data.tables import Table, TableSource
from pyvae.data.validation import check_row_numbers
from pyvae.layers.inputs import Clip
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.start import hold
from pyvae.likelihoods.words import make_likelihood
from pyvae.sklearn.steps import smallest_step, smallest_steps, with_steps


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
        self.standardization, self.steps = Standardization.none(self.n_features), None
        if isinstance(likelihood, Likelihood) and likelihood.n_features != self.n_features:
            raise ValueError(f"likelihood has {likelihood.n_features} columns, but X has {self.n_features}")
        if isinstance(likelihood, str) and likelihood in STANDARDIZED:
            self.standardization = Standardization.of(X, weight, STANDARDIZED[likelihood], self._name)
            if dequantize and STANDARDIZED[likelihood] == "each" and not hasattr(X, "tocsr"):
                steps = smallest_steps(X)
                self.standardization.scale = with_steps(self.standardization.scale, steps)
                self.steps = steps / self.standardization.scale
        elif not hasattr(X, "tocsr"):
            known_weight(X, None, self._name)

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
        return self.standardization.log_scale()

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
            return _sparse_source(divided(X, self.standardization.scale), weight, targets)
        if isinstance(X, np.memmap):
            return MappedSource(X, partial(self.encode, training=training), weight, targets)
        return _source(self.encode(X, training=training), weight, targets)

    def start(self, model, X, weight=None):
        """Start a new model at the means of these rows."""
        if self.word in STANDARDIZED:
            hold(model, self.standardization.constant)
        elif self.word != "multinomial":  # which starts uniform
            start_at_rows(model, X, weight, self._name)

    def encode(self, X, rows=None, training=False):
        """The numbers of an array as float32; training: with NaN for far cells. rows: row numbers for messages; None:
        0, 1, ... Raises ValueError where a row has no known value."""
        rows = range(len(X)) if rows is None else rows
        empty = np.flatnonzero(np.isnan(X).all(axis=1))
        if empty.size:
            raise ValueError(f"row {rows[empty[0]]} of X has no known value: drop it")
        if training:
            X = np.where(self.standardization.is_far(X), np.nan, X)
        return self.standardization.encode(X)

    def decode(self, x, dtype=np.float64):
        """An array of this type from a model's means or draws; a DataFrame if one was fitted."""
        values = self.standardization.decode(x).astype(dtype)
        return values if self.frame is None else _like(self.frame, values)

    def fill(self, given, X, x):
        """X, the array of ``given``, with the missing entries taken from a model's means x; a DataFrame if one was
        given."""
        filled = np.where(np.isnan(X), self.standardization.decode(x), X).astype(X.dtype)
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
        self.table.start(model, self.table.codes(frame, training=True), weight)

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
        return TableSource(self.table, frame, training, weight=weight, targets=targets)

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


def _like(frame, values, index=None):
    """values (N, D) as a DataFrame with the columns of another and its floating-point types."""
    import pandas as pd

    types = {name: dtype for name, dtype in frame.dtypes.items() if dtype.kind == "f"}
    return pd.DataFrame(values, columns=frame.columns, index=index).astype(types)
