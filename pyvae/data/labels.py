"""Labels: which class each row is of, as numbers 0, 1, ... of the classes."""

import numpy as np

from pyvae.arguments import check_count

UNKNOWN = -1  # the label of a row of which nobody knows the class
MOST = 2**31  # labels are below it


def one_hot(labels, n_classes=None):
    """Rows (N, n_classes) of zeros with a 1 in the column of each label (N,), float32: such as a ConditionalVAE takes.

    labels: whole numbers from 0. n_classes: how many there are; None: as many as the largest label says. Raises
    TypeError or ValueError for anything else.
    """
    labels = whole_numbers(labels)
    if n_classes is None and not len(labels):
        raise ValueError("there are no labels, which say how many classes there are: give n_classes")
    n_classes = check_count("n_classes", int(labels.max()) + 1 if n_classes is None else n_classes, 1)
    wrong = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if wrong.size:
        i = wrong[0]
        raise ValueError(f"labels[{i}] is {labels[i]}, but labels are the numbers 0 .. {n_classes - 1} of the classes")
    rows = np.zeros((len(labels), n_classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def whole_numbers(labels):
    """Labels (N,) as int64. Raises TypeError unless they are whole numbers, ValueError unless one-dimensional."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iubf":
        raise TypeError(f"labels must be whole numbers, not {labels.dtype}: number the classes from 0")
    if labels.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, not of shape {labels.shape}")
    wrong = np.flatnonzero(~((np.abs(labels.astype(np.float64)) < MOST) & (labels == np.trunc(labels))))
    if wrong.size:
        raise TypeError(f"labels must be whole numbers, but labels[{wrong[0]}] is {labels[wrong[0]]:g}")
    return labels.astype(np.int64)


def check_labels(labels, n_classes, name="X"):
    """Raise ValueError where a label (N,) is neither one of the classes 0 .. n_classes - 1 nor UNKNOWN."""
    wrong = np.flatnonzero((labels < UNKNOWN) | (labels >= n_classes))
    if wrong.size:
        found = f"the label of row {wrong[0]} of {name} is {labels[wrong[0]]}"
        raise ValueError(f"{found}, but labels are the numbers 0 .. {n_classes - 1} of the classes, or -1: unknown")
