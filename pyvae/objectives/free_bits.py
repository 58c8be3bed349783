"""Free bits: below so many nats, what a latent dimension says about a row costs nothing.

    loss = 1/n sum_b w_b (-1/k sum_s log p(x|z_s) + sum_g max(nats, KL_bg))

KL_bg is the KL of a group g of dimensions, in closed form (latent/gaussian.py). A group below the limit has no
gradient, so that the KL cannot empty it; one above is trained as by the ELBO. The limit holds for each row, or for the
group's mean KL over the rows of a batch (Kingma et al. 2016, eq. 15):

    over="row"      dKL_bg = w_b / n   where KL_bg > nats, else 0
    over="batch"    dKL_bg = w_b / n   where sum_b w_b KL_bg / n > nats, else 0        a term max(nats, mean KL_g)
"""

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.latent.gaussian import refuse_other_gaussians
from pyvae.objectives.terms import Objective, Terms, total_weight, weighted_sum
from pyvae.workspace import FRESH


class FreeBits(Objective):
    """The negative ELBO in which each group of latent dimensions has ``nats`` of KL for free, mean over rows.

    groups: into how many groups of equal size the dimensions fall, in their order; None: each is a group. over: "row",
    or "batch", which looks at all rows of a minibatch and so is outside of the promise that a row's numbers do not
    depend on the rows beside it. n_samples: k samples of z per row. Raises ValueError for numbers out of range or
    another word.
    """

    remedies = "more free nats"

    def __init__(self, nats: float, groups: int | None = None, over: str = "row", n_samples: int = 1):
        self.nats = check_number("nats", nats, 0, low_included=True)
        self.groups = None if groups is None else check_count("groups", groups, 1)
        if over not in ("row", "batch"):
            raise ValueError(f"over must be 'row' or 'batch', not {over!r}")
        self.over, self.n_samples = over, check_count("n_samples", n_samples, 1)

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0."""
        log_px, (rows, k), latent_dim = terms.log_px, terms.log_px.shape, terms.mu.shape[1]
        groups = self.groups or latent_dim
        mu, logvar = (np.ascontiguousarray(a).reshape(rows * groups, -1) for a in (terms.mu, terms.logvar))
        kl = np.empty(rows * groups, log_px.dtype)
        _kernels.kl(mu, logvar, kl)
        kl = kl.reshape(rows, groups)

        n = total_weight(weight, rows)
        w = np.ones((rows, 1)) if weight is None else np.asarray(weight, np.float64)[:, None]
        if self.over == "row":
            counts, costs = kl > self.nats, weighted_sum(np.maximum(kl, self.nats, dtype=np.float64), weight) / n
        else:
            mean = (w * kl).sum(axis=0) / n
            counts, costs = mean > self.nats, float(np.maximum(mean, self.nats).sum())
        loss = costs - weighted_sum(log_px, weight) / (n * k)

        dlog_px, dkl = memory.take(log_px.shape, log_px.dtype), np.empty(kl.shape, kl.dtype)
        dlog_px[...] = -w / (n * k)
        dkl[...] = w / n * counts
        dmu, dlogvar = (memory.take((rows, latent_dim), log_px.dtype) for _ in range(2))
        _kernels.kl_backward(dkl.reshape(-1), mu, logvar, dmu.reshape(mu.shape), dlogvar.reshape(mu.shape))
        return loss, Terms(log_px=dlog_px, mu=dmu, logvar=dlogvar)

    def check(self, model, n_rows):
        refuse_other_gaussians(model.posterior, model.prior, "free bits need the KL of each dimension")
        if self.groups is not None and model.latent_dim % self.groups:
            raise ValueError(
                f"{model.latent_dim} latent dimensions do not fall into {self.groups} groups of equal size"
            )
