"""The VAE of clusters: rows of K groups that nobody has labelled (VaDE, Jiang et al. 2017).

    p(x, c, z) = w_c N(z; mu_c, sigma_c^2) p(x|z)             q(z, c|x) = q(z|x) q(c|x, z)

    log p(x) >= E_q[log p(x|z) + log p(z) - log q(z|x)] - E_q[KL(q(c|x, z) || p(c|z))],   p(z) = sum_c w_c N_c(z)

as log p(c, z) = log p(z) + log p(c|z). No q(c|x, z) is better than the responsibility p(c|z) = w_c N_c(z) / p(z), which
makes the last term 0. What is left is the ELBO of a VAE whose prior is the mixture: its gradients are those of the VAE
and of latent/mixture.py, where dlog N_c = p(c|z) dlog p(z), and there is no other. A row's clusters are

    q(c|x) = E_q(z|x)[p(c|z)]                                                                (ibid., eq. 16)

The paper writes q(z, c|x) = q(z|x) q(c|x), with no z in the last, whose bound is lower by E_q[KL(q(c|x) || p(c|z))].
Its q(c|x), and the authors' code, are p(c|z) at one sample z; given these, the expectation over z has a closed form.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.data.sources import DataSource
from pyvae.data.wrapped import SameNoise
from pyvae.latent.gaussian import MuLogvar, refuse_other_gaussians
from pyvae.latent.interface import Posterior
from pyvae.latent.mixture import Mixture, mixture_density
from pyvae.latent.mixture_fit import fit_mixture
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import mlp_parts
from pyvae.models.vae import VAE
from pyvae.module import register
from pyvae.noise import Noise

START_LOGVAR = -2.0  # of q(z|x), beside that of the clusters: a std of 1/e of theirs


@register
class ClusterVAE(VAE):
    """A VAE whose prior is a mixture of K Gaussians, each a cluster of rows (VaDE, Jiang et al. 2017):

    p(x, c, z) = w_c N(z; mu_c, sigma_c^2) p(x|z). prior: a Mixture. posterior: a DiagonalGaussian. Means drawn at
    random are a bad start of clusters. So it is trained in three parts: with a small weight of the KL, as little more
    than an autoencoder; ``start_clusters``; and with the ELBO, in nats. Raises ValueError where the parts do not fit
    together.
    """

    playable = True

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        prior: Mixture,
        posterior: Posterior | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ):
        if not isinstance(prior, Mixture):
            raise ValueError(f"the prior must be a Mixture, whose components are the clusters, not {prior!r:.40}")
        refuse_other_gaussians(posterior, None, "clusters start from a diagonal posterior")
        super().__init__(encoder, decoder, likelihood, prior, posterior, seed, dtype)

    @classmethod
    def mlp(
        cls,
        n_features: int,
        n_clusters: int,
        latent_dim: int = 10,
        hidden: Sequence[int] = (500, 500, 2000),
        activation: str | None = "relu",
        likelihood: str | Likelihood = "bernoulli",
        seed: int = 0,
    ) -> Self:
        """One of dense layers, as VAE.mlp makes it; the sizes are the paper's. Raises ValueError for another word or
        sizes below 1."""
        prior = Mixture(latent_dim, check_count("n_clusters", n_clusters, 1))
        return cls(*mlp_parts(n_features, latent_dim, hidden, activation, likelihood), prior, seed=seed)

    @property
    def n_clusters(self):
        """K."""
        return self.prior.K

    def start_clusters(self, X: ArrayLike | DataSource, seed: int = 0) -> None:
        """Set the prior to a mixture of Gaussians that is fitted to the posterior means of the rows X (N, D), by EM
        (latent/mixture_fit.py), and the variances of q(z|x) to a share of the clusters'.

        An autoencoder knows no variances: its q(z|x) have shrunk, and their KL would be hundreds of nats. seed: of the
        starts of EM. Raises what ``elbo`` raises, and ValueError where the last layer of the encoder is not Dense.
        """
        W, b, Z = self.encoder.output_weights(), self.encoder.output_bias(), self.latent_dim
        if W is None or b is None:
            raise ValueError("start_clusters sets the outputs of the encoder's last layer, which must be Dense")
        q, log_weights = fit_mixture(self.encode(X)[0], self.n_clusters, seed)
        self.prior.mu[...], self.prior.logvar[...], self.prior.logits[...] = q.mu, q.logvar, log_weights[0]
        W[:, Z:] = 0
        b[Z:] = log_weights.dtype.type(START_LOGVAR) + (np.exp(log_weights) @ q.logvar)[0]

    def cluster(self, X: ArrayLike | DataSource, n_samples: int = 100) -> np.ndarray:
        """q(c|x) = E_q(z|x)[p(c|z)], the probability of each cluster, (N, K) float64, for the rows of X (N, D): the
        mean over n_samples of z, of the same noise for every row. Raises what ``elbo`` raises."""
        source, noise, K = SameNoise(self._checked(X)), Noise(0), self.n_clusters
        shares = np.empty((len(source), K))
        for rows, batch, memory in self.chunks(source, n_samples, noise):
            share = self.responsibilities(self.draw_latent(batch, noise, memory, n_samples))
            of_each = np.full((len(batch.x), n_samples), 1 / n_samples)
            _kernels.class_mean(share.reshape(len(batch.x), -1), of_each, out=shares[rows])
        self._refuse_overflow("q(c|x)", np.isnan(shares), source)
        return shares

    def responsibilities(self, z: np.ndarray) -> np.ndarray:
        """p(c|z), (N, K) float64, of points z (N, Z)."""
        mu, logvar, logits = (a.astype(np.float64) for a in (self.prior.mu, self.prior.logvar, self.prior.logits))
        return mixture_density(z.astype(np.float64), MuLogvar(mu, logvar), logits[None])[1].share

    def draw_latent(self, batch, noise, memory, k=1):
        """z ~ q(z|x), k of each row of a batch, (B k, Z); see Model."""
        outputs, _ = self.encoder.forward(self.encoder_inputs(batch, memory), None, memory)
        shape, dtype = (len(batch.x) * k, self.latent_dim), self.parameters.dtype
        eps = noise.normal("z", shape, batch.rows, dtype, out=memory.take(shape, dtype))
        return self.posterior.sample(self.posterior.split(outputs, memory), eps, memory)[0]

    def sample(
        self, n: int, seed: int = 0, mean: bool = True, latent: Any = None, *, cluster: int | None = None
    ) -> np.ndarray:
        """New rows (n, D) of one cluster, 0 .. K - 1; None: of all. Those of a seed have the same place in each
        cluster. Raises ValueError for another number, or where ``latent`` is given, too; see Model."""
        if cluster is not None and latent is not None:
            raise ValueError("give latent or cluster, not both")
        latent = latent if cluster is None else self.prior.component(cluster)
        return super().sample(n, seed, mean, latent)
