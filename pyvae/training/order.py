"""The order in which an epoch takes the rows: a random one, in which labelled rows stand at equal distances.

Few rows may have labels. Drawn without regard to that, one batch would have several of them and the next none. So of N
rows, L of them labelled, place p of an epoch has a labelled row where the number of those before it rises:

    n(p) = floor(p L / N)         labelled where n(p + 1) > n(p): the labelled row number n(p), else the other row
                                  number p - n(p), each of a random order of its kind

and any whole batch has as many labelled rows as another, or one more. An order is never stored: places are found when
they are wanted (_kernels/random_ref.py).
"""

import numpy as np

from pyvae.noise import Noise

TOGETHER = 4096  # places that are found at once


class Order:
    """The rows of each step: ``rows(epoch, first, stop)`` of a DataSource's len(source) rows, for batches of batch_size
    from the first place on, one after the other. Labelled rows: those that the source has marked, or by_label those
    with a label. The array is valid until the next call."""

    def __init__(self, source, batch_size, seed, by_label):
        self.n_rows, self.seed = len(source), seed
        labelled = source.marked
        if labelled is None:
            labelled = source.label >= 0 if by_label and source.label is not None else np.zeros(0, bool)
        self.kinds = (np.flatnonzero(labelled), np.flatnonzero(~labelled)) if 0 < labelled.sum() < self.n_rows else None
        window = max(1, TOGETHER // batch_size) * batch_size
        self.window = np.empty(min(window, self.n_rows), dtype=np.int64)  # the rows at the next places

    def rows(self, epoch, first, stop):
        """The rows at places first .. stop of an epoch, int64."""
        place = first % len(self.window)
        if place == 0:
            self.find(Noise(self.seed, step=epoch), first, self.window[: self.n_rows - first])
        return self.window[place : place + stop - first]

    def find(self, noise, first, out):
        """Write the rows at places first, first + 1, ... to out."""
        if self.kinds is None:
            noise.permutation("order", self.n_rows, first, first + len(out), out=out)
            return
        labelled, others = self.kinds
        places = np.arange(first, first + len(out) + 1)
        before = places * len(labelled) // self.n_rows  # labelled rows before each place
        is_labelled = before[1:] > before[:-1]
        kinds = (labelled, is_labelled, before), (others, ~is_labelled, places - before)
        for i, (kind, chosen, count) in enumerate(kinds):
            order = noise.part(i)  # of its own, or kinds of about the same size would meet again in every epoch
            out[chosen] = kind[order.permutation("order", len(kind), int(count[0]), int(count[-1]))]
