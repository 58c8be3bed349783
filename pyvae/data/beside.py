"""Columns of a table beside its rows: the condition that rows are given, or the class or number that is to be told."""

from dataclasses import dataclass

import numpy as np

from pyvae.arguments import did_you_mean, shown
from pyvae.data.columns import Column, row_name
from pyvae.data.labels import UNKNOWN
from pyvae.data.scaling import warn_of_far_cells
from pyvae.data.tables import Table


@dataclass
class Beside:
    """What of a table stands beside the columns of its rows. condition: a Table of the columns that rows are given.
    target: the Column of their classes, or of a number. One of both is None."""

    condition: Table | None = None
    target: Column | None = None

    @classmethod
    def infer(cls, frame, condition=(), target=None, kinds=None):
        """Describe columns of a DataFrame, by their names. kinds: as for ``Table.infer``; that of the target decides
        whether it is told as a class (categorical, boolean) or as a number (numeric, count). Raises ValueError where
        the table has no such column, or the target has one value alone, and what ``Table.infer`` and ``Column.infer``
        raise."""
        for argument, names in (("condition", condition), ("target", [target] if target else [])):
            for name in names:
                if name not in frame.columns:
                    meant = did_you_mean(name, frame.columns)
                    raise ValueError(f"{argument} names the column {shown(name)!r}, which the table has not{meant}")
        if target is None:
            own = {name: kind for name, kind in (kinds or {}).items() if name in condition}
            return cls(Table.infer(frame[list(condition)], own))
        kind = Column.infer(frame[target], (kinds or {}).get(target)).kind
        told_as = {"boolean": "categorical", "count": "numeric"}.get(kind, kind)
        column = Column.infer(frame[target], told_as)
        if len(column.categories) < 2 if told_as == "categorical" else column.low == column.high:
            what = "class" if told_as == "categorical" else "value"
            raise ValueError(f"column {shown(target)!r} has one {what} alone: there is nothing to tell apart")
        warn_of_far_cells([f"column {target!r}"], column.far(frame[target]).sum(keepdims=True))
        return cls(target=column)

    @property
    def number(self):
        """The target's Column, where it is a number; else None."""
        return None if self.target is None or self.target.kind == "categorical" else self.target

    @property
    def columns(self):
        """The Columns."""
        return [self.target] if self.condition is None else self.condition.columns

    @property
    def names(self):
        """The names of the columns."""
        return [column.name for column in self.columns]

    def of_rows(self, frame, training=False):
        """The arguments of a source for the rows of a DataFrame: condition (N, C); or label (N,), UNKNOWN where the
        cell is empty, or there is no such column; or targets (N, 1), the scaled numbers, NaN there, and with training
        in far cells (scaling.py), too. Raises ValueError where a condition is missing, and what ``Table.encode``
        raises."""
        if self.condition is None:
            codes = np.full(len(frame), np.nan)
            if self.target.name in frame.columns:
                cells = frame[self.target.name]
                codes = np.where(training & self.target.far(cells), np.nan, self.target.encode(cells))
            if self.number:
                return {"targets": codes[:, None]}
            return {"label": np.where(np.isnan(codes), UNKNOWN, codes).astype(np.int64)}
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise ValueError(f"the table has no column {shown(missing[0])!r}, the condition of its rows")
        unknown = np.argwhere(frame[self.names].isna().to_numpy())
        if len(unknown):
            row, name = row_name(frame, unknown[0, 0]), shown(self.names[unknown[0, 1]])
            raise ValueError(f"{row} of the table has no value in column {name!r}, its condition: drop it")
        return {"condition": self.condition.encode(frame[self.names])}

    def config(self):
        """It in JSON types, for ``from_config``."""
        table = self.condition or Table([self.target])
        return {"condition" if self.condition else "target": table.config()}

    @classmethod
    def from_config(cls, config):
        """The inverse of ``config``."""
        if "condition" in config:
            return cls(Table.from_config(config["condition"]))
        return cls(target=Table.from_config(config["target"]).columns[0])
