"""Held-out rows: which rows validate, and their loss."""

import numpy as np

from pyvae.arguments import check_number
from pyvae.data.sources import Rows
from pyvae.noise import Noise


def split(source, validation, validation_fraction, seed):
    """The rows to train on and those to validate on (None without any), from the DataSources of both, or a share of the
    first."""
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
    return Rows(source, np.sort(order[held_out:])), Rows(source, np.sort(order[:held_out]))


def evaluate(model, source, seed):
    """Weighted means over the rows of -log p(x|z) and of the KL, nats, with one sample a row."""
    reconstruction, kl = model.elbo_terms(source, n_samples=1, seed=seed)
    return float(np.average(reconstruction, weights=source.weight)), float(np.average(kl, weights=source.weight))
