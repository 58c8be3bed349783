"""The evidence lower bound (ELBO) on log p(x) of one row:

    log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || p(z))     ~     1/k sum_s log p(x|z_s)  -  KL

The loss is the weighted mean over rows of the negative ELBO, with beta in front of the KL (beta = 1: the ELBO;
Higgins et al. 2017 for others). With w the rows' weights and n their sum:

    loss = 1/n sum_b w_b (-1/k sum_s log_px_bs + beta kl_b)     dlog_px_bs = -w_b / (n k)     dkl_b = beta w_b / n

Where the KL has no closed form, its estimate from the same samples takes its place:

    kl_b ~ 1/k sum_s (log_qz_bs - log_pz_bs)        dlog_qz_bs = beta w_b / (n k)        dlog_pz_bs = -beta w_b / (n k)
"""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyvae.arguments import check_count, check_number
from pyvae.objectives.terms import Objective, Terms, kl_of_rows, total_weight, weighted_sum
from pyvae.workspace import FRESH


class ELBO(Objective):
    """The negative ELBO: -1/k sum_s log p(x|z_s) + beta KL, mean over rows, nats (Kingma and Welling 2014, eq. 10).

    beta: weight of the KL, a number or a function of the epochs done so far, such as LinearWarmUp (one without
    ``settled`` is taken to be final from the begin). n_samples: k samples of z per row. kl: "closed" takes the closed
    form where there is one; "sampled" estimates the KL from the same z as log p(x|z) (ibid., eq. 6). Raises ValueError
    for numbers out of range or another word.
    """

    linear = True

    def __init__(self, beta: float | Callable[[float], float] = 1.0, n_samples: int = 1, kl: str = "closed"):
        self.beta = beta if callable(beta) else check_number("beta", beta, 0, low_included=True)
        self.n_samples = check_count("n_samples", n_samples, 1)
        if kl not in ("closed", "sampled"):
            raise ValueError(f"kl must be 'closed' or 'sampled', not {kl!r}")
        self.kl = kl

    @property
    def of_samples(self):
        return self.kl == "sampled"

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0, as such rows have no mean."""
        if self.kl == "sampled":
            terms = terms._replace(kl=None)
        log_px, (rows, k) = terms.log_px, terms.log_px.shape
        n = total_weight(weight, rows)
        reconstruction, kl = -weighted_sum(log_px, weight) / k, weighted_sum(kl_of_rows(terms), weight)
        loss = (reconstruction + self.beta * kl) / n

        w = 1.0 if weight is None else np.asarray(weight, np.float64)[:, None]  # (B, 1), or one number for all
        dlog_px = memory.take(log_px.shape, log_px.dtype)
        dlog_px[...] = -w / (n * k)
        if terms.kl is not None:
            dkl = memory.take((rows,), log_px.dtype)
            dkl[:, None] = self.beta * w / n
            return loss, Terms(log_px=dlog_px, kl=dkl)
        dlog_pz, dlog_qz = (memory.take(log_px.shape, log_px.dtype) for _ in range(2))
        dlog_qz[...] = self.beta * w / (n * k)
        dlog_pz[...] = -dlog_qz
        return loss, Terms(log_px=dlog_px, log_pz=dlog_pz, log_qz=dlog_qz)

    def at(self, epoch):
        """The same objective, in nats, with beta as it is at this time. Raises ValueError where that is negative."""
        if not callable(self.beta):
            return self
        fixed = copy(self)
        fixed.beta = check_number("beta(epoch)", self.beta(epoch), 0, low_included=True)
        return fixed

    def settled(self, epoch):
        return getattr(self.beta, "settled", lambda epoch: True)(epoch)


def elbo(terms: Terms, weight: ArrayLike | None = None, beta: float = 1.0, memory: Any = FRESH) -> tuple[float, Terms]:
    """loss, dterms of the objective ELBO(beta), in nats; weight (B,). Raises ValueError where beta is negative or every
    weight is 0."""
    return ELBO(beta)(terms, weight, memory)
