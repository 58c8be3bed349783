"""Tables: columns of several kinds as the numbers that a model takes, and back.

    table = Table.infer(frame)                  what kind each column is, its scale or its categories
    X = table.encode(frame)                     (N, D) float32, NaN where an entry is missing
    model = VAE.mlp(table.n_features, likelihood=table.likelihood())
    table.decode(model.sample(100))             a DataFrame with the same columns and types

    kind          of columns of type            becomes                            likelihood
    numeric       float, other integers         (x - mean) / std                   Gaussian, a learned std per column
    count         integers from 0 to 2^24       itself                             negative binomial
    boolean       bool                          0 or 1                             Bernoulli
    categorical   category, text                one column per category, one-hot   categorical

The numbers of a kind stand side by side, in the order above, and Mixed joins their likelihoods.
"""

from dataclasses import asdict

import numpy as np

from pyvae.arguments import shown
from pyvae.data.batch import Batch, condition_of_rows, label_of_rows
from pyvae.data.columns import KINDS, Column, row_name
from pyvae.data.scaling import BOUND, warn_of_far_cells
from pyvae.data.sources import DataSource
from pyvae.data.validation import check_row_numbers
from pyvae.layers.inputs import Clip
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import NegativeBinomial
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed
from pyvae.likelihoods.start import smoothed_mean, start

LIKELIHOODS = {
    "numeric": lambda columns: Gaussian(len(columns), std="learned"),
    "count": lambda columns: NegativeBinomial(len(columns)),
    "boolean": lambda columns: Bernoulli(len(columns)),
    "categorical": lambda columns: Categorical([column.width for column in columns]),
}


class Table:
    """The columns of a DataFrame, and the places of their numbers among the model's columns."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.n_features = sum(column.width for column in self.columns)
        by_kind = sorted(range(len(self.columns)), key=lambda j: KINDS.index(self.columns[j].kind))
        edges = np.cumsum([0] + [self.columns[j].width for j in by_kind])
        self.order = by_kind  # the numbers of the columns, as the model has them
        self.places = [None] * len(self.columns)  # a slice of the model's columns for each column
        for j, first, end in zip(by_kind, edges, edges[1:], strict=False):
            self.places[j] = slice(int(first), int(end))

    @classmethod
    def infer(cls, frame, kinds=None, weight=None):
        """Describe a DataFrame. kinds: name of a column -> its kind, in place of what its type says. weight (N,): of
        each row in means and scales.

        Raises ValueError for kinds or columns that do not exist, or names that occur twice, and what Column.infer
        raises.
        """
        kinds = dict(kinds or {})
        unknown = [name for name in kinds if name not in frame.columns]
        if unknown:
            raise ValueError(f"kinds names the column {shown(unknown[0])!r}, which the table has not")
        wrong = [kind for kind in kinds.values() if kind not in KINDS]
        if wrong:
            raise ValueError(f"kinds must be of {', '.join(KINDS)}, not {wrong[0]!r}")
        if not len(frame) or not len(frame.columns):
            raise ValueError("the table must have at least one row and one column")
        refuse_equal_names(frame, "the table")
        table = cls(Column.infer(frame.iloc[:, j], kinds.get(name), weight) for j, name in enumerate(frame.columns))
        counts = [column.far(frame.iloc[:, j]).sum() for j, column in enumerate(table.columns)]
        warn_of_far_cells([f"column {column.name!r}" for column in table.columns], np.array(counts))
        return table

    @property
    def names(self):
        return [column.name for column in self.columns]

    def likelihood(self):
        """A Mixed likelihood of the table's columns, in the order of ``places``."""
        groups = [[column for column in self.columns if column.kind == kind] for kind in KINDS]
        return Mixed([LIKELIHOODS[group[0].kind](group) for group in groups if group])

    def first_layers(self):
        """The layers that an encoder of the table begins with."""
        n_numeric = sum(column.kind == "numeric" for column in self.columns)  # they come first
        return [Clip(BOUND, n_numeric)] if n_numeric else []

    def encode(self, frame, training=False):
        """The rows of a DataFrame as (N, n_features) float32, NaN where an entry is missing; training: True takes far
        cells (scaling.py) for missing ones.

        Raises ValueError, naming the column or row, where columns are missing, too many or in another order, or a row
        has no known value at all, and what Column.encode raises.
        """
        codes = self.codes(frame, training)
        X = self.one_hot(codes)
        X[np.isnan(np.repeat(codes, self.widths, axis=1))] = np.nan
        return X

    def codes(self, frame, training=False):
        """The rows of a DataFrame as one number for each column (N, number of columns) float32, in the model's order:
        that of a category stands for its one-hot columns. The rest as ``encode``."""
        given = list(frame.columns)
        refuse_equal_names(frame, "the table")
        if given != self.names:
            raise ValueError(_other_columns(given, self.names))
        codes = np.empty((len(frame), len(self.columns)), np.float32)
        places = np.argsort(self.order)
        for column, place, (_, values) in zip(self.columns, places, frame.items(), strict=True):
            codes[:, place] = column.encode(values)
        empty = np.flatnonzero(np.isnan(codes).all(axis=1))
        if empty.size:
            raise ValueError(f"{row_name(frame, empty[0])} of the table has no known value: drop it")
        if training:
            for column, place, (_, values) in zip(self.columns, places, frame.items(), strict=True):
                codes[column.far(values), place] = np.nan
        return codes

    @property
    def widths(self):
        """The number of the model's columns for each column, in the model's order."""
        return [self.columns[j].width for j in self.order]

    def one_hot(self, codes, out=None):
        """Codes (N, number of columns) with the one-hot columns written out, (N, n_features): a new float32 array or
        out. Missing entries are 0, or NaN where they are no category."""
        out = np.empty((len(codes), self.n_features), np.float32) if out is None else out
        n_plain = sum(column.kind != "categorical" for column in self.columns)  # they come first
        out[:, :n_plain], out[:, n_plain:] = codes[:, :n_plain], 0
        starts = np.cumsum(self.widths) - self.widths
        for j in range(n_plain, len(starts)):
            rows = np.flatnonzero(~np.isnan(codes[:, j]))
            out[rows, starts[j] + codes[rows, j].astype(int)] = 1
        return out

    def start(self, model, codes, weight=None):
        """Start a new model at the means of the rows that it will be trained on (start.py), given by their codes (N,
        number of columns) and weights (N,)."""
        weight = np.ones(len(codes)) if weight is None else weight
        mean, variance = np.zeros(self.n_features), np.zeros(self.n_features)
        for j, x in zip(self.order, codes.T, strict=True):
            column, place, known = self.columns[j], self.places[j], ~np.isnan(x)
            x, w = x[known].astype(np.float64), weight[known]
            if column.kind == "categorical":
                mean[place] = smoothed_mean(np.bincount(x.astype(int), w, column.width), w.sum())
                continue
            variance[place] = w @ (x - w @ x / w.sum()) ** 2 / w.sum()
            if column.kind != "numeric":  # that is standardised
                mean[place] = smoothed_mean(w @ x, w.sum())
        start(model, mean, variance)

    def decode(self, X):
        """A DataFrame from (N, n_features) numbers, a model's means or draws."""
        import pandas as pd

        series = [column.decode(X[:, place]) for column, place in zip(self.columns, self.places, strict=True)]
        return pd.concat(series, axis=1)

    def log_scale(self):
        """The logs of the columns' divisors, (n_features,): log p(x) of x as given is that of the encoded x less
        them."""
        result = np.zeros(self.n_features)
        for column, place in zip(self.columns, self.places, strict=True):
            result[place] = np.log(column.scale)
        return result

    def describe(self, columns=79):
        """Lines of text, at most ``columns`` characters wide: each column's name, kind and values."""
        width = max(len(shown(column.name)) for column in self.columns)
        lines = []
        for column in self.columns:
            if column.kind == "categorical":
                values = f"{len(column.categories)} values: " + ", ".join(map(str, column.categories))
            else:
                values = f"{column.low:g} to {column.high:g}"
            line = f"{shown(column.name):{width}}  {column.kind:11}  {values}"
            lines.append(line if len(line) <= columns else line[: columns - 3] + "...")
        return lines

    def config(self):
        """The table in JSON types, for ``from_config``. Raises TypeError where categories are neither text nor numbers
        nor True and False, such as intervals, which only pickles hold."""
        for column in self.columns:
            odd = [value for value in column.categories or [] if not isinstance(value, str | int | float)]
            if odd:
                found = f"categories of type {type(odd[0]).__name__}"
                raise TypeError(f"column {shown(column.name)!r} has {found}, which JSON cannot hold: make them text")
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_config(cls, config):
        """The inverse of ``config``."""
        return cls(Column(**column) for column in config)


