"""``diagnose``: all examinations of a training, causes before their consequences.

A fault brings others: a learning rate that is too high kills units, dead units carry nothing, and z collapses. The
order below is that of causes, so the first fault that is found is the one to mend.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pyvae.arguments import check_count
from pyvae.data.sources import DataSource
from pyvae.data.support import check_support
from pyvae.diagnosis.case import Case
from pyvae.diagnosis.latent_space import collapse, heavy_kl, light_kl, prior_misses
from pyvae.diagnosis.networks import dead_units, gradients, noisy_gradient
from pyvae.diagnosis.rows import blur, likelihood, over_fitting
from pyvae.diagnosis.schedule import learning_rate, warm_up
from pyvae.diagnosis.sign import Sign
from pyvae.models.evaluation import Model
from pyvae.objectives.terms import Objective

EXAMINATIONS = (
    warm_up, learning_rate, gradients, dead_units, collapse, likelihood, light_kl, heavy_kl, over_fitting, prior_misses,
    blur, noisy_gradient,
)  # fmt: skip


class Diagnosis(NamedTuple):
    """A Sign of every fault that was looked for, causes before their consequences."""

    signs: tuple[Sign, ...]

    @property
    def found(self) -> tuple[Sign, ...]:
        """Those whose fault was found; the first is the one to mend, and may be the cause of the others."""
        return tuple(sign for sign in self.signs if sign.found)

    @property
    def fault(self) -> str | None:
        """The name of the first fault; None where none was found."""
        return self.found[0].fault if self.found else None

    def __str__(self) -> str:
        """Each fault with its evidence and what to try."""
        if not self.found:
            return "no fault was found"
        return "\n".join(
            "\n".join([f"{sign.fault}: {sign.evidence}", *(f"    try {remedy}" for remedy in sign.remedies)])
            for sign in self.found
        )


def diagnose(
    model: Model, X: ArrayLike | DataSource, X_val: ArrayLike | DataSource | None = None, history: Any = None,
    objective: Objective | None = None, batch_size: int = 128, seed: int = 0,
) -> Diagnosis:  # fmt: skip
    """Look for what went wrong in the training of a model, and return the Diagnosis: evidence, in nats where it is of
    likelihoods, and what to try.

    X: (N, D), the rows it was trained on. X_val: rows it was not trained on, without which over-fitting cannot be told.
    history: the History of its training, without which a warm-up cannot be told, and a learning rate hardly. objective:
    what it was trained for; None: the ELBO. batch_size: that of its steps. 2,000 rows of each are looked at, evenly
    spread. Nothing is trained, and the model stays as it is; diagnosis_plots.py draws what was found.

    The faults: a warm-up longer than the training, a learning rate too high, vanishing or exploding gradients, dead
    units, posterior collapse, a likelihood that does not fit, a KL too large or too small, over-fitting, a prior that
    misses the rows, blur, a noisy gradient. docs/diagnosis.md has their rules. Rows whose weight is 0 are left out;
    other weights count in gradients alone. Raises what ``model.elbo`` raises, and ValueError where a weight of the
    model is not finite, and for a ConditionalVAE, a SemiSupervisedVAE or a TwoLayerVAE.
    """
    check_count("batch_size", batch_size, 1)
    if getattr(model, "n_condition", 0):
        raise ValueError(f"diagnose does not know the {type(model).__name__}, whose layers see more than x and z")
    if model.prior.noise_dim:
        raise ValueError(f"diagnose needs log p(z), which a {type(model.prior).__name__} estimates alone")
    if not np.isfinite(model.parameters.values).all():
        raise ValueError("the model has weights that are not finite: train it anew")
    source = model.source(X, training=True)
    validation = None if X_val is None else model.source(X_val, "X_val", training=True)
    for rows in (source, validation):
        if rows is not None:
            check_support(rows, model.likelihood, model.parameters.dtype)
    case = Case(model, source, validation, history, objective, batch_size, check_count("seed", seed, 0))
    return Diagnosis(tuple(examine(case) for examine in EXAMINATIONS))
