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
    3  Constants, such as a fixed std, are written once, at the recording.

The second batch of a size is run both ways. Terms and gradients have to be equal to the bit; where they are not, some
part broke its word: its steps are not played, and a warning says so, once.

A linear objective's dterms do not depend on the terms: they are written before the one tape of a step, and again when
its numbers change. Any other objective runs, as plain Python, between two tapes, of forward and of backward.
"""

import warnings
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.data.sources import Batch
from pyvae.module import is_playable
from pyvae.workspace import Workspace


class Step:
    """``batch, terms, loss = step(source, rows, noise)`` leaves the objective's gradients in the model's arena.

    objective: an Objective whose numbers are fixed, as ``at`` returns it; another may be set at any time, of the same
    n_samples.
    """

    def __init__(self, model, objective):
        self.model, self.objective = model, objective
        self.workspace = Workspace()  # of steps that are not played
        self.recordings = {}  # by batch size and precision
        self.playable = is_playable(model) and _kernels.KERNELS == "native"
        self.team = _kernels.team()  # for a step and what its caller does around it

    def __call__(self, source, rows, noise):
        """The batch of these rows of a DataSource, its Terms, and the loss; the gradients replace the old ones.

        terms are valid until the next call.
        """
        dtype = self.model.parameters.dtype
        if not self.playable:
            memory = self.workspace.begin()
            batch = source.minibatch(rows, noise, dtype, memory)
            return batch, *self.run(batch, noise, memory)
        key = len(rows), _kernels.get_matmul_precision()
        recording = self.recordings.get(key)
        if recording is None:
            recording = self.recordings[key] = Recording(self.model)
        batch = source.minibatch(rows, noise, dtype, recording.batch_workspace.begin())
        if not recording.begun and isinstance(batch.x, np.ndarray):
            return batch, *recording.record(batch, noise, self.objective)
        if not recording.fits(batch, self.objective):
            return batch, *self.run(batch, noise, self.workspace.begin())
        if not recording.checked:
            return batch, *self.run_both_ways(recording, batch, noise)
        played = recording.play(batch, noise, self.objective)
        return batch, *(played or self.run(batch, noise, self.workspace.begin()))

    def run(self, batch, noise, memory):
        """terms, loss of the four lines."""
        self.model.parameters.zero_grads()
        terms, cache = self.model.forward(batch, noise, self.objective.n_samples, memory)
        loss, dterms = self.objective(terms, batch.weight, memory)
        self.model.backward(cache, dterms)
        return terms, loss

    def run_both_ways(self, recording, batch, noise):
        """terms, loss of a step that is run plainly, and played to be compared with that."""
        grads = self.model.parameters.grads
        terms, loss = self.run(batch, noise, self.workspace.begin())
        plain = grads.copy()
        played = recording.play(batch, noise, self.objective)
        if played is None:
            grads[...] = plain
        elif grads.tobytes() != plain.tobytes() or not all(map(_same_bits, terms, played[0])):
            self.playable = False
            grads[...] = plain
            warnings.warn(
                f"a part of this {type(self.model).__name__} says playable = True but does more than call kernels on "
                "arrays of memory: its steps are right, but not played, which takes longer",
                RuntimeWarning,
                stacklevel=4,
            )
        recording.checked = True
        return terms, loss


class Recording:
    """A step that can be played: the arrays that are filled before, the calls, and what they leave."""

    def __init__(self, model):
        self.model = model
        self.batch_workspace, self.workspace, self.objective_workspace = Workspace(), Workspace(), Workspace()
        self.begun = self.checked = False

    def record(self, batch, noise, objective):
        """terms, loss of the four lines, which go on the tapes."""
        self.begun = True
        self.forward = _kernels.Tape()
        self.backward = self.forward if objective.linear else _kernels.Tape()
        self.objective, self.linear = objective, objective.linear
        copies = {name: None if (of := getattr(batch, name)) is None else of.copy() for name in ("observed", "weight")}
        self.batch = Batch(batch.x, rows=batch.rows.copy(), **copies)
        self.noise = RecordedNoise(noise, self.forward)
        with self.forward:
            if self.linear:
                self.model.parameters.zero_grads()
            self.terms, cache = self.model.forward(self.batch, self.noise, objective.n_samples, self.workspace.begin())
        loss, self.dterms = objective(self.terms, self.batch.weight, self.objective_workspace.begin())
        with self.backward:
            if not self.linear:
                self.model.parameters.zero_grads()
            self.model.backward(cache, self.dterms)
        self.playable = self.forward.playable and self.backward.playable
        return self.terms, loss

    def fits(self, batch, objective):
        """Whether it can be played for this batch and objective."""
        return (
            self.begun
            and self.playable
            and isinstance(batch.x, np.ndarray)
            and (batch.weight is None) == (self.batch.weight is None)
            and (batch.observed is None) == (self.batch.observed is None)
            and (type(objective), objective.n_samples) == (type(self.objective), self.objective.n_samples)
        )

    def play(self, batch, noise, objective):
        """terms, loss of a step with other rows and other noise; None where the objective gives derivatives by other
        terms than at the recording, which then cannot be played any more."""
        for name in ("x", "observed", "weight", "rows"):
            mine, given = getattr(self.batch, name), getattr(batch, name)
            if mine is not given:
                mine[...] = given
        self.noise.draw_again(noise)
        if self.linear and (objective is not self.objective or batch.weight is not None):
            self.apply(objective)
        self.objective = objective
        self.forward.play()
        loss = self.apply(objective)
        if not self.linear and self.playable:
            self.backward.play()
        return (self.terms, loss) if self.playable else None

    def apply(self, objective):
        """The loss of the terms as they are; its derivatives go where the tape reads them."""
        loss, dterms = objective(self.terms, self.batch.weight, self.objective_workspace.begin())
        for old, new in zip(self.dterms, dterms, strict=True):
            if (new is None) != (old is None):
                self.playable = False
            elif new is not old:
                old[...] = new
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


def _same_bits(a, b):
    return (a is None) == (b is None) and (a is None or a.tobytes() == b.tobytes())
