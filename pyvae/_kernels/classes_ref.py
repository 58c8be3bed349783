"""Expectations over the classes y of a row, of which the label says which it is, or that nobody knows: the definition,
in NumPy.

B rows, C classes, k samples of each row in each class: class c has the columns c k .. c k + k - 1. log_q (B, C) and
log_p (1, C) are logarithms of shares q(y|x) and p(y) that add up to 1. A label (B,) that is no class, such as -1, is
unknown. A class whose share is 0 adds nothing, whatever it holds.
"""

import numpy as np


def class_columns(label, out):
    """The class that a row goes through in each of its C places, one-hot (B C, C): its label in all of them, or, where
    that is unknown, class c in place c.

    Of a labelled row only the label's own place counts. Another class might overflow there, and 0 times that is NaN.
    """
    C = out.shape[1]
    place = np.tile(np.arange(C), len(label))
    label = np.repeat(label, C)
    out[...] = np.where((label >= 0) & (label < C), label, place)[:, None] == np.arange(C)


def class_shares(log_q, log_p, label, alpha, share, kl, extra):
    """share (B, C): 1 for the row's label and 0 for the others, or q(y|x) where the label is unknown.

    kl (B,) = sum_c share_c (log share_c - log p_c), not below 0: KL(q(y|x) || p(y)), or -log p(y) of the label. extra
    (B,) = alpha log q(y|x) of the label, or 0.
    """
    is_label = label[:, None] == np.arange(log_q.shape[1])  # (B, C)
    known = is_label.any(axis=1, keepdims=True)
    share[...] = np.where(known, is_label, np.exp(log_q))
    kl[...] = np.where(share != 0, share * (np.where(known, 0, _finite(log_q, share)) - log_p), 0).sum(axis=1)
    kl[kl < 0] = 0  # which can be rounding alone
    extra[...] = alpha * np.where(is_label, log_q, 0).sum(axis=1)


def class_shares_backward(dshare, dkl, dextra, log_q, log_p, label, alpha, share, dlog_q, dlog_p):
    """dlog_q_c = share_c (dshare_c + dkl (log q_c - log p_c + 1)), or alpha dextra for the label and 0 for the others
    where it is known; dlog_p_c = -dkl share_c, (B, C) both."""
    is_label = label[:, None] == np.arange(log_q.shape[1])
    known = is_label.any(axis=1, keepdims=True)
    through_share = share * (dshare + dkl[:, None] * (_finite(log_q, share) - log_p + 1))
    through_share = np.where(share != 0, through_share, 0)
    dlog_q[...] = np.where(known, np.where(is_label, log_q.dtype.type(alpha) * dextra[:, None], 0), through_share)
    dlog_p[...] = -dkl[:, None] * share


def class_mean(x, share, out):
    """out_s (B, k) = sum_c share_c x_cs, of x (B, C k)."""
    x = x.reshape(*share.shape, out.shape[1])
    out[...] = np.where(share[:, :, None] != 0, share[:, :, None] * _finite(x, share[:, :, None]), 0).sum(axis=1)


def class_mean_backward(dout, x, share, dx, dshare):
    """dx_cs (B, C k) = share_c dout_s; dshare_c (B, C) += sum_s x_cs dout_s where the share is not 0."""
    x = x.reshape(*share.shape, dout.shape[1])
    dx[...] = (share[:, :, None] * dout[:, None]).reshape(dx.shape)
    dshare += np.where(share != 0, (_finite(x, share[:, :, None]) * dout[:, None]).sum(axis=2), 0)


def _finite(x, share):
    """x, and 0 where the share is 0."""
    return np.where(share != 0, x, 0)
