"""The variational autoencoder: encoder, posterior, prior, decoder and likelihood put together.

One pass forward, for a row x:

    x -- encoder --> [mu | logvar] -- eps --> z = mu + sigma eps -- decoder --> outputs -- likelihood --> log p(x|z)
                           |                  |
                           +--> KL            +--> log p(z), log q(z|x)

and one backward. Two paths lead back to mu and logvar, through the sample z and the KL; their derivatives add up.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from pyvae import _kernels
from pyvae.arena import Arena
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal
from pyvae.latent.interface import Posterior, Prior
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import conv_parts, mlp_parts
from pyvae.models.evaluation import Model
from pyvae.module import build, register
from pyvae.objectives.terms import Terms
from pyvae.workspace import FRESH


class ModelCache(NamedTuple):
    encoder: object
    outputs: np.ndarray  # the encoder's
    z: np.ndarray  # (B * k, Z)
    sample: object
    kl: object
    prior: object
    decoder: object
    likelihood: object
    memory: object


@register
class VAE(Model):
    """A variational autoencoder (Kingma and Welling 2014).

    q(z|x) = posterior(encoder(x)), p(x|z) = likelihood(decoder(z)), with z ~ q in training and z ~ prior in ``sample``.

    encoder: a layer from D columns to posterior.n_outputs(Z). decoder: from Z columns to likelihood.n_outputs. seed: of
    the first parameters. dtype: float32 to train, float64 to check gradients. ``parameters`` is the Arena of all values
    and gradients. Raises ValueError where the parts do not fit together.
    """

    playable = True
    n_condition = 0  # numbers beside x and z that the encoder and the decoder are given; see ConditionalVAE

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ):
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.prior, self.posterior = prior or StandardNormal(), posterior or DiagonalGaussian()
        self.metadata = {}  # notes in JSON types, saved with the model, such as the shape of its images
        self.n_features, self.latent_dim = likelihood.n_features, decoder.n_in - self.n_condition
        if encoder.n_in != self.n_features + self.n_condition:
            beside = f" and the condition {self.n_condition}" if self.n_condition else ""
            raise ValueError(f"encoder takes {encoder.n_in} columns, but the likelihood has {self.n_features}{beside}")
        if decoder.n_out != likelihood.n_outputs:
            raise ValueError(f"decoder makes {decoder.n_out} columns, but the likelihood takes {likelihood.n_outputs}")
        wanted = self.posterior.n_outputs(self.latent_dim)
        if encoder.n_out != wanted:
            raise ValueError(
                f"encoder makes {encoder.n_out} columns, but the {type(self.posterior).__name__} of the decoder's "
                f"{self.latent_dim} latent dimensions takes {wanted}"
            )
        self.prior.check(self)
        self.parameters = Arena(self.children(), dtype, seed)
        self.parameters.set_paces(likelihood.paces(decoder.output_bias()))

    @classmethod
    def mlp(
        cls,
        n_features: int,
        latent_dim: int = 20,
        hidden: Sequence[int] = (400,),
        activation: str | None = "relu",
        likelihood: str | Likelihood = "bernoulli",
        seed: int = 0,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
    ) -> Self:
        """A VAE of dense layers; the decoder's hidden sizes are those of the encoder in reverse. If some columns are
        counts, the encoder sees sign(x) log(1 + |x|) of x.

        likelihood: a Likelihood, or a word, such as "bernoulli", "gaussian" or "poisson" (all in likelihoods/words.py).
        Raises ValueError for another word or sizes below 1.
        """
        parts = mlp_parts(n_features, latent_dim, hidden, activation, likelihood, posterior=posterior)
        return cls(*parts, prior, posterior, seed)

    @classmethod
    def conv(
        cls,
        shape: tuple[int, int, int],
        latent_dim: int = 20,
        channels: Sequence[int] = (32, 64),
        hidden: Sequence[int] = (),
        kernel: int = 3,
        stride: int = 2,
        activation: str | None = "relu",
        likelihood: str | Likelihood = "bernoulli",
        seed: int = 0,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
    ) -> Self:
        """A VAE of pictures (height, width, channels), rows with the channels last: Conv2d layers of so many
        ``channels``, then dense layers of ``hidden`` sizes. The decoder goes back the same way, by ConvTranspose2d; its
        last one, of stride 1, makes the pixels. Raises ValueError for a likelihood that does not take one output for
        each number, and what ``mlp`` raises."""
        parts = conv_parts(shape, latent_dim, channels, hidden, kernel, stride, activation, likelihood, posterior)
        return cls(*parts, prior, posterior, seed)

    def forward(self, batch, noise, k=1, memory=FRESH, evaluate=False):
        """terms, cache = forward(batch, noise): k samples z of each row; see Model."""
        rows, dtype = len(batch.x), self.parameters.dtype
        layer_noise = None if evaluate else noise.at(batch.rows)
        outputs, encoder_cache = self.encoder.forward(self.encoder_inputs(batch, memory), layer_noise, memory)
        q = self.posterior.split(outputs, memory)

        shape = (rows * k, self.latent_dim)
        eps = noise.normal("z", shape, batch.rows, dtype, out=memory.take(shape, dtype))
        z, log_qz, sample_cache = self.posterior.sample(q, eps, memory)
        kl, kl_cache = self.prior.kl(self.posterior, q, memory)
        log_pz, prior_cache = self.prior.log_density(z, memory, *self.beside_z(batch, noise, layer_noise, k, memory))

        decoded, decoder_cache = self.decode_rows(z, batch, layer_noise, memory)
        log_px, likelihood_cache = self.likelihood.log_density(batch.x, decoded, memory, batch.observed)

        log_px, log_pz, log_qz = (log_p.reshape(rows, k) for log_p in (log_px, log_pz, log_qz))
        terms = Terms(log_px, log_pz, log_qz, kl, z, *(q if isinstance(q, MuLogvar) else (None, None)))
        return terms, ModelCache(
            encoder_cache, outputs, z, sample_cache, kl_cache, prior_cache, decoder_cache, likelihood_cache, memory
        )

    def backward(self, cache, dterms):
        """Add to ``parameters.grads`` the loss's derivatives, given those by the terms of ``forward``."""
        if dterms.log_px is None:
            dz = cache.memory.take(cache.z.shape, cache.z.dtype)
            _kernels.clear(dz.reshape(-1))
        else:
            ddecoded = self.likelihood.log_density_backward(dterms.log_px.reshape(-1), cache.likelihood)
            dz = self.decode_rows_backward(ddecoded, cache.decoder)
        if dterms.log_pz is not None:
            _kernels.add(dz, self.prior.log_density_backward(dterms.log_pz.reshape(-1), cache.prior), out=dz)
        if dterms.z is not None:
            _kernels.add(dz, dterms.z, out=dz)

        dlog_qz = None if dterms.log_qz is None else dterms.log_qz.reshape(-1)
        if dterms.density is False:  # log q reaches q through z alone
            _kernels.add(dz, self.posterior.density_backward(dlog_qz, cache.sample), out=dz)
            dlog_qz = None
        if dterms.path is not None:
            _kernels.scale_rows(dz, dterms.path.reshape(-1), out=dz)

        # Two paths lead back to q, that is mu and logvar: the sample z and the KL. Their gradients add up.
        dq = self.posterior.sample_backward(dz, dlog_qz, cache.sample)
        if dterms.kl is not None:
            dq_kl = self.prior.kl_backward(dterms.kl, cache.kl)
            for through_z, through_kl in zip(dq, dq_kl, strict=True):
                _kernels.add(through_z, through_kl, out=through_z)
        if dterms.mu is not None:
            _kernels.add(dq.mu, dterms.mu, out=dq.mu)
        if dterms.logvar is not None:
            _kernels.add(dq.logvar, dterms.logvar, out=dq.logvar)

        doutputs = self.posterior.split_backward(dq, cache.outputs, cache.memory)
        self.encoder.backward(doutputs, cache.encoder, need_dx=False)

    def encoder_inputs(self, batch, memory=FRESH):
        """The encoder's inputs for a batch: its rows x (B, D)."""
        return batch.x

    def decode_rows(self, z, batch, noise, memory=FRESH):
        """See Model: the decoder's outputs (B * k, n_outputs) for z (B * k, Z), whatever the batch."""
        return self.decoder.forward(z, noise, memory)

    def decode_rows_backward(self, doutputs, cache):
        """dz (B * k, Z)."""
        return self.decoder.backward(doutputs, cache)

    def children(self):
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "likelihood": self.likelihood,
            "prior": self.prior,
            "posterior": self.posterior,
        }

    def config(self):
        return {name: part.describe() for name, part in self.children().items()}

    @classmethod
    def from_config(cls, config, dtype=np.float32):
        return cls(
            **{name: build(part) if isinstance(part, dict) else part for name, part in config.items()}, dtype=dtype
        )
