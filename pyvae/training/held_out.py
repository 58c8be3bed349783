"""Held-out rows: which rows validate, and their loss."""

import numpy as np

from pyvae.arguments import check_number
from pyvae.data.labels import UNKNOWN
from pyvae.data.wrapped import Rows
from pyvae.noise import Noise


def split(source, validation, validation_fraction, seed, by_label=False):
    """The rows to train on and those to validate on (None without any), from the DataSources of both, or a share of the
    first: of each of its strata, if it has some, else by_label of the rows of each label, and of those without."""
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
    strata = source.strata
    if strata is None and by_label and source.label is not None:
        strata = source.label - UNKNOWN  # from 0
    if strata is None:
        trained, validated = order[held_out:], order[:held_out]
    else:
        trained, validated = _stratified(order, strata, held_out)
    return Rows(source, np.sort(trained)), Rows(source, np.sort(validated))


def _stratified(order, strata, held_out):
    """The rows to train on, and those to validate on, the same share of each stratum, rounded. The few rows of one that
    cannot spare two are on both sides: else the best epoch would be chosen without a look at them. Those of stratum -1
    are all trained on."""
    sizes = np.bincount(strata[strata >= 0])
    counts = np.rint(sizes * (held_out / len(order))).astype(int)
    is_rare = counts < 2
    counts = np.where(is_rare, sizes, np.minimum(counts, sizes - 1))
    of_row, place = strata[order], np.zeros(len(order), int)
    for stratum, size in enumerate(sizes):
        place[of_row == stratum] = np.arange(size)
    is_validated = (of_row >= 0) & (place < counts[of_row])
    return order[~is_validated | is_rare[of_row]], order[is_validated]


def evaluate(model, source, seed):
    """Weighted means over the rows of -log p(x|z) and of the KL, nats, with one sample a row."""
    reconstruction, kl = model.elbo_terms(source, n_samples=1, seed=seed)
    return float(np.average(reconstruction, weights=source.weight)), float(np.average(kl, weights=source.weight))
