"""The variational autoencoder: encoder, posterior, prior, decoder and likelihood put together.

One pass forward, for a row x:

    x -- encoder --> [mu | logvar] -- eps --> z = mu + sigma eps -- decoder --> outputs -- likelihood --> log p(x|z)
                           |                  |
                           +--> KL            +--> log p(z), log q(z|x)

and one backward, where mu and logvar are reached by two paths, through the sample z and through the KL; their
derivatives add up.
"""

from copy import deepcopy
from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae._kernels.sparse_rows import SparseRows
from pyvae.arguments import check_count, check_number
from pyvae.data.sources import Batch, DataSource, all_rows, as_source, check_finite, check_support
from pyvae.latent.gaussian import DiagonalGaussian, KLCache, SampleCache
from pyvae.latent.priors import PriorCache, StandardNormal
from pyvae.layers.activations import Symlog
from pyvae.layers.dense import Sequential, mlp
from pyvae.likelihoods.counts import has_counts
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.words import make_likelihood
from pyvae.module import Arena, Module, build, register
from pyvae.noise import ROWS, Noise
from pyvae.objectives.elbo import Terms, elbo
from pyvae.workspace import Lease, Workspace

CHUNK_ROWS, CHUNK_NUMBERS = 2048, 2**20  # of decoder output, at most, that are evaluated together


class ModelCache(NamedTuple):
    encoder: object
    outputs: np.ndarray  # (B, 2 Z), the encoder's
    sample: SampleCache
    kl: KLCache
    prior: PriorCache
    decoder: object
    likelihood: object
    workspace: Workspace | None


