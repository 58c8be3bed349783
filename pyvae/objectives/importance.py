"""The importance-weighted bound: k samples of a row, which count by how well they explain it.

    L_k = log 1/k sum_s w_s        w_s = p(x|z_s) p(z_s) / q(z_s|x),  z_s ~ q(z|x)

E[L_1] is the ELBO, E[L_k] rises with k, and goes to log p(x) (Burda et al. 2016, theorem 1). By log w_s the derivative
is the sample's share v_s of the weights:

    dL_k / dlog w_s = w_s / sum_t w_t = v_s

log w_s depends on the encoder in two ways: z_s moves, and q is another density at the same z_s. For k = 1 the second
part has the mean 0. But it scatters, and more so beside what remains: the encoder's ratio of signal to noise falls with
k, as 1 / sqrt(k) (Rainforth et al. 2018, theorem 1). There are three estimates of the encoder's gradient:

    standard                 sum_s v_s (dlog w_s/dz_s dz_s - dlog q)    the derivative of L_k
    path                     sum_s v_s dlog w_s/dz_s dz_s               without the second part (Roeder et al. 2017):
                                                                        biased, unless k = 1
    doubly-reparameterized   sum_s v_s^2 dlog w_s/dz_s dz_s             the second part by way of z_s, too: unbiased
                                                                        (Tucker et al. 2019, eq. 8)

The decoder's gradient is the same in all three. So ``path`` (B, k) in dterms is what a row of dz is multiplied by on
its way to the encoder, and density=False says that log q reaches the encoder through z alone.

groups: k samples in each of several groups, whose bounds are averaged (MIWAE; Rainforth et al. 2018, eq. 11). mix: this
share of the loss is the ELBO from the same samples (CIWAE; ibid., eq. 12). With G groups, K = k G samples, row weights
w_b and their sum n:

    loss = 1/n sum_b w_b (-mix 1/K sum_s log w_bs - (1 - mix) 1/G sum_g L_k,bg)
    dlog w_bs = -w_b/n (mix / K + (1 - mix) v_bs / G)
"""

import numpy as np

from pyvae.arguments import check_count, check_number
from pyvae.objectives.terms import Objective, Terms, total_weight, weighted_sum
from pyvae.objectives.weights import log_mean_and_shares, log_weights
from pyvae.workspace import FRESH

GRADIENTS = ("standard", "path", "doubly-reparameterized")


class ImportanceWeighted(Objective):
    """Minus the importance-weighted bound -log 1/k sum_s w_s, mean over rows, nats (Burda et al. 2016, eq. 8).

    k: samples that are weighted against each other. groups: how many times k samples a row has, whose bounds are
    averaged. mix: the share of the ELBO in the loss, 0 to 1 (exclusive). gradient: "standard", "path" or
    "doubly-reparameterized"; the other two need a posterior whose density can be differentiated by z alone. kl: of the
    ELBO's share, "sampled", or "closed" for the closed form where there is one, which goes with the standard gradient
    alone. Raises ValueError for numbers out of range or other words.
    """

    remedies = "the ELBO with free bits"

    def __init__(self, k: int = 5, gradient: str = "standard", groups: int = 1, mix: float = 0.0, kl: str = "sampled"):
        self.k, self.groups = check_count("k", k, 1), check_count("groups", groups, 1)
        self.mix = check_number("mix", mix, 0, 1, low_included=True)
        if gradient not in GRADIENTS:
            raise ValueError(f"gradient must be one of {', '.join(GRADIENTS)}, not {gradient!r}")
        if kl not in ("sampled", "closed"):
            raise ValueError(f"kl must be 'sampled' or 'closed', not {kl!r}")
        if kl == "closed" and not mix:
            raise ValueError("kl='closed' is about the ELBO's share of the loss: give mix, or leave it out")
        if kl == "closed" and gradient != "standard":
            raise ValueError(f"kl='closed' has the standard gradient alone, not {gradient!r}")
        self.gradient, self.kl = gradient, kl

    @property
    def n_samples(self):
        """Samples of z per row, k in each group."""
        return self.k * self.groups

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0."""
        log_w = log_weights(terms)  # (B, K)
        (rows, K), dtype = log_w.shape, terms.log_px.dtype
        bound, share = log_mean_and_shares(log_w.reshape(rows * self.groups, self.k))
        bound, share = bound.reshape(rows, self.groups).mean(axis=1), share.reshape(rows, K)
        is_closed = self.kl == "closed" and terms.kl is not None
        elbo = terms.log_px.mean(axis=1, dtype=np.float64) - terms.kl if is_closed else log_w.mean(axis=1)
        n = total_weight(weight, rows)
        loss = -(self.mix * weighted_sum(elbo, weight) + (1 - self.mix) * weighted_sum(bound, weight)) / n

        w = (1.0 if weight is None else np.asarray(weight, np.float64)[:, None]) / n  # (B, 1), or one number for all
        of_elbo, of_bound = self.mix / K, (1 - self.mix) / self.groups * share
        dlog_px, dlog_pz, dlog_qz = (memory.take((rows, K), dtype) for _ in range(3))
        dlog_px[...] = -w * (of_elbo + of_bound)
        dlog_pz[...] = -w * of_bound if is_closed else dlog_px
        dlog_qz[...] = -dlog_pz
        dterms = Terms(
            log_px=dlog_px, log_pz=dlog_pz, log_qz=dlog_qz, density=None if self.gradient == "standard" else False
        )
        if is_closed:
            dkl = memory.take((rows,), dtype)
            dkl[:, None] = self.mix * w
            dterms = dterms._replace(kl=dkl)
        if self.gradient == "doubly-reparameterized":
            path = memory.take((rows, K), dtype)
            path[...] = (of_elbo + of_bound * share) / np.maximum(of_elbo + of_bound, np.finfo(np.float64).tiny)
            dterms = dterms._replace(path=path)
        return loss, dterms

    def check(self, model, n_rows):
        if self.gradient != "standard" and not model.posterior.pathwise:
            raise ValueError(
                f"the gradient {self.gradient!r} differentiates log q(z|x) by z alone, which "
                f"{type(model.posterior).__name__} does not: take the standard one"
            )
