"""The conditional VAE: rows x given what is known of each, its condition c, such as a label or an age.

    p(x, z | c) = p(z) p(x|z, c)         log p(x|c) >= E_q [log p(x|z, c)] - KL(q(z|x, c) || p(z))

z is independent of c: what c tells of x need not be told by z again. So the same z with another c is the same row in
another class. Encoder and decoder are given c as further columns:

    [x | c] -- encoder --> q(z|x, c)        [z | c] -- decoder --> p(x|z, c)

c has no gradient: of that by the decoder's inputs, only the columns of z are passed on.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.data.sources import ArraySource, DataSource
from pyvae.data.wrapped import WithCondition
from pyvae.latent.interface import Posterior, Prior
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import mlp_parts
from pyvae.models.vae import VAE
from pyvae.module import register
from pyvae.workspace import FRESH


@register
class ConditionalVAE(VAE):
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

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        n_condition: int,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ):
        self.n_condition = check_count("n_condition", n_condition, 1)
        if decoder.n_in <= n_condition:
            raise ValueError(
                f"decoder takes {decoder.n_in} columns: beside the condition's {n_condition} none is for z"
            )
        if prior is not None and prior.uses_encoder:
            raise ValueError(f"a {type(prior).__name__} encodes rows without a condition: take another prior")
        super().__init__(encoder, decoder, likelihood, prior, posterior, seed, dtype)

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

    def encoder_inputs(self, batch, memory=FRESH):
        """[x | c] (B, D + C)."""
        return beside(batch.x, batch.condition, memory)

    def decode_rows(self, z, batch, noise, memory=FRESH):
        """The decoder's outputs (B * k, n_outputs) for [z | c] (B * k, Z + C), and a cache; see Model."""
        outputs, cache = self.decoder.forward(beside(z, batch.condition, memory), noise, memory)
        return outputs, (cache, memory)

    def decode_rows_backward(self, doutputs, cache):
        """dz (B * k, Z); c has no gradient."""
        cache, memory = cache
        dinputs = self.decoder.backward(doutputs, cache)
        dz = memory.take((len(dinputs), self.latent_dim), dinputs.dtype)
        _kernels.copy(dinputs[:, : self.latent_dim], out=dz)
        return dz

    def source(self, X, name="X", training=False):
        """See Model. Raises ValueError where the rows have no condition of C columns."""
        return self._check_condition(super().source(X, name, training))

    def latent_source(self, Z):
        """See Model. Raises ValueError where the rows have no condition of C columns."""
        return self._check_condition(super().latent_source(Z))

    def _check_condition(self, source):
        C = 0 if source.condition is None else source.condition.shape[1]
        if C != self.n_condition:
            found = f"one of {C} columns" if C else "none"
            raise ValueError(f"{source.name} needs a condition of {self.n_condition} columns, but has {found}")
        return source

    def encode(self, X: ArrayLike | DataSource, condition: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """mu, logvar of q(z|x, c), each (N, Z); see Model. condition: (N, C), or (C,) for all; None: that of the source
        X."""
        return super().encode(self._given(X, condition))

    def decode(self, Z: ArrayLike | DataSource, condition: ArrayLike | None = None) -> np.ndarray:
        """E[x|z, c] (N, D) for the rows of Z (N, latent_dim); see Model, and encode."""
        return super().decode(self._given(Z, condition, "Z"))

    def draw(self, Z: ArrayLike | DataSource, seed: int = 0, condition: ArrayLike | None = None) -> np.ndarray:
        """x ~ p(x|z, c), a row for each row of Z (N, latent_dim); see Model, and encode."""
        return super().draw(self._given(Z, condition, "Z"), seed)

    def reconstruct(
        self, X: ArrayLike | DataSource, condition: ArrayLike | None = None, target: ArrayLike | None = None
    ) -> np.ndarray:
        """E[x|z, target] (N, D) at z = the mean of q(z|x, c): each row as it would be in the condition ``target``,
        (N, C) or (C,); None: in its own."""
        given = self._given(X, condition)
        return self.decode(self.encode(given)[0], self.source(given).condition if target is None else target)

    def sample(self, n: int, condition: ArrayLike, seed: int = 0, mean: bool = True, latent: Any = None) -> np.ndarray:
        """New rows (n, D) in the condition (C,), or each in its own (n, C); see Model."""
        z = self.sample_latent(n, seed, latent)
        return self.decode(z, condition) if mean else self.draw(z, seed, condition)

    def elbo(
        self, X: ArrayLike | DataSource, n_samples: int = 1, seed: int = 0, condition: ArrayLike | None = None
    ) -> np.ndarray:
        """The evidence lower bound of log p(x|c) of each row of X, (N,), nats; see Model, and encode."""
        return super().elbo(self._given(X, condition), n_samples, seed)

    def log_likelihood(
        self, X: ArrayLike | DataSource, n_samples: int = 5000, seed: int = 0, condition: ArrayLike | None = None
    ) -> np.ndarray:
        """The importance-weighted estimate of log p(x|c) of each row of X, (N,), nats; see Model, and encode."""
        return super().log_likelihood(self._given(X, condition), n_samples, seed)

    def _given(self, X, condition, name="X"):
        """X with the condition, a DataSource, if one is given."""
        if condition is None:
            return X
        source = X if isinstance(X, DataSource) else ArraySource(X, name=name)
        if np.ndim(condition) == 1:
            condition = np.broadcast_to(np.asarray(condition), (len(source), np.size(condition)))
        return WithCondition(source, condition)

    def config(self):
        return super().config() | {"n_condition": self.n_condition}


def beside(x, condition, memory=FRESH):
    """[x | c] (B * k, n + C), for x (B * k, n) and the condition c (B, C) of each row, that of its k samples."""
    n, C = x.shape[1], condition.shape[1]
    both = memory.take((len(x), n + C), x.dtype)
    _kernels.copy(x, out=both[:, :n])
    _kernels.repeat_rows(condition, out=both[:, n:])
    return both
