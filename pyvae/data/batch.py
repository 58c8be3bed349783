"""Batch: what a minibatch is."""

from dataclasses import dataclass

import numpy as np

from pyvae.data.labels import whole_numbers
from pyvae.data.validation import check_array, check_row_numbers


@dataclass
class Batch:
    """Rows for one forward pass. Entries of x that are not observed become 0 in x and in observed, whatever was given
    there."""

    x: np.ndarray  # (B, D) float32 or float64
    observed: np.ndarray | None = None  # (B, D) 1 where an entry is known, 0 where it is not; None: all are
    weight: np.ndarray | None = None  # (B,) weights of the rows; None: all 1
    rows: np.ndarray | None = None  # (B,) row numbers, for the noise; None: 0 .. B - 1
    condition: np.ndarray | None = None  # (B, C) what a ConditionalVAE is told of each row; None: nothing
    label: np.ndarray | None = None  # (B,) class of each row, -1 where it is not known; None: of no row

    def __post_init__(self):
        is_table = isinstance(self.x, np.ndarray) and self.x.ndim == 2
        if not is_table or self.x.dtype not in (np.float32, np.float64):
            raise TypeError("x of a Batch must be a two-dimensional array of float32 or float64")
        for name, shape in (("observed", self.x.shape), ("weight", self.x.shape[:1])):
            values = getattr(self, name)
            if values is not None and np.shape(values) != shape:
                raise ValueError(f"{name} of a Batch must have the shape {shape}, not {np.shape(values)}")
        if self.observed is not None:
            known = np.asarray(self.observed) != 0
            self.x, self.observed = np.where(known, self.x, self.x.dtype.type(0)), known.astype(self.x.dtype)
        if self.weight is not None:
            self.weight = check_weight(self.weight)
        if self.condition is not None:
            self.condition = np.ascontiguousarray(self.condition, self.x.dtype)
            if self.condition.ndim != 2 or len(self.condition) != len(self.x):
                found = self.condition.shape
                raise ValueError(f"condition of a Batch must have a row for each of its {len(self.x)}, not {found}")
        if self.label is not None:
            self.label = label_of_rows(self.label, len(self.x))
        self.rows = np.arange(len(self.x)) if self.rows is None else check_row_numbers(self.rows)
        if len(self.rows) != len(self.x):
            raise ValueError(f"rows of a Batch must be one number for each of its {len(self.x)}, not {len(self.rows)}")


def check_weight(weight):
    """Weights of rows (B,) as an array. Raises TypeError unless they are real numbers, ValueError for one below 0."""
    weight = np.asarray(weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"weight must hold real numbers, not {weight.dtype}")
    wrong = np.flatnonzero(~((weight >= 0) & (weight < np.inf)))
    if wrong.size:
        raise ValueError(f"weight[{wrong[0]}] must be a finite number from 0, not {weight[wrong[0]]:g}")
    return weight


def weight_of_rows(weight, n_rows):
    """The weights of a source's rows as float64 (N,), or None. Raises ValueError unless each row has one, and at least
    one is above 0."""
    if weight is None:
        return None
    weight = check_weight(weight).astype(np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(f"weight must be one number for each of the {n_rows} rows, not of shape {weight.shape}")
    if not weight.any():
        raise ValueError("weight must not be 0 for every row")
    return weight


def condition_of_rows(condition, n_rows):
    """The condition of a source's rows, or None: (N, C) numbers, of which ``one_hot`` makes labels. Raises TypeError or
    ValueError unless it is a table of finite numbers with a row for each of the source."""
    if condition is None:
        return None
    condition = check_array(condition, "condition")
    if len(condition) != n_rows:
        raise ValueError(f"condition must have a row for each of the {n_rows} rows, not {len(condition)}")
    with np.errstate(over="ignore"):
        wrong = np.argwhere(~np.isfinite(condition.astype(np.float32)))
    if len(wrong):
        i, j = wrong[0]
        raise ValueError(f"condition[{i}, {j}] is {condition[i, j]:g}, but it must be a finite number")
    return condition


def label_of_rows(label, n_rows):
    """The labels of so many rows as int64 (N,), or None. Raises TypeError or ValueError unless there is a whole number
    for each row."""
    if label is None:
        return None
    label = whole_numbers(label)
    if len(label) != n_rows:
        raise ValueError(f"label must be one number for each of the {n_rows} rows, not {len(label)}")
    return label
