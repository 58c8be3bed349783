"""Held-out rows: which rows validate, and their loss."""

import numpy as np

from pyvae.arguments import check_number
from pyvae.data.sources import Rows
from pyvae.noise import Noise


def split(source, validation, validation_fraction, seed):
    """The rows to train on and those to validate on (None without any), from the DataSources of both, or a share of the
    first: of each of its strata, if it has some."""
    check_number("validation_fraction", validation_fraction, 0, 1, low_included=True)
    if validation is not None:
        if validation_fraction:
            raise ValueError("give X_val or validation_fraction, not both")
        return source, validation
    if not validation_fraction:
        return source, None
    held_out = round(len(source) * validation_fraction)
    if not 0 < held_out < len(source):
        raise ValueError(
            f"validation_fraction = {validation_fraction} of {len(source)} rows leaves no row to "
            + ("validate on" if held_out == 0 else "train on")
        )
    order = Noise(seed).permutation("split", len(source))
    if source.strata is None:
        trained, validated = order[held_out:], order[:held_out]
    else:
        trained, validated = _stratified(order, source.strata, held_out)
    return Rows(source, np.sort(trained)), Rows(source, np.sort(validated))


def _stratified(order, strata, held_out):
    """The rows to train on, and ``held_out`` rows to validate on, the same share of each stratum. The few rows of one
    that cannot spare two are on both sides: else the best epoch would be chosen without a look at them."""
    sizes = np.bincount(strata)
    counts = sizes * held_out // len(order)
    is_rare = (counts < 2)[strata[order]]
    counts = np.where(counts < 2, sizes, counts)
    largest = sizes.argmax()  # makes up for it
    counts[largest] = np.clip(counts[largest] + held_out - counts.sum(), 1, max(sizes[largest] - 1, 1))
    place = np.empty(len(order), int)  # of each row among those of its stratum
    for stratum, size in enumerate(sizes):
        place[strata[order] == stratum] = np.arange(size)
    is_validated = place < counts[strata[order]]
    return order[~is_validated | is_rare], order[is_validated]


def evaluate(model, source, seed):
    """Weighted means over the rows of -log p(x|z) and of the KL, nats, with one sample a row."""
    reconstruction, kl = model.elbo_terms(source, n_samples=1, seed=seed)
    return float(np.average(reconstruction, weights=source.weight)), float(np.average(kl, weights=source.weight))
