"""Checkpoints: all that a training needs to go on, in files from which it goes on with the same bits.

A checkpoint is a model file (persistence.py) of the weights that training would leave if it ended there: the best
epoch's where one is chosen, else the last one's. Beside them it holds

    adam.m, adam.v   Adam's two running means
    last             the weights that training goes on from, where those of the best epoch are others
    training         JSON: the epochs and steps done, the history, the best epoch and its loss, the settings, by what
                     the data are known again, and what wrote it: version, instruction set, precision

Every random number is a function of seed, step and row, so there is no random state to keep.
"""

import contextlib
import hashlib
import math
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data import DataSource
from pyvae.history import COLUMNS, History
from pyvae.optim import Adam
from pyvae.persistence import ModelFile, write
from pyvae.schedules import Constant
from pyvae.snapshots import BestEpoch
from pyvae.versions import __version__

NAME = "epoch-{:06d}.safetensors"
SPREAD_ROWS = 1000  # of the data, by which they are known again


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged, could not be written, or comes from elsewhere; training goes on."""


class TrainingState(NamedTuple):
    """What changes while a model is trained."""

    model: object
    optimizer: Adam
    history: History
    best: BestEpoch | None


class Checkpoints:
    """The checkpoints of one training, in a folder of their own, which is made where it is missing.

    One is written after an epoch, where at least ``seconds`` have passed since the one before, and one at the end, of
    the last whole epoch, where training was interrupted too; the last ``keep`` of them stay. overwrite: whether a
    training that begins may remove those of another. configuration: notes for whoever resumes, as what JSON can hold.
    A checkpoint appears whole or not at all; where one cannot be written, a warning says so, those before it stay, and
    training goes on. Raises ValueError for numbers out of range.
    """

    def __init__(self, folder, seconds=10.0, keep=2, overwrite=False, configuration=None):
        self.folder = Path(folder)
        self.seconds = check_number("seconds", seconds, 0, low_included=True)
        self.keep = check_count("keep", keep, 1)
        self.overwrite, self.configuration = overwrite, configuration
        self._settings = None  # of the training, as JSON
        self._written = None  # epochs, of this training's files; None before its first
        self._time = -math.inf  # of the last one
        self._told = set()  # what was warned of

    def epochs(self):
        """Epochs of the files that there are, ascending."""
        names = [path.stem.removeprefix("epoch-") for path in self.folder.glob("epoch-*.safetensors")]
        return sorted(int(name) for name in names if name.isdecimal())

    def path(self, epoch):
        """Of the file of this epoch."""
        return self.folder / NAME.format(epoch)

    @contextlib.contextmanager
    def newest(self):
        """The newest of them that is not damaged, open as a ModelFile; None where there are none.

        Warns of each that is damaged. Raises ValueError where all are.
        """
        damaged = []
        for epoch in reversed(self.epochs()):
            try:
                file = ModelFile(self.path(epoch))
                if "training" not in file.description:
                    file.close()
                    raise ValueError(f"{file.path} is a model, not a checkpoint")
            except ValueError as error:
                damaged.append(str(error))
                continue
            for message in set(damaged) - self._told:
                warnings.warn(f"{message}; the one of epoch {epoch} is used", CheckpointWarning, stacklevel=2)
            self._told |= set(damaged)
            with file:
                yield file
            return
        if damaged:
            raise ValueError(damaged[0])
        yield None

    def begin(self, state, settings, resume):
        """Begin a training with these settings, or put ``state`` where the newest checkpoint was.

        Raises FileExistsError where the folder holds checkpoints that are neither to be resumed nor overwritten, and
        ValueError where they are of another model, other settings or other data, or all damaged.
        """
        self._settings = {name: describe(value) for name, value in settings.items()}
        if resume:
            with self.newest() as file:
                if file is not None:
                    self._check(file, state)
                    restore(file, state)
                    self._written = [epoch for epoch in self.epochs() if epoch <= len(state.history)]
        elif self.epochs() and not self.overwrite:
            raise FileExistsError(
                f"{self.folder} holds checkpoints already: resume that training, or choose another folder"
            )
        self._time = time.monotonic()

    def save(self, state, is_last=False):
        """Write a checkpoint where it is time for one, or the last."""
        epoch = len(state.history)
        is_there = self._written and self._written[-1] == epoch
        if is_there or epoch == 0 or not (is_last or time.monotonic() - self._time >= self.seconds):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._written is None:
                self.clear()  # of another training
            arrays = {"adam.m": state.optimizer.m, "adam.v": state.optimizer.v}
            values = state.model.parameters.values
            if state.best is not None and state.best.number is not None:
                values, arrays["last"] = state.best.weights, values
            write(self.path(epoch), state.model, values, arrays, self._describe(state))
        except OSError as error:
            warnings.warn(
                f"the checkpoint of epoch {epoch} could not be written to {error.filename or self.folder}: "
                f"{error.strerror or error}; those before it stay",
                CheckpointWarning,
                stacklevel=2,
            )
            return
        self._time = time.monotonic()
        self._written = [*(self._written or []), epoch]
        self._remove(set(self.epochs()) - set(self._written[-self.keep :]))

    def clear(self):
        """Remove all of them."""
        self._remove(self.epochs())

    def _remove(self, epochs):
        for path in [*map(self.path, epochs), *self.folder.glob(".epoch-*.safetensors.*")]:  # half-written ones, too
            path.unlink(missing_ok=True)

    def _describe(self, state):
        best = state.best
        return {
            "epoch": len(state.history),
            "step": state.optimizer.t,
            "history": [
                {name: None if math.isnan(value) else value for name, value in epoch.items()}
                for epoch in state.history.epochs
            ],
            "best_epoch": None if best is None else best.number,
            "best_loss": None if best is None or best.number is None else best.loss,
            "stopped": state.history.stopped if state.history.stopped == "callback" else None,
            "settings": self._settings,
            "configuration": self.configuration,
            "instruction_set": _kernels.info()["isa"],
            "precision": _kernels.get_matmul_precision(),
            "pyvae": __version__,
        }

    def _check(self, file, state):
        training, model = file.description["training"], state.model
        if file.description["model"] != model.describe() or file.description["dtype"] != str(model.parameters.dtype):
            raise ValueError(f"{file.path} is a checkpoint of another model: its layers, sizes or likelihood differ")
        for name, value in self._settings.items():
            before = training["settings"].get(name)
            if value != before:
                difference = (
                    f"with {name} {before}, not {value}" if name not in ("X", "X_val") else f"on another {name}"
                )
                raise ValueError(f"{file.path} was trained {difference}: resume it as it began, or train anew")
        here, there = _kernels.info()["isa"], training["instruction_set"]
        if (there, training["pyvae"]) != (here, __version__):
            warnings.warn(
                f"{file.path} was written by pyvae {training['pyvae']} on {there or 'no native kernels'}, this is "
                f"{__version__} on {here or 'none'}: the last bits may differ",
                CheckpointWarning,
                stacklevel=2,
            )


def restore(file, state):
    """Put a training where the checkpoint was; the model is of the same description. Raises ValueError where the
    checkpoint lacks something, before the model is changed."""
    parameters, optimizer, history = state.model.parameters, state.optimizer, state.history
    try:
        training = file.description["training"]
        epochs = [
            {column: math.nan if epoch[column] is None else epoch[column] for column in COLUMNS}
            for epoch in training["history"]
        ]
        optimizer.t, history.best_epoch, history.stopped = (
            int(training["step"]), training["best_epoch"], training["stopped"]
        )  # fmt: skip
        best_loss, has_best = training["best_loss"], history.best_epoch is not None
        file.read("adam.m", parameters, optimizer.m)
        file.read("adam.v", parameters, optimizer.v)
        file.read("last" if has_best else "", parameters, parameters.values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file.path} is damaged: the state of its training lacks something ({error})") from None
    if has_best:
        state.best.number, state.best.loss = history.best_epoch, best_loss
        file.read("", parameters, state.best.weights)
    for epoch in epochs:
        history.append(**epoch)
    state.model.metadata = file.description["metadata"]


def describe(value):
    """A setting of a training as what JSON can hold, the same for equal settings."""
    if isinstance(value, DataSource):
        return fingerprint(value)
    if isinstance(value, Constant):
        return value.rate
    if callable(value):  # another schedule
        return getattr(value, "__qualname__", None) or repr(value)
    return value.item() if isinstance(value, np.generic) else value


def fingerprint(source):
    """SHA-256 of a DataSource's shape and of up to 1000 of its rows, evenly spread over them."""
    digest = hashlib.sha256(f"{len(source)} {source.n_features}".encode())
    for numbers in np.array_split(np.unique(np.linspace(0, len(source) - 1, SPREAD_ROWS).astype(np.int64)), 10):
        if len(numbers):
            digest.update(source.gather(numbers).x)
    return digest.hexdigest()
