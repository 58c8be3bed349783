"""The VAE with two layers of latent variables, x <- z1 <- z2 (Burda et al. 2016).

    p(x, z1, z2) = p(z2) p(z1|z2) p(x|z1)        q(z1, z2|x) = q(z1|x) q(z2|z1)

    log w = log p(x|z1) - log q(z1|x)  +  log p(z1|z2) + log p(z2) - log q(z2|z1)

z1 is the z of a VAE whose prior is another VAE, that of z1 (latent/second_layer.py): the last three terms stand for
log p(z1). A VAE has all the rest: forward and backward, bounds, gradients, files.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae.data.sources import DataSource
from pyvae.latent.interface import Posterior
from pyvae.latent.second_layer import SecondLayer
from pyvae.layers.layer import Layer
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import mlp_parts
from pyvae.models.vae import VAE
from pyvae.module import register
from pyvae.noise import Noise


@register
class TwoLayerVAE(VAE):
    """A VAE with two layers of latent variables, z1 and z2 (Burda et al. 2016).

    q(z1|x) = posterior(encoder(x)), p(x|z1) = likelihood(decoder(z1)); prior: a SecondLayer, that is p(z1|z2), p(z2)
    and q(z2|z1). The z of all methods is z1, and ``latent_dim`` its number of dimensions. The KL, in nats, is estimated
    from samples of both. seed, dtype: those of VAE. Raises TypeError for another prior, ValueError where the parts do
    not fit together.
    """

    playable = True

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        prior: SecondLayer,
        posterior: Posterior | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ):
        if not isinstance(prior, SecondLayer):
            raise TypeError(f"prior must be a SecondLayer, not {type(prior).__name__}: any other is that of a VAE")
        super().__init__(encoder, decoder, likelihood, prior, posterior, seed, dtype)

    @classmethod
    def mlp(
        cls,
        n_features: int,
        latent_dims: Sequence[int] = (100, 50),
        hidden: Sequence[Sequence[int]] = ((200, 200), (100, 100)),
        activation: str | None = "tanh",
        likelihood: str | Likelihood = "bernoulli",
        seed: int = 0,
    ) -> Self:
        """One of dense layers. latent_dims: the dimensions of z1 and of z2. hidden: the sizes between x and z1, and
        between z1 and z2; back in reverse. The others are those of VAE.mlp. Raises ValueError for another word, sizes
        below 1, or not two of both."""
        for name, of_layers in (("latent_dims", latent_dims), ("hidden", hidden)):
            if not hasattr(of_layers, "__len__") or len(of_layers) != 2:
                raise ValueError(f"{name} must have two entries, of z1 and of z2, not {of_layers!r}")
        of_z1 = mlp_parts(n_features, latent_dims[0], hidden[0], activation, likelihood)
        upwards, downwards, _ = mlp_parts(*latent_dims, hidden[1], activation, Gaussian(latent_dims[0], "predicted"))
        return cls(*of_z1, SecondLayer(upwards, downwards), seed=seed)

    def encode_second(self, X: ArrayLike | DataSource) -> tuple[np.ndarray, np.ndarray]:
        """mu, logvar of q(z2|z1), each (N, Z2) and finite, at z1 = the mean of q(z1|x), for the rows of X (N, D).
        Raises what ``elbo`` raises."""
        source = self.latent_source(self.encode(X)[0])
        mu = np.empty((len(source), self.prior.latent_dim), self.parameters.dtype)
        logvar = np.empty_like(mu)
        for rows, batch, memory in self.chunks(source, 1, Noise(0)):
            mu[rows], logvar[rows] = self.prior.encode(batch.x, memory)
        self._refuse_overflow("q(z2|z1)", ~np.isfinite(mu) | ~np.isfinite(logvar), source)
        return mu, logvar
