"""Checkpoints: files with all that a training needs, from which it continues with the same bits.

A checkpoint is a model file (persistence.py) with the weights that training would leave if it ended there: those of the
best epoch if one is chosen, else those of the last. It also holds

    adam.m, adam.v   Adam's two running means
    last             the weights that training continues from, if those of a best epoch are in their place
    training         JSON: the epochs and steps done, the history, the best epoch and its loss, the settings, the
                     fingerprints of the data, and what wrote it: version, instruction set, precision

Every random number is a function of seed, step and row, so there is no random state to keep.
"""

import contextlib
import json
import math
import time
import warnings
from pathlib import Path
from typing import NamedTuple

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.persistence import ModelFile, describe_model, lock_folder, unlock_folder, write
from pyvae.training.adam import Adam
from pyvae.training.history import COLUMNS, History
from pyvae.training.snapshots import BestEpoch
from pyvae.versions import __version__

NAME = "epoch-{:06d}.safetensors"


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged, could not be written, or comes from elsewhere; training goes on."""


class TrainingState(NamedTuple):
    """The objects that change while a model is trained."""

    model: object
    optimizer: Adam
    history: History
    best: BestEpoch | None


class Checkpoints:
    """The checkpoints of one training, in a folder of their own, which is made if it is missing.

    One is written after an epoch if at least ``seconds`` have passed since the last one, and one at the end, of the
    last whole epoch, even after an interruption; the newest ``keep`` stay. overwrite: True lets a new training remove
    the checkpoints of another. configuration: notes for whoever resumes, in JSON types. A checkpoint appears whole or
    not at all; if one cannot be written, a warning says so, the earlier ones stay, and training goes on. Only one
    training at a time can write to a folder. Raises ValueError for numbers out of range.
    """

    def __init__(self, folder, seconds=10.0, keep=2, overwrite=False, configuration=None):
        self.folder = Path(folder)
        self.seconds = check_number("seconds", seconds, 0, low_included=True)
        self.keep = check_count("keep", keep, 1)
        self.overwrite, self.configuration = overwrite, configuration
        self._settings = None  # of the training
        self._written = None  # the epochs of this training's files; None before the first
        self._time = -math.inf  # when the last one was written
        self._told = set()  # the warnings already given
        self._folder = None  # the folder's descriptor, which holds the lock

    def epochs(self):
        """The epochs of the checkpoints in the folder, ascending."""
        numbers = [path.stem.removeprefix("epoch-") for path in self.folder.glob("epoch-*.safetensors")]
        numbers = [int(number) for number in numbers if number.isdecimal()]
        return sorted(number for number in numbers if self.path(number).is_file())

    def path(self, epoch):
        """The path of the checkpoint of this epoch."""
        return self.folder / NAME.format(epoch)

    @contextlib.contextmanager
    def newest(self):
        """The newest undamaged checkpoint, open as a ModelFile; None if the folder holds no checkpoint.

        Warns of each damaged one. Raises ValueError where all are damaged.
        """
        damaged = []
        for epoch in reversed(self.epochs()):
            try:
                file = open_checkpoint(self.path(epoch))
            except (ValueError, OSError) as error:
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
        """Begin a training with these Settings, or restore ``state`` from the newest checkpoint.

        Raises FileExistsError where the folder is a file, or holds checkpoints that are neither to be resumed nor
        overwritten; BlockingIOError where another training writes there; and ValueError where the checkpoints are of
        another model, other settings or other data, or all damaged, and where the model cannot be saved.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise FileExistsError(f"{self.folder} is a file; checkpoints need a folder")
        self._settings, self._written, self._told = settings, None, set()
        describe_model(state.model), json.dumps(self.configuration)  # to be refused now and not after an hour
        self._lock()
        try:
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
        except BaseException:
            self._unlock()
            raise
        self._time = time.monotonic()

    def save(self, state):
        """Write a checkpoint if it is time for one."""
        if time.monotonic() - self._time >= self.seconds:
            self._save(state)

    def end(self, state):
        """Write the last checkpoint. state: as it was at the end of the last whole epoch."""
        self._save(state)
        self._unlock()

    def give_up(self):
        """Write no more checkpoints in this training: they have no place."""
        self._settings = None

    def _save(self, state):
        epoch = len(state.history)
        if self._settings is None or epoch == 0 or (self._written and self._written[-1] == epoch):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock()
            arrays = {"adam.m": state.optimizer.m, "adam.v": state.optimizer.v}
            values = state.model.parameters.values
            if state.best is not None and state.best.number is not None:
                values, arrays["last"] = state.best.weights, values
            write(self.path(epoch), state.model, values, arrays, self._describe(state))
            self._time = time.monotonic()
            self._written = [*(self._written or []), epoch]
            self._remove(set(self.epochs()) - set(self._written[-self.keep :]))  # those of another training, too
        except OSError as error:
            warnings.warn(
                f"the checkpoint of epoch {epoch} could not be written to {error.filename or self.folder}: "
                f"{error.strerror or error}; those before it stay",
                CheckpointWarning,
                stacklevel=2,
            )

    def _lock(self):
        """Keep other trainings out of the folder, once it exists, until this one or its process ends."""
        if self._folder is None and self.folder.is_dir():
            self._folder = lock_folder(self.folder, "another training writes its checkpoints there")

    def _unlock(self):
        unlock_folder(self._folder)
        self._folder = None

    def clear(self):
        """Remove all checkpoints."""
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
            **self._settings.describe(len(state.history)),
            "configuration": self.configuration,
            "instruction_set": _kernels.info()["isa"],
            "precision": _kernels.get_matmul_precision(),
            "pyvae": __version__,
        }

    def _check(self, file, state):
        training, model = file.description["training"], state.model
        there, here = file.description["model"], model.describe()
        if _parts(there) != _parts(here) or file.description["dtype"] != str(model.parameters.dtype):
            raise ValueError(f"{file.path} is a checkpoint of another model: its layers, sizes or likelihood differ")
        difference = self._settings.difference(training) or ("on other rows" if there != here else None)
        if difference is not None:
            raise ValueError(f"{file.path} was trained {difference}: resume it as it began, or train anew")
        here, there = _kernels.info()["isa"], training["instruction_set"]
        if (there, training["pyvae"]) != (here, __version__):
            warnings.warn(
                f"{file.path} was written by pyvae {training['pyvae']} on {there or 'no native kernels'}, this is "
                f"{__version__} on {here or 'none'}: the last bits may differ",
                CheckpointWarning,
                stacklevel=2,
            )


def _parts(description):
    """The parts of a described model, without numbers that were found in rows, as those of a StandardizedVAE."""
    return {name: part for name, part in description.items() if not isinstance(part, list)}


def restore(file, state):
    """Restore a training from a checkpoint whose model has the same description. Raises ValueError where the
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


def open_checkpoint(path):
    """The file as a ModelFile. Raises ValueError where it is damaged or not a checkpoint."""
    file = ModelFile(path)
    training = file.description.get("training")
    if isinstance(training, dict) and {"settings", "configuration", "history", "pyvae", "instruction_set"} <= set(
        training
    ):
        return file
    file.close()
    what = "a model, not a checkpoint" if training is None else "damaged: the state of its training lacks something"
    raise ValueError(f"{path} is {what}")
