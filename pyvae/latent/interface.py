"""The interfaces of posteriors q(z|x) and priors p(z).

A posterior makes q, a NamedTuple of arrays that describes q(z|x) for each row, and samples of it, with their backward
passes. A prior gives log p(z), samples for new rows, and the KL between the two where it has a closed form. B rows, Z
latent dimensions, k samples a row, next to each other.
"""

import math

import numpy as np

from pyvae import _kernels
from pyvae.module import Module
from pyvae.noise import Noise
from pyvae.workspace import FRESH

MOMENT_SAMPLES, TOGETHER = 1000, 20  # samples of z in ``moments``, and how many of each row at a time


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
        """doutputs (B, n_outputs), for dq like q. Here of a q that is made of columns of the outputs as they are."""
        doutputs = memory.take(outputs.shape, outputs.dtype)
        for gradient, place in zip(dq, self.split(doutputs), strict=True):
            _kernels.copy(gradient, out=place)
        return doutputs

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

    def kl_to_standard_normal(self, q, memory=FRESH):
        """KL(q(z|x) || N(0, 1)) (B,), nats, and a cache; None, None where it has no closed form."""
        return None, None

    def kl_to_standard_normal_backward(self, dkl, cache):
        """dq, like q, through that KL, for dkl (B,)."""
        raise NotImplementedError

    def closed_moments(self, q):
        """Mean and log variance of each dimension of z, (B, Z) each; None where they have no closed form."""
        return None

    def moments(self, q, latent_dim):
        """Mean and log variance of each dimension of z ~ q(z|x), (B, Z) each: exact where it knows a closed form for
        the way it samples z, else those of 1,000 samples, made of the same noise for every row, in pairs eps, -eps."""
        closed = self.closed_moments(q) if is_of_its_samples(self, "closed_moments") else None
        return sampled_moments(self, q, latent_dim) if closed is None else closed


def is_of_its_samples(posterior, closed_form):
    """True if the method of this name belongs to the way the posterior samples z: False where a subclass has a
    ``sample`` of its own, and the closed form of its parent."""
    classes = type(posterior).__mro__
    first = {name: next(i for i, c in enumerate(classes) if name in vars(c)) for name in ("sample", closed_form)}
    return first[closed_form] <= first["sample"]


def sampled_moments(posterior, q, latent_dim):
    """Mean and log variance, (B, Z) float64 each, of MOMENT_SAMPLES samples z a row, in double.

    The variance is the mean square of the distance from a first estimate of the mean, less the square of the mean's.
    """
    half, dtype = MOMENT_SAMPLES // 2, q[0].dtype
    eps = Noise(0).normal("z", (half, latent_dim), np.zeros(1, int), dtype)
    eps = np.stack([eps, -eps], axis=1).reshape(-1, TOGETHER, latent_dim)
    centre, total, squares = None, 0.0, 0.0
    for some in eps:
        z, _, _ = posterior.sample(q, np.tile(some, (len(q[0]), 1)))
        z = z.reshape(len(q[0]), TOGETHER, latent_dim).astype(np.float64)
        if centre is None:
            centre = z.mean(axis=1)
        away = z - centre[:, None]
        total, squares = total + away.sum(axis=1), squares + (away**2).sum(axis=1)
    mean = total / MOMENT_SAMPLES
    return centre + mean, log_of_variance(squares / MOMENT_SAMPLES - mean**2)


def log_of_variance(variance):
    """The logarithm of variances (B, Z), float64, in the C library: NumPy's differs between processors. A variance of 0
    counts as the smallest number."""
    logarithm = np.frompyfunc(math.log, 1, 1)
    return logarithm(np.maximum(variance, np.finfo(np.float64).tiny)).astype(np.float64)


class Prior(Module):
    """The interface of z ~ p(z): training pulls the posterior towards it, and new rows are generated from it.

    uses_encoder: True where p(z) depends on the model's own encoder; ``log_density`` and ``sample`` then have a last
    argument, ``encode``, which the model gives them (latent/encode.py). width: how many numbers ``log_density`` makes
    of each z, by which an evaluation chooses how many rows it takes at once. noise_dim: how many numbers of noise the
    density of each z is estimated with where it is not known: ``log_density`` then has two last arguments, ``eps``
    (B * k, noise_dim) and the noise of layers.
    """

    uses_encoder, width, noise_dim = False, 1, 0

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