@register
class VAE(Module):
    """A variational autoencoder (Kingma and Welling 2014).

    q(z|x) = posterior(encoder(x)), p(x|z) = likelihood(decoder(z)), with z ~ q in training and z ~ prior in ``sample``.

    encoder: a layer from D columns to 2 Z. decoder: from Z columns to likelihood.n_outputs. seed: of the first weights.
    dtype: float32 to train, float64 to check gradients. ``parameters`` is the Arena of all weights and gradients.
    Raises ValueError where the parts do not fit together.
    """

    def __init__(self, encoder, decoder, likelihood, prior=None, posterior=None, seed=0, dtype=np.float32):
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.prior = prior or StandardNormal()
        self.posterior = posterior or DiagonalGaussian()
        self.metadata = {}  # JSON-able notes that are saved with the model, such as the shape of its images
        if encoder.n_out is None or encoder.n_out % 2:
            raise ValueError(f"encoder must make 2 * latent_dim columns, [mu | logvar], not {encoder.n_out}")
        self.n_features, self.latent_dim = likelihood.n_features, encoder.n_out // 2
        if encoder.n_in != self.n_features:
            raise ValueError(f"encoder takes {encoder.n_in} columns, but the likelihood has {self.n_features}")
        if decoder.n_in != self.latent_dim:
            raise ValueError(f"decoder takes {decoder.n_in} columns, but the encoder makes {self.latent_dim} latents")
        if decoder.n_out != likelihood.n_outputs:
            raise ValueError(f"decoder makes {decoder.n_out} columns, but the likelihood takes {likelihood.n_outputs}")
        self.parameters = Arena(self.children(), dtype, seed)

    @classmethod
    def mlp(cls, n_features, latent_dim=20, hidden=(400,), activation="relu", likelihood="bernoulli", seed=0):
        """Encoder and decoder of dense layers, the decoder's hidden sizes those of the encoder in reverse. Where
        there are counts, the encoder sees sign(x) log(1 + |x|) of x.

        likelihood: a Likelihood, or a word, such as "bernoulli", "gaussian" or "poisson" (all in words.py). Raises
        ValueError for another word or sizes below 1.
        """
        check_count("latent_dim", latent_dim, 1)
        if isinstance(hidden, str) or not hasattr(hidden, "__iter__"):
            raise ValueError(f"hidden must be a list of sizes, such as (400, 200), not {hidden!r}")
        likelihood = likelihood if isinstance(likelihood, Likelihood) else make_likelihood(likelihood, n_features)
        encoder = mlp([n_features, *hidden, 2 * latent_dim], activation)
        if has_counts(likelihood):
            encoder = Sequential(Symlog(), *encoder.layers)  # a text of a thousand words is no outlier
        decoder = mlp([latent_dim, *reversed(hidden), likelihood.n_outputs], activation)
        return cls(encoder, decoder, likelihood, seed=seed)

    def forward(self, batch, noise, k=1, workspace=None, evaluate=False):
        """terms, cache = forward(batch, noise): k samples z of each row, and what an objective needs of them.

        evaluate: layers are given no noise, so that nothing is dropped; z is drawn all the same.
        """
        x, memory = batch.x, Lease(workspace)
        layer_noise = None if evaluate else noise.at(batch.rows)
        outputs, encoder_cache = self.encoder.forward(x, layer_noise, workspace)
        mu, logvar = self.posterior.split(outputs, workspace)

        shape = (len(x) * k, self.latent_dim)
        eps = noise.normal("z", shape, batch.rows, x.dtype, out=memory.take(shape, x.dtype))
        z, log_qz, sample_cache = self.posterior.sample(mu, logvar, eps, workspace)
        kl, kl_cache = self.posterior.kl(mu, logvar, workspace)
        log_pz, prior_cache = self.prior.log_density(z, workspace)

        decoded, decoder_cache = self.decoder.forward(z, layer_noise, workspace)
        if isinstance(x, SparseRows):
            x = x.to_dense(out=memory.take(x.shape, x.dtype))
        log_px, likelihood_cache = self.likelihood.log_density(x, decoded, workspace, batch.observed)

        terms = Terms(log_px, log_pz, log_qz, kl, z, mu, logvar)
        return terms, ModelCache(
            encoder_cache, outputs, sample_cache, kl_cache, prior_cache, decoder_cache, likelihood_cache, workspace
        )

    def backward(self, cache, dterms):
        """Add to ``parameters.grads`` the loss's derivatives, given those by the terms of ``forward``."""
        if dterms.log_px is None:
            dz = np.zeros_like(cache.sample.eps)
        else:
            decoded_gradient = self.likelihood.log_density_backward(dterms.log_px, cache.likelihood)
            dz = self.decoder.backward(decoded_gradient, cache.decoder)
        if dterms.log_pz is not None:
            dz = dz + self.prior.log_density_backward(dterms.log_pz, cache.prior)
        if dterms.z is not None:
            dz = dz + dterms.z

        # mu and logvar are reached through the sample z and through the KL: two gradients each, which add up.
        dmu, dlogvar = self.posterior.sample_backward(dz, dterms.log_qz, cache.sample)
        if dterms.kl is not None:
            dmu_kl, dlogvar_kl = self.posterior.kl_backward(dterms.kl, cache.kl)
            _kernels.add(dmu, dmu_kl, out=dmu)
            _kernels.add(dlogvar, dlogvar_kl, out=dlogvar)
        if dterms.mu is not None:
            dmu = dmu + dterms.mu
        if dterms.logvar is not None:
            dlogvar = dlogvar + dterms.logvar

        doutputs = self.posterior.split_backward(dmu, dlogvar, cache.outputs, cache.workspace)
        self.encoder.backward_parameters(doutputs, cache.encoder)

    def loss_and_gradients(self, x, eps, beta=1.0):
        """The negative ELBO of the rows x (B, D), mean over rows in nats, with the noise eps (B * k, Z) frozen.

        Leaves the gradients in ``parameters.grads``, in place of what was there. Raises what ``elbo`` raises, and
        ValueError where eps does not fit.
        """
        check_number("beta", beta, 0, low_included=True)
        x = self.rows(x, "x")
        source = as_source(eps, self.latent_dim, "eps")
        check_finite(source, x.dtype)
        if len(source) % len(x):
            raise ValueError(f"eps must have k rows for each of the {len(x)} rows of x, not {len(source)} in all")
        eps = all_rows(source, x.dtype)
        self.parameters.zero_grads()
        terms, cache = self.forward(Batch(x), Noise.frozen(z=eps), k=len(eps) // len(x))
        loss, dterms = elbo(terms, beta=beta)
        self.backward(cache, dterms)
        return loss

    def rows(self, X, name="X"):
        """The rows of X (N, D), checked, as a new array of the model's dtype. Raises what ``elbo`` raises."""
        return all_rows(self._checked(X, name), self.parameters.dtype)

    def encode(self, X):
        """mu, logvar of q(z|x), each (N, Z), for the rows of X (N, D). Raises what ``elbo`` raises; mu and logvar are
        finite."""
        source = self._checked(X)
        mu = np.empty((len(source), self.latent_dim), self.parameters.dtype)
        logvar = np.empty_like(mu)
        workspace = Workspace()
        for rows, batch in self.chunks(source, 1, Noise(0), workspace):
            outputs, _ = self.encoder.forward(batch.x, None, workspace)
            mu[rows], logvar[rows] = self.posterior.split(outputs, workspace)
        self._refuse_overflow("q(z|x)", ~np.isfinite(mu) | ~np.isfinite(logvar), source)
        return mu, logvar

    def decode(self, Z):
        """E[x|z] (N, D) for the rows of Z (N, latent_dim). Raises TypeError or ValueError where Z is anything else, and
        FloatingPointError where numbers overflow on the way."""
        source = as_source(Z, self.latent_dim, name="Z")
        check_finite(source, self.parameters.dtype)
        mean = np.empty((len(source), self.n_features), self.parameters.dtype)
        workspace = Workspace()
        for rows, batch in self.chunks(source, 1, Noise(0), workspace):
            outputs, _ = self.decoder.forward(batch.x, None, workspace)
            mean[rows] = self.likelihood.mean(outputs)
        self._refuse_overflow("E[x|z]", np.isnan(mean), source)
        return mean

    def reconstruct(self, X):
        """E[x|z] at z = the posterior mean of each row of X: (N, D)."""
        return self.decode(self.encode(X)[0])

    def sample(self, n, seed=0, mean=True):
        """New rows (n, D): z from the prior, then E[x|z] (what pictures show) or, with mean=False, x ~ p(x|z).

        Raises ValueError unless n is a whole number from 1 to 2^32.
        """
        check_count("n", n, 1, ROWS)
        noise = Noise(seed)
        z = self.prior.sample(n, self.latent_dim, noise, self.parameters.dtype)
        if mean:
            return self.decode(z)
        outputs, _ = self.decoder.forward(z)
        return self.likelihood.draw(outputs, noise)

    def elbo(self, X, n_samples=1, seed=0):
        """The evidence lower bound of each row of X, (N,), nats, estimated: 1/k sum_s log p(x|z_s) - KL, k = n_samples.

        Raises TypeError or ValueError where X is no array (N, D) of values that the likelihood takes, or n_samples < 1;
        and FloatingPointError where numbers overflow on the way to a result that is neither finite nor -inf.
        """
        source = self._checked(X)
        reconstruction, kl = self.elbo_terms(source, n_samples, seed)
        self._refuse_overflow("the ELBO", np.isnan(reconstruction + kl), source)
        return -(reconstruction + kl)

    def elbo_terms(self, X, n_samples=1, seed=0):
        """The two terms of the negative ELBO of each row: -1/k sum_s log p(x|z_s) and KL(q || p), (N,) each, nats.

        X: (N, D). Raises what ``elbo`` raises for an array; a DataSource's values are taken to be within the support.
        """
        source = as_source(X, self.n_features) if isinstance(X, DataSource) else self._checked(X)
        reconstruction, kl = np.empty(len(source)), np.empty(len(source))
        workspace = Workspace()
        noise = Noise(seed)
        for rows, batch in self.chunks(source, n_samples, noise, workspace):
            terms, _ = self.forward(batch, noise, n_samples, workspace, evaluate=True)
            reconstruction[rows] = -terms.log_px.reshape(len(batch.x), n_samples).mean(axis=1, dtype=np.float64)
            kl[rows] = terms.kl
        return reconstruction, kl

    def log_likelihood(self, X, n_samples=5000, seed=0):
        """The importance-weighted estimate of log p(x) of each row of X, (N,), nats (Burda et al. 2016, eq. 8):

        log 1/k sum_s p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x), k = n_samples; in expectation a lower bound that rises
        with k. Raises what ``elbo`` raises.
        """
        source = self._checked(X)
        result = np.empty(len(source))
        workspace = Workspace()
        noise = Noise(seed)
        for rows, batch in self.chunks(source, n_samples, noise, workspace):
            terms, _ = self.forward(batch, noise, n_samples, workspace, evaluate=True)
            with np.errstate(invalid="ignore"):  # -inf and inf; refused below
                log_w = terms.log_px.astype(np.float64) + terms.log_pz - terms.log_qz
            log_w = log_w.reshape(len(batch.x), n_samples)
            highest = log_w.max(axis=1, keepdims=True)
            highest[highest == -np.inf] = 0  # p(x|z) = 0 for every sample: the result is -inf
            with np.errstate(divide="ignore"):
                result[rows] = np.log(np.exp(log_w - highest).mean(axis=1)) + highest[:, 0]
        self._refuse_overflow("log p(x)", np.isnan(result), source)
        return result

    def _checked(self, X, name="X"):
        source = as_source(X, self.n_features, name)
        check_support(source, self.likelihood, self.parameters.dtype)
        return source

    def _refuse_overflow(self, what, wrong, source):
        """Raise FloatingPointError, naming the first row of the source, where a result (N, ...) is wrong."""
        rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
        if rows.size:
            if np.isfinite(self.parameters.values).all():
                reason = f"numbers overflow on the way to it: scale {source.name} like the rows that were trained on"
            else:
                reason = "the model has weights that are not finite: train it anew"
            raise FloatingPointError(f"{what} of row {rows[0]} cannot be computed, as {reason}")

    def chunks(self, source, n_samples, noise, workspace):
        """Slices of the rows (N, D) of a DataSource, each with its Batch; no result depends on where the cuts are.
        Raises ValueError unless n_samples is a whole number from 1."""
        check_count("n_samples", n_samples, 1, ROWS)
        step = max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // self.decoder.n_out) // n_samples)
        for start in range(0, len(source), step):
            rows = slice(start, min(start + step, len(source)))
            workspace.reset()
            yield rows, source.minibatch(np.arange(rows.start, rows.stop), noise, self.parameters.dtype, workspace)

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
        return cls(**{name: build(part) for name, part in config.items()}, dtype=dtype)

    def astype(self, dtype):
        """A copy of this model whose parameters are float32 or float64."""
        copy = deepcopy(self)
        copy.parameters = self.parameters.astype(dtype)
        copy.parameters.bind(copy.children())
        return copy

    def __setstate__(self, state):
        """Of a copy or a pickle, whose parts come without their views into the arena."""
        vars(self).update(state)
        self.parameters.bind(self.children())
