"""One column of a table: what kind it is, and its values as the numbers that a model takes, and back.

kind          of columns of type            becomes                  numbers of width
numeric       float, other integers         (x - mean) / std         1
count         integers from 0 to 2^24       itself                   1
boolean       bool                          0 or 1                   1
categorical   category, text                one-hot                  the number of categories
"""

import warnings
from dataclasses import dataclass

import numpy as np

from pyvae.arguments import shown
from pyvae.data.scaling import FARTHEST, is_far, moments, reach, scale_of, scaled, too_large
from pyvae.data.validation import WHOLE

KINDS = ("numeric", "count", "boolean", "categorical")
MOST_CATEGORIES = 1000
FEW = 0.01  # of the numbers
LINE = "line of the file"  # name of an index of lines
GIVEN = "given"  # name of the index of the one row of values that new rows are asked to have


@dataclass
class Column:
    """The description of one column. ``encode`` turns its values into numbers, one for each, ``decode`` turns the
    model's (N, width) numbers into values."""

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
    reach: list | None = None  # numeric: where far cells begin (scaling.py); None: nowhere

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
        values, weight = values[here], np.ones(here.sum()) if weight is None else weight[here]
        if kind == "numeric":
            low, high = reach(values[:, None])
            column.reach = [float(low[0]), float(high[0])] if np.isfinite([low, high]).all() else None
            column._standardize(values, weight, low, high)
            values = values[~is_far(values, low, high)]
        column.low, column.high = float(values.min()), float(values.max())
        return column

    def _standardize(self, values, weight, low, high):
        (mean,), (std,) = moments(values[:, None], weight, low, high)
        if too_large(mean, std):
            raise ValueError(f"column {shown(self.name)!r} holds numbers too large to be scaled: divide them before")
        self.mean, self.scale = float(mean), float(scale_of(std, mean))

    def far(self, series):
        """Booleans (N,): True for far cells."""
        if self.reach is None:
            return np.zeros(len(series), bool)
        return is_far(self._numbers(series), *self.reach)

    def encode(self, series):
        """A number for each value, (N,) float64: that of its category, 0, 1, ..., or the scaled value; NaN where it is
        missing. Raises TypeError or ValueError, naming the column, where it cannot hold a value."""
        if self.kind == "categorical":
            return self._codes(series)
        numbers = self._numbers(series)
        return scaled(numbers, self.mean, self.scale) if self.kind == "numeric" else np.minimum(numbers, FARTHEST)

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

    def _codes(self, series):
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
                f"column {shown(self.name)!r} has the category {shown(repr(found))} in {row_name(series, unknown[0])}, "
                f"which no fitted row had: they had {known}"
            )
        return np.where(missing, np.nan, codes)

    def _numbers(self, series):
        """The values as float64 (N,), NaN where missing, checked."""
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
            values = series.to_numpy(np.float64)
        else:
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
            raise ValueError(
                f"column {shown(self.name)!r} holds {expected}, but {row_name(series, wrong[0])} has {found}"
            )
        return values


def warn_of_few_fractions(what, series):
    """Say so where one number in a hundred at most keeps a column from being counts. what: its name."""
    if series.dtype.kind != "f":
        return
    values = series.to_numpy(np.float64, na_value=np.nan)
    fractions = np.flatnonzero(np.isfinite(values) & (values != np.floor(values)))
    n_known = np.isfinite(values).sum()
    if 0 < len(fractions) <= n_known * FEW and len(fractions) < n_known and np.nanmin(values) >= 0:
        i = fractions[0]
        warnings.warn(
            f"{what} is taken for real numbers, not counts, as {row_name(series, i)} has {values[i]:g}",
            UserWarning,
            stacklevel=2,
        )


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


def row_name(frame, i):
    """Return the name that messages give row i of a DataFrame or Series: its line, if the index tells it, or number."""
    if frame.index.name == GIVEN:
        return GIVEN
    return f"line {frame.index[i]}" if frame.index.name == LINE else f"row {i}"
