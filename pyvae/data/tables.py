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

from dataclasses import asdict, dataclass

import numpy as np

from pyvae.arguments import shown
from pyvae.data.scaling import scale_of
from pyvae.data.validation import WHOLE
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import NegativeBinomial
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed
from pyvae.likelihoods.start import smoothed_mean, start

KINDS = ("numeric", "count", "boolean", "categorical")
MOST_CATEGORIES = 1000
LINE = "line of the file"  # name of an index of lines
LIKELIHOODS = {
    "numeric": lambda columns: Gaussian(len(columns), std="learned"),
    "count": lambda columns: NegativeBinomial(len(columns)),
    "boolean": lambda columns: Bernoulli(len(columns)),
    "categorical": lambda columns: Categorical([column.width for column in columns]),
}


@dataclass
class Column:
    """The description of one column. ``encode`` turns its values into (N, width) numbers, ``decode`` the other way."""

    name: object
    kind: str  # one of KINDS
    dtype: str  # pandas' name of its type
    mean: float = 0.0  # numeric
    scale: float = 1.0
    low: float = 0.0  # the least and the largest known value
    high: float = 0.0
    categories: list | None = None  # categorical
    categories_dtype: str | None = None  # pandas' name of their type
    ordered: bool = False

    @property
    def width(self):
        return len(self.categories) if self.kind == "categorical" else 1

    @classmethod
    def infer(cls, series, kind=None, weight=None):
        """Describe a pandas Series. kind: None takes what its type says. weight (N,): of each value in mean and scale.

        Raises ValueError where no value is known, categories are too many or numbers too large, and TypeError where its
        values are of no kind.
        """
        known = series.dropna().infer_objects()
        if known.empty:
            raise ValueError(f"column {shown(series.name)!r} has no known value: drop it")
        kind = kind or _kind_of(known)
        name = series.name.item() if isinstance(series.name, np.generic) else series.name
        column = cls(name, kind, str(series.dtype))
        if kind == "categorical":
            column._find_categories(known)
            return column
        values = column._numbers(series)
        here = ~np.isnan(values)
        values, weight = values[here], None if weight is None else weight[here]
        column.low, column.high = float(values.min()), float(values.max())
        if kind == "numeric":
            column._standardize(values, weight)
        return column

    def _standardize(self, values, weight):
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            self.mean = float(np.average(values, weights=weight))
            std = float(np.sqrt(np.average((values - self.mean) ** 2, weights=weight)))
        if not np.isfinite(std):
            raise ValueError(f"column {shown(self.name)!r} holds numbers too large to be scaled: divide them before")
        self.scale = float(scale_of(std, self.mean))

    def encode(self, series):
        """(N, width) float64, NaN where a value is missing. Raises TypeError or ValueError, naming the column, where it
        cannot hold a value."""
        if self.kind == "categorical":
            return self._one_hot(series)
        encoded = (self._numbers(series) - self.mean) / self.scale
        wrong = np.flatnonzero(np.abs(encoded) > np.finfo(np.float32).max)
        if wrong.size:
            found = f"{shown(str(series.iloc[wrong[0]]))} in {_row(series, wrong[0])}"
            raise ValueError(f"column {shown(self.name)!r} has {found}, too far from the rows that were fitted")
        return encoded[:, None]

    def decode(self, x):
        """A pandas Series from (N, width) numbers: the likeliest category, or the nearest value that the type has."""
        import pandas as pd

        if self.kind == "categorical":
            values = pd.Categorical.from_codes(np.argmax(x, axis=1), self._index(), ordered=self.ordered)
            values = pd.Series(values, name=self.name)
            return values if self.dtype == "category" else values.astype(self.dtype)
        values = np.clip(x[:, 0].astype(np.float64) * self.scale + self.mean, self.low, self.high)
        if self.kind == "boolean" or self.dtype.startswith("bool"):
            values = values >= 0.5
        elif self.kind == "count" or "int" in self.dtype.lower():
            values = np.rint(values)
            values = values.astype(np.int64) if self.dtype == "object" else values
        return pd.Series(values, name=self.name).astype(self.dtype)

    def _find_categories(self, known):
        import pandas as pd

        if str(known.dtype) == "category":
            index, self.ordered = known.cat.categories, bool(known.cat.ordered)
        else:
            self._refuse_containers(known)
            values = sorted(known.unique(), key=lambda value: (type(value).__name__, value))
            index = pd.Index(values, dtype=None if self.dtype == "object" else known.dtype)
        self.categories, self.categories_dtype = index.tolist(), str(index.dtype)
        if len(self.categories) > MOST_CATEGORIES:
            raise ValueError(
                f"column {shown(self.name)!r} has {len(self.categories)} different values, more than the "
                f"{MOST_CATEGORIES} that a categorical column may have: drop it, or make it a number"
            )

    def _refuse_containers(self, known):
        values = known if known.dtype == object else ()
        odd = [type(value).__name__ for value in values if isinstance(value, list | dict | set | np.ndarray)]
        if odd:
            raise TypeError(f"column {shown(self.name)!r} holds {odd[0]}, which is no kind of column: drop it")

    def _index(self):
        """The categories as a pandas Index."""
        import pandas as pd

        return pd.Index(self.categories, dtype=self.categories_dtype)

    def _one_hot(self, series):
        import pandas as pd

        missing = series.isna().to_numpy()
        self._refuse_containers(series[~missing])
        codes = self._index().get_indexer(pd.Index(series))
        unknown = np.flatnonzero((codes < 0) & ~missing)
        if unknown.size:
            found = series.iloc[unknown[0]]
            found = found.item() if isinstance(found, np.generic) else found
            known = shown(", ".join(map(str, self.categories)))
            raise ValueError(
                f"column {shown(self.name)!r} has the category {shown(repr(found))} in {_row(series, unknown[0])}, "
                f"which no fitted row had: they had {known}"
            )
        x = np.zeros((len(codes), self.width))
        x[np.arange(len(codes)), codes] = 1
        x[missing] = np.nan
        return x

    def _numbers(self, series):
        """The values as float64 (N,), NaN where missing, checked."""
        known = series.dropna().infer_objects()  # objects get the type that they have
        if len(known) and known.dtype.kind not in "biuf":
            raise TypeError(f"column {shown(self.name)!r} is {self.kind}, but holds {contents(known)}")
        values = series.to_numpy(np.float64, na_value=np.nan)
        wrong, expected = np.isinf(values), "finite numbers"
        if self.kind == "count":
            wrong, expected = wrong | (values < 0) | (values != np.floor(values)), "whole numbers from 0"
        elif self.kind == "boolean":
            wrong, expected = (values != 0) & (values != 1), "True or False"
        wrong = np.flatnonzero(wrong & ~np.isnan(values))
        if wrong.size:
            found = shown(str(series.iloc[wrong[0]]))
            raise ValueError(f"column {shown(self.name)!r} holds {expected}, but {_row(series, wrong[0])} has {found}")
        return values


