"""The posterior of planar flows: a diagonal Gaussian, bent by n maps one after the other, so that it can be curved.

    z_0 = mu + sigma eps        z_t = z_(t-1) + u^ h,  h = tanh(a),  a = w.z_(t-1) + b        z = z_n

Each map moves z along u^, and how far depends on where z lies along w. The derivative dz_t/dz_(t-1) = 1 + u^ psi.T,
psi = (1 - h^2) w, has the determinant D = 1 + u^.psi. For every u, the map can be inverted with

    u^ = u + c w,  c = (m - s) / |w|^2,  s = w.u,  m = softplus(s) - 1        w.u^ = m > -1

(Rezende and Mohamed 2015, appendix A.1). The division by |w|^2 is what makes w.u^ equal to m. With it,

    D = 1 + (1 - h^2) m = h^2 + (1 - h^2) softplus(s) > 0        log q(z|x) = log q(z_0) - sum_t log D_t

One map backward, with l = -dlog_qz the loss's derivative by log D, and da, du^ and ds summed over the row's samples:

    da = (1 - h^2) (u^.dz_t - 2 l h m / D)              dz_(t-1) = dz_t + da w        db = da
    du^ = h dz_t        ds = (du^.w) (sigmoid(s) - 1) / |w|^2 + l (1 - h^2) sigmoid(s) / D        du = du^ + ds w
    dw = da z_(t-1) + c du^ + ds u - 2 (du^.w) c / |w|^2 w

Where |w|^2 < 1e-12, w has no direction, and the map is that of u^ = u: c = 0, m = s.
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.latent.interface import Posterior
from pyvae.module import register
from pyvae.workspace import FRESH


class MuLogvarFlows(NamedTuple):
    """A diagonal Gaussian and the flows behind it for each row, or the loss's derivatives by them."""

    mu: np.ndarray  # (B, Z)
    logvar: np.ndarray  # (B, Z)
    flows: np.ndarray  # (B, n_flows (2 Z + 1))     [u | w | b] of each flow


class PlanarCache(NamedTuple):
    q: MuLogvarFlows
    eps: np.ndarray  # (B * k, Z)
    entered: list  # z (B * k, Z) as it enters each flow
    memory: object


@register
class PlanarFlow(Posterior):
    """z = f_n(... f_1(mu + sigma eps)), f_t(z) = z + u^_t tanh(w_t.z + b_t), with log q(z|x) = log q(z_0) - sum_t log
    |det df_t/dz|, in nats (Rezende and Mohamed 2015, equations 10 to 13).

    n_flows: how many maps. The encoder gives each row its own mu, logvar and u, w, b of each map, 2 Z + n_flows
    (2 Z + 1) columns. The KL is sampled. The density can be computed for the posterior's own samples alone, as another
    z has no known eps: so gradients by z alone ("path", "doubly-reparameterized") are refused. Raises ValueError unless
    n_flows is at least 1.
    """

    playable = True

    def __init__(self, n_flows: int = 4):
        self.n_flows = check_count("n_flows", n_flows, 1)

    def n_outputs(self, latent_dim):
        return 2 * latent_dim + self.n_flows * (2 * latent_dim + 1)

    def split(self, outputs, memory=FRESH):
        """mu, logvar (B, Z) and flows (B, n_flows (2 Z + 1)), from the encoder's outputs (B, n_outputs)."""
        Z = (outputs.shape[1] - self.n_flows) // (2 + 2 * self.n_flows)
        return MuLogvarFlows(outputs[:, :Z], outputs[:, Z : 2 * Z], outputs[:, 2 * Z :])

    def sample(self, q, eps, memory=FRESH):
        """z (B * k, Z), k samples a row next to each other, and log q(z|x) (B * k,), nats."""
        z, log_qz = memory.take(eps.shape, eps.dtype), memory.take((len(eps),), eps.dtype)
        _kernels.reparameterize(q.mu, q.logvar, eps, z, log_qz)
        entered = []
        for flow in self.each(q.flows):
            entered.append(z)
            z = memory.take(eps.shape, eps.dtype)
            _kernels.planar(entered[-1], flow, z, log_qz)  # log_qz -= log D
        return z, log_qz, PlanarCache(q, eps, entered, memory)

    def sample_backward(self, dz, dlog_qz, cache):
        """dmu, dlogvar and dflows through the samples; dlog_qz (B * k,) may be None."""
        q, eps, entered, memory = cache
        dmu, dlogvar, dflows = (memory.take(a.shape, a.dtype) for a in q)
        maps = list(zip(entered, self.each(q.flows), self.each(dflows), strict=True))
        for z, flow, dflow in reversed(maps):
            dz_after, dz = dz, memory.take(eps.shape, eps.dtype)
            _kernels.planar_backward(dz_after, z, flow, dz, dflow, dlog_qz)
        _kernels.reparameterize_backward(dz, q.logvar, eps, dmu, dlogvar, dlog_qz)
        return MuLogvarFlows(dmu, dlogvar, dflows)

    def each(self, flows):
        """The columns [u | w | b] (B, 2 Z + 1) of each flow."""
        width = flows.shape[1] // self.n_flows
        return [flows[:, t * width : (t + 1) * width] for t in range(self.n_flows)]

    def config(self):
        return {"n_flows": self.n_flows}
