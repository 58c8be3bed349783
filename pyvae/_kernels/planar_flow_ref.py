"""A planar flow: the definition, in NumPy.

Shapes: z, out, dout, dz (B * k, Z) with the k samples of a row next to each other; flow, dflow (B, 2 Z + 1), a row's
[u | w | b]; log_qz, dlog_qz (B * k,). With s = w.u and |w|^2, which belong to the row, and a, h, D, to the sample:

    u^ = u + c w        c = (softplus(s) - 1 - s) / |w|^2        a = w.z + b        h = tanh(a)

    out = z + u^ h      D = h^2 + (1 - h^2) rise,  rise = 1 + w.u^ = softplus(s)

Where |w|^2 < NO_DIRECTION: u^ = u, rise = 1 + s. D is at least SMALLEST, of which a logarithm can be taken.
"""

from typing import NamedTuple

import numpy as np

NO_DIRECTION, SMALLEST = 1e-12, 2.0**-126


class Direction(NamedTuple):
    """What belongs to a row, (B, 1, Z) or (B, 1)."""

    u: np.ndarray
    w: np.ndarray
    b: np.ndarray
    c: np.ndarray
    rise: np.ndarray
    slope: np.ndarray  # drise/ds
    inverse: np.ndarray  # 1 / |w|^2, or 0


def direction_of(flow):
    Z = flow.shape[1] // 2
    u, w = flow[:, None, :Z], flow[:, None, Z : 2 * Z]
    s, square = (w * u).sum(axis=2), (w * w).sum(axis=2)  # (B, 1)
    has_direction = ~(square < NO_DIRECTION)
    e = np.exp(-np.abs(s))
    rise = np.where(has_direction, np.maximum(s, 0) + np.log1p(e), 1 + s)
    slope = np.where(has_direction, np.where(s < 0, e, 1) / (1 + e), 1)
    inverse = np.where(has_direction, 1 / np.where(has_direction, square, 1), 0)
    return Direction(u, w, flow[:, 2 * Z :], (rise - 1 - s) * inverse, rise, slope, inverse)


def by_row(a, rows):
    """(B * k, ...) -> (B, k, ...)."""
    return a.reshape(rows, len(a) // max(rows, 1), *a.shape[1:])


def bend_of(f, z):
    """h, g = 1 - h^2 and D (B, k), for z (B, k, Z)."""
    a = (f.w * z).sum(axis=2) + f.b
    h, e = np.tanh(a), np.exp(-2 * np.abs(a))
    g = 4 * e / ((1 + e) * (1 + e))
    return h, g, np.maximum(h * h + g * f.rise, SMALLEST)


def planar(z, flow, out, log_qz):
    """out = z + u^ h;  log_qz -= log D."""
    f = direction_of(flow)
    zs = by_row(z, len(flow))
    h, _, D = bend_of(f, zs)
    out[...] = (zs + (f.u + f.c[..., None] * f.w) * h[..., None]).reshape(z.shape)
    log_qz -= np.log(D).reshape(-1)


def planar_backward(dout, z, flow, dz, dflow, dlog_qz=None):
    """dz and dflow (B, 2 Z + 1), summed over the row's samples; dlog_qz (B * k,) or None.

    l = -dlog_qz, the loss's derivative by log D, and m = rise - 1:

    da = (1 - h^2) (u^.dout - 2 l h m / D)              dz = dout + da w        db = da
    du^ = h dout        ds = (du^.w) (slope - 1) / |w|^2 + l (1 - h^2) slope / D        du = du^ + ds w
    dw = da z + c du^ + ds u - 2 (du^.w) c / |w|^2 w
    """
    rows, Z = len(flow), z.shape[1]
    f, zs, d = direction_of(flow), by_row(z, rows), by_row(dout, rows)
    h, g, D = bend_of(f, zs)
    dlog_D = np.zeros_like(h) if dlog_qz is None else -by_row(dlog_qz, rows)
    along = ((f.u + f.c[..., None] * f.w) * d).sum(axis=2)
    da = g * (along - 2 * dlog_D * h * ((f.rise - 1) / D))
    du_hat = (h[..., None] * d).sum(axis=1)
    through_w = (du_hat * f.w[:, 0]).sum(axis=1, keepdims=True)
    ds = through_w * (f.slope - 1) * f.inverse + (dlog_D * g * f.slope / D).sum(axis=1, keepdims=True)
    dz[...] = (d + da[..., None] * f.w).reshape(z.shape)
    dflow[:, :Z] = du_hat + ds * f.w[:, 0]
    dflow[:, Z : 2 * Z] = (da[..., None] * zs).sum(axis=1) + f.c * du_hat + ds * f.u[:, 0]
    dflow[:, Z : 2 * Z] -= 2 * through_w * f.c * f.inverse * f.w[:, 0]
    dflow[:, 2 * Z] = da.sum(axis=1)
