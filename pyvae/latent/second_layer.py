"""A second layer of latent variables, z2, as the prior of the first, z (Burda et al. 2016, section 2).

    p(z) = integral of p(z|z2) p(z2) over z2        p(z|z2) = N(m, s^2), [m | log s^2] = decoder(z2)

has no closed form. A second encoder makes q(z2|z) = N(mu, sigma^2), of which z2 = mu + sigma eps is drawn, and

    log p(z|z2) + log p(z2) - log q(z2|z)

stands for log p(z): its exponential has the mean p(z), its own mean is a lower bound of log p(z). So the bounds on
log p(x), of one sample or of k that are weighted, are bounds as before, now over z and z2. By its derivative dlog_p

    dm = dlog_p (z - m) / s^2        dlog s^2 = dlog_p ((z - m)^2 / s^2 - 1) / 2        back through the decoder to z2
    dz2 = (through m and log s^2) + (through log p(z2))
    dmu = dz2        dlogvar = dz2 eps sigma / 2 + dlog_p / 2                           back through the encoder to z
    dz = -dlog_p (z - m) / s^2 + (through mu and logvar)
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal, is_diagonal
from pyvae.latent.interface import Prior
from pyvae.module import build, owners, register
from pyvae.workspace import FRESH


class SecondLayerCache(NamedTuple):
    z: np.ndarray  # (N, Z)
    encoder: object
    outputs: np.ndarray  # (N, 2 Z2), the encoder's
    sample: object
    prior: object
    decoder: object
    decoded: np.ndarray  # (N, 2 Z), the decoder's
    p: MuLogvar  # (N, Z) each, of p(z|z2)
    memory: object


@register
class SecondLayer(Prior):
    """The prior of z that a second layer of latent variables z2 makes: p(z) = integral of p(z|z2) p(z2) over z2.

    encoder: a layer from Z columns to those of q(z2|z), 2 Z2. decoder: from Z2 columns to those of p(z|z2), 2 Z. prior:
    p(z2), of a density that is known; None: N(0, 1). posterior: a DiagonalGaussian, which says how outputs are read as
    mean and log variance, of q(z2|z) and of p(z|z2). Raises ValueError where the parts do not fit together.
    """

    playable = True

    def __init__(self, encoder, decoder, prior=None, posterior=None):
        self.encoder, self.decoder = encoder, decoder
        self.prior, self.posterior = prior or StandardNormal(), posterior or DiagonalGaussian()
        self.n_features, self.latent_dim = encoder.n_in, decoder.n_in  # Z, Z2
        if not is_diagonal(self.posterior):
            raise ValueError(f"the second layer takes a DiagonalGaussian, not {type(self.posterior).__name__}")
        for name, layer, n in (("encoder", encoder, self.latent_dim), ("decoder", decoder, self.n_features)):
            if layer.n_out != self.posterior.n_outputs(n):
                raise ValueError(
                    f"the second layer's {name} makes {layer.n_out} columns, but the mean and the log variance of {n} "
                    f"dimensions are {self.posterior.n_outputs(n)}"
                )
        if self.prior.uses_encoder or self.prior.noise_dim:
            raise ValueError(f"p(z2) must have a density of its own, which a {type(self.prior).__name__} has not")
        self.prior.check(self)
        self.noise_dim = self.latent_dim
        self.width = max(self.prior.width, *(getattr(part, "n_out", None) or 1 for _, part in owners(self.children())))

    def log_density(self, z, memory=FRESH, eps=None, noise=None):
        """log p(z|z2) + log p(z2) - log q(z2|z) (N,), nats, for z (N, Z) and z2 = mu + sigma eps, eps (N, Z2), and a
        cache. noise: of layers. Raises ValueError without eps."""
        if eps is None:
            raise ValueError("log p(z) of a SecondLayer is not known: it is estimated with the noise eps of z2")
        outputs, encoder_cache = self.encoder.forward(z, noise, memory)
        z2, log_q, sample_cache = self.posterior.sample(self.posterior.split(outputs, memory), eps, memory)
        log_p2, prior_cache = self.prior.log_density(z2, memory)
        decoded, decoder_cache = self.decoder.forward(z2, noise, memory)
        p = self.posterior.split(decoded, memory)

        log_p = memory.take((len(z),), z.dtype)
        _kernels.gaussian(z, p.mu, p.logvar, log_p)  # log p(z|z2)
        _kernels.add(log_p[None], log_p2[None], out=log_p[None])
        _kernels.add(log_p[None], negative(log_q, memory)[None], out=log_p[None])
        return log_p, SecondLayerCache(
            z, encoder_cache, outputs, sample_cache, prior_cache, decoder_cache, decoded, p, memory
        )

    def log_density_backward(self, dlog_p, cache):
        """dz (N, Z), for dlog_p (N,); adds to the gradients of encoder and decoder."""
        z, p, memory = cache.z, cache.p, cache.memory
        dm, dlogvar, dz = (memory.take(z.shape, z.dtype) for _ in range(3))
        _kernels.gaussian_backward(dlog_p, z, p.mu, p.logvar, dm, dlogvar)
        ddecoded = self.posterior.split_backward(MuLogvar(dm, dlogvar), cache.decoded, memory)
        dz2 = self.decoder.backward(ddecoded, cache.decoder)
        _kernels.add(dz2, self.prior.log_density_backward(dlog_p, cache.prior), out=dz2)

        # Two paths lead back to q(z2|z), that is its mu and logvar: the sample z2, and log q.
        dq = self.posterior.sample_backward(dz2, negative(dlog_p, memory), cache.sample)
        doutputs = self.posterior.split_backward(dq, cache.outputs, memory)

        # Two paths lead back to z: q(z2|z), and log p(z|z2), in which z and m can change places.
        through_q = self.encoder.backward(doutputs, cache.encoder)
        _kernels.gaussian_backward(dlog_p, p.mu, z, p.logvar, dz)
        _kernels.add(dz, through_q, out=dz)
        return dz

    def encode(self, z, memory=FRESH):
        """mu, logvar of q(z2|z), (N, Z2) each, for z (N, Z)."""
        return self.posterior.split(self.encoder.forward(z, None, memory)[0], memory)

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z ~ p(z|z2), z2 ~ p(z2), (n, latent_dim)."""
        z2 = self.prior.sample(n, self.latent_dim, noise.part(2), dtype)
        p = self.posterior.split(self.decoder.forward(z2)[0])
        return self.posterior.sample(p, noise.normal("prior", (n, latent_dim), np.arange(n), dtype))[0]

    def check(self, model):
        if self.n_features != model.latent_dim:
            raise ValueError(
                f"the second layer is of {self.n_features} latent dimensions, but the decoder takes {model.latent_dim}"
            )

    def children(self):
        return {"encoder": self.encoder, "decoder": self.decoder, "prior": self.prior, "posterior": self.posterior}

    def config(self):
        return {name: part.describe() for name, part in self.children().items()}

    @classmethod
    def from_config(cls, config):
        return cls(**{name: build(part) for name, part in config.items()})


def negative(x, memory):
    """-x (N,)."""
    out, minus_one = memory.take(x.shape, x.dtype), memory.take((1,), x.dtype)
    minus_one[...] = -1  # a constant
    _kernels.scale_rows(x[None], minus_one, out=out[None])
    return out
