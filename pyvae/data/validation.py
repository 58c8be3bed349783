"""Arrays from users: an array that can be used without surprise is accepted; one sentence says why another is not.

The checks accept whatever NumPy can make a table of real numbers: arrays of any such type, memory order, strides and
byte order, read-only and memory-mapped ones, lists of lists, objects with ``__array__``, and DataFrames of numeric
columns. Nothing is changed. uint8, float32 and float64, which the kernels read, stay where they are, even on disk;
other types are copied.

The entries of SciPy's sparse matrices are used as they are (SparseSource).

The checks refuse whatever they would have to guess at: text, dates, complex numbers, records, rows of different
lengths, and masked or missing entries, unless they are told that entries may be missing.

Floating-point numbers are rounded to the model's type, float32 as a rule. Whole numbers claim to be exact. Integers are
refused above 2^24, where float32 begins to round them, so that a count or a key never turns into another one in
silence; whole numbers in float64 are rounded like every float64.
"""

import os
from decimal import Decimal
from numbers import Integral, Real

import numpy as np

from pyvae.arguments import shown
from pyvae.data.frames import as_pandas

WHOLE = 2**24  # float32 holds every whole number up to this one
READABLE = (np.uint8, np.float32, np.float64)  # by the kernels, in any byte order
UNKNOWN = "fill it, drop the row, or give ArraySource(X, missing=True)"
CONTENTS = {
    "c": "complex numbers", "U": "text", "T": "text", "S": "bytes", "M": "dates", "m": "spans of time"
}  # fmt: skip


def check_array(X, name="X", missing=False):
    """X as an array (rows, features) of uint8, float32 or float64, copied only if its type is another.

    missing: True turns missing entries of a DataFrame, and masked ones of an array, into NaN. Raises TypeError where X
    is not an array of real numbers, and ValueError where it is not two-dimensional, is empty, misses entries or holds
    integers beyond 2^24.
    Finite values are checked where they are gathered (sources.py).
    """
    X = as_pandas(X, name)
    labels = column_labels(X)
    if missing and isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biuf":
        X = filled(X)
    X = _from_any(X, name) if labels is None else _from_frame(X, name, labels, missing)
    if X.dtype.kind not in "biufO":
        fields = ", ".join(X.dtype.names or ())
        contents = f"records of {fields}" if fields else CONTENTS.get(X.dtype.kind, X.dtype)
        raise TypeError(f"{name} must hold real numbers, not {contents}")
    if X.ndim != 2:
        advice = {1: ": reshape(1, -1) makes it one row, reshape(-1, 1) one column"}.get(X.ndim, "")
        advice = f": {name}.reshape(len({name}), -1) makes each picture a row" if X.ndim > 2 else advice
        raise ValueError(f"{name} must be two-dimensional, (rows, features), not of shape {X.shape}{advice}")
    if 0 in X.shape:
        raise ValueError(f"{name} must have at least one row and one column, not the shape {X.shape}")
    if X.dtype.kind == "O":
        return _from_objects(X, name, labels)
    if X.dtype.newbyteorder("=") in READABLE:
        return X
    if X.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a long double that becomes infinite is named where it is gathered
            return X.astype(np.float32 if X.dtype.itemsize == 2 else np.float64)
    if X.max() > WHOLE or X.min() < -WHOLE:
        i, j = np.argwhere((X > WHOLE) | (X < -WHOLE))[0]
        _refuse_whole(X[i, j], place(name, i, j, labels))
    return X.astype(np.uint8 if X.dtype.kind == "b" else np.float32)


def filled(X):
    """A masked array of numbers as float64 with NaN where it is masked."""
    return np.ma.filled(X.astype(np.float64), np.nan)


def check_sparse(X, name="X"):
    """A SciPy sparse matrix or array as CSR with the columns of each row in order: X itself if it is that already.

    Raises TypeError where it does not hold real numbers, and ValueError where it is not two-dimensional or is empty, or
    holds integers beyond 2^24.
    """
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"{name} must have at least one row and one column, not the shape {X.shape}")
    if X.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, not {CONTENTS.get(X.dtype.kind, X.dtype)}")
    rows = X.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy() if rows is X else rows
        rows.sum_duplicates()  # this also puts columns in order
    if rows.dtype.kind in "iu" and rows.nnz and max(rows.data.max(), -int(rows.data.min())) > WHOLE:
        n = np.flatnonzero((rows.data > WHOLE) | (rows.data < -WHOLE))[0]
        i = np.searchsorted(rows.indptr, n, side="right") - 1
        _refuse_whole(rows.data[n], place(name, i, rows.indices[n]))
    return rows


