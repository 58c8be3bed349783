"""What an estimator makes of the columns of X: numbers that a model takes, their likelihood, and the way back.

A DataFrame's columns have each their kind (pyvae.tables); those of an array are all of one kind, which the likelihood
says. Numbers of a Gaussian are brought to mean 0 and standard deviation 1 before and back after: all by the same
factor where they share one standard deviation, else each by its own.
"""

from copy import deepcopy

import numpy as np

from pyvae.data import ArraySource, DataSource, SparseSource
from pyvae.likelihoods import Likelihood
from pyvae.tables import Table
from pyvae.validation import check_row_numbers
from pyvae.words import make_likelihood

STANDARDIZED = {"gaussian": "each", "gaussian-predicted": "each", "gaussian-shared": "all", "gaussian-fixed": "all"}


class ArrayColumns:
    """The columns of an array or a sparse matrix, all described by one likelihood, a word of pyvae.words or a
    Likelihood, whose columns are taken as they are."""

    def __init__(self, X, likelihood, weight=None):
        """From the rows that are fitted. Raises ValueError where a column has no known value."""
        self.n_features, self.word = X.shape[1], likelihood
        self.mean, self.scale = np.zeros(self.n_features), np.ones(self.n_features)
        if not isinstance(likelihood, Likelihood) and likelihood in STANDARDIZED:
            self._standardize(X, weight, STANDARDIZED[likelihood])
        elif not hasattr(X, "tocsr") and np.isnan(X).all(axis=0).any():
            _refuse_empty(np.isnan(X).all(axis=0))

    def _standardize(self, X, weight, which):
        if hasattr(X, "tocsr"):  # the mean stays, or no entry would be zero
            X = X.astype(np.float64)
            second = np.asarray(X.multiply(X).mean(axis=0)).ravel()
            variance = second - np.asarray(X.mean(axis=0)).ravel() ** 2
        else:
            known = ~np.isnan(X)
            _refuse_empty(~known.any(axis=0))
            w = known if weight is None else known * weight[:, None]
            total = np.maximum(w.sum(axis=0), np.finfo(float).tiny)
            self.mean = (w * np.where(known, X, 0)).sum(axis=0, dtype=np.float64) / total
            variance = (w * np.where(known, X - self.mean, 0) ** 2).sum(axis=0, dtype=np.float64) / total
        if which == "all":
            variance = np.full(self.n_features, variance.mean())
        std = np.sqrt(np.maximum(variance, 0))
        self.scale = np.where(std > 1e-7 * np.abs(self.mean), std, 1.0)
        self.scale[self.scale == 0] = 1.0

    def likelihood(self):
        """A new Likelihood."""
        return deepcopy(self.word) if isinstance(self.word, Likelihood) else make_likelihood(self.word, self.n_features)

    @property
    def places(self):
        """Of each feature, a slice of the model's columns."""
        return [slice(j, j + 1) for j in range(self.n_features)]

    def log_scale(self):
        """log of what the numbers of each column were divided by, (n_features,)."""
        return np.log(self.scale)

    def source(self, X, weight=None, targets=None):
        """A DataSource of the rows of X, an array that may have NaN, a memory-mapped one, or a sparse matrix; of an
        array with targets (N, T) beside it."""
        if hasattr(X, "tocsr"):
            scaled = X if np.all(self.scale == 1) else X.multiply(1 / self.scale).tocsr()
            return SparseSource(scaled, weight=weight)
        if isinstance(X, np.memmap) and targets is None:
            return MappedSource(X, self.encode, weight)
        return _source(self.encode(X), weight, targets)

    def encode(self, X):
        """The numbers of an array as float32. Raises ValueError where a row has no known value."""
        encoded = ((X - self.mean) / self.scale).astype(np.float32)
        _refuse_empty(np.isnan(encoded).all(axis=1), "row")
        return encoded

    def decode(self, x, drawn=False):
        """An array from a model's means or draws."""
        return x * self.scale + self.mean

    def fill(self, X, x):
        """X with the missing entries taken from a model's means."""
        return np.where(np.isnan(X), self.decode(x), X)


class TableColumns:
    """The columns of a DataFrame, each of its own kind."""

    def __init__(self, frame, kinds=None):
        self.table = Table.infer(frame, kinds)
        self.n_features = self.table.n_features

    def likelihood(self):
        """A new Likelihood."""
        return self.table.likelihood()

    @property
    def places(self):
        """Of each feature, a slice of the model's columns."""
        return self.table.places

    def log_scale(self):
        """log of what the numbers of each column were divided by, (n_features,)."""
        return self.table.log_scale()

    def source(self, frame, weight=None, targets=None):
        """A DataSource of the rows of a DataFrame, with targets (N, T) beside it. Raises TypeError or ValueError where
        it is another table."""
        return _source(self.table.encode(frame), weight, targets)

    def decode(self, x, drawn=False):
        """A DataFrame from a model's means or draws."""
        return self.table.decode(x)

    def fill(self, frame, x):
        """The DataFrame with the missing entries taken from a model's means."""
        decoded = self.decode(x)
        decoded.index = frame.index
        return frame.where(frame.notna(), decoded)


class MappedSource(DataSource):
    """Rows of a memory-mapped array, which are read and encoded a minibatch at a time."""

    plain = False

    def __init__(self, X, encode, weight=None):
        self.X, self.encode, self.weight, self.n_features = X, encode, weight, X.shape[1]

    def __len__(self):
        return len(self.X)

    def gather(self, rows, noise=None, out=None):
        encoded = self.encode(self.X[rows])
        batch = _source(encoded).gather(np.arange(len(rows)), noise, out)
        batch.rows, batch.weight = check_row_numbers(rows), None if self.weight is None else self.weight[rows]
        return batch


def _source(encoded, weight=None, targets=None):
    encoded = encoded if targets is None else np.hstack([encoded, targets.astype(np.float32)])
    return ArraySource(encoded, weight=weight, missing=bool(np.isnan(encoded).any()))


def _refuse_empty(empty, what="column"):
    found = np.flatnonzero(empty)
    if found.size:
        raise ValueError(f"{what} {found[0]} of X has no known value: drop it")
