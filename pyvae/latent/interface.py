"""The interfaces of the latent room: what a posterior q(z|x) and a prior p(z) have to say.

A model asks the posterior for q, a NamedTuple of arrays that describes it for each row, for samples of it, and for the
way back; and the prior for log p(z), for samples to make new rows from, and for the KL between the two, where that has
a closed form. B rows, Z latent dimensions, k samples a row, next to each other.
"""

import numpy as np

from pyvae.module import Module
from pyvae.workspace import FRESH


class Posterior(Module):
    """q(z|x), which the encoder's outputs describe."""

    def n_outputs(self, latent_dim):
        """How many columns the encoder makes for so many latent dimensions."""
        raise NotImplementedError

    def split(self, outputs, memory=FRESH):
        """q, a NamedTuple of arrays with a row for each of outputs (B, n_outputs)."""
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


class Prior(Module):
    """p(z), which the posterior is pulled towards and from which new rows are generated."""

    def log_density(self, z, memory=FRESH):
        """log p(z) (B * k,), nats, for z (B * k, Z), and a cache."""
        raise NotImplementedError

    def log_density_backward(self, dlog_pz, cache):
        """dz (B * k, Z), for dlog_pz (B * k,); adds to the gradients of its own parameters."""
        raise NotImplementedError

    def kl(self, posterior, q, memory=FRESH):
        """KL(q(z|x) || p(z)) (B,), nats, and a cache; None, None where this pair has no closed form: then the KL is
        estimated from samples, as the mean of log q(z|x) - log p(z)."""
        return None, None

    def kl_backward(self, dkl, cache):
        """dq, like q, through the KL, for dkl (B,)."""
        raise NotImplementedError

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z), (n, latent_dim)."""
        raise NotImplementedError