def check_row_numbers(rows):
    """Row numbers as int64 (B,). Raises TypeError where they are not integers, ValueError where not one-dimensional.

    The kernel that picks the rows checks that they exist.
    """
    rows = np.asarray(rows)
    if rows.dtype.kind not in "iu" and rows.size:
        raise TypeError(f"rows must be whole numbers, not {rows.dtype}")
    if rows.ndim != 1:
        raise ValueError(f"rows must be one-dimensional, not of shape {rows.shape}")
    return rows.astype(np.int64, copy=False)


def column_labels(X):
    """The names of a DataFrame's columns; None for everything else."""
    return list(X.columns) if hasattr(X, "iloc") and hasattr(X, "columns") else None


def place(name, i, j, labels=None):
    """Return the name that messages give the value in row i and column j, such as X[3, 7], or X[3, 7] (width)."""
    return f"{name}[{i}, {j}]" + ("" if labels is None else f" ({shown(labels[j])})")


def _from_any(X, name):
    """Anything but a DataFrame as an array, which shares its memory if it has some."""
    if hasattr(X, "tocsr"):
        raise TypeError(f"{name} must be a dense array, not a sparse {type(X).__name__}: SparseSource takes that")
    if isinstance(X, str | os.PathLike):
        raise TypeError(f"{name} must be an array, not the name of a file: pyvae.datasets.load reads files")
    if isinstance(X, np.ma.MaskedArray):
        masked = np.argwhere(np.ma.getmaskarray(X)) if X.dtype.names is None else np.empty(0)
        if masked.size:
            raise TypeError(f"{name}{masked[0].tolist()} is masked: {UNKNOWN}")
        X = X.data
    try:
        array = X if isinstance(X, np.memmap) else np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(X, list | tuple):
            raise ValueError(f"{name} must be a table of numbers{_first_other_length(X)}") from None
        reason = shown(error).rstrip(".")
        raise TypeError(f"{name} must be an array, which no {type(X).__name__} becomes here: {reason}") from None
    if array.dtype.kind == "O" and array.ndim == 0:
        kind = "None" if X is None else f"of type {type(X).__name__}"
        raise TypeError(f"{name} must be an array (rows, features), or a list of rows, not {kind}")
    return array


def _first_other_length(rows):
    """The first row of a list that is not as long as row 0, in words."""
    lengths = [len(row) if hasattr(row, "__len__") else 1 for row in rows]
    other = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    return "" if other is None else f": row {other} has {lengths[other]} columns, but row 0 has {lengths[0]}"


def _from_frame(X, name, labels, missing):
    """A DataFrame as an array of the common type of its columns; if entries may be missing, as float64 with NaN for
    those."""
    columns = []
    for j, label in enumerate(labels):
        column = X.iloc[:, j]
        if column.dtype.kind not in "biuf" and column.dtype != object:
            contents = CONTENTS.get(column.dtype.kind, column.dtype)
            raise TypeError(f"{name} must hold real numbers, but its column {shown(label)!r} holds {contents}")
        if missing:
            columns.append(column.to_numpy(np.float64, na_value=np.nan))
            continue
        empty = np.flatnonzero(column.isna())
        if empty.size:
            raise ValueError(f"{place(name, empty[0], j, labels)} is missing: {UNKNOWN}")
        columns.append(column.to_numpy())
    return np.stack(columns, axis=1) if columns else np.empty(X.shape)


def _from_objects(X, name, labels):
    """An array of Python objects as float64, if all of them are real numbers; text that looks like one is not."""
    values = np.empty(X.shape)
    for i, j in np.ndindex(X.shape):
        value = X[i, j]
        if not isinstance(value, Real | Decimal | np.bool):
            found = f"is {shown(repr(value))}, but it must be a real number"
            raise TypeError(f"{place(name, i, j, labels)} {found}")
        if isinstance(value, Integral) and abs(value) > WHOLE:
            _refuse_whole(value, place(name, i, j, labels))
        try:
            values[i, j] = value
        except OverflowError:
            raise ValueError(f"{place(name, i, j, labels)} is larger than float64 holds: scale it") from None
    return values


def _refuse_whole(value, where):
    raise ValueError(
        f"{where} is {shown(value)}, but float32 rounds whole numbers above 2^24 = {WHOLE}: scale the column, "
        "or make it float64 where rounding does no harm"
    )
