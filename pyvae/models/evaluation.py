"""Model: the interface that training, gradient checks, files and estimators use, and its evaluation chunk by chunk.

A model has parts (``children``), ``n_features``, ``latent_dim``, an Arena ``parameters``, ``metadata``, and

    terms, cache = model.forward(batch, noise, k, memory, evaluate)     a Terms, with k samples z of each row
    model.backward(cache, dterms)                                       ADDS to ``parameters.grads``

All other methods that they use are defined here. A model has no parameters of its own.
"""

from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae.arguments import check_count, check_number
from pyvae.data.sources import DataSource, all_rows, as_source, chunks_of
from pyvae.data.support import check_finite, check_support
from pyvae.data.wrapped import Rows
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.latent.encode import Encode
from pyvae.models.importance_sampling import LogLikelihood, log_likelihood
from pyvae.module import Module, owners
from pyvae.noise import ROWS, Noise
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Objective, kl_of_rows, loss_of, settled
from pyvae.objectives.weights import log_weights
from pyvae.workspace import FRESH, Workspace

MOST_ROWS = 5_000  # whose z are an aggregate posterior


class Model(Module):
    """The interface, and its evaluation on rows. A subclass sets ``encoder``, ``decoder``, ``likelihood``, ``prior``,
    ``posterior``, ``parameters``, ``metadata``, ``n_features`` and ``latent_dim``, and writes forward and backward."""

    draws = 1  # of z, for each sample of a row: a model that sums over classes draws one in each
    uses_labels = False  # True where minibatches and held-out rows should have their share of labelled rows

    def forward(self, batch, noise, k=1, memory=FRESH, evaluate=False):
        """terms, cache = forward(batch, noise): k samples z of each row, and what an objective needs of them.

        evaluate: True gives layers no noise, so that nothing is dropped; z is drawn all the same.
        """
        raise NotImplementedError

    def backward(self, cache, dterms):
        """Add to ``parameters.grads`` the loss's derivatives, given those by the terms of ``forward``."""
        raise NotImplementedError

    def encoder_inputs(self, batch, memory=FRESH):
        """The encoder's inputs for a batch, (B, n_in)."""
        raise NotImplementedError

    def decode_rows(self, z, batch, noise, memory=FRESH):
        """The decoder's outputs (B * k, n_outputs) for samples z (B * k, Z) of the rows of a batch, and a cache.
        Of the batch only what stands beside its x is looked at."""
        raise NotImplementedError

    def encode_for_prior(self):
        """(encode,), the last argument of a prior that uses the encoder; () for any other."""
        return (Encode(self.encoder, self.posterior),) if self.prior.uses_encoder else ()

    def beside_z(self, batch, noise, layer_noise, k, memory):
        """What ``prior.log_density`` is given beside z: nothing, the encoder, or noise; see Prior."""
        if not self.prior.noise_dim:
            return self.encode_for_prior()
        shape, dtype = (len(batch.x) * k, self.prior.noise_dim), self.parameters.dtype
        return noise.normal("z2", shape, batch.rows, dtype, out=memory.take(shape, dtype)), layer_noise

    @property
    def noise_dim(self):
        """Numbers of noise for each z: its own, and those by which the prior is estimated."""
        return self.latent_dim + self.prior.noise_dim

    def source(self, X, name="X", training=False):
        """X, an array (N, D) or a DataSource, as a DataSource of the numbers that forward takes. training: True for
        rows to train on or to report on in training. Raises TypeError or ValueError where X cannot be used."""
        return as_source(X, self.n_features, name)

    def loss_and_gradients(
        self, x: ArrayLike | DataSource, eps: ArrayLike, beta: float = 1.0, objective: Objective | None = None
    ) -> float:
        """The loss of the rows x (B, D), the weighted mean over rows in nats, with the noise eps (B * k, Z) frozen: the
        negative ELBO or, if one is given, an objective. Of a TwoLayerVAE, eps is that of z1 and z2, (B * k, Z1 + Z2).

        x: an array or a DataSource, which gives weights and conditions of the rows, too. The gradients replace the
        content of ``parameters.grads``. Raises what ``elbo`` raises, and ValueError where eps does not fit, or both
        beta and an objective are given.
        """
        check_number("beta", beta, 0, low_included=True)
        if objective is not None and beta != 1:
            raise ValueError("give beta or an objective, not both")
        if objective is not None and not isinstance(objective, Objective):
            raise TypeError(f"objective must be an Objective, such as pyvae.ELBO(), not {objective!r:.40}")
        objective = ELBO(beta) if objective is None else settled(objective)
        batch = all_rows(self._checked(x, "x"), self.parameters.dtype)
        self.check_objective(objective, None)
        source = as_source(eps, self.noise_dim, "eps")
        check_finite(source, batch.x.dtype)
        eps = all_rows(source, batch.x.dtype).x
        n_draws = len(batch.x) * self.draws
        if len(eps) % n_draws:
            raise ValueError(f"eps must have k rows for each of the {n_draws} rows of x, not {len(eps)} in all")
        self.parameters.zero_grads()
        of_z, of_prior = (np.ascontiguousarray(part) for part in np.split(eps, [self.latent_dim], axis=1))
        terms, cache = self.forward(batch, Noise.frozen(z=of_z, z2=of_prior), k=len(eps) // n_draws)
        loss, dterms = loss_of(objective, terms, batch.weight)
        self.backward(cache, dterms)
        return loss

    def check_objective(self, objective, n_rows):
        """Raise ValueError, in a sentence, where the objective does not fit the model or the number of rows to train
        on; None: of rows that are no training."""
        objective.check(self, n_rows)

    def log_weights(self, batch, noise, k, memory=FRESH):
        """log w (B, k) of k samples of each row, nats, in double: the mean of w estimates p(x)."""
        terms, _ = self.forward(batch, noise, k, memory, evaluate=True)
        return log_weights(terms)

    def rows(self, X: ArrayLike | DataSource, name: str = "X") -> np.ndarray:
        """The rows of X (N, D), checked, as a new array of the model's dtype. Raises what ``elbo`` raises."""
        return all_rows(self._checked(X, name), self.parameters.dtype).x

    def encode(self, X: ArrayLike | DataSource) -> tuple[np.ndarray, np.ndarray]:
        """mu, logvar of q(z|x), each (N, Z) and finite: the mean and the log variance of each dimension of z, for the
        rows of X (N, D). Exact where the posterior knows them; those of a flow are estimated from 1,000 samples a row,
        the same noise for every row, so that a row's do not depend on the others. Raises what ``elbo`` raises."""
        source = self._checked(X)
        mu = np.empty((len(source), self.latent_dim), self.parameters.dtype)
        logvar = np.empty_like(mu)
        for rows, batch, memory in self.chunks(source, 1, Noise(0)):
            mu[rows], logvar[rows] = self.moments(batch, memory)
        self._refuse_overflow("q(z|x)", ~np.isfinite(mu) | ~np.isfinite(logvar), source)
        return mu, logvar

    def moments(self, batch, memory=FRESH):
        """Mean and log variance of each dimension of q(z|x), (B, Z) each, for the rows of a batch."""
        outputs, _ = self.encoder.forward(self.encoder_inputs(batch, memory), None, memory)
        return self.posterior.moments(self.posterior.split(outputs, memory), self.latent_dim)

    def decode(self, Z: ArrayLike | DataSource) -> np.ndarray:
        """E[x|z] (N, D) for the rows of Z (N, latent_dim). Raises TypeError or ValueError where Z is anything else, and
        FloatingPointError where numbers overflow on the way."""
        source = self.latent_source(Z)
        mean = np.empty((len(source), self.n_features), self.parameters.dtype)
        for rows, batch, memory in self.chunks(source, 1, Noise(0)):
            outputs, _ = self.decode_rows(batch.x, batch, None, memory)
            mean[rows] = self.likelihood.mean(outputs)
        self._refuse_overflow("E[x|z]", np.isnan(mean), source)
        return mean

    def draw(self, Z: ArrayLike | DataSource, seed: int = 0) -> np.ndarray:
        """x ~ p(x|z), a row for each row of Z (N, latent_dim): (N, D). Raises TypeError or ValueError where Z is
        anything else."""
        source, noise, chunks = self.latent_source(Z), Noise(seed), []
        for rows, batch, memory in self.chunks(source, 1, noise):
            outputs, _ = self.decode_rows(batch.x, batch, None, memory)
            chunks.append(self.likelihood.draw(outputs, noise.from_row(int(rows.start))))
        return np.concatenate(chunks)

    def latent_source(self, Z):
        """Z (N, latent_dim), an array or a DataSource, as a DataSource. Raises TypeError or ValueError where it is
        anything else."""
        source = as_source(Z, self.latent_dim, "Z")
        check_finite(source, self.parameters.dtype)
        return source

    def reconstruct(self, X: ArrayLike | DataSource) -> np.ndarray:
        """E[x|z] at z = the posterior mean of each row of X: (N, D)."""
        return self.decode(self.encode(X)[0])

    def sample(self, n: int, seed: int = 0, mean: bool = True, latent: Any = None) -> np.ndarray:
        """New rows (n, D): z, then E[x|z] (what pictures show) or, with mean=False, x ~ p(x|z).

        latent: where z come from, such as ``aggregate_posterior`` of the rows that were trained on; None: the prior.
        Raises ValueError unless n is a whole number from 1 to 2^32.
        """
        z = self.sample_latent(n, seed, latent)
        return self.decode(z) if mean else self.draw(z, seed)

    def sample_latent(self, n: int, seed: int = 0, latent: Any = None) -> np.ndarray:
        """The z (n, Z) of the rows that ``sample`` makes. Raises what ``sample`` raises."""
        check_count("n", n, 1, ROWS)
        prior, encode = (latent, ()) if latent else (self.prior, self.encode_for_prior())
        chunks = []
        for rows in chunks_of(n, self.numbers_per_sample()):
            noise = Noise(seed).from_row(int(rows[0]))
            chunks.append(prior.sample(len(rows), self.latent_dim, noise, self.parameters.dtype, *encode))
        return np.concatenate(chunks)

    def aggregate_posterior(self, X: ArrayLike | DataSource, seed: int = 0) -> AggregatePosterior:
        """The density of z over the rows of X (N, D), or over 5,000 of them, evenly spread: where new rows should come
        from. Raises what ``elbo`` raises."""
        return AggregatePosterior.fit(self.posterior_samples(X, seed), Noise(seed))

    def posterior_samples(self, X: ArrayLike | DataSource, seed: int = 0) -> np.ndarray:
        """z ~ q(z|x), one of each row of X (N, D), or of 5,000 of them, evenly spread: (n, Z). Raises what ``elbo``
        raises."""
        source = self._checked(X)
        rows = np.linspace(0, len(source) - 1, min(len(source), MOST_ROWS)).astype(int)
        noise = Noise(seed)
        chunks = self.chunks(Rows(source, rows), 1, noise)
        return np.concatenate([self.draw_latent(batch, noise, memory).copy() for _, batch, memory in chunks])

    def draw_latent(self, batch, noise, memory=FRESH):
        """z ~ q(z|x), one of each row of a batch, (B, Z)."""
        return self.forward(batch, noise, 1, memory, evaluate=True)[0].z

    def elbo(self, X: ArrayLike | DataSource, n_samples: int = 1, seed: int = 0) -> np.ndarray:
        """The evidence lower bound of each row of X, (N,), nats, estimated: 1/k sum_s log p(x|z_s) - KL, k = n_samples.

        Raises TypeError or ValueError unless X is an array (N, D) of values that the likelihood takes and n_samples is
        at least 1, and FloatingPointError where overflow leaves a result that is neither finite nor -inf.
        """
        source = self._checked(X)
        reconstruction, kl = self.elbo_terms(source, n_samples, seed)
        self._refuse_overflow("the ELBO", np.isnan(reconstruction + kl), source)
        return -(reconstruction + kl)

    def elbo_terms(self, X: ArrayLike | DataSource, n_samples: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The two terms of the negative ELBO of each row: -1/k sum_s log p(x|z_s) and KL(q || p), (N,) each, nats.

        X: (N, D). Raises what ``elbo`` raises for an array; a DataSource's values are taken to be within the support.
        """
        source = self.source(X) if isinstance(X, DataSource) else self._checked(X)
        reconstruction, kl = np.empty(len(source)), np.empty(len(source))
        for rows, terms, _ in self.terms_of_chunks(source, n_samples, seed):
            reconstruction[rows] = -terms.log_px.mean(axis=1, dtype=np.float64)
            kl[rows] = kl_of_rows(terms)
        return reconstruction, kl

    def log_likelihood(self, X: ArrayLike | DataSource, n_samples: int = 5000, seed: int = 0) -> np.ndarray:
        """The importance-weighted estimate of log p(x) of each row of X, (N,), nats (Burda et al. 2016, eq. 8):

        log 1/k sum_s p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x), k = n_samples. Its expectation is a lower bound that
        rises with k. ``metrics.log_likelihood`` gives its standard error, too. Raises what ``elbo`` raises.
        """
        return self.importance_sampled(X, n_samples, seed).log_likelihood

    def importance_sampled(self, X: ArrayLike | DataSource, n_samples: int, seed: int = 0) -> LogLikelihood:
        """The estimate of ``log_likelihood``, its standard error and the effective sample size, (N,) each, of each row
        of X (N, D); see importance_sampling.py. Raises what ``elbo`` raises."""
        source = self._checked(X)
        result = log_likelihood(self, source, n_samples, seed)
        self._refuse_overflow("log p(x)", np.isnan(result.log_likelihood), source)
        return result

    def terms_of_chunks(self, source, n_samples, seed=0):
        """Yield (slice of the rows, Terms, Batch) for each chunk of a DataSource, valid until the next chunk."""
        noise = Noise(seed)
        for rows, batch, memory in self.chunks(source, n_samples, noise):
            yield rows, self.forward(batch, noise, n_samples, memory, evaluate=True)[0], batch

    def chunks(self, source, n_samples, noise):
        """Yield (slice of the rows, Batch, memory) for each chunk of a DataSource; no result depends on where the cuts
        are. Raises ValueError unless n_samples is a whole number from 1."""
        check_count("n_samples", n_samples, 1, ROWS)
        workspace = Workspace()
        for rows in chunks_of(len(source), self.numbers_per_sample() * n_samples):
            memory = workspace.begin()
            batch = source.minibatch(rows, noise, self.parameters.dtype, memory)
            yield slice(rows[0], rows[-1] + 1), batch, memory

    def numbers_per_sample(self):
        """The most numbers that the prior, or a layer of the decoder, makes from one sample of z."""
        widths = (getattr(part, "n_out", None) or 1 for _, part in owners({"decoder": self.decoder}))
        return max(self.prior.width, *widths)

    def _checked(self, X, name="X"):
        source = self.source(X, name)
        check_support(source, self.likelihood, self.parameters.dtype)
        return source

    def _refuse_overflow(self, what, wrong, source):
        """Raise FloatingPointError, naming the first such row of the source, where wrong (N, ...) is True."""
        rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
        if rows.size:
            if np.isfinite(self.parameters.values).all():
                reason = f"numbers overflow on the way to it: scale {source.name} like the rows that were trained on"
            else:
                reason = "the model has weights that are not finite: train it anew"
            raise FloatingPointError(f"{what} of row {rows[0]} cannot be computed, as {reason}")

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy of this model whose parameters are float32 or float64."""
        copy = deepcopy(self)
        copy.parameters = self.parameters.astype(dtype)
        copy.parameters.bind(copy.children())
        return copy

    def __setstate__(self, state):
        """Restore a copy or a pickle, whose parts come without their views into the arena."""
        vars(self).update(state)
        self.parameters.bind(self.children())


def refuse_sums_over_classes(model, why):
    """Raise ValueError, saying why, for a model whose terms are expectations over classes."""
    if model.draws > 1:
        raise ValueError(f"{why}, which a {type(model).__name__} has in each class")
