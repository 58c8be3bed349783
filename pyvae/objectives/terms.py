"""The terms of a model, and the interface of objectives: what is minimised, and its derivative by each term.

    terms, cache = model.forward(batch, noise, k)      log p(x|z), KL, ...
    loss, dterms = objective(terms)                    one number, in nats, and its derivative by each term
    model.backward(cache, dterms)                      ... by each parameter

A loss is the weighted mean over rows; w are the rows' weights.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.workspace import FRESH


class Terms(NamedTuple):
    """The results of a forward pass, in nats, for B rows with k samples each. An objective returns the loss's
    derivatives by them as Terms too (None: 0).

    In z the samples of a row stand next to each other: row b * k + s is sample s of row b.
    """

    log_px: np.ndarray | None = None  # (B, k)     log p(x|z)
    log_pz: np.ndarray | None = None  # (B, k)     log p(z), or an estimate of it, as that of a SecondLayer
    log_qz: np.ndarray | None = None  # (B, k)     log q(z|x)
    kl: np.ndarray | None = None  # (B,)       KL(q(z|x) || p(z)); None where it has no closed form
    z: np.ndarray | None = None  # (B * k, Z)
    mu: np.ndarray | None = None  # (B, Z)     of a diagonal Gaussian q; else None
    logvar: np.ndarray | None = None  # (B, Z)
    extra: np.ndarray | None = None  # (B,)       what a model adds beside the bound; see loss_of

    # Of derivatives alone, for gradients that are estimated otherwise than by the derivative of the loss:
    path: np.ndarray | None = None  # (B, k)     what each sample's dz is multiplied by on its way to the encoder
    density: bool | None = None  # False: log q(z|x) reaches the encoder through z alone


class Objective:
    """The interface of objectives: ``loss, dterms = objective(terms, weight, memory)``.

    Its attributes are its numbers, or words: a checkpoint knows the objective again by how they print. n_samples: k
    samples of z per row. linear: True if dterms do not depend on terms; a class says so itself, and does not inherit
    it. of_samples: see models/semi_supervised.py. An objective is a value: it does not change.
    """

    n_samples = 1
    linear = False
    of_samples = True  # False: it looks at the expectations log_px and kl of a row, and at nothing of single samples
    never = "the KL never had its full weight"  # what to say where it did not come to its final numbers
    remedies = "a kl_warmup, a beta below 1, free bits"  # where z carries nothing

    def __call__(self, terms, weight=None, memory=FRESH):
        """The loss, in nats, and its derivatives, a Terms. weight (B,): the weights of the rows; None: all 1."""
        raise NotImplementedError

    def at(self, epoch):
        """The objective with its numbers fixed after ``epoch`` epochs. Raises ValueError for numbers out of range."""
        return self

    def settled(self, epoch):
        """True once training is for the final objective; no epoch that begins earlier counts as the best."""
        return True

    def check(self, model, n_rows):
        """Raise ValueError, in a sentence, where it does not fit the model or the number of rows to train on; None: of
        rows that are no training."""

    def __repr__(self):
        """Its name and numbers, by which a checkpoint recognises it."""
        numbers = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({numbers})"


def loss_of(objective, terms, weight=None, memory=FRESH):
    """The loss of an objective and its derivatives, together with what the model adds beside the bound: -1/n sum_b w_b
    extra_b, dextra_b = -w_b / n."""
    loss, dterms = objective(terms, weight, memory)
    if terms.extra is None:
        return loss, dterms
    n = total_weight(weight, len(terms.extra))
    dextra = memory.take(terms.extra.shape, terms.extra.dtype)
    dextra[...] = -(1.0 if weight is None else np.asarray(weight, np.float64)) / n
    return loss - weighted_sum(terms.extra[:, None], weight) / n, dterms._replace(extra=dextra)


def came_to_its_end(objective, epochs):
    """Whether an epoch of so many had the final numbers, at its begin or in its middle."""
    final = repr(settled(objective))
    return any(repr(objective.at(half / 2)) == final for half in range(2 * epochs))


def settled(objective):
    """The objective with its numbers as they are once it has settled: those of the first such whole epoch."""
    epoch = next((epoch for epoch in range(100_000) if objective.settled(epoch)), 0)
    return objective.at(float(epoch))


def kl_of_rows(terms):
    """The KL of each row, (B,), nats: the closed form or, without one, the estimate from samples, the mean of
    log q(z|x) - log p(z), which can be negative."""
    if terms.kl is not None:
        return terms.kl
    return (terms.log_qz.astype(np.float64) - terms.log_pz).mean(axis=1)


def weighted_sum(values, weight=None):
    """sum_b w_b values_b, in double; values (B,) or, summed over samples too, (B, k)."""
    if weight is None:
        return _kernels.total(values.reshape(1, -1))
    return _kernels.total(values.reshape(len(values), -1), np.asarray(weight, np.float64))


def total_weight(weight, n_rows):
    """The sum of the rows' weights. Raises ValueError where all are 0, as such rows have no mean."""
    total = n_rows if weight is None else float(np.sum(weight, dtype=np.float64))
    if not total:
        raise ValueError("weight must not be 0 for every row of a batch")
    return total
