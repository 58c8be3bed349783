"""The reference of a run: what rows like those of the training look like to its model, kept in its folder.

By it ``pyvae score --flag`` tells odd rows. A model gives the rows that it was trained on higher scores than fresh rows
of the same kind, so the reference is of rows that it was not trained on, where the run has some.
"""

import io
import zipfile
from typing import NamedTuple

import numpy as np

from pyvae.command.inputs import log_scale, table_of
from pyvae.data.sources import chunks_of
from pyvae.data.wrapped import Rows, SameNoise
from pyvae.models.expectations import surprise

MOST_ROWS, LEAST_ROWS, SAMPLES = 1000, 100, 100  # whose log-likelihood is computed
MOST_NUMBERS = 100_000_000  # that the decoder makes for it
FEW_ROWS, FEW_SAMPLES = 200, 20  # whose columns are looked at one by one


class Reference(NamedTuple):
    """log_likelihood (n,) of rows, nats. surprise: the median of each column's share in -log p(x|z), nats; None where
    the columns are not independent. held_out: whether the model was not trained on these rows."""

    log_likelihood: np.ndarray
    surprise: np.ndarray | None
    held_out: bool

    @classmethod
    def of(cls, model, source, held_out):
        """That of the rows of a DataSource."""
        most = int(np.clip(MOST_NUMBERS / (SAMPLES * model.decoder.n_out), LEAST_ROWS, MOST_ROWS))
        rows = SameNoise(_evenly(source, most))
        log_likelihood = model.log_likelihood(rows, SAMPLES) - log_scale(rows, table_of(model))
        try:
            found = np.ma.masked_invalid(surprise_of(model, _evenly(source, FEW_ROWS), FEW_SAMPLES))
            median = np.ma.median(found, axis=0).filled(np.nan)  # NaN where no value is known
        except (ValueError, NotImplementedError):
            median = None
        return cls(log_likelihood, median, held_out)

    def to_npz(self):
        """The bytes of an .npz file."""
        arrays = {name: value for name, value in self._asdict().items() if value is not None}
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_npz(cls, path):
        """The inverse of ``to_npz``. Raises ValueError where the file holds something else."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                median = np.asarray(arrays["surprise"], np.float64) if "surprise" in arrays else None
                scores = np.asarray(arrays["log_likelihood"], np.float64)
                if scores.ndim != 1 or not len(scores) or np.isnan(scores).any():
                    raise ValueError
                return cls(scores, median, bool(arrays["held_out"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise ValueError(f"{path} is not a reference of a run, or it is damaged") from None


def columns_of(model):
    """The names of the columns as given, and the slice of the model's columns for each."""
    table = table_of(model)
    if table is not None:
        return [str(name) for name in table.names], table.places
    columns = range(model.n_features)
    return [f"column {j}" for j in columns], [slice(j, j + 1) for j in columns]


def surprise_of(model, source, n_samples, seed=0):
    """Each column's share in -log p(x|z) of the rows of a DataSource, (N, number of columns), nats of the model's
    numbers; NaN where a value is missing. Raises ValueError or NotImplementedError where the columns are not
    independent."""
    source, places = model.source(SameNoise(source)), columns_of(model)[1]
    found = surprise(model, source, places, n_samples, seed)
    if source.missing:
        firsts = [place.start for place in places]
        for rows in chunks_of(len(source), source.n_features):
            observed = source.gather(rows).observed
            if observed is not None:
                found[rows] = np.where(observed[:, firsts] != 0, found[rows], np.nan)
    return found


def _evenly(source, most):
    return Rows(source, np.linspace(0, len(source) - 1, min(len(source), most)).astype(np.int64))
