"""The interfaces of posteriors q(z|x) and priors p(z).

A posterior makes q, a NamedTuple of arrays that describes q(z|x) for each row, and samples of it, with their backward
passes. A prior gives log p(z), samples for new rows, and the KL between the two where it has a closed form. B rows, Z
latent dimensions, k samples a row, next to each other.
"""

import numpy as np

from pyvae.module import Module
from pyvae.workspace import FRESH


class Posterior(Module):
    """The interface of z ~ q(z|x), which the encoder's outputs describe.

    pathwise: True where ``density_backward`` is there, which some estimates of the gradient need.
    """

    pathwise = False

    def n_outputs(self, latent_dim):
        """The number of columns that the encoder makes for latent_dim dimensions."""
        raise NotImplementedError

    def split(self, outputs, memory=FRESH):
        """q, a NamedTuple of arrays with a row for each row of outputs (B, n_outputs)."""
        raise NotImplementedError

    def split_backward(self, dq, outputs, memory=FRESH):
        """doutputs (B, n_outputs), for dq like q."""
        raise NotImplementedError

    def sample(self, q, eps, memory=FRESH):
        """z, log_qz, cache: samples z (B * k, Z) made of the noise eps (B * k, Z), and log q(z|x) (B * k,), nats."""
        raise NotImplementedError

    def sample_backward(self, dz, dlog_qz, cache):
        """dq, like q, through the samples: dz (B * k, Z); dlog_qz (B * k,), or None where the loss does not depend on
        log q(z|x)."""
        raise NotImplementedError

    def density_backward(self, dlog_qz, cache):
        """dz (B * k, Z), for dlog_qz (B * k,): the derivative of log q(z|x) by z alone, with q as it is."""
        raise NotImplementedError


class Prior(Module):
    """The interface of z ~ p(z): training pulls the posterior towards it, and new rows are generated from it.

    uses_encoder: True where p(z) depends on the model's own encoder; ``log_density`` and ``sample`` then have a last
    argument, ``encode``, which the model gives them (latent/encode.py). width: how many numbers ``log_density`` makes
    of each z, by which an evaluation chooses how many rows it takes at once.
    """

    uses_encoder, width = False, 1

    def log_density(self, z, memory=FRESH):
        """log p(z) (B * k,), nats, for z (B * k, Z), and a cache."""
        raise NotImplementedError

    def log_density_backward(self, dlog_pz, cache):
        """dz (B * k, Z), for dlog_pz (B * k,); adds to the gradients of its own parameters."""
        raise NotImplementedError

    def kl(self, posterior, q, memory=FRESH):
        """KL(q(z|x) || p(z)) (B,), nats, and a cache; None, None where this pair has no closed form: the objective then
        estimates the KL from samples, as the mean of log q(z|x) - log p(z)."""
        return None, None

    def kl_backward(self, dkl, cache):
        """dq, like q, through the KL, for dkl (B,)."""
        raise NotImplementedError

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim)."""
        raise NotImplementedError

    def check(self, model):
        """Raise ValueError, in a sentence, where it does not fit the model."""
