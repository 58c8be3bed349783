"""VAEs whose encoder and decoder are given further columns beside x and z: what is known of a row, or its class.

    [x | c] -- encoder --> q(z|x, c)        [z | c] -- decoder --> p(x|z, c)

c has no gradient: of that by the decoder's inputs, only the columns of z are passed on.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.data.sources import ArraySource, DataSource
from pyvae.data.wrapped import WithCondition
from pyvae.latent.interface import Posterior, Prior
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.vae import VAE
from pyvae.workspace import FRESH


class GivenVAE(VAE):
    """What ConditionalVAE and SemiSupervisedVAE share. A subclass says which columns are ``given``."""

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

    def given(self, batch, memory=FRESH):
        """The columns c beside the rows of a batch: (B, C), or (B n, C) where each row is there n times."""
        raise NotImplementedError

    def encoder_inputs(self, batch, memory=FRESH):
        """[x | c] for each of the given rows c, (B, D + C) for one of each row x."""
        return beside(batch.x, self.given(batch, memory), memory)

    def decode_rows(self, z, batch, noise, memory=FRESH):
        """The decoder's outputs (B * k, n_outputs) for [z | c] (B * k, Z + C), and a cache; see Model."""
        outputs, cache = self.decoder.forward(beside(z, self.given(batch, memory), memory), noise, memory)
        return outputs, (cache, memory)

    def decode_rows_backward(self, doutputs, cache):
        """dz (B * k, Z); c has no gradient."""
        cache, memory = cache
        dinputs = self.decoder.backward(doutputs, cache)
        dz = memory.take((len(dinputs), self.latent_dim), dinputs.dtype)
        _kernels.copy(dinputs[:, : self.latent_dim], out=dz)
        return dz

    def latent_source(self, Z):
        """See Model: the rows of Z (N, Z). Raises ValueError where they have no condition (N, C)."""
        return self.check_condition(super().latent_source(Z))

    def check_condition(self, source):
        C = 0 if source.condition is None else source.condition.shape[1]
        if C != self.n_condition:
            found = f"one of {C} columns" if C else "none"
            raise ValueError(f"{source.name} needs a condition of {self.n_condition} columns, but has {found}")
        return source

    def decode(self, Z: ArrayLike | DataSource, condition: ArrayLike | None = None) -> np.ndarray:
        """E[x|z, c] (N, D) for the rows of Z (N, latent_dim); see Model, and encode."""
        return super().decode(self.with_condition(Z, condition, "Z"))

    def draw(self, Z: ArrayLike | DataSource, seed: int = 0, condition: ArrayLike | None = None) -> np.ndarray:
        """x ~ p(x|z, c), a row for each row of Z (N, latent_dim); see Model, and encode."""
        return super().draw(self.with_condition(Z, condition, "Z"), seed)

    def sample(
        self, n: int, seed: int = 0, mean: bool = True, latent: Any = None, *, condition: ArrayLike | None = None
    ) -> np.ndarray:
        """New rows (n, D) in the condition (C,), or each in its own (n, C); see Model."""
        z = self.sample_latent(n, seed, latent)
        return self.decode(z, condition) if mean else self.draw(z, seed, condition)

    def with_condition(self, X, condition, name="X"):
        """X with the condition, a DataSource, if one is given."""
        if condition is None:
            return X
        source = X if isinstance(X, DataSource) else ArraySource(X, name=name)
        if np.ndim(condition) == 1:
            condition = np.broadcast_to(np.asarray(condition), (len(source), np.size(condition)))
        return WithCondition(source, condition)


def beside(x, condition, memory=FRESH):
    """[x | c] (N, n + C), for x and c with N rows or fewer: each is repeated, to stand beside all samples of a row."""
    n, C = x.shape[1], condition.shape[1]
    both = memory.take((max(len(x), len(condition)), n + C), x.dtype)
    _kernels.repeat_rows(x, out=both[:, :n])
    _kernels.repeat_rows(condition, out=both[:, n:])
    return both
