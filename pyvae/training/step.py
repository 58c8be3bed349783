"""One training step, up to the optimizer: the loss and its gradient by every weight, on one minibatch.

    model.parameters.zero_grads()
    terms, cache = model.forward(batch, noise)         log p(x|z), KL, ...
    loss, dterms = elbo(terms)                         one number, and its derivative by each term
    model.backward(cache, dterms)                      ... by each weight

These four lines make the same calls of kernels, on the same arrays, in every step. In a small model the Python between
two kernels takes longer than a kernel, and so does waking the threads for each. So the first step of each batch size
is recorded while it runs, and the steps after it are played: all of the kernels by one team of threads, with the same
result to the bit. A model with parts that are not the library's own is never played; its steps run the lines above.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.data.sources import Batch
from pyvae.noise import Noise
from pyvae.objectives.elbo import Terms, elbo
from pyvae.workspace import Workspace, aligned_empty


class Recording(NamedTuple):
    """A step that can be played: what it reads, what it leaves, and the calls."""

    x: np.ndarray  # (B, D)
    eps: np.ndarray  # (B * k, Z)
    terms: Terms
    dterms: Terms  # what beta is in
    workspace: Workspace  # whose arrays are its own
    tape: object


def kernels_alone(module):
    """Whether all parts of a model are calls of kernels and nothing else."""
    return module.kernels_alone() and all(map(kernels_alone, module.children().values()))


class Step:
    """``batch, terms = step(source, rows, noise)`` leaves the gradients of the ELBO in the model's arena.

    k: samples of z per row. beta: weight of the KL; a new value counts from the next call on.
    """

    def __init__(self, model, k=1, beta=1.0):
        self.model, self.k, self._beta = model, k, beta
        self.workspace = Workspace()
        self.recordings = {}  # by batch size and precision
        self.can_record = kernels_alone(model)
        self.team = _kernels.team()  # for a step and what its caller does around it

    @property
    def beta(self):
        return self._beta

    @beta.setter
    def beta(self, beta):
        if beta != self._beta:
            self._beta = beta
            for recording in self.recordings.values():
                recording.dterms.kl[...] = beta / len(recording.dterms.kl)  # as elbo does

    def __call__(self, source, rows, noise):
        """The batch of these rows of a DataSource and its terms, with this noise; the gradients replace the old ones.

        terms are valid until the next call.
        """
        recording = self.recordings.get((len(rows), _kernels.get_matmul_precision()))
        if recording is None and self.can_record and source.plain:
            recording = self._record(source, rows, noise)
        if recording is not None and source.plain:
            batch = source.gather(rows, noise, out=recording.x)
            if batch.x is recording.x and batch.weight is None and batch.observed is None:
                noise.normal("z", recording.eps.shape, batch.rows, recording.eps.dtype, out=recording.eps)
                recording.tape.play()
                return batch, recording.terms
        self.workspace.reset()
        batch = source.minibatch(rows, noise, self.model.parameters.dtype, self.workspace)
        return batch, self._run(batch, noise, self.workspace)[0]

    def _record(self, source, rows, noise):
        """A Recording for batches as long as rows; None where there can be none."""
        dtype = self.model.parameters.dtype
        x = aligned_empty((len(rows), self.model.n_features), dtype)
        eps = aligned_empty((len(rows) * self.k, self.model.latent_dim), dtype)
        x[...], eps[...] = source.gather(rows, noise).x, 0
        workspace, tape = Workspace(), _kernels.Tape()
        with tape:
            terms, dterms = self._run(Batch(x), Noise.frozen(z=eps), workspace)
        if not tape.playable:
            self.can_record = False
            return None
        key = len(rows), _kernels.get_matmul_precision()
        return self.recordings.setdefault(key, Recording(x, eps, terms, dterms, workspace, tape))

    def _run(self, batch, noise, workspace):
        self.model.parameters.zero_grads()
        terms, cache = self.model.forward(batch, noise, self.k, workspace)
        _, dterms = elbo(terms, batch.weight, beta=self.beta, workspace=workspace)
        self.model.backward(cache, dterms)
        return terms, dterms
