"""Rows made for given values of some columns: {"town": "Ulm", "age": 40}, or {3: 1.5} of an array.

A row with these values alone, every other entry missing, is what the likelihood sees: p(x_g|z). Samples of z with the
weights of models/latents_given.py stand for p(z|x_g). The other columns are drawn from p(x|z), and the given values put
in their places as they were given.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from pyvae.arguments import did_you_mean, shown
from pyvae.data.columns import GIVEN
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.models.latents_given import latents_given
from pyvae.noise import Noise
from pyvae.sklearn.columns import TableColumns

FEW = 50  # effective samples


def sample_given(model, columns, given, n, density, seed):
    """n rows like the fitted ones, in which the columns have the given values; density: of z.

    Raises TypeError or ValueError where a column, or a value for it, is not like the fitted ones, or where no column is
    given, or all are. A warning says so where few samples of z suit the values.
    """
    by_number = check_names(columns, given)
    row = row_of(columns, by_number)
    latents = latents_given(model, columns.source(row), density, seed)
    if latents.effective_sample_size < FEW:
        warnings.warn(
            f"of {len(latents.z)} samples of z only {latents.effective_sample_size:.0f} (their effective sample size) "
            f"suit given={shown(given)}: the rows are of few kinds, as hardly any fitted row was like that",
            UserWarning,
            stacklevel=3,
        )
    x = model.draw(latents.draw(n, Noise(seed, step=1)), seed)
    return put(columns.decode(x), by_number)


def names_of(columns):
    """What the columns are called: names, or the numbers of those of an array."""
    if isinstance(columns, TableColumns):
        return columns.table.names
    return range(columns.n_features) if columns.frame is None else list(columns.frame.columns)


def check_names(columns, given):
    """The given values by the number of their column. Raises TypeError or ValueError unless they are some columns, but
    not all, and each has a value."""
    if not isinstance(given, Mapping):
        raise TypeError(f"given must be a dict, {{name of a column: value}}, not {shown(repr(given))}")
    if not given:
        raise ValueError("given must name at least one column: leave it out for rows of every kind")
    import pandas as pd

    names = names_of(columns)
    numbers = {name: j for j, name in enumerate(names)}
    for name, value in given.items():
        if name not in numbers:
            known = f"0 to {names[-1]}" if isinstance(names, range) else shown(", ".join(map(str, names)))
            words = [word for word in names if isinstance(word, str)]
            guess = did_you_mean(name, words) if isinstance(name, str) else ""
            raise ValueError(f"given names the column {shown(repr(name))}, which X had not: it had {known}{guess}")
        if np.ndim(value) == 0 and pd.isna(value):
            raise ValueError(f"given has no value for column {shown(repr(name))}: leave it out to have it drawn")
    if len(given) == len(names):
        raise ValueError("given must leave some column out, or there is nothing to draw")
    return {numbers[name]: value for name, value in given.items()}


def row_of(columns, given):
    """One row like those of X, with the given values (by column number), checked, and every other entry missing."""
    if isinstance(columns, TableColumns):
        return _row_of_table(columns.table, given)
    row = np.full((1, columns.n_features), np.nan)
    names = names_of(columns)
    for j, value in given.items():
        try:
            row[0, j] = np.nan if isinstance(value, str | bytes) else value
        except (TypeError, ValueError):
            row[0, j] = np.nan
        if not np.isfinite(row[0, j]):
            raise TypeError(f"given must have a finite number for column {shown(repr(names[j]))}, "
                            f"not {shown(repr(value))}")  # fmt: skip
    likelihood = columns.likelihood()
    outside = likelihood.outside(columns.encode(row))[0]
    for j, value in given.items():
        if outside[j]:
            raise ValueError(f"given has {shown(value)} for column {shown(repr(names[j]))}, which holds "
                             f"{likelihood.of_column(j).support}")  # fmt: skip
    for group in one_hot_groups(likelihood):
        if 0 < sum(group.start <= j < group.stop for j in given) < group.stop - group.start:
            raise ValueError(f"given must have all of the columns {group.start} to {group.stop - 1} or none: together "
                             "they are one category")  # fmt: skip
    return row


def _row_of_table(table, given):
    import pandas as pd

    values = {column.name: [given.get(j)] for j, column in enumerate(table.columns)}
    row = pd.DataFrame(values, index=pd.Index([0], name=GIVEN), dtype=object)
    for j in given:
        column = table.columns[j]
        column.encode(row.iloc[:, j])  # which refuses what the column cannot hold
        whole = column.kind == "numeric" and "int" in column.dtype.lower()
        if whole and not float(given[j]).is_integer():
            raise ValueError(f"column {shown(column.name)!r} holds whole numbers, but given has {shown(given[j])}")
    return row


def put(rows, given):
    """The rows, an array or a DataFrame, with the given values (by column number) in their columns, as they were given:
    decoded numbers are rounded to float32, and lie between the least and the largest that was fitted."""
    for j, value in given.items():
        if hasattr(rows, "iloc"):
            name = rows.columns[j]
            rows[name] = type(rows[name])([value] * len(rows), rows.index, rows[name].dtype)
        else:
            rows[:, j] = value
    return rows


def one_hot_groups(likelihood, first=0):
    """The columns of each one-hot group, slices that begin at column ``first``."""
    if isinstance(likelihood, Mixed):
        for part, columns in zip(likelihood.parts, likelihood.columns, strict=True):
            yield from one_hot_groups(part, first + columns.start)
    elif isinstance(likelihood, Weighted):
        yield from one_hot_groups(likelihood.part, first)
    elif isinstance(likelihood, Categorical):
        for start, stop in zip(likelihood.edges, likelihood.edges[1:], strict=False):
            yield slice(first + int(start), first + int(stop))
