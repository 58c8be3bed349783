"""The categorical likelihood of groups of one-hot columns, L = log sum_j exp(l_j) over the columns of a group:

log p(x|l) = sum_j x_j (l_j - L)        dlog p/dl_j = x_j - exp(l_j - L)        (as the x_j add up to one)
"""

from itertools import pairwise

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.likelihoods.likelihood import Likelihood, OutputsCache
from pyvae.module import register
from pyvae.workspace import FRESH


@register
class Categorical(Likelihood):
    """Groups of one-hot columns: sizes (3, 2) means columns 0-2 say which of three, columns 3-4 which of two.

    p(x_j = 1) = exp(l_j) / sum_k exp(l_k), k over the columns of j's group. A group is observed where its first
    column is. Raises ValueError for sizes below 1.
    """

    playable = True
    support = "one-hot groups: one 1 and else 0 in the columns of each group"

    def __init__(self, sizes):
        self.sizes = [check_count("sizes", size, 1) for size in sizes]
        super().__init__(sum(self.sizes))
        self.edges = np.concatenate([[0], np.cumsum(self.sizes)])  # group g: columns edges[g] .. edges[g + 1]

    def log_density(self, x, outputs, memory=FRESH, observed=None):
        log_px = memory.take((len(outputs),), outputs.dtype)
        _kernels.categorical(x, outputs, self.edges, log_px, observed)  # sum_j x_j (l_j - L) over the groups
        return log_px, OutputsCache(x, outputs, observed, memory)

    def log_density_backward(self, dlog_px, cache):
        x, logits, observed, memory = cache
        dlogits = memory.take(logits.shape, logits.dtype)
        _kernels.categorical_backward(dlog_px, x, logits, self.edges, dlogits, observed)  # dlog_px (x_j - exp(l_j - L))
        return dlogits

    def mean(self, outputs):
        """The probabilities, (B * k, D)."""
        p = np.empty_like(outputs)
        for first, end in pairwise(self.edges):
            e = np.exp(outputs[:, first:end] - outputs[:, first:end].max(axis=1, keepdims=True))
            p[:, first:end] = e / e.sum(axis=1, keepdims=True)
        return p

    def draw(self, outputs, noise):
        """One-hot draws (B * k, D) by the Gumbel-max trick: l_j - log(-log u_j) is largest at j with probability
        softmax(l)_j."""
        u = noise.uniform("x", outputs.shape, np.arange(len(outputs)), outputs.dtype)
        scores = outputs - np.log(-np.log(u))
        x = np.zeros_like(outputs)
        for first, end in pairwise(self.edges):
            x[np.arange(len(x)), first + scores[:, first:end].argmax(axis=1)] = 1
        return x

    def start(self, mean, variance, outputs):
        outputs[...] = np.log(mean)

    def outside(self, x):
        wrong = ~((x == 0) | (x == 1))
        for first, end in pairwise(self.edges):
            wrong[:, first] |= np.nan_to_num(x[:, first:end]).sum(axis=1) != 1
        return wrong

    def by_column(self, x, outputs):
        """See Likelihood; (B * k, D), 0 in all columns of a group but the one that is 1."""
        highest = np.maximum.reduceat(outputs, self.edges[:-1], axis=1)
        shifted = outputs - np.repeat(highest, self.sizes, axis=1)
        log_sum = np.log(np.add.reduceat(np.exp(shifted), self.edges[:-1], axis=1))
        return np.repeat(x, len(outputs) // len(x), axis=0) * (shifted - np.repeat(log_sum, self.sizes, axis=1))

    def config(self):
        return {"sizes": self.sizes}
