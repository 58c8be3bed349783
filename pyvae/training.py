"""Training: minibatches in a fresh order every epoch, fresh noise every step, and a record of what happened.

One step, whose lines are the whole of stochastic gradient descent on the ELBO (the middle three stand in step.py):

    batch = source.gather(rows, noise)                 pick rows, scale and binarise them
    terms, cache = model.forward(batch, noise)         log p(x|z), KL, ...
    loss, dterms = elbo(terms)                         one number, and its derivative by each term
    model.backward(cache, dterms)                      ... by each weight
    optimizer.step()                                   move the weights

Every random number is a function of the seed, the step and the row, so a run can be repeated to the bit.
"""

import contextlib
import csv
import io
import math
import time

import numpy as np
from tqdm import tqdm

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data import Rows, as_source, check_support
from pyvae.noise import Noise
from pyvae.objectives import weighted_sums
from pyvae.optim import Adam
from pyvae.step import Step

COLUMNS = (
    "epoch", "train_loss", "train_reconstruction", "train_kl", "val_loss", "val_reconstruction", "val_kl",
    "learning_rate", "grad_norm", "seconds",
)  # fmt: skip


class History:
    """What each epoch brought: ``history["train_loss"]`` is a list with a number per epoch.

    reconstruction is -log p(x|z) and kl the KL divergence, means over rows, in nats; train_loss = reconstruction +
    beta kl, averaged over the epoch's steps while the weights moved; val_loss has beta = 1 (NaN without validation
    rows); grad_norm is the mean over the steps of the gradient's Euclidean norm; seconds are those of the epoch.
    """

    def __init__(self):
        self.epochs = []  # a dict per epoch

    def __len__(self):
        return len(self.epochs)

    def __getitem__(self, column):
        return [epoch[column] for epoch in self.epochs]

    def append(self, **values):
        """Add an epoch: a value for every column."""
        self.epochs.append({column: values[column] for column in COLUMNS})

    def to_csv(self):
        """The table as text, a line per epoch, numbers as short as they can be without loss."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.epochs)
        return text.getvalue()


def train(
    model, X, *, epochs=10, batch_size=128, learning_rate=1e-3, beta=1.0, n_samples=1, X_val=None,
    validation_fraction=0.0, seed=0, progress=True,
):  # fmt: skip
    """Train the model on the rows of X with Adam and return the History, in nats per row.

    X: an array (N, D) or a DataSource. epochs: passes over the rows; the last, shorter minibatch of each is used too.
    beta: weight of the KL (1: the ELBO). n_samples: of z per row and step. X_val: rows to report on after each epoch,
    never trained on; or validation_fraction: the share of X's rows, drawn by the seed, that is held out for that.
    Validation uses the same noise every epoch, so its curve shows the model and not the draw. progress: a bar.
    Raises ValueError or TypeError for arguments out of range, before anything is changed, and FloatingPointError where
    the loss stops being finite.
    """
    check_count("epochs", epochs, 0)
    check_count("batch_size", batch_size, 1)
    check_count("n_samples", n_samples, 1)
    check_count("seed", seed, 0)
    check_number("beta", beta, 0, low_included=True)
    source, validation = split(X, X_val, validation_fraction, seed, model.n_features)
    check_support(source, model.likelihood)
    if validation is not None:
        check_support(validation, model.likelihood)
    optimizer = Adam(model.parameters, learning_rate)
    history = History()
    step = Step(model, n_samples, beta)
    bar = ProgressBar(epochs, len(source), disable=not progress)
    try:
        for epoch in range(epochs):
            start = time.perf_counter()
            totals = _train_epoch(step, source, optimizer, epoch, batch_size, seed, bar)
            reconstruction, kl = (np.nan, np.nan) if validation is None else evaluate(model, validation, seed)
            history.append(
                epoch=epoch + 1, **totals, val_loss=reconstruction + kl, val_reconstruction=reconstruction, val_kl=kl,
                learning_rate=learning_rate, seconds=time.perf_counter() - start,
            )  # fmt: skip
    finally:
        bar.close()
    return history


def split(X, X_val, validation_fraction, seed, n_features):
    """The rows to train on and those to validate on (None: no such rows), as DataSources."""
    source = as_source(X, n_features)
    check_number("validation_fraction", validation_fraction, 0, 1, low_included=True)
    if X_val is not None:
        if validation_fraction:
            raise ValueError("give X_val or validation_fraction, not both")
        return source, as_source(X_val, n_features, "X_val")
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
    """Means over the rows of -log p(x|z) and of the KL, nats, with one sample a row."""
    reconstruction, kl = model.elbo_terms(source, n_samples=1, seed=seed)
    return float(reconstruction.mean()), float(kl.mean())


def _train_epoch(step, source, optimizer, epoch, batch_size, seed, bar):
    """One pass over the rows; returns the epoch's columns of the history."""
    n_rows = len(source)
    n_steps = -(-n_rows // batch_size)
    order = np.empty(min(batch_size, n_rows), dtype=np.int64)
    weight = reconstruction = kl = norm = 0.0
    for i in range(n_steps):
        noise = Noise(seed, step=epoch * n_steps + i)
        start, stop = i * batch_size, min((i + 1) * batch_size, n_rows)
        rows = order[: stop - start]
        Noise(seed, step=epoch).permutation("order", n_rows, start, stop, out=rows)
        with step.team if len(rows) == batch_size else contextlib.nullcontext():
            batch, terms = step(source, rows, noise)
            step_weight = len(rows) if batch.weight is None else float(np.sum(batch.weight))
            step_reconstruction, step_kl = weighted_sums(terms, batch.weight)
            loss = (step_reconstruction + step.beta * step_kl) / step_weight
            step_norm = math.sqrt(_kernels.sum_of_squares(step.model.parameters.grads))
            if not (math.isfinite(loss) and math.isfinite(step_norm)):
                raise FloatingPointError(_explain(loss, epoch, i, batch, optimizer))
            optimizer.step()

        weight += step_weight
        reconstruction += step_reconstruction
        kl += step_kl
        norm += step_norm
        bar.update(epoch, len(rows), step_reconstruction / step_weight, step_kl / step_weight)
    reconstruction, kl = reconstruction / weight, kl / weight
    return {
        "train_loss": reconstruction + step.beta * kl,
        "train_reconstruction": reconstruction,
        "train_kl": kl,
        "grad_norm": norm / n_steps,
    }


def _explain(loss, epoch, step, batch, optimizer):
    """Why a loss or its gradient is not finite, as far as can be told."""
    where = f"the loss or its gradient is not finite (loss {loss:g}) in epoch {epoch + 1}, step {step + 1}"
    if epoch == step == 0:
        return f"{where}, before any weight has moved: scale the data, which reach {np.abs(batch.x).max():g}"
    return f"{where}: try a smaller learning_rate than {optimizer.learning_rate:g}, or scale the data"


class ProgressBar:
    """One line that counts rows over all epochs, with smoothed ELBO, reconstruction and KL, in 80 columns."""

    FORMAT = "{desc} {percentage:3.0f}%|{bar}| {rate_noinv_fmt} {remaining} left"

    def __init__(self, epochs, n_rows, disable):
        self.epochs, self.smoothed = epochs, None
        self.bar = None if disable else tqdm(
            total=epochs * n_rows, unit="row", unit_scale=True, bar_format=self.FORMAT, ncols=79, mininterval=0.2,
            desc=f"1/{epochs}", delay=0,
        )  # fmt: skip

    def update(self, epoch, n_rows, reconstruction, kl):
        """Count n_rows more and take their mean terms, in nats, into the running ones."""
        if self.bar is None:
            return
        new = np.array([reconstruction, kl])
        self.smoothed = new if self.smoothed is None else 0.98 * self.smoothed + 0.02 * new
        rec, kl = self.smoothed
        self.bar.desc = f"{epoch + 1}/{self.epochs} ELBO {-(rec + kl):.1f} rec {rec:.1f} KL {kl:.1f}"
        self.bar.update(n_rows)

    def close(self):
        if self.bar is not None:
            self.bar.close()