class Table:
    """The columns of a DataFrame, and the places of their numbers among the model's columns."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.n_features = sum(column.width for column in self.columns)
        by_kind = sorted(range(len(self.columns)), key=lambda j: KINDS.index(self.columns[j].kind))
        edges = np.cumsum([0] + [self.columns[j].width for j in by_kind])
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
        return cls(Column.infer(frame.iloc[:, j], kinds.get(name), weight) for j, name in enumerate(frame.columns))

    @property
    def names(self):
        return [column.name for column in self.columns]

    def likelihood(self):
        """A Mixed likelihood of the table's columns, in the order of ``places``."""
        groups = [[column for column in self.columns if column.kind == kind] for kind in KINDS]
        return Mixed([LIKELIHOODS[group[0].kind](group) for group in groups if group])

    def encode(self, frame):
        """The rows of a DataFrame as (N, n_features) float32, NaN where an entry is missing.

        Raises ValueError, naming the column or row, where columns are missing, too many or in another order, or a row
        has no known value at all, and what Column.encode raises.
        """
        given = list(frame.columns)
        refuse_equal_names(frame, "the table")
        if given != self.names:
            raise ValueError(_other_columns(given, self.names))
        X = np.empty((len(frame), self.n_features), np.float32)
        for j, (column, place) in enumerate(zip(self.columns, self.places, strict=True)):
            X[:, place] = column.encode(frame.iloc[:, j])
        empty = np.flatnonzero(np.isnan(X).all(axis=1))
        if empty.size:
            raise ValueError(f"{_row(frame, empty[0])} of the table has no known value: drop it")
        return X

    def start(self, model, X, weight=None):
        """Start a new model at the means of the rows X (N, n_features) that it will be trained on (start.py), with
        weights (N,)."""
        weight = np.ones(len(X)) if weight is None else weight
        known, x = ~np.isnan(X), np.nan_to_num(X)
        n, total = weight @ known, weight @ x
        variance = weight @ (known * (x - total / n) ** 2) / n
        mean = smoothed_mean(total, n)
        for column, place in zip(self.columns, self.places, strict=True):
            if column.kind == "numeric":
                mean[place] = 0  # standardised
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


def contents(series):
    """The type of the values of a pandas Series, in a word."""
    import pandas as pd

    return "text" if pd.api.types.is_string_dtype(series.dropna()) else str(series.dtype)


def _kind_of(known):
    if known.dtype.kind == "b":
        return "boolean"
    if known.dtype.kind in "iu":
        return "count" if known.min() >= 0 and known.max() <= WHOLE else "numeric"
    if known.dtype.kind == "f":
        return "numeric"
    if str(known.dtype) in ("category", "object", "str") or str(known.dtype).startswith("string"):
        return "categorical"
    raise TypeError(f"column {shown(known.name)!r} holds {known.dtype}, which is no kind of column: drop or convert it")


def _row(frame, i):
    """Return the name that messages give row i of a DataFrame or Series: its line, if the index tells it, or number."""
    return f"line {frame.index[i]}" if frame.index.name == LINE else f"row {i}"


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
