"""Sources that hand on the rows of another source, with something changed: which rows, or what is in them."""

from copy import copy
from dataclasses import replace

import numpy as np

from pyvae.data.batch import condition_of_rows
from pyvae.data.sources import OF_EACH_ROW, DataSource, of_rows
from pyvae.data.validation import check_array
from pyvae.noise import Noise
from pyvae.workspace import FRESH


class WrappedSource(DataSource):
    """The rows of another source, with something changed: which rows they are (``numbers_of``) or what is in a batch
    (``change``). Everything else is the other source's."""

    def __init__(self, source):
        self.source, self.n_features, self.name = source, source.n_features, source.name
        self.weight, self.condition, self.label = source.weight, source.condition, source.label
        self.binarize, self.threshold, self.missing = source.binarize, source.threshold, source.missing
        self.standardization, self.strata, self.marked = source.standardization, source.strata, source.marked

    def __len__(self):
        return len(self.source)

    def numbers_of(self, rows):
        """The row numbers of these rows in the other source."""
        return rows

    def change(self, batch, noise):
        """The batch as this source hands it on."""
        return batch

    def gather(self, rows, noise=None, out=None):
        return self.change(self.source.gather(self.numbers_of(rows), noise, out), noise or Noise(0))

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        return self.change(self.source.minibatch(self.numbers_of(rows), noise, dtype, memory), noise)

    def place(self, i, j):
        return self.source.place(i, j)

    def gray(self):
        gray = copy(self)
        gray.source, gray.binarize = self.source.gray(), None
        return gray


class Rows(WrappedSource):
    """Some rows of another source, such as the training share; each keeps its row number."""

    def __init__(self, source, numbers):
        super().__init__(source)
        self.numbers = np.asarray(numbers, dtype=np.int64)
        for name in (*OF_EACH_ROW, "strata", "marked"):
            setattr(self, name, of_rows(self.numbers, getattr(source, name)))

    def __len__(self):
        return len(self.numbers)

    def numbers_of(self, rows):
        return self.numbers[rows]


class Dequantized(WrappedSource):
    """The rows of another source, with a uniform number from -steps_j/2 to steps_j/2 added to column j, drawn afresh at
    every step of training.

    A density of rounded numbers has no bound: a model gains without end by concentrating on them. With their place in
    the grid step drawn, the mean log density is a lower bound on log P(grid step) - log steps_j (Uria et al. 2013;
    Theis et al. 2016, section 3.1). steps: (n_features,), the grid steps; 0 leaves a column as it is.
    """

    def __init__(self, source, steps):
        super().__init__(source)
        self.steps = np.broadcast_to(steps, (self.n_features,))

    minibatch = DataSource.minibatch  # as an array, of sparse rows too: no entry stays zero

    def change(self, batch, noise):
        place_in_step = noise.uniform("dequantize", batch.x.shape, batch.rows, batch.x.dtype)
        place_in_step -= 0.5
        place_in_step *= self.steps
        if batch.observed is not None:
            place_in_step *= batch.observed
        batch.x += place_in_step
        return batch


class Drawn(WrappedSource):
    """Rows of which a mean and a log variance are known, as ``encode`` of a model gives them: x ~ N(mu, exp(logvar)),
    drawn afresh at every step of training. So a model of z of another one learns from all of q(z|x) (M1+M2 of Kingma et
    al. 2014). source: of the means; logvar: (N, n_features)."""

    def __init__(self, source, logvar):
        super().__init__(source)
        logvar = check_array(logvar, "logvar")
        if logvar.shape != (len(source), source.n_features):
            raise ValueError(f"logvar must be {len(source)} x {source.n_features}, as the means, not {logvar.shape}")
        self.std = np.exp(logvar / 2)

    def gather(self, rows, noise=None, out=None):
        return self.with_noise(self.source.gather(rows, noise, out), rows, noise or Noise(0))

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        return self.with_noise(self.source.minibatch(rows, noise, dtype, memory), rows, noise)

    def with_noise(self, batch, rows, noise):
        """The batch of these rows, x by their standard deviations away from the means."""
        batch.x += self.std[rows] * noise.normal("x", batch.x.shape, batch.rows, batch.x.dtype)
        return batch


class PartlyLabelled(WrappedSource):
    """The rows of another source, of which some alone have a label: the columns from number ``first`` on, in which it
    stands, are observed where ``labelled`` (N,) is True. Batches have equally many such rows (training/order.py), and
    no other row is held out: how good an epoch is, these tell."""

    def __init__(self, source, first, labelled):
        super().__init__(source)
        self.first, self.labelled, self.missing = first, labelled, True
        self.marked, self.strata = labelled, np.where(labelled, 0, -1)

    def gather(self, rows, noise=None, out=None):
        return self.hidden(self.source.gather(rows, noise, out), rows)

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        return self.hidden(self.source.minibatch(rows, noise, dtype, memory), rows)

    def hidden(self, batch, rows):
        """The batch of these rows without the labels that are not known."""
        observed = np.ones(batch.x.shape, bool) if batch.observed is None else batch.observed
        observed[:, self.first :] *= self.labelled[rows, None]
        return replace(batch, observed=observed)


def partly_labelled(source_with, targets):
    """source_with(targets), a DataSource of rows with targets (N, T) in its last columns, for targets that are NaN
    where nobody knows them: there they are not observed."""
    known = ~np.isnan(targets).any(axis=1)
    source = source_with(np.nan_to_num(targets))
    return source if known.all() else PartlyLabelled(source, source.n_features - targets.shape[1], known)


class SameNoise(WrappedSource):
    """The rows of another source, all with the noise of row 0: a row's score then does not depend on the rows beside
    it. The mean over rows has the same error as the score of one row, so scores need many samples."""

    def change(self, batch, noise):
        batch.rows = np.zeros_like(batch.rows)
        return batch


class WithCondition(WrappedSource):
    """The rows of another source, with another condition (N, C) beside them."""

    def __init__(self, source, condition):
        super().__init__(source)
        self.condition = condition_of_rows(condition, len(source))

    def gather(self, rows, noise=None, out=None):
        return replace(self.source.gather(rows, noise, out), condition=self.condition[rows])

    def minibatch(self, rows, noise, dtype, memory=FRESH):
        return replace(self.source.minibatch(rows, noise, dtype, memory), condition=self.condition[rows])
