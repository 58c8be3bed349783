"""Dataset: rows with their splits, labels and, where they are pictures, their shape."""

from dataclasses import dataclass

import numpy as np

from pyvae.data.beside import Beside
from pyvae.data.labels import UNKNOWN
from pyvae.data.sources import DataSource
from pyvae.data.tables import Table
from pyvae.data.wrapped import PartlyLabelled


@dataclass
class Dataset:
    """Rows to train on and, if there is a split, rows to test on and rows to validate on."""

    name: str
    train: DataSource
    test: DataSource | None = None
    validation: DataSource | None = None
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    image_shape: tuple | None = None  # (height, width) of a row, where rows are pictures
    epochs: int = 10  # enough to see something
    table: Table | None = None  # the table that encoded the rows, if one did
    beside: Beside | None = None  # columns of the same file that are no part of the rows
    train_factors: np.ndarray | None = None  # (N, K) whole numbers: what each row was made from
    test_factors: np.ndarray | None = None
    factor_names: tuple = ()  # (K,)

    @property
    def codes(self):
        """What Table.codes makes of the rows of a table to train on."""
        return (self.train.source if isinstance(self.train, PartlyLabelled) else self.train).codes

    @property
    def n_labelled(self):
        """How many rows to train on have a label, or a number beside them; None where none is asked for."""
        if self.train.label is not None:
            return int((self.train.label != UNKNOWN).sum())
        if self.beside is None or not self.beside.number:
            return None
        return len(self.train) if self.train.marked is None else int(self.train.marked.sum())

    def splits(self):
        """The existing sources by their names, in the order test, validation, train."""
        named = {"test": self.test, "validation": self.validation, "train": self.train}
        return {name: source for name, source in named.items() if source is not None}

    def value_range(self):
        """The least and the greatest value of the first thousand rows, drawn as black and white in pictures."""
        x = self.train.gather(np.arange(min(1000, len(self.train)))).x
        return float(x.min()), float(x.max())
