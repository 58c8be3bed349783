"""One training step, up to the optimizer: the loss and its gradient by every weight, on one minibatch.

    model.parameters.zero_grads()
    terms, cache = model.forward(batch, noise, k, memory)      log p(x|z), KL, ...
    loss, dterms = objective(terms, batch.weight, memory)      one number, and its derivative by each term
    model.backward(cache, dterms)                              ... by each weight

These lines make the same calls of kernels, on the same arrays, in every step. In a small model the Python between two
kernels takes longer than a kernel, and so does waking the threads for each. So steps are recorded and played. The first
batch of a size is run by the lines above, on its real rows and noise, and its kernel calls go on a tape. From the third
on the tape is played: all of the kernels by one team of threads. What a tape relies on:

    1  A part that says ``playable = True`` in its own class does nothing in forward and backward but call kernels on
       arrays of ``memory``; and no method of it was replaced on the instance. A model with another part is not played.
    2  Every field of the batch, and every noise that was asked for, has an array that is filled again before the tape
       is played.
    3  Constants, such as a fixed std, are written once, at the recording. After a callback that changes a number in the
       model's description all steps are recorded anew.

The second batch of a size is run both ways. Terms and gradients have to be equal to the bit; where they are not, some
part broke its word: its steps are not played, and a warning says so, once.

A linear objective's dterms do not depend on the terms; its own class says ``linear = True``. They are written before
the one tape of a step, and again when its numbers change. Any other objective runs, as plain Python, between two tapes,
of forward and of backward.
"""

import warnings
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.data.batch import Batch
from pyvae.module import is_playable
from pyvae.objectives.terms import loss_of
from pyvae.workspace import Workspace


class Step:
    """``batch, terms, loss = step(source, rows, noise)`` leaves the objective's gradients in the model's arena.

    objective: an Objective whose numbers are fixed, as ``at`` returns it; another may be set at any time, of the same
    n_samples.
    """

    def __init__(self, model, objective):
        self.model, self.objective = model, objective
        self.description = model.describe()
        self.workspace = Workspace()  # of steps that are not played
        self.batch_workspaces, self.recordings = {}, {}  # by batch size and precision
        self.playable = is_playable(model) and _kernels.KERNELS == "native"
        self.team = _kernels.team()  # a training has all of its step on it, the optimizer included

    def __call__(self, source, rows, noise):
        """The batch of these rows of a DataSource, its Terms, and the loss; the gradients replace the old ones.

        terms are valid until the next call.
        """
        key = len(rows), _kernels.get_matmul_precision()
        workspace = self.batch_workspaces.setdefault(key, Workspace())
        batch = source.minibatch(rows, noise, self.model.parameters.dtype, workspace.begin())
        recording = self.recordings.get(key)
        if not self.playable:
            return batch, *self.run(batch, noise)
        if recording is None:
            x = batch.x if workspace.owns(batch.x) else batch.x.copy()
            recording = self.recordings[key] = Recording(self.model, x, batch, noise, self.objective)
            return batch, recording.terms, recording.loss
        if not recording.fits(batch, self.objective):
            return batch, *self.run(batch, noise)
        if not recording.checked:
            return batch, *self.run_both_ways(recording, batch, noise)
        return batch, *(recording.play(batch, noise, self.objective) or self.run(batch, noise))

    def run(self, batch, noise):
        """terms, loss of the four lines."""
        memory = self.workspace.begin()
        self.model.parameters.zero_grads()
        terms, cache = self.model.forward(batch, noise, self.objective.n_samples, memory)
        loss, dterms = loss_of(self.objective, terms, batch.weight, memory)
        self.model.backward(cache, dterms)
        return terms, loss

    def run_both_ways(self, recording, batch, noise):
        """terms, loss of a step that is run plainly, and played to be compared with that."""
        recording.checked = True
        grads = self.model.parameters.grads
        terms, loss = self.run(batch, noise)
        plain = grads.copy()
        played = recording.play(batch, noise, self.objective)
        same = grads.tobytes() == plain.tobytes() and (played is None or all(map(_same_bits, terms, played[0])))
        grads[...] = plain
        if played is not None and not same:
            self.playable = False
            warnings.warn(
                f"a part of this {type(self.model).__name__} says playable = True but does more than call kernels on "
                "arrays of memory, or its objective says linear = True but is not: its steps are right, but are not "
                "played, which takes longer",
                RuntimeWarning,
                stacklevel=4,
            )
        return terms, loss

    def forget_if_changed(self):
        """Record anew if a number in the description of the model, a constant of the tapes, was changed."""
        description = self.model.describe()
        if description != self.description:
            self.description = description
            self.recordings.clear()


