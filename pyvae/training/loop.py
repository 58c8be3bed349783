"""Training: minibatches in a fresh order every epoch, fresh noise every step, and a record of what happened.

One step is the whole of stochastic gradient descent (the four lines in the middle stand in step.py):

    batch = source.minibatch(rows, noise)              pick rows, scale and binarise them
    model.parameters.zero_grads()                      backward adds to them
    terms, cache = model.forward(batch, noise)         log p(x|z), KL, ...
    loss, dterms = objective(terms)                    one number, and its derivative by each term
    model.backward(cache, dterms)                      ... by each weight
    optimizer.step(clip_factor(norm, clip_norm))       move the weights, by Adam

Every random number is a function of the seed, the step and the row, so a run can be repeated to the bit.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data.sources import DataSource
from pyvae.data.support import check_support
from pyvae.models.evaluation import Model
from pyvae.noise import Noise
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.kl_weight import LinearWarmUp
from pyvae.objectives.terms import Objective, kl_of_rows, total_weight, weighted_sum
from pyvae.training.adam import Adam, clip_factor
from pyvae.training.advice import advice
from pyvae.training.checkpoints import Checkpoints, TrainingState
from pyvae.training.held_out import evaluate, split
from pyvae.training.history import History
from pyvae.training.interruption import Interruption
from pyvae.training.not_finite import all_finite, explain
from pyvae.training.order import Order
from pyvae.training.progress import ProgressBar
from pyvae.training.schedules import as_schedule
from pyvae.training.settings import Settings
from pyvae.training.snapshots import BestEpoch, EpochStart
from pyvae.training.step import Step


class Plan(NamedTuple):
    """What every step of a training goes by; ``epoch`` is the number of epochs done so far, a float."""

    objective: Objective
    batch_size: int
    schedule: Callable
    clip_norm: float | None
    seed: int

    def check(self):
        """Raise ValueError where something is out of range."""
        check_count("batch_size", self.batch_size, 1)
        check_count("seed", self.seed, 0)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, 0)
        self.learning_rate_at(0.0)
        self.objective.at(0.0)

    def learning_rate_at(self, epoch):
        return check_number("learning_rate(epoch)", self.schedule(epoch), 0, low_included=True)

    def n_steps(self, n_rows):
        """How many steps an epoch has."""
        return -(-n_rows // self.batch_size)


def train(
    model: Model, X: ArrayLike | DataSource, *, epochs: int = 10, batch_size: int = 128,
    learning_rate: float | Callable[[float], float] = 1e-3, beta: float = 1.0, n_samples: int = 1,
    objective: Objective | None = None, X_val: ArrayLike | DataSource | None = None, validation_fraction: float = 0.0,
    seed: int = 0, progress: bool = True, weight_decay: float = 0.0, clip_norm: float | None = None,
    kl_warmup: float = 0, patience: int | None = None, callbacks: Sequence[Callable[[History], object]] = (),
    optimizer: Adam | None = None, checkpoints: str | os.PathLike | Checkpoints | None = None, resume: bool = False,
) -> History:  # fmt: skip
    """Train the model on the rows of X with Adam and return the History, in nats per row.

    X: an array (N, D) or a DataSource. epochs: passes over the rows; the last, shorter minibatch of each is used too.
    objective: what is minimised, an Objective; None: ELBO(beta, n_samples), where beta is the weight of the KL (1: the
    ELBO), n_samples that of z per row and step, and kl_warmup the number of epochs over which the weight of the KL
    rises from 0 to beta, by a little at every step (Bowman et al. 2016; Soenderby et al. 2016). X_val: rows to report
    on after each epoch, never trained on; or validation_fraction: the share of X's rows, drawn by the seed, that is
    held out for that, and by which the best epoch is chosen: its weights are those that the model has in the end. No
    epoch competes whose objective is not settled yet, as in a warm-up. Validation uses the same noise every epoch, so
    its curve shows the model and not the draw. progress: a bar.

    learning_rate: a number, or a function of the epochs done so far, such as those of schedules.py. weight_decay: of
    AdamW. clip_norm: longer gradients are shortened to this norm (adam.py). patience: with a validation_fraction,
    training ends when for so many epochs after the warm-up val_loss has not improved. callbacks: functions, called with
    the History after every epoch; training ends where one returns True. optimizer: an Adam of the model's parameters
    whose running means go on from a training before (and whose weight_decay counts); None: a new one. Ctrl-C ends it
    after the step at hand, with a History of the whole epochs; a second one acts at once.

    checkpoints: a folder to write them to, or a Checkpoints. resume: go on from the newest one there, if there is one,
    to the same bits as if training had never ended; the settings must be the same but for epochs and patience.

    Raises ValueError or TypeError for arguments out of range, before anything is changed; ValueError or FileExistsError
    for checkpoints of another training, or damaged ones (checkpoints.py); and FloatingPointError where a loss, a
    gradient or a weight stops being finite: the message says where, no optimizer has seen the bad numbers, and the
    weights are again those of the end of an epoch (or those training began with), the last ones with which a step had
    a finite loss and gradient.
    """
    check_count("epochs", epochs, 0)
    objective = choose_objective(objective, beta, n_samples, kl_warmup)
    plan = Plan(objective, batch_size, as_schedule(learning_rate), clip_norm, seed)
    plan.check()
    callbacks = check_callbacks(callbacks)
    if patience is not None:
        check_count("patience", patience, 1)
        if not validation_fraction:
            raise ValueError("patience needs a validation_fraction: X_val is reported on and decides nothing")
    source = model.source(X, training=True)
    validation = None if X_val is None else model.source(X_val, "X_val", training=True)
    source, validation = split(source, validation, validation_fraction, seed, model.uses_labels)
    check_support(source, model.likelihood, model.parameters.dtype)
    if validation is not None:
        check_support(validation, model.likelihood, model.parameters.dtype)
    model.check_objective(objective, len(source))
    if optimizer is None:
        optimizer = Adam(model.parameters, weight_decay=weight_decay)
    elif not isinstance(optimizer, Adam) or optimizer.parameters is not model.parameters:
        raise ValueError("optimizer must be an Adam of model.parameters")
    if resume and checkpoints is None:
        raise ValueError("resume needs checkpoints: the folder of those to go on from")

    best = BestEpoch(model.parameters, objective.settled) if validation_fraction else None
    state = TrainingState(model, optimizer, History(), best)
    if checkpoints is not None:
        checkpoints = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
        settings = Settings(plan, optimizer, source, validation, validation_fraction)
        checkpoints.begin(state, settings, resume)
    training = Training(state, plan, source, validation, callbacks, checkpoints, epochs, patience, progress)
    return training.run()


def choose_objective(objective, beta, n_samples, kl_warmup):
    """The objective, or the ELBO of which the other arguments are a short form. Raises ValueError where both are given,
    and TypeError where it is no Objective."""
    if objective is None:
        warm_up = LinearWarmUp(beta, check_number("kl_warmup", kl_warmup, 0, low_included=True))
        return ELBO(warm_up if warm_up.epochs else beta, n_samples)
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be an Objective, such as pyvae.ELBO(), not {objective!r:.40}")
    check_count("objective.n_samples", objective.n_samples, 1)
    if (beta, n_samples, kl_warmup) != (1.0, 1, 0):
        raise ValueError("give an objective, or beta, n_samples and kl_warmup, not both")
    return objective


def check_callbacks(callbacks):
    """The callbacks as a tuple. Raises ValueError unless they are functions."""
    try:
        functions = tuple(callbacks)
    except TypeError:
        functions = (None,)
    if not all(map(callable, functions)):
        raise ValueError(f"callbacks must be a list of functions of the History, not {callbacks!r}")
    return functions


class Training:
    """A training that is under way. ``history.stopped`` says why it ended, once it has."""

    def __init__(self, state, plan, source, validation, callbacks, checkpoints, epochs, patience, progress):
        self.state, self.plan, self.source, self.validation = state, plan, source, validation
        self.model, self.optimizer, self.history, self.best = state
        self.callbacks, self.checkpoints, self.epochs, self.patience = callbacks, checkpoints, epochs, patience
        self.step = Step(self.model, plan.objective.at(0.0))
        self.start = EpochStart(self.optimizer, len(self.history))  # of the epoch at hand
        self.order = Order(source, plan.batch_size, plan.seed, self.model.uses_labels)
        self.bar = ProgressBar(epochs, len(source), not progress, done=len(self.history))

    def run(self):
        """Train until there is a reason to stop, and return the History."""
        with Interruption() as self.interruption, contextlib.closing(self.bar):
            try:
                while self.history.stopped is None:
                    self.history.stopped = self.reason_to_stop() or self.train_epoch()
            finally:
                self.leave()
        self.choose_weights()
        self.history.advice = advice(self.history, self.plan.objective)
        return self.history

    def reason_to_stop(self):
        """The word for it, before another epoch; None where there is none."""
        if self.patience is not None and self.best.age(len(self.history)) >= self.patience:
            return "patience"
        if self.interruption.requested:
            return "interrupted"
        return "epochs" if len(self.history) >= self.epochs else None

    def train_epoch(self):
        """One pass over the rows, validation, and what follows an epoch; the reason to stop, or None."""
        begun = time.perf_counter()
        try:
            columns = self.pass_over_rows(len(self.history))
        except FloatingPointError:
            self.history.stopped = "not finite"
            raise
        if columns is None:
            return "interrupted"
        epoch, val = len(self.history) + 1, (np.nan, np.nan)
        if self.validation is not None:
            val = evaluate(self.model, self.validation, self.plan.seed)
        self.history.append(
            epoch=epoch, **columns, val_loss=sum(val), val_reconstruction=val[0], val_kl=val[1],
            learning_rate=self.optimizer.learning_rate, seconds=time.perf_counter() - begun,
        )  # fmt: skip
        if self.best is not None:
            self.best.see(epoch, sum(val))
            self.history.best_epoch = self.best.number
        stop = any([callback(self.history) is True for callback in self.callbacks])  # a list, so that all are called
        if self.callbacks:
            self.step.forget_if_changed()
        self.history.stopped = "callback" if stop else None  # for the checkpoint
        if self.checkpoints is not None:
            self.checkpoints.save(self.state)
        return self.history.stopped

    def pass_over_rows(self, epoch):
        """All steps of an epoch: its columns of the history, or None where it was interrupted."""
        n_steps = self.plan.n_steps(len(self.source))
        totals = np.zeros(5)  # weight of the rows; weighted sums of loss, reconstruction and KL; norm of the gradient
        for i in range(n_steps):
            step_totals, n_rows = self.take_step(epoch, i, n_steps)
            totals += step_totals
            weight, _, reconstruction, kl, _ = step_totals
            self.bar.update(epoch, n_rows, reconstruction / weight, kl / weight)
            if self.interruption.requested:
                break
        if not all_finite(self.model.parameters.values):
            raise FloatingPointError(explain(*self.last_step, self.optimizer, epoch, i, self.start.epoch))
        if i + 1 < n_steps:
            return None
        weight, loss, reconstruction, kl, norm = totals.tolist()
        return {
            "train_loss": loss / weight, "train_reconstruction": reconstruction / weight, "train_kl": kl / weight,
            "grad_norm": norm / n_steps,
        }  # fmt: skip

    def take_step(self, epoch, i, n_steps):
        """Step i of an epoch: what it adds to the epoch's totals, and its number of rows."""
        plan, now = self.plan, epoch + i / n_steps
        self.optimizer.learning_rate = plan.learning_rate_at(now)
        self.step.objective = plan.objective.at(now)
        noise = Noise(plan.seed, step=epoch * n_steps + i)
        first, stop = i * plan.batch_size, min((i + 1) * plan.batch_size, len(self.source))
        rows = self.order.rows(epoch, first, stop)
        with self.step.team if len(rows) == plan.batch_size else contextlib.nullcontext():
            batch, terms, loss = self.step(self.source, rows, noise)
            norm = math.sqrt(_kernels.sum_of_squares(self.model.parameters.grads))
            self.last_step = loss, batch, terms
            known = i > 0 or all_finite(self.model.parameters.values)  # if not, zeros of the rows may hide it
            if not (known and math.isfinite(loss) and math.isfinite(norm)):
                raise FloatingPointError(explain(*self.last_step, self.optimizer, epoch, i, self.start.epoch))
            if i == 0:
                self.start.take(epoch)  # the weights that the epoch begins with are known to be good
            self.optimizer.step(clip_factor(norm, plan.clip_norm))
        weight = total_weight(batch.weight, len(rows))
        reconstruction = -weighted_sum(terms.log_px, batch.weight) / terms.log_px.shape[1]
        kl = weighted_sum(kl_of_rows(terms), batch.weight)
        return (weight, weight * loss, reconstruction, kl, norm), len(rows)

    def leave(self):
        """However it ended: the last checkpoint, of the last whole epoch, and weights that are finite."""
        if self.checkpoints is not None:
            unfinished = self.start.epoch == len(self.history)
            with self.start.restored() if unfinished else contextlib.nullcontext():
                self.checkpoints.end(self.state)
        if self.history.stopped == "not finite":
            self.start.put_back()
            self.history.best_epoch = self.start.epoch or None

    def choose_weights(self):
        """Give the model the best epoch's weights, where one is chosen."""
        if self.best is not None and self.best.number is not None:
            self.best.put_back()
        elif self.best is not None and self.history.stopped != "interrupted":
            self.history.best_epoch = len(self.history) or None  # none was settled: the weights are the last epoch's
