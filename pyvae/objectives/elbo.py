"""What is minimised: a loss made of a model's terms, and its derivative by each of them.

The evidence lower bound (ELBO) on log p(x) of one row:

    log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || p(z))     ~     1/k sum_s log p(x|z_s)  -  KL

The loss is the weighted mean over rows of the negative ELBO, with beta in front of the KL (beta = 1: the ELBO;
Higgins et al. 2017 for others). With w the rows' weights and n the normalizer, their total:

    loss = 1/n sum_b w_b (-1/k sum_s log_px_bs + beta kl_b)     dlog_px_bs = -w_b / (n k)     dkl_b = beta w_b / n
"""

from typing import NamedTuple

import numpy as np

from pyvae.workspace import Lease


class Terms(NamedTuple):
    """What a forward pass gives, in nats; and, as what an objective returns, the loss's derivative by each (None: 0).

    k samples of a row stand next to each other: element b * k + s belongs to row b.
    """

    log_px: np.ndarray | None = None  # (B * k,)   log p(x|z)
    log_pz: np.ndarray | None = None  # (B * k,)   log p(z)
    log_qz: np.ndarray | None = None  # (B * k,)   log q(z|x)
    kl: np.ndarray | None = None  # (B,)       KL(q(z|x) || p(z))
    z: np.ndarray | None = None  # (B * k, Z)
    mu: np.ndarray | None = None  # (B, Z)
    logvar: np.ndarray | None = None  # (B, Z)


def weighted_sums(terms, weight=None):
    """Sums over rows of w times -1/k sum_s log p(x|z_s) and of w times KL, in nats; None for weight is 1 for all."""
    k = len(terms.log_px) // max(len(terms.kl), 1)
    log_px = terms.log_px if weight is None else np.repeat(weight, k) * terms.log_px
    kl = terms.kl if weight is None else weight * terms.kl
    return -float(np.sum(log_px, dtype=np.float64)) / k, float(np.sum(kl, dtype=np.float64))


def elbo(terms, weight=None, normalizer=None, beta=1.0, workspace=None):
    """loss, dterms: the weighted mean over rows of -1/k sum_s log p(x|z_s) + beta KL, in nats, and its derivatives.

    weight (B,): None is 1 for every row. normalizer: None is the sum of the weights; a caller that splits a batch
    passes the whole batch's, so that the parts add up (training splits none). beta: 1 is the negative ELBO (Kingma and
    Welling 2014, eq. 10). Raises ValueError where a mean is asked for over weights that are all 0.
    """
    k = len(terms.log_px) // max(len(terms.kl), 1)
    w = 1.0 if weight is None else np.asarray(weight, dtype=np.float64)  # (B,) or one number for all
    if normalizer is None:
        normalizer = len(terms.kl) if weight is None else w.sum()
        if not normalizer:
            raise ValueError("weight must not be 0 for every row of a batch")
    reconstruction, kl = weighted_sums(terms, weight)
    loss = float((reconstruction + beta * kl) / normalizer)

    memory = Lease(workspace)
    dlog_px = memory.take(terms.log_px.shape, terms.log_px.dtype)
    dkl = memory.take(terms.kl.shape, terms.kl.dtype)
    dlog_px[...] = -(w if weight is None else np.repeat(w, k)) / (normalizer * k)
    dkl[...] = beta * w / normalizer
    return loss, Terms(log_px=dlog_px, kl=dkl)
