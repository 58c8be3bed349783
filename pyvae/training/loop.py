"""Training: minibatches in a fresh order every epoch, fresh noise every step, and a record of what happened.

One step, whose lines are the whole of stochastic gradient descent on the ELBO (all but the last stand in step.py):

    batch = source.gather(rows, noise)                 pick rows, scale and binarise them
    model.parameters.zero_grads()                      backward adds to them
    terms, cache = model.forward(batch, noise)         log p(x|z), KL, ...
    loss, dterms = elbo(terms)                         one number, and its derivative by each term
    model.backward(cache, dterms)                      ... by each weight
    optimizer.step(clip_factor(...))                   move the weights, by Adam

Every random number is a function of the seed, the step and the row, so a run can be repeated to the bit.
"""

import contextlib
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data.sources import Rows, as_source, check_support
from pyvae.noise import Noise
from pyvae.objectives.elbo import weighted_sums
from pyvae.training.adam import Adam, clip_factor
from pyvae.training.checkpoints import Checkpoints, TrainingState, fingerprint
from pyvae.training.history import History
from pyvae.training.interruption import Interruption
from pyvae.training.not_finite import all_finite, explain
from pyvae.training.progress import ProgressBar
from pyvae.training.schedules import as_schedule
from pyvae.training.snapshots import BestEpoch, EpochStart
from pyvae.training.step import Step


class Plan(NamedTuple):
    """What every step of a training goes by; ``epoch`` is the number of epochs done so far, a float."""

    batch_size: int
    schedule: Callable
    beta: float
    kl_warmup: float
    clip_norm: float | None
    seed: int

    def check(self):
        """Raise ValueError where something is out of range."""
        check_count("batch_size", self.batch_size, 1)
        check_count("seed", self.seed, 0)
        check_number("beta", self.beta, 0, low_included=True)
        check_number("kl_warmup", self.kl_warmup, 0, low_included=True)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, 0)
        self.learning_rate_at(0.0)

    def learning_rate_at(self, epoch):
        return check_number("learning_rate(epoch)", self.schedule(epoch), 0, low_included=True)

    def beta_at(self, epoch):
        """beta min(1, epoch / kl_warmup)."""
        return self.beta if epoch >= self.kl_warmup else self.beta * (epoch / self.kl_warmup)


