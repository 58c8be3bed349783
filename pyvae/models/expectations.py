"""Expectations under the posterior p(z|x), by importance weights.

q(z|x) is an approximation of p(z|x). Samples z_s ~ q(z|x), each with the weight

    w_s = p(x|z_s) p(z_s) / q(z_s|x)

stand for the posterior itself: the mean of w is p(x), and with more samples the weighted mean of f(z_s) goes to
E[f(z)|x] (Burda et al. 2016, section 3; Mattei and Frellsen 2019, eq. 12). Where entries of x are not observed, p(x|z)
is that of the observed entries; nothing is made up for the others.
"""

import numpy as np

from pyvae.models.evaluation import refuse_sums_over_classes
from pyvae.objectives.weights import log_mean_and_shares, log_weights


class WeightedChunk:
    """A chunk of rows with k samples each: ``outputs`` (B * k, n_outputs) of the decoder, ``weight`` (B, k) with sum 1
    over the samples, the ``batch``, and ``rows``, its slice of the source."""

    def __init__(self, rows, batch, outputs, weight):
        self.rows, self.batch, self.outputs, self.weight = rows, batch, outputs, weight

    def mean(self, values):
        """The weighted mean over the samples, (B, ...), of values (B * k, ...)."""
        values = values.reshape(*self.weight.shape, *values.shape[1:])
        return np.einsum("bk,bk...->b...", self.weight, values)


def weighted_chunks(model, source, n_samples, seed=0):
    """Weighted chunks of all rows of a DataSource, in order. Raises FloatingPointError where numbers overflow, and
    ValueError for a model that sums over classes."""
    refuse_sums_over_classes(model, "these expectations are of samples of z")
    for rows, terms, batch in model.terms_of_chunks(source, n_samples, seed):
        log_w = log_weights(terms)
        wrong = np.flatnonzero(~np.isfinite(log_w.max(axis=1)))
        if wrong.size:
            raise FloatingPointError(f"log p(x) of row {rows.start + wrong[0]} cannot be computed: scale the rows")
        outputs, _ = model.decode_rows(terms.z, batch, None)
        yield WeightedChunk(rows, batch, outputs, log_mean_and_shares(log_w)[1])


def expected(model, source, n_samples=100, seed=0):
    """E[x|x_observed] of each row of a DataSource, (N, D), including its unobserved entries."""
    result = np.empty((len(source), model.n_features), model.parameters.dtype)
    for chunk in weighted_chunks(model, source, n_samples, seed):
        result[chunk.rows] = chunk.mean(model.likelihood.mean(chunk.outputs))
    return result


def surprise(model, source, features, n_samples=100, seed=0):
    """-E[log p(x_j|z) | x] of each row and feature, (N, number of features), nats: the feature's share of -log p(x|z).

    features: slices of the model's columns, one for each feature, which share all of them among themselves. The
    surprise of an unobserved entry is 0.
    """
    result = np.empty((len(source), len(features)))
    starts = np.array([columns.start for columns in features])
    order = np.argsort(starts)
    for chunk in weighted_chunks(model, source, n_samples, seed):
        x, observed = chunk.batch.x, chunk.batch.observed
        log_px = chunk.mean(model.likelihood.by_column(x, chunk.outputs))
        log_px = log_px if observed is None else log_px * observed
        result[chunk.rows, order] = -np.add.reduceat(log_px, starts[order], axis=1)
    return result
