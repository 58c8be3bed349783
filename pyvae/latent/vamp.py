"""VampPrior, a variational mixture of posteriors: the prior is the mean of q(z|u_k) over K learned rows u_k.

    p(z) = 1/K sum_k q(z|u_k)

The best prior for a given encoder is the mean of q(z|x) over all rows x, which is too many, and fits the training rows
alone; pseudo-inputs stand for them (Tomczak and Welling 2018, eq. 9). They go through the MODEL'S OWN encoder, which
runs a second time:

    u --(clip)--> encoder --> mu_k, logvar_k --> the mixture of latent/mixture.py at z, all weights 1/K

and its backward pass does, too: dU = what comes back through the encoder, and the encoder's gradients of both passes
add up. The encoder is a part of the model, and not of this prior, to which the model hands it (latent/encode.py).
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_bounds, check_count, check_number
from pyvae.latent.gaussian import refuse_other_gaussians
from pyvae.latent.interface import Prior
from pyvae.latent.mixture import mixture_density, mixture_density_backward, mixture_sample
from pyvae.module import register
from pyvae.workspace import FRESH


class VampCache(NamedTuple):
    mixture: object
    encode: object  # the function, whose backward pass is asked for
    encoded: object  # its cache
    memory: object


@register
class VampPrior(Prior):
    """log p(z) = log 1/K sum_k q(z|u_k), in nats, the rows u_k of ``U`` (K, n_features) learned (Tomczak and Welling
    2018).

    clip: None, or (low, high), between which pseudo-inputs are held, with derivative 0 outside: (0, 1) for pictures, as
    the authors' hard tanh does. mean, std: of the normal distribution from which U is drawn at first. Rows of the data
    do as well, ``model.prior.U[...] = X[:K]``; with bounds, a little inside, ``0.05 + 0.9 * X[:K]``, as a number that a
    step takes beyond them never moves again. Raises ValueError for numbers out of range.
    """

    playable = uses_encoder = True

    def __init__(self, n_features, K, clip=None, mean=0.05, std=0.01):
        self.n_features, self.K = check_count("n_features", n_features, 1), check_count("K", K, 1)
        self.width = self.K
        self.clip = check_bounds("clip", clip)
        self.mean = check_number("mean", mean, -np.inf)
        self.std = check_number("std", std, 0, low_included=True)

    def log_density(self, z, memory=FRESH, encode=None):
        """log p(z) (N,), nats, for z (N, Z); encode: the model's, an Encode."""
        q, encoded = encode(self.pseudo_inputs(memory), memory)
        log_weights = memory.take((1, self.K), z.dtype)
        log_weights[...] = -np.log(self.K)  # a constant
        log_pz, mixture = mixture_density(z, q, log_weights, memory)
        return log_pz, VampCache(mixture, encode, encoded, memory)

    def log_density_backward(self, dlog_pz, cache):
        """dz (N, Z), for dlog_pz (N,); adds to dU and to the encoder's gradients."""
        dz, dq, _ = mixture_density_backward(dlog_pz, cache.mixture)
        du = cache.encode.backward(dq, cache.encoded)
        if self.clip is not None:
            low, high = self.clip
            _kernels.clip_backward(du, self.U, low, high, dx=du)
        _kernels.add(self.dU, du, out=self.dU)
        return dz

    def sample(self, n, latent_dim, noise, dtype=np.float32, encode=None):
        """z ~ p(z), (n, latent_dim); encode: the model's, an Encode."""
        q, _ = encode(self.pseudo_inputs())
        return mixture_sample(n, q, np.full(self.K, 1 / self.K), noise).astype(dtype, copy=False)

    def pseudo_inputs(self, memory=FRESH):
        """The rows that are encoded, (K, n_features): U, between the bounds of ``clip``."""
        if self.clip is None:
            return self.U
        u = memory.take(self.U.shape, self.U.dtype)
        _kernels.clip(self.U, *self.clip, out=u)
        return u

    def check(self, model):
        if self.n_features != model.n_features:
            raise ValueError(
                f"the prior's pseudo-inputs have {self.n_features} columns, but the model's rows {model.n_features}"
            )
        refuse_other_gaussians(model.posterior, None, "a VampPrior is a mixture of diagonal Gaussians")

    def shapes(self):
        return {"U": (self.K, self.n_features)}

    def initialize(self, noise):
        self.U[...] = self.mean + self.std * noise.normal("weights", self.U.shape, np.arange(self.K), self.U.dtype)

    def config(self):
        clip = None if self.clip is None else list(self.clip)
        return {"n_features": self.n_features, "K": self.K, "clip": clip, "mean": self.mean, "std": self.std}
