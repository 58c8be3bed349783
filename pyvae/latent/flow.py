"""A flow as the prior: z is made of u ~ N(0, 1) by invertible steps, whose determinants are known (RealNVP).

A coupling leaves one half of the columns, a, as it is, and moves the other, b, by what a small net makes of a (Dinh et
al. 2017, eq. 7):

    u_a = z_a        u_b = z_b e^s + t        s = tanh(raw), [raw | t] = net(z_a)        log |det du/dz| = sum_j s_j

The matrix du/dz is triangular, with 1 and e^s on its diagonal. The inverse, z_b = (u_b - t) e^-s, needs no inverse of
the net. Halves change places from one coupling to the next. Through all of them, f^-1(z) = u, and

    log p(z) = log N(u; 0, 1) + sum over couplings of sum_j s_j

tanh bounds by how much one coupling stretches a column: by a factor between 1/e and e. Backward, for du and dlog_pz:

    dz_b = du_b e^s        dt = du_b        draw = (du_b z_b e^s + dlog_pz) (1 - s^2)        dz_a = du_a + through net
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.latent.interface import Prior
from pyvae.latent.mixture import check_latent_dim
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Sequential
from pyvae.module import register
from pyvae.workspace import FRESH


class CouplingCache(NamedTuple):
    z: np.ndarray  # (N, Z), before it
    outputs: np.ndarray  # the net's, [raw | t]
    net: object


class FlowCache(NamedTuple):
    couplings: list
    u: np.ndarray  # (N, Z)
    memory: object


@register
class Flow(Prior):
    """log p(z) = log N(f^-1(z); 0, 1) + log |det df^-1/dz|, in nats, f made of couplings (RealNVP, Dinh et al. 2017).

    latent_dim: Z, at least 2, as one half moves the other. n_layers: couplings, of which two move all columns once.
    hidden: sizes of the hidden layers of each coupling's net, tanh. Raises ValueError for smaller numbers.
    """

    playable = True

    def __init__(self, latent_dim, n_layers=4, hidden=(64,)):
        self.latent_dim = check_count("latent_dim", latent_dim, 2)
        self.n_layers = check_count("n_layers", n_layers, 1)
        self.hidden = tuple(check_count("each size of hidden", size, 1) for size in hidden)
        halves = slice(0, latent_dim // 2), slice(latent_dim // 2, latent_dim)
        self.halves = [halves if i % 2 == 0 else halves[::-1] for i in range(self.n_layers)]  # kept, moved
        self.nets = [self._net(*map(_width, halves)) for halves in self.halves]

    def _net(self, n_kept, n_moved):
        sizes = [n_kept, *self.hidden]
        hidden = (Dense(n_in, n_out, "tanh") for n_in, n_out in zip(sizes, self.hidden, strict=False))
        return Sequential(*hidden, Dense(sizes[-1], 2 * n_moved))

    def log_density(self, z, memory=FRESH):
        """log p(z) (N,), nats, for z (N, Z): from z to u."""
        log_pz, log_det = (memory.take((len(z),), z.dtype) for _ in range(2))
        _kernels.clear(log_det)
        couplings = []
        for net, (kept, moved) in zip(self.nets, self.halves, strict=True):
            outputs, cache = net.forward(z[:, kept], None, memory)
            u = memory.take(z.shape, z.dtype)
            _kernels.copy(z[:, kept], out=u[:, kept])
            _kernels.coupling(z[:, moved], outputs, u[:, moved], log_det)  # u_b = z_b e^s + t, log_det += sum_j s_j
            couplings.append(CouplingCache(z, outputs, cache))
            z = u
        _kernels.standard_normal(z, log_pz)
        _kernels.add(log_pz[None], log_det[None], out=log_pz[None])
        return log_pz, FlowCache(couplings, z, memory)

    def log_density_backward(self, dlog_pz, cache):
        """dz (N, Z), for dlog_pz (N,); adds to the gradients of the nets."""
        couplings, u, memory = cache
        du = memory.take(u.shape, u.dtype)
        _kernels.standard_normal_backward(dlog_pz, u, du)
        for i in reversed(range(self.n_layers)):
            kept, moved = self.halves[i]
            z, outputs, net_cache = couplings[i]
            dz, doutputs = memory.take(u.shape, u.dtype), memory.take(outputs.shape, u.dtype)
            _kernels.coupling_backward(du[:, moved], dlog_pz, z[:, moved], outputs, dz[:, moved], doutputs)
            through_net = self.nets[i].backward(doutputs, net_cache)
            _kernels.add(du[:, kept], through_net, out=dz[:, kept])  # two paths lead back to z_a
            du = dz
        return du

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim): from u to z."""
        z = noise.normal("prior", (n, latent_dim), np.arange(n), dtype)
        for net, (kept, moved) in zip(reversed(self.nets), reversed(self.halves), strict=True):
            outputs, _ = net.forward(z[:, kept])
            _kernels.coupling_inverse(z[:, moved], outputs, z[:, moved])
        return z

    def check(self, model):
        check_latent_dim(self, model)

    def children(self):
        return {str(i): net for i, net in enumerate(self.nets)}

    def config(self):
        return {"latent_dim": self.latent_dim, "n_layers": self.n_layers, "hidden": list(self.hidden)}


def _width(columns):
    return columns.stop - columns.start
