"""Importance weights: samples of q(z|x), weighted so that they stand for the posterior p(z|x) itself.

    log w_s = log p(x|z_s) + log p(z_s) - log q(z_s|x),  z_s ~ q(z|x)        E[w] = p(x)

(Burda et al. 2016, eq. 8). They stay in log space; exp(log w) alone would overflow or vanish.
"""

import numpy as np


def log_weights(terms):
    """log w (B, k), nats, in double; NaN where infinities of both signs meet."""
    with np.errstate(invalid="ignore"):
        return terms.log_px.astype(np.float64) + terms.log_pz - terms.log_qz


def log_mean_exp(log_w):
    """log 1/k sum_s w_s of each row, (B,); -inf where every weight is 0."""
    highest = _highest(log_w)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_w - highest).mean(axis=1)) + highest[:, 0]


def normalized(log_w):
    """w_s / sum_s w_s, (B, k), for rows whose largest log w is finite."""
    w = np.exp(log_w - _highest(log_w))
    return w / w.sum(axis=1, keepdims=True)


def _highest(log_w):
    """The largest log w of each row, (B, 1); 0 where all are -inf, as -inf cannot be subtracted from them."""
    highest = log_w.max(axis=1, keepdims=True)
    highest[highest == -np.inf] = 0
    return highest
