"""Standardization: columns of real numbers as a model takes them, (x - mean) / scale, and back.

A Gaussian's columns are brought to mean 0 and standard deviation 1: each by its own, or all by the same factor where
they share one standard deviation. It is computed in double, so that columns such as 1e9 +- 50, which float32 cannot
tell apart, keep their digits. Sparse rows are divided by their scales alone, else no entry would stay zero.
"""

import math
from dataclasses import replace

import numpy as np

from pyvae.data import scaling
from pyvae.data.sources import DataSource, SparseSource
from pyvae.data.validation import check_sparse
from pyvae.data.wrapped import WrappedSource

STANDARDIZED = {"gaussian": "each", "gaussian-predicted": "each", "gaussian-shared": "all", "gaussian-fixed": "all"}


class Standardization:
    """The mean and the scale of each column, (D,) each, and where its far cells (scaling.py) begin, low and high (D,);
    None for one or for all: nowhere. Raises ValueError unless means and scales are as many finite numbers, scales above
    0."""

    def __init__(self, mean, scale, low=None, high=None):
        self.mean, self.scale = np.array(mean, np.float64), np.array(scale, np.float64)
        nowhere = np.full(self.mean.shape, np.nan)
        self.low = nowhere if low is None else np.array(low, np.float64)
        self.high = nowhere if high is None else np.array(high, np.float64)
        shapes = {numbers.shape for numbers in (self.mean, self.scale, self.low, self.high)}
        if shapes != {(self.mean.size,)} or not np.isfinite([self.mean, self.scale]).all() or self.scale.min() <= 0:
            raise ValueError("a standardization takes a finite mean and a finite scale above 0 for each column")
        self.constant = np.zeros(self.mean.shape, bool)  # True: all that ``of`` saw of the column becomes exactly 0

    @classmethod
    def none(cls, n_features):
        """That of columns which stay as they are."""
        return cls(np.zeros(n_features), np.ones(n_features))

    @classmethod
    def of(cls, X, weight=None, which="each", name="column {} of X".format):
        """That of the columns of X, an array or a SciPy matrix (N, D), with weights (N,). which: "all" gives them one
        factor. name: of column j, name(j). A warning tells of far cells.

        Raises ValueError where a column has no known value or numbers too large.
        """
        weight, together = np.ones(X.shape[0]) if weight is None else weight, which == "all"
        low = high = None
        if hasattr(X, "tocsr"):
            mean, variance = scaling.sparse_moments(check_sparse(X), weight)
            std, origin = np.sqrt(variance), np.zeros_like(mean)
        else:
            scaling.known_weight(X, None, name)
            low, high = scaling.reach(X, together)
            far = scaling.sum_over_rows(X, lambda x: scaling.is_far(x, low, high), np.ones(len(X)))
            scaling.warn_of_far_cells([name(j) for j in range(X.shape[1])], far)
            mean, std = scaling.moments(X, weight, low, high)
            origin = mean
        wrong = np.flatnonzero(scaling.too_large(mean, std))
        if wrong.size:
            raise ValueError(f"{name(wrong[0])} holds numbers too large to be scaled: divide them before")
        constant = (std == 0) & (mean == origin)
        if together:
            mean, std = np.full_like(mean, np.abs(mean).max()), np.full_like(std, np.sqrt(np.mean(std**2)))
        result = cls(origin, scaling.scale_of(std, mean), low, high)
        result.constant = constant
        return result

    @classmethod
    def of_source(cls, source, which="each"):
        """That of the rows of a DataSource."""
        X = source.X if isinstance(source, SparseSource) else scaling.GatheredArray(source)
        return cls.of(X, source.weight, which, f"column {{}} of {source.name}".format)

    def encode(self, X):
        """(X - mean) / scale as float32 (N, D), NaN where X is."""
        return scaling.scaled(X, self.mean, self.scale).astype(np.float32)

    def decode(self, x):
        """The numbers as given, (N, D) in double, of a model's means or draws x."""
        return x * self.scale + self.mean

    def is_far(self, X):
        """Booleans like X (N, D): True for far cells."""
        return scaling.is_far(X, self.low, self.high)

    def log_scale(self):
        """The logs of the scales, (D,): log p(x) of x as given is that of the encoded x less them."""
        return np.log(self.scale)

    def config(self):
        """The arguments of the constructor in JSON types."""
        bounds = {"low": self.low.tolist(), "high": self.high.tolist()}
        bounds = {name: [x if math.isfinite(x) else None for x in bound] for name, bound in bounds.items()}
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), **bounds}


class StandardizedSource(WrappedSource):
    """The rows of another source, standardised. training: True takes far cells for missing ones."""

    def __init__(self, source, standardization, training=False):
        super().__init__(source)
        self.standardization = standardization
        self.leaves_out = training and self._has_far_cells()
        self.missing = source.missing or self.leaves_out

    minibatch = DataSource.minibatch

    def gather(self, rows, noise=None, out=None):
        given = self.source.gather(rows, noise, np.empty((len(rows), self.n_features)))
        out = np.empty(given.x.shape, np.float32) if out is None else out
        out[...] = scaling.scaled(given.x, self.standardization.mean, self.standardization.scale)
        out[np.isinf(given.x)] = np.inf  # no number, which the likelihood is to refuse
        observed = given.observed
        if self.leaves_out:
            near = ~self.standardization.is_far(given.x)
            observed = near if observed is None else near & (observed != 0)
        return replace(given, x=out, observed=observed)

    def _has_far_cells(self):
        return any(self.standardization.is_far(x).any() for x in scaling.chunks(scaling.GatheredArray(self.source)))


def standardized(source, standardization, training=False):
    """A DataSource that hands on the rows of another, standardised; see StandardizedSource."""
    if not isinstance(source, SparseSource):
        return StandardizedSource(source, standardization, training)
    result = SparseSource(
        divided(source.X, standardization.scale), source.name, source.weight, source.condition, source.label
    )
    result.standardization = standardization
    return result


def divided(X, scale):
    """A CSR matrix with its columns divided by scale (D,), as float32; itself where all are 1."""
    if np.all(scale == 1):
        return X
    data = (X.data / scale[X.indices]).astype(np.float32)
    return type(X)((data, X.indices, X.indptr), shape=X.shape)
