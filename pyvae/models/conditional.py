"""The conditional VAE: rows x given what is known of each, its condition c, such as a label or an age.

    p(x, z | c) = p(z) p(x|z, c)         log p(x|c) >= E_q [log p(x|z, c)] - KL(q(z|x, c) || p(z))

z is independent of c: what c tells of x need not be told by z again. So the same z with another c is the same row in
another class. Encoder and decoder are given c as further columns (given.py).
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from pyvae.arguments import check_count
from pyvae.data.sources import DataSource
from pyvae.latent.interface import Posterior, Prior
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import mlp_parts
from pyvae.models.given import GivenVAE
from pyvae.module import register
from pyvae.workspace import FRESH


@register
class ConditionalVAE(GivenVAE):
    """A VAE of rows x given conditions c (Sohn et al. 2015, with the prior p(z|c) = p(z), as Kingma et al. 2014 have it
    where labels are known).

    q(z|x, c) = posterior(encoder([x | c])), p(x|z, c) = likelihood(decoder([z | c])).

    n_condition: C, the number of columns of c: of one-hot labels (``pyvae.one_hot``), of numbers, which should be about
    as large as 1, or of both side by side. encoder: a layer from D + C columns to posterior.n_outputs(Z). decoder: from
    Z + C columns. The other arguments are those of VAE. It trains on ``ArraySource(X, condition=c)``; all methods take
    such a source, or X and c. Raises ValueError where the parts do not fit together, or for a VampPrior, whose
    pseudo-inputs have no condition.
    """

    playable = True

    @classmethod
    def mlp(
        cls,
        n_features: int,
        n_condition: int,
        latent_dim: int = 20,
        hidden: Sequence[int] = (400,),
        activation: str | None = "relu",
        likelihood: str | Likelihood = "bernoulli",
        seed: int = 0,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
    ) -> Self:
        """A ConditionalVAE of dense layers; see VAE.mlp. Raises ValueError for another word or sizes below 1."""
        check_count("n_condition", n_condition, 1)
        parts = mlp_parts(n_features, latent_dim, hidden, activation, likelihood, (), posterior, n_condition)
        return cls(*parts, n_condition, prior, posterior, seed)

    def given(self, batch, memory=FRESH):
        """The conditions of the rows, (B, C)."""
        return batch.condition

    def source(self, X, name="X", training=False):
        """See Model: the rows of X (N, D). Raises ValueError where they have no condition (N, C)."""
        return self.check_condition(super().source(X, name, training))

    def encode(self, X: ArrayLike | DataSource, condition: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """mu, logvar of q(z|x, c), each (N, Z); see Model. condition: (N, C), or (C,) for all; None: that of the source
        X."""
        return super().encode(self.with_condition(X, condition))

    def reconstruct(
        self, X: ArrayLike | DataSource, condition: ArrayLike | None = None, target: ArrayLike | None = None
    ) -> np.ndarray:
        """E[x|z, target] (N, D) at z = the mean of q(z|x, c): each row as it would be in the condition ``target``,
        (N, C) or (C,); None: in its own."""
        given = self.with_condition(X, condition)
        return self.decode(self.encode(given)[0], self.source(given).condition if target is None else target)

    def elbo(
        self, X: ArrayLike | DataSource, n_samples: int = 1, seed: int = 0, condition: ArrayLike | None = None
    ) -> np.ndarray:
        """The evidence lower bound of log p(x|c) of each row of X, (N,), nats; see Model, and encode."""
        return super().elbo(self.with_condition(X, condition), n_samples, seed)

    def log_likelihood(
        self, X: ArrayLike | DataSource, n_samples: int = 5000, seed: int = 0, condition: ArrayLike | None = None
    ) -> np.ndarray:
        """The importance-weighted estimate of log p(x|c) of each row of X, (N,), nats; see Model, and encode."""
        return super().log_likelihood(self.with_condition(X, condition), n_samples, seed)

    def config(self):
        return super().config() | {"n_condition": self.n_condition}
