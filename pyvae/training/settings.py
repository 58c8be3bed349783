"""Settings of a training, by which a checkpoint knows it again: what must be the same for it to go on."""

import hashlib

import numpy as np

from pyvae import _kernels
from pyvae.data.sources import CHUNK_ROWS
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.kl_weight import LinearWarmUp

NOT_SAID = {"l2": 0.0}  # what checkpoints of the first versions do not say
MOST_ROWS = 100_000  # of the data, by which they are known again


class Settings:
    """The plan of a training and its data: numbers that stay the same, and those of every epoch.

    Learning rate and objective are functions of the epochs done so far. Those of the last step of an epoch count.
    """

    def __init__(self, plan, optimizer, source, validation, validation_fraction):
        dtype, self.plan, self.n_steps = optimizer.parameters.dtype, plan, plan.n_steps(len(source))
        self.fixed = {
            "batch_size": int(plan.batch_size),
            "clip_norm": None if plan.clip_norm is None else float(plan.clip_norm),
            "weight_decay": optimizer.weight_decay,
            "l2": optimizer.l2,
            "seed": int(plan.seed),
            "validation_fraction": float(validation_fraction),
            "precision": _kernels.get_matmul_precision(),
            "X": fingerprint(source, dtype),
            "X_val": None if validation is None else fingerprint(validation, dtype),
        }

    def describe(self, epochs):
        """The settings of so many epochs, in JSON types."""
        words = [repr(self.plan.objective.at(self.last_step(epoch))) for epoch in range(1, epochs + 1)]
        stretches = [[i + 1, word] for i, word in enumerate(words) if i == 0 or word != words[i - 1]]
        return {"settings": self.fixed, "objectives": stretches}  # each objective with its first epoch

    def last_step(self, epoch):
        """The time of the last step of an epoch, in epochs done before it."""
        return epoch - 1 + (self.n_steps - 1) / self.n_steps

    def difference(self, training):
        """In which setting the training that a checkpoint describes was another, in words; None if in none."""
        for name, value in self.fixed.items():
            before = training["settings"].get(name, NOT_SAID.get(name))
            if value != before:
                return "on other rows" if name in ("X", "X_val") else f"with {name} {before}, not {value}"
        for done in training["history"]:
            epoch, time = done["epoch"], self.last_step(done["epoch"])
            before, rate = done["learning_rate"], self.plan.learning_rate_at(time)
            if before != rate:
                return f"with a learning_rate of {before:g} in epoch {epoch}, not {rate:g}"
            before, objective = objective_of(training, epoch, time), repr(self.plan.objective.at(time))
            if before != objective:
                return f"with the objective {before} in epoch {epoch}, not {objective}"
        return None


def objective_of(training, epoch, time):
    """The objective, in words, of an epoch whose last step was at this time."""
    if "objectives" in training:
        return next(words for first, words in reversed(training["objectives"]) if first <= epoch)
    settings = training["settings"]  # of the first versions, which had only the ELBO
    beta, kl_warmup = settings["beta"], settings["kl_warmup"]
    return repr(ELBO(LinearWarmUp(beta, kl_warmup) if kl_warmup else beta, settings["n_samples"]).at(time))


def fingerprint(source, dtype):
    """SHA-256 of a DataSource's shape, and of its rows and what stands beside them: of 100,000 rows, evenly spread, if
    there are more."""
    digest = hashlib.sha256(f"{len(source)} {source.n_features}".encode())
    numbers = np.unique(np.linspace(0, len(source) - 1, MOST_ROWS).astype(np.int64))
    for start in range(0, len(numbers), CHUNK_ROWS):
        rows = numbers[start : start + CHUNK_ROWS]
        batch = source.gather(rows, out=np.empty((len(rows), source.n_features), dtype))
        for part in (batch.x, batch.observed, batch.weight, batch.condition, batch.label):
            if part is not None:
                digest.update(part)
    return digest.hexdigest()
