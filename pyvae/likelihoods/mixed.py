"""Mixed: a likelihood for columns of several kinds, joined from one likelihood for each group of columns.

Given z, the groups are independent. So their log-likelihoods add up, all with the same dlog_px, and each group has its
own share of the decoder's outputs:

    log p(x|z) = sum_g log p_g(x_g | outputs_g)        doutputs = [doutputs_1 | doutputs_2 | ...]
"""

from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_number
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.module import build, register
from pyvae.workspace import FRESH


class MixedCache(NamedTuple):
    parts: tuple  # each part's cache
    memory: object


@register
class Mixed(Likelihood):
    """Likelihoods side by side: ``Mixed([Gaussian(3, "learned"), Categorical([4, 2]), Poisson(1)])``.

    log p(x|z) = sum_g log p_g(x_g|z), in nats, x_g the columns of part g. parts: Likelihoods in the order of their
    columns; n_features and n_outputs are the sums of theirs. A part may be Mixed itself. Raises ValueError unless parts
    is a list of at least one Likelihood.
    """

    playable = True

    def __init__(self, parts):
        self.parts = list(parts)
        if not self.parts or not all(isinstance(part, Likelihood) for part in self.parts):
            raise ValueError(f"parts must be a list of at least one Likelihood, not {parts!r}")
        super().__init__(sum(part.n_features for part in self.parts))
        self.columns = _slices(part.n_features for part in self.parts)  # of x
        self.outputs = _slices(part.n_outputs for part in self.parts)  # of the decoder

    @property
    def n_outputs(self):
        return self.outputs[-1].stop

    @property
    def support(self):
        groups = zip(self.columns, self.parts, strict=True)
        return "; ".join(f"in columns {of.start} to {of.stop - 1} {part.support}" for of, part in groups)

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        groups = zip(self.parts, self.columns, self.outputs, strict=True)
        terms, caches = zip(
            *(
                part.log_density(x[:, columns], outputs[:, own], memory, _columns(observed, columns))
                for part, columns, own in groups
            ),
            strict=True,
        )
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.copy(terms[0][None], out=log_px[None])
        for term in terms[1:]:
            _kernels.add(log_px[None], term[None], out=log_px[None])  # log p = sum_g log p_g
        return log_px, MixedCache(caches, memory)

    def log_density_backward(self, dlog_px, cache):
        doutputs = cache.memory.take((len(dlog_px), self.n_outputs), dlog_px.dtype)
        for part, own, part_cache in zip(self.parts, self.outputs, cache.parts, strict=True):
            _kernels.copy(part.log_density_backward(dlog_px, part_cache), out=doutputs[:, own])
        return doutputs

    def mean(self, outputs):
        return np.hstack([part.mean(outputs[:, own]) for part, own in zip(self.parts, self.outputs, strict=True)])

    def draw(self, outputs, noise):
        """x (B * k, D); each part has noise of its own, so that no random number is used twice."""
        groups = enumerate(zip(self.parts, self.outputs, strict=True))
        return np.hstack([part.draw(outputs[:, own], noise.part(i)) for i, (part, own) in groups])

    def start(self, mean, variance, outputs):
        """See Likelihood; mean and variance (n,) of the first n columns start the parts that lie within them."""
        for part, columns, own in zip(self.parts, self.columns, self.outputs, strict=True):
            if columns.stop <= len(mean):
                part.start(mean[columns], variance[columns], outputs[own])

    def mean_outputs(self):
        places = [(part.mean_outputs(), own.start) for part, own in zip(self.parts, self.outputs, strict=True)]
        return np.hstack([np.where(numbers < 0, -1, numbers + first) for numbers, first in places])

    def paces(self, outputs):
        groups = zip(self.parts, self.outputs, strict=True)
        return [pace for part, own in groups for pace in part.paces(None if outputs is None else outputs[own])]

    def outside(self, x):
        groups = zip(self.parts, self.columns, strict=True)
        return np.hstack([part.outside(x[:, columns]) for part, columns in groups])

    def of_column(self, j):
        part, columns = next(group for group in zip(self.parts, self.columns, strict=True) if j < group[1].stop)
        return part.of_column(j - columns.start)

    def by_column(self, x, outputs):
        groups = zip(self.parts, self.columns, self.outputs, strict=True)
        return np.hstack([part.by_column(x[:, columns], outputs[:, own]) for part, columns, own in groups])

    def children(self):
        return {str(i): part for i, part in enumerate(self.parts)}

    def config(self):
        return {"parts": [part.describe() for part in self.parts]}

    @classmethod
    def from_config(cls, config):
        return cls([build(part) for part in config["parts"]])


class WeightedCache(NamedTuple):
    part: object
    weight: np.ndarray  # (B * k,)
    memory: object


@register
class Weighted(Likelihood):
    """Another likelihood of the same x (B, D), to the power of ``weight``: log p(x|z)^weight = weight log p(x|z), in
    nats, so that it counts that many times in the loss.

    It suits a few columns that matter more than the many beside them (Kingma et al. 2014, eq. 9, has such a weight).
    Raises ValueError unless weight is above 0.
    """

    playable = True

    def __init__(self, part, weight):
        super().__init__(part.n_features)
        self.part, self.weight = part, check_number("weight", weight, 0)

    @property
    def n_outputs(self):
        return self.part.n_outputs

    @property
    def support(self):
        return self.part.support

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        log_px, cache = self.part.log_density(x, outputs, memory, observed)
        weight = memory.take(log_px.shape, log_px.dtype)
        weight[...] = self.weight
        _kernels.multiply(log_px[None], weight[None], out=log_px[None])  # weight log p
        return log_px, WeightedCache(cache, weight, memory)

    def log_density_backward(self, dlog_px, cache):
        dlog_px_part = cache.memory.take(dlog_px.shape, dlog_px.dtype)
        _kernels.multiply(dlog_px[None], cache.weight[None], out=dlog_px_part[None])
        return self.part.log_density_backward(dlog_px_part, cache.part)

    def mean(self, outputs):
        return self.part.mean(outputs)

    def draw(self, outputs, noise):
        return self.part.draw(outputs, noise)

    def start(self, mean, variance, outputs):
        self.part.start(mean, variance, outputs)

    def mean_outputs(self):
        return self.part.mean_outputs()

    def paces(self, outputs):
        """See Likelihood; outputs (n_outputs,). Gradients are ``weight`` times as long here as those of the part."""
        return [pace._replace(natural=pace.natural / self.weight) for pace in self.part.paces(outputs)]

    def outside(self, x):
        return self.part.outside(x)

    def of_column(self, j):
        return self.part.of_column(j)

    def by_column(self, x, outputs):
        return self.weight * self.part.by_column(x, outputs)

    def children(self):
        return {"part": self.part}

    def config(self):
        return {"part": self.part.describe(), "weight": self.weight}

    @classmethod
    def from_config(cls, config):
        return cls(build(config["part"]), config["weight"])


def _columns(observed, columns):
    return None if observed is None else observed[:, columns]


def _slices(sizes):
    """Consecutive slices of these sizes."""
    edges = [0, *accumulate(sizes)]
    return [slice(first, end) for first, end in pairwise(edges)]
