"""StandardizedVAE: a VAE of real numbers in any unit, which it takes and gives as they are.

The model inside is that of (x - mean) / scale, of every column; so are its losses in training. With the change of
variables, log p(x) of the rows as given is

    log p(x) = log p((x - mean) / scale) - sum_j log scale_j
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae.data.scaling import BOUND, log_scale_of_rows
from pyvae.data.sources import DataSource, as_source
from pyvae.data.standardization import STANDARDIZED, Standardization, standardized
from pyvae.data.support import check_support
from pyvae.latent.interface import Posterior, Prior
from pyvae.layers.inputs import Clip
from pyvae.likelihoods.start import hold
from pyvae.models.build import mlp_parts
from pyvae.models.vae import VAE
from pyvae.module import build, register


@register
class StandardizedVAE(VAE):
    """A VAE whose columns are standardised on the way in, in double, and brought back on the way out:

    log p(x) = log p_standardised((x - mean) / scale) - sum_j log scale_j, in nats.

    standardization: the mean and the scale of each column, (D,) each (data/standardization.py). The other arguments are
    those of VAE. Far cells (data/scaling.py) count as missing in training. Every method takes rows as they are, and
    gives rows and nats of these; only losses in training, and those of ``loss_and_gradients``, are of the standardised
    numbers. Raises ValueError where the parts do not fit together.
    """

    playable = True

    def __init__(self, encoder, decoder, likelihood, standardization, prior=None, posterior=None, seed=0,
                 dtype: DTypeLike = np.float32):  # fmt: skip
        super().__init__(encoder, decoder, likelihood, prior, posterior, seed, dtype)
        self.standardization = standardization
        if len(standardization.mean) != self.n_features:
            raise ValueError(
                f"standardization has {len(standardization.mean)} columns, but the likelihood has {self.n_features}"
            )

    @classmethod
    def mlp(
        cls,
        X: ArrayLike | DataSource,
        latent_dim: int = 20,
        hidden: Sequence[int] = (400,),
        activation: str | None = "relu",
        likelihood: str = "gaussian",
        seed: int = 0,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
    ) -> Self:
        """A VAE of dense layers, as VAE.mlp makes it, for rows like those of X (N, D): an array or a DataSource, from
        which mean and scale are taken. The encoder sees standardised numbers between -10 and 10.

        likelihood: "gaussian", "gaussian-shared", "gaussian-predicted" or "gaussian-fixed". Raises ValueError for
        another word, sizes below 1, or a column without a known value, and TypeError where X is no array of numbers.
        """
        if likelihood not in STANDARDIZED:
            raise ValueError(f"likelihood must be one of {', '.join(STANDARDIZED)}, not {likelihood!r}")
        source = as_source(X)
        parts = mlp_parts(source.n_features, latent_dim, hidden, activation, likelihood, [Clip(BOUND)], posterior)
        check_support(source, parts[-1], np.float64)
        standardization = Standardization.of_source(source, STANDARDIZED[likelihood])
        model = cls(*parts, standardization, prior, posterior, seed)
        hold(model, model.standardization.constant)
        return model

    def source(self, X, name="X", training=False):
        """See Model: the rows of X (N, D), standardised. Raises ValueError where they are standardised for another
        model."""
        source = super().source(X, name)
        if source.standardization is None:
            return standardized(source, self.standardization, training)
        theirs, own = source.standardization, self.standardization
        if not (np.array_equal(theirs.mean, own.mean) and np.array_equal(theirs.scale, own.scale)):
            raise ValueError(f"{name} is standardised for another model: give its rows as they are")
        return source

    def decode(self, Z: ArrayLike) -> np.ndarray:
        """E[x|z] (N, D), in the units of the rows as given; see Model."""
        return self.standardization.decode(super().decode(Z))

    def draw(self, Z: ArrayLike, seed: int = 0) -> np.ndarray:
        """x ~ p(x|z) (N, D), in the units of the rows as given; see Model."""
        return self.standardization.decode(super().draw(Z, seed))

    def elbo(self, X, n_samples=1, seed=0):
        """See Model; (N,), nats of the rows as given."""
        return super().elbo(X, n_samples, seed) - self.log_scale(X)

    def elbo_terms(self, X, n_samples=1, seed=0):
        """See Model; (N,) each, nats of the rows as given."""
        reconstruction, kl = super().elbo_terms(X, n_samples, seed)
        return reconstruction + self.log_scale(X), kl

    def importance_sampled(self, X, n_samples, seed=0):
        """See Model; (N,) each, nats of the rows as given."""
        result = super().importance_sampled(X, n_samples, seed)
        return result._replace(log_likelihood=result.log_likelihood - self.log_scale(X))

    def log_scale(self, X):
        """The number to subtract from log p(x) of each standardised row for that of the row as given, (N,), nats; 0 if
        X is a source of standardised rows, which are then meant."""
        source = super().source(X)
        if source.standardization is not None:
            return np.zeros(len(source))
        return log_scale_of_rows(source, self.standardization.log_scale())

    def config(self):
        return super().config() | self.standardization.config()

    @classmethod
    def from_config(cls, config, dtype=np.float32):
        parts = {name: build(part) for name, part in config.items() if isinstance(part, dict)}
        numbers = {name: part for name, part in config.items() if name not in parts}
        return cls(**parts, standardization=Standardization(**numbers), dtype=dtype)