class Recording:
    """A step that can be played: the arrays that are filled before, the calls, and what they leave.

    The four lines go on the tapes while they run on a batch; x (B, D): an array of its own with the rows of that.
    """

    def __init__(self, model, x, batch, noise, objective):
        self.workspace, self.objective_workspace = Workspace(), Workspace()
        self.objective, self.linear, self.checked = objective, is_linear(objective), False
        self.forward = _kernels.Tape()
        self.backward = self.forward if self.linear else _kernels.Tape()
        copies = {name: of.copy() for name, of in vars(batch).items() if of is not None and name != "x"}
        self.batch = Batch(x, **copies)
        self.noise = RecordedNoise(noise, self.forward)
        with self.forward:
            if self.linear:
                model.parameters.zero_grads()
            self.terms, cache = model.forward(self.batch, self.noise, objective.n_samples, self.workspace.begin())
        self.loss, self.dterms = loss_of(objective, self.terms, self.batch.weight, self.objective_workspace.begin())
        with self.backward:
            if not self.linear:
                model.parameters.zero_grads()
            model.backward(cache, self.dterms)
        self.playable = self.forward.playable and self.backward.playable

    def fits(self, batch, objective):
        """True if it can be played for this batch and objective."""
        return (
            self.playable
            and all(map(_alike, vars(batch).values(), vars(self.batch).values()))
            and type(objective) is type(self.objective)
            and objective.n_samples == self.objective.n_samples
            and is_linear(objective) == self.linear
        )

    def play(self, batch, noise, objective):
        """terms, loss of a step with other rows and other noise; None if the objective gives derivatives by other
        terms than at the recording, which then cannot be played any more."""
        for mine, given in zip(vars(self.batch).values(), vars(batch).values(), strict=True):
            if mine is not given:
                mine[...] = given
        self.noise.draw_again(noise)
        if self.linear and (objective is not self.objective or batch.weight is not None):
            self.apply(objective)
        self.objective = objective
        self.forward.play()
        self.loss = self.apply(objective)
        if not self.linear and self.playable:
            self.backward.play()
        return (self.terms, self.loss) if self.playable else None

    def apply(self, objective):
        """The loss of the terms as they are; its derivatives go where the tape reads them."""
        loss, dterms = loss_of(objective, self.terms, self.batch.weight, self.objective_workspace.begin())
        for old, new in zip(self.dterms, dterms, strict=True):
            if new is old:
                continue
            if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
                old[...] = new
            else:
                self.playable = False  # it gives derivatives by other terms than at the recording
        return loss


class Ask(NamedTuple):
    """A call of a Noise: ``getattr(noise, method)(*arguments, out=out)``, perhaps of ``noise.at(rows)``."""

    modifiers: tuple  # (method, arguments), from the noise of the step to the one that was asked
    method: str
    arguments: tuple
    out: np.ndarray


class RecordedNoise:
    """A Noise that remembers what it was asked for, so that the same arrays can be filled with other numbers."""

    def __init__(self, noise, tape, asked=None, modifiers=()):
        self.noise, self.tape, self.modifiers = noise, tape, modifiers
        self.asked = [] if asked is None else asked

    def normal(self, name, shape, rows, dtype=np.float32, out=None):
        return self._ask("normal", name, shape, rows, dtype, out=out)

    def uniform(self, name, shape, rows, dtype=np.float32, out=None):
        return self._ask("uniform", name, shape, rows, dtype, out=out)

    def keep(self, number, shape, rate, dtype=np.float32, out=None):
        return self._ask("keep", number, shape, rate, dtype, out=out)

    def at(self, rows):
        return self._modified("at", rows)

    def part(self, number):
        return self._modified("part", number)

    def __getattr__(self, name):
        """Anything else is asked of the noise itself: its kernels go on the tape, which can then not be played."""
        return getattr(self.noise, name)

    def draw_again(self, noise):
        """Fill all arrays with the numbers of another Noise."""
        for ask in self.asked:
            asked = noise
            for method, arguments in ask.modifiers:
                asked = getattr(asked, method)(*arguments)
            getattr(asked, ask.method)(*ask.arguments, out=ask.out)

    def _ask(self, method, *arguments, out):
        with self.tape.paused():
            out = getattr(self.noise, method)(*arguments, out=out)
        self.asked.append(Ask(self.modifiers, method, arguments, out))
        return out

    def _modified(self, method, *arguments):
        modifiers = (*self.modifiers, (method, arguments))
        return RecordedNoise(getattr(self.noise, method)(*arguments), self.tape, self.asked, modifiers)


def is_linear(objective):
    """True if the objective's own class says ``linear = True``: a class does not inherit it."""
    return vars(type(objective)).get("linear") is True


def _alike(a, b):
    """True if both are None, or arrays of the same shape and type."""
    return (a is None and b is None) or (a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype)


def _same_bits(a, b):
    return a is b or (a is not None and b is not None and a.tobytes() == b.tobytes())
