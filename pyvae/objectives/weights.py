"""Importance weights: samples of q(z|x), weighted so that they stand for the posterior p(z|x) itself.

    log w_s = log p(x|z_s) + log p(z_s) - log q(z_s|x),  z_s ~ q(z|x)        E[w] = p(x)

(Burda et al. 2016, eq. 8). They stay in log space; exp(log w) alone would overflow or vanish.
"""

import numpy as np

from pyvae import _kernels


def log_weights(terms):
    """log w (B, k), nats, in double; NaN where infinities of both signs meet."""
    with np.errstate(invalid="ignore"):
        return terms.log_px.astype(np.float64) + terms.log_pz - terms.log_qz


def log_mean_and_shares(log_w):
    """log 1/k sum_s w_s of each row (B,), nats, and the shares w_s / sum_t w_t (B, k), for log w (B, k) in double;
    -inf and 0 where every weight is 0."""
    share, log_sum = np.empty_like(log_w), np.empty(len(log_w))
    _kernels.softmax(log_w, share, log_sum)
    return log_sum - np.log(log_w.shape[1]), share