class TableSource(DataSource):
    """The rows of a DataFrame that has the columns of a Table, as the numbers of its model. One-hot columns, which may
    be many, are written out a minibatch at a time.

    training: True takes far cells (scaling.py) for missing ones. weight (N,): of each row in the loss. targets (N, T):
    more columns after those of the table. condition (N, C), label (N,): of each row, as in ArraySource. Raises what
    ``Table.codes`` raises.
    """

    def __init__(self, table, frame, training=False, name="X", weight=None, targets=None, condition=None, label=None):
        self.table, self.codes, self.name, self.weight = table, table.codes(frame, training), name, weight
        self.targets = None if targets is None else targets.astype(np.float32)
        self.condition, self.label = condition_of_rows(condition, len(self)), label_of_rows(label, len(self))
        self.n_features = table.n_features + (0 if targets is None else targets.shape[1])
        self.missing = bool(np.isnan(self.codes).any())

    def __len__(self):
        return len(self.codes)

    def gather(self, rows, noise=None, out=None):
        """See DataSource."""
        rows = check_row_numbers(rows)
        out = np.empty((len(rows), self.n_features), np.float32) if out is None else out
        codes, n = self.codes[rows], self.table.n_features
        self.table.one_hot(codes, out[:, :n])
        observed = None
        if self.missing:
            observed = np.ones(out.shape, bool)
            observed[:, :n] = ~np.repeat(np.isnan(codes), self.table.widths, axis=1)
        if self.targets is not None:
            out[:, n:] = self.targets[rows]
        return Batch(out, observed, **self.beside(rows))


def refuse_equal_names(frame, what):
    """Raise ValueError where two columns of a DataFrame have the same name. what: its name in the message."""
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{what} has two columns named {shown(twice[0])!r}: rename one")


def _other_columns(given, expected):
    missing = [name for name in expected if name not in given]
    if missing:
        return f"the table has no column {shown(missing[0])!r}, which the fitted rows had"
    more = [name for name in given if name not in expected]
    if more:
        return f"the table has a column {shown(more[0])!r}, which the fitted rows did not have"
    i = next(i for i, (one, other) in enumerate(zip(given, expected, strict=False)) if one != other)
    return f"column {i} of the table is {shown(given[i])!r}, but was {shown(expected[i])!r} in the fitted rows"