def train(
    model, X, *, epochs=10, batch_size=128, learning_rate=1e-3, beta=1.0, n_samples=1, X_val=None,
    validation_fraction=0.0, seed=0, progress=True, weight_decay=0.0, clip_norm=None, kl_warmup=0, patience=None,
    callbacks=(), optimizer=None, checkpoints=None, resume=False,
):  # fmt: skip
    """Train the model on the rows of X with Adam and return the History, in nats per row.

    X: an array (N, D) or a DataSource. epochs: passes over the rows; the last, shorter minibatch of each is used too.
    beta: weight of the KL (1: the ELBO). n_samples: of z per row and step. X_val: rows to report on after each epoch,
    never trained on; or validation_fraction: the share of X's rows, drawn by the seed, that is held out for that, and
    by which the best epoch is chosen: its weights are those that the model has in the end. Validation uses the same
    noise every epoch, so its curve shows the model and not the draw. progress: a bar.

    learning_rate: a number, or a function of the epochs done so far, such as those of schedules.py. weight_decay: of
    AdamW. clip_norm: longer gradients are shortened to this norm (optim.py). kl_warmup: epochs over which the weight of
    the KL rises from 0 to beta, by a little at every step (Bowman et al. 2016; Soenderby et al. 2016); the best epoch
    is one of those after. patience: with a validation_fraction, training ends when for so many epochs after the warm-up
    val_loss has not improved. callbacks: functions, called with the History after every epoch; training ends where one
    returns True. optimizer: an Adam of the model's parameters whose running means go on from a training before (and
    whose weight_decay counts); None: a new one. Ctrl-C ends it after the step at hand, with a History of the whole
    epochs; a second one acts at once.

    checkpoints: a folder to write them to, or a Checkpoints. resume: go on from the newest one there, if there is one,
    to the same bits as if training had never ended; the settings must be the same but for epochs and patience.

    Raises ValueError or TypeError for arguments out of range, before anything is changed; ValueError or FileExistsError
    for checkpoints of another training, or damaged ones (checkpoints.py); and FloatingPointError where a loss, a
    gradient or a weight stops being finite: the message says where, no optimizer has seen the bad numbers, and the
    weights are again those of the end of an epoch (or those training began with), the last ones with which a step had
    a finite loss and gradient.
    """
    check_count("epochs", epochs, 0)
    check_count("n_samples", n_samples, 1)
    plan = Plan(batch_size, as_schedule(learning_rate), beta, kl_warmup, clip_norm, seed)
    plan.check()
    callbacks = check_callbacks(callbacks)
    if patience is not None:
        check_count("patience", patience, 1)
        if not validation_fraction:
            raise ValueError("patience needs a validation_fraction: X_val is reported on and decides nothing")
    source, validation = split(X, X_val, validation_fraction, seed, model.n_features)
    check_support(source, model.likelihood, model.parameters.dtype)
    if validation is not None:
        check_support(validation, model.likelihood, model.parameters.dtype)

    if optimizer is None:
        optimizer = Adam(model.parameters, weight_decay=weight_decay)
    elif not isinstance(optimizer, Adam) or optimizer.parameters is not model.parameters:
        raise ValueError("optimizer must be an Adam of model.parameters")
    state = TrainingState(
        model, optimizer, History(), BestEpoch(model.parameters, kl_warmup) if validation_fraction else None
    )
    if checkpoints is not None:
        checkpoints = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
        settings = {
            "batch_size": int(batch_size), "beta": float(beta), "kl_warmup": float(kl_warmup),
            "clip_norm": None if clip_norm is None else float(clip_norm), "weight_decay": optimizer.weight_decay,
            "n_samples": int(n_samples), "seed": int(seed), "validation_fraction": float(validation_fraction),
            "precision": _kernels.get_matmul_precision(), "X": fingerprint(source, model.parameters.dtype),
            "X_val": None if validation is None else fingerprint(validation, model.parameters.dtype),
        }  # fmt: skip
        n_steps = -(-len(source) // batch_size)
        checkpoints.begin(
            state, settings, lambda epoch: plan.learning_rate_at(epoch - 1 + (n_steps - 1) / n_steps), resume
        )
    elif resume:
        raise ValueError("resume needs checkpoints: the folder of those to go on from")

    _, optimizer, history, best = state
    step = Step(model, n_samples, beta)
    last = EpochStart(optimizer, len(history))
    bar = ProgressBar(epochs, len(source), not progress, done=len(history))
    with Interruption() as interruption, contextlib.closing(bar):
        try:
            while history.stopped is None:
                if patience is not None and best.age(len(history)) >= patience:
                    history.stopped = "patience"
                elif interruption.requested:
                    history.stopped = "interrupted"
                elif len(history) >= epochs:
                    history.stopped = "epochs"
                else:
                    start = time.perf_counter()
                    try:
                        totals = _train_epoch(step, source, optimizer, plan, len(history), last, interruption, bar)
                    except FloatingPointError:
                        history.stopped = "not finite"
                        raise
                    if totals is None:
                        history.stopped = "interrupted"
                        break
                    _close_epoch(state, totals, validation, seed, start)
                    if any([callback(history) is True for callback in callbacks]):  # a list, so that all are called
                        history.stopped = "callback"
                    if checkpoints is not None:
                        checkpoints.save(state)
        finally:  # however it ended, with the last whole epoch
            if checkpoints is not None:
                with last.restored() if last.epoch == len(history) else contextlib.nullcontext():
                    checkpoints.end(state)
            if history.stopped == "not finite":
                last.put_back()
                history.best_epoch = last.epoch or None
    if best is not None and best.number is not None:
        best.put_back()
    elif best is not None and history.stopped != "interrupted":
        history.best_epoch = len(history) or None  # none was after the warm-up: the weights are the last epoch's
    return history


def _close_epoch(state, totals, validation, seed, start):
    """Add an epoch that began at ``start`` to the history, with its validation loss, and see whether it is the best."""
    model, optimizer, history, best = state
    reconstruction, kl = (np.nan, np.nan) if validation is None else evaluate(model, validation, seed)
    epoch = len(history) + 1
    history.append(
        epoch=epoch, **totals, val_loss=reconstruction + kl, val_reconstruction=reconstruction, val_kl=kl,
        learning_rate=optimizer.learning_rate, seconds=time.perf_counter() - start,
    )  # fmt: skip
    if best is not None:
        best.see(epoch, reconstruction + kl)
        history.best_epoch = best.number


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
    """Weighted means over the rows of -log p(x|z) and of the KL, nats, with one sample a row."""
    reconstruction, kl = model.elbo_terms(source, n_samples=1, seed=seed)
    return float(np.average(reconstruction, weights=source.weight)), float(np.average(kl, weights=source.weight))


def check_callbacks(callbacks):
    """The callbacks as a tuple. Raises ValueError unless they are functions."""
    try:
        functions = tuple(callbacks)
    except TypeError:
        functions = (None,)
    if not all(map(callable, functions)):
        raise ValueError(f"callbacks must be a list of functions of the History, not {callbacks!r}")
    return functions


def _train_epoch(step, source, optimizer, plan, epoch, last, interruption, bar):
    """One pass over the rows; returns the epoch's columns of the history, or None where it was interrupted.

    last: an EpochStart, taken as soon as the weights that the epoch begins with are known to be good.
    """
    parameters = optimizer.parameters
    n_rows = len(source)
    n_steps = -(-n_rows // plan.batch_size)
    order = np.empty(min(plan.batch_size, n_rows), dtype=np.int64)
    weight = reconstruction = kl = weighted_kl = norm = 0.0
    for i in range(n_steps):
        optimizer.learning_rate = plan.learning_rate_at(epoch + i / n_steps)
        step.beta = plan.beta_at(epoch + i / n_steps)
        noise = Noise(plan.seed, step=epoch * n_steps + i)
        start, stop = i * plan.batch_size, min((i + 1) * plan.batch_size, n_rows)
        rows = order[: stop - start]
        Noise(plan.seed, step=epoch).permutation("order", n_rows, start, stop, out=rows)
        with step.team if len(rows) == plan.batch_size else contextlib.nullcontext():
            batch, terms = step(source, rows, noise)
            step_weight = len(rows) if batch.weight is None else float(np.sum(batch.weight))
            step_reconstruction, step_kl = weighted_sums(terms, batch.weight)
            loss = (step_reconstruction + step.beta * step_kl) / step_weight
            step_norm = math.sqrt(_kernels.sum_of_squares(parameters.grads))
            if not (math.isfinite(loss) and math.isfinite(step_norm)):
                raise FloatingPointError(explain(loss, optimizer, batch, terms, epoch, i, last.epoch))
            if i == 0:
                last.take(epoch)
            optimizer.step(clip_factor(step_norm, plan.clip_norm))

        weight += step_weight
        reconstruction += step_reconstruction
        kl += step_kl
        weighted_kl += step.beta * step_kl
        norm += step_norm
        bar.update(epoch, len(rows), step_reconstruction / step_weight, step_kl / step_weight)
        if interruption.requested:
            break
    if not all_finite(parameters.values):
        raise FloatingPointError(explain(loss, optimizer, batch, terms, epoch, i, last.epoch))
    if i + 1 < n_steps:
        return None
    reconstruction, kl = reconstruction / weight, kl / weight
    return {
        "train_loss": reconstruction + weighted_kl / weight,
        "train_reconstruction": reconstruction,
        "train_kl": kl,
        "grad_norm": norm / n_steps,
    }
