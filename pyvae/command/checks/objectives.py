"""Checks of objectives."""

import numpy as np

from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.objectives.capacity import Capacity
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.free_bits import FreeBits
from pyvae.objectives.importance import ImportanceWeighted
from pyvae.objectives.mmd import MMD
from pyvae.objectives.terms import Terms
from pyvae.objectives.total_correlation import TotalCorrelation

OBJECTIVES = {
    "ELBO, KL closed": lambda: ELBO(0.3, 3),
    "ELBO, KL sampled": lambda: ELBO(0.3, 3, "sampled"),
    "ImportanceWeighted": lambda: ImportanceWeighted(4),
    "ImportanceWeighted in groups": lambda: ImportanceWeighted(3, groups=2),
    "ImportanceWeighted, mixed": lambda: ImportanceWeighted(3, groups=2, mix=0.4),
    "ImportanceWeighted, mixed, KL closed": lambda: ImportanceWeighted(4, mix=0.4, kl="closed"),
    "FreeBits": lambda: FreeBits(0.3),
    "FreeBits over the batch": lambda: FreeBits(0.5, over="batch", n_samples=2),
    "FreeBits of groups": lambda: FreeBits(1.0, groups=2),
    "Capacity": lambda: Capacity(50.0, gamma=3.0, n_samples=2),
    "TotalCorrelation, stratified": lambda: TotalCorrelation(4.0, n_rows=6),
    "TotalCorrelation, weighted": lambda: TotalCorrelation(4.0, n_rows=6, sampling="weighted"),
    "MMD": lambda: MMD(30.0, beta=0.5, n_samples=2),
}  # name: whose gradient is the derivative of the loss


def check_objectives():
    """Each objective's derivative by each of the terms, with and without weights of the rows."""
    checks = []
    for name, make in OBJECTIVES.items():
        objective, rng = make(), np.random.default_rng(0)
        k = objective.n_samples
        log_px, log_pz, log_qz = rng.standard_normal((3, 6, k))
        z, mu, logvar = (rng.standard_normal((rows, 4)) for rows in (6 * k, 6, 6))
        terms = Terms(log_px, log_pz, log_qz, rng.standard_normal(6), z, mu, logvar)
        for label, weight in (("", None), (", weighted", rng.random(6))):

            def loss(objective=objective, terms=terms, weight=weight):
                return objective(terms, weight)[0]

            _, dterms = objective(terms, weight)
            for field in Terms._fields[:7]:
                term, derivative = getattr(terms, field), getattr(dterms, field)
                derivative = np.zeros_like(term) if derivative is None else derivative
                checks.append(check_gradient(loss, term, derivative, f"{name}{label}: d{field}"))
    return raise_if_wrong(checks)
