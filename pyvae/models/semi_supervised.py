"""The semi-supervised VAE: rows of classes, of which few rows are labelled (M2 of Kingma et al. 2014).

    p(x, y, z) = p(y) p(z) p(x|y, z)             q(y, z|x) = q(y|x) q(z|x, y)

Every row goes through encoder and decoder once in each class c, which gives log p(x|c, z) and the KL of q(z|x, c), as
in a conditional VAE. A row of unknown class has the bound

    log p(x) >= sum_c r_c (log p(x|c, z_c) - KL_c) - sum_c r_c (log r_c - log p(c)),       r_c = q(c|x)

(ibid., eq. 7): an exact sum, in which no class has to be drawn. A labelled row has r_y = 1 for its label y, which gives
its bound on log p(x, y) (ibid., eq. 6). So the expectations of log p(x|c, z_c) and of the KL over the shares r take the
place of both in the ELBO, with the KL of the classes, r against p, in the KL of the row. By the share of a class

    dr_c = sum_s dlog_px_s log_px_cs + dkl (KL_c + log r_c - log p_c + 1)       dlog q(c|x) = r_c dr_c

and every class's own terms get r_c times the row's derivatives. A labelled row's shares are constants: they teach the
classifier nothing. That is what alpha log q(y|x) is for, which is added to the bound of each labelled row (ibid., eq.
9); the paper's weight, 0.1 N on the mean over labelled rows, is alpha = 0.1 N / N_labelled here.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.data.labels import UNKNOWN, check_labels, one_hot
from pyvae.data.sources import DataSource
from pyvae.latent.classes import Classes
from pyvae.latent.interface import Posterior, Prior, log_of_variance
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.build import encoder_mlp, mlp_parts
from pyvae.models.given import GivenVAE
from pyvae.module import register
from pyvae.noise import ROWS, Noise
from pyvae.objectives.terms import Terms
from pyvae.objectives.weights import log_weights
from pyvae.workspace import FRESH


class ClassesCache(NamedTuple):
    of_classes: object  # of every row in every class
    classifier: object
    prior: object  # of p(y)
    log_px: np.ndarray  # (B, C k)
    kl: np.ndarray  # (B, C)
    log_q: np.ndarray  # (B, C)
    log_p: np.ndarray  # (1, C)
    share: np.ndarray  # (B, C)
    label: np.ndarray  # (B,)
    memory: object


@register
class SemiSupervisedVAE(GivenVAE):
    """A VAE of rows of C classes, few of which are labelled (Kingma et al. 2014, M2): q(y|x) = softmax(classifier(x));
    encoder and decoder are given the class, one-hot.

    classifier: a layer from D columns to C. alpha: weight of log q(y|x) of the labelled rows. classes: p(y); None:
    uniform. prior and posterior: a pair whose KL has a closed form. It trains on ``ArraySource(X, label=y)``, y the
    numbers 0 .. C - 1 of the classes and -1 where nobody knows; without labels all are unknown. The ELBO of a labelled
    row is a bound on log p(x, y), of another on log p(x), in nats. Raises ValueError where the parts do not fit
    together.
    """

    playable = True
    uses_labels = True

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        classifier: Layer,
        alpha: float = 1.0,
        classes: Classes | None = None,
        prior: Prior | None = None,
        posterior: Posterior | None = None,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ):
        self.classifier, self.alpha = classifier, check_number("alpha", alpha, 0, low_included=True)
        self.classes = Classes(classifier.n_out) if classes is None else classes
        if self.classes.n_classes != classifier.n_out:
            raise ValueError(
                f"classifier tells {classifier.n_out} classes apart, but there are {self.classes.n_classes}"
            )
        if classifier.n_in != likelihood.n_features:
            raise ValueError(
                f"classifier takes {classifier.n_in} columns, but the likelihood has {likelihood.n_features}"
            )
        super().__init__(encoder, decoder, likelihood, classifier.n_out, prior, posterior, seed, dtype)
        if self.prior.kl(self.posterior, self.posterior.split(np.zeros((1, encoder.n_out), dtype)))[0] is None:
            pair = f"{type(self.posterior).__name__} and {type(self.prior).__name__}"
            raise ValueError(f"the KL of each class must have a closed form, which {pair} have not")

    @classmethod
    def mlp(
        cls,
        n_features: int,
        n_classes: int,
        latent_dim: int = 20,
        hidden: Sequence[int] = (400,),
        activation: str | None = "relu",
        likelihood: str | Likelihood = "bernoulli",
        alpha: float = 1.0,
        seed: int = 0,
        posterior: Posterior | None = None,
        learned_classes: bool = False,
    ) -> Self:
        """One of dense layers, as VAE.mlp makes it; the classifier has the encoder's hidden sizes. learned_classes:
        True learns p(y). Raises ValueError for another word or sizes below 1."""
        classes = Classes(n_classes, learned_classes)
        parts = mlp_parts(n_features, latent_dim, hidden, activation, likelihood, (), posterior, n_classes)
        classifier = encoder_mlp([n_features, *hidden, n_classes], activation, parts[-1])
        return cls(*parts, classifier, alpha, classes, None, posterior, seed)

    @property
    def n_classes(self):
        """C."""
        return self.classifier.n_out

    @property
    def draws(self):
        """See Model: one in each class."""
        return self.n_classes

    def forward(self, batch, noise, k=1, memory=FRESH, evaluate=False):
        """terms, cache: expectations over the classes of log p(x|y, z) and of the KL, nats; see Model. Sample s of
        class c is sample c k + s of its row."""
        (B, C), dtype = (len(batch.x), self.n_classes), self.parameters.dtype
        of_classes, vae_cache = super().forward(batch, noise, C * k, memory, evaluate)
        kl_of_classes = of_classes.kl.reshape(B, C)

        layer_noise = None if evaluate else noise.at(batch.rows)
        logits, classifier_cache = self.classifier.forward(batch.x, layer_noise, memory)
        log_p, prior_cache = self.classes.log_probabilities(dtype, memory)
        log_q, share = memory.take((B, C), dtype), memory.take((B, C), dtype)
        log_px, kl, extra = memory.take((B, k), dtype), memory.take((B, 1), dtype), memory.take((B,), dtype)
        kl_of_y = memory.take((B,), dtype)
        label = _labels(batch)
        _kernels.log_softmax(logits, out=log_q)
        _kernels.class_shares(log_q, log_p, label, self.alpha, share, kl_of_y, extra)
        _kernels.class_mean(of_classes.log_px, share, out=log_px)
        _kernels.class_mean(kl_of_classes, share, out=kl)
        _kernels.add(kl, kl_of_y.reshape(B, 1), out=kl)
        return Terms(log_px=log_px, kl=kl.reshape(B), extra=extra), ClassesCache(
            vae_cache,
            classifier_cache,
            prior_cache,
            of_classes.log_px,
            kl_of_classes,
            log_q,
            log_p,
            share,
            label,
            memory,
        )

    def backward(self, cache, dterms):
        """Add to ``parameters.grads``; see Model."""
        (B, C), k, memory = cache.share.shape, cache.log_px.shape[1] // cache.share.shape[1], cache.memory
        dlog_px, dkl = _or_zeros(dterms.log_px, (B, k), cache), _or_zeros(dterms.kl, (B,), cache)
        dextra = _or_zeros(dterms.extra, (B,), cache)

        # Two paths lead back from the expectations: the terms of every class, and the shares.
        dlog_px_of_classes, dkl_of_classes = (memory.take(a.shape, a.dtype) for a in (cache.log_px, cache.kl))
        dshare = _or_zeros(None, (B, C), cache)
        _kernels.class_mean_backward(dlog_px, cache.log_px, cache.share, dlog_px_of_classes, dshare)
        _kernels.class_mean_backward(dkl.reshape(B, 1), cache.kl, cache.share, dkl_of_classes, dshare)

        dlog_q, dlog_p, dlogits = (memory.take((B, C), dshare.dtype) for _ in range(3))
        _kernels.class_shares_backward(
            dshare, dkl, dextra, cache.log_q, cache.log_p, cache.label, self.alpha, cache.share, dlog_q, dlog_p
        )
        _kernels.log_softmax_backward(dlog_q, cache.log_q, dx=dlogits)
        self.classifier.backward(dlogits, cache.classifier, need_dx=False)
        self.classes.log_probabilities_backward(dlog_p, cache.prior)
        super().backward(cache.of_classes, Terms(log_px=dlog_px_of_classes, kl=dkl_of_classes.reshape(-1)))

    def given(self, batch, memory=FRESH):
        """The class of each row, where it is given as a condition (B, C); else every class of each, or C times its
        label, (B C, C)."""
        if batch.condition is not None:
            return batch.condition
        B, C = len(batch.x), self.n_classes
        columns = memory.take((B * C, C), batch.x.dtype)
        _kernels.class_columns(_labels(batch), out=columns)
        return columns

    def source(self, X, name="X", training=False):
        """See Model: the rows of X (N, D). Raises ValueError where a label (N,) is no class, or rows have a
        condition."""
        source = super().source(X, name, training)
        if source.condition is not None:
            raise ValueError(f"{source.name} has a condition, of which this model knows nothing: give labels alone")
        if source.label is not None:
            check_labels(source.label, self.n_classes, source.name)
        return source

    def check_objective(self, objective, n_rows):
        """See Model. Raises ValueError for an objective of single samples or dimensions of z, such as importance
        weights: the terms of a row are expectations over its classes."""
        if objective.of_samples:
            raise ValueError(
                f"{type(objective).__name__} looks at samples of z, of which these are sums over the classes"
            )
        super().check_objective(objective, n_rows)

    def classify(self, X: ArrayLike | DataSource) -> np.ndarray:
        """q(y|x), the probability of each class, (N, C) float64, for the rows of X (N, D), whatever their labels.
        Raises what ``elbo`` raises."""
        source = self._checked(X)
        shares = np.empty((len(source), self.n_classes))
        for rows, batch, memory in self.chunks(source, 1, Noise(0)):
            logits = self.classifier.forward(batch.x, None, memory)[0].astype(np.float64)
            _kernels.softmax(logits, shares[rows], np.empty(len(logits)))
        self._refuse_overflow("q(y|x)", np.isnan(shares), source)
        return shares

    def moments(self, batch, memory=FRESH):
        """Of q(z|x) = sum_c r_c q(z|x, c), in double: mu = sum_c r_c mu_c, and E[z^2] - mu^2 with E[z^2] = sum_c r_c
        (sigma_c^2 + mu_c^2); r is q(y|x), or 1 for the label. See Model."""
        B, Z = len(batch.x), self.latent_dim
        mu_c, logvar_c = (of_classes.astype(np.float64) for of_classes in super().moments(batch, memory))
        variance_c, share = np.empty_like(logvar_c), self._shares(batch, memory)
        _kernels.exponential(logvar_c, out=variance_c)
        mu, variance, of_mu = np.empty((3, B, Z))
        _kernels.class_mean(mu_c.reshape(B, -1), share, out=mu)
        _kernels.class_mean(variance_c.reshape(B, -1), share, out=variance)
        away = mu_c.reshape(B, self.n_classes, Z) - mu[:, None]  # of which the squares have no digits to lose
        _kernels.class_mean((away**2).reshape(B, -1), share, out=of_mu)
        return mu, log_of_variance(variance + of_mu)

    def log_weights(self, batch, noise, k, memory=FRESH):
        """log w (B, k), w_s = sum_c p(c) w_cs of k samples in each class, or p(y) w_ys of a labelled row, whose mean
        estimates p(x, y) then. See Model."""
        C = self.n_classes
        of_classes, _ = super().forward(batch, noise, C * k, memory, evaluate=True)
        log_p = self.classes.log_probabilities(self.parameters.dtype)[0].astype(np.float64)
        log_w = log_weights(of_classes).reshape(-1, C, k) + log_p.reshape(1, C, 1)
        if batch.label is not None:
            other = (batch.label[:, None] != np.arange(C)) & (batch.label[:, None] != UNKNOWN)
            log_w[other] = -np.inf
        log_w = np.ascontiguousarray(log_w.transpose(0, 2, 1)).reshape(-1, C)  # (B k, C)
        log_sum = np.empty(len(log_w))
        _kernels.softmax(log_w, np.empty_like(log_w), log_sum)
        return log_sum.reshape(-1, k)

    def numbers_per_sample(self):
        return self.n_classes * super().numbers_per_sample()

    def draw_latent(self, batch, noise, memory=FRESH):
        """z ~ q(z|x, y) with y ~ q(y|x), or the label of the row, (B, Z); see Model."""
        C = self.n_classes
        z = super().forward(batch, noise, C, memory, evaluate=True)[0].z.reshape(-1, C, self.latent_dim)
        place = noise.uniform("class", (len(z), 1), batch.rows, np.float64)
        y = (place > np.cumsum(self._shares(batch, memory), axis=1)).sum(axis=1)
        return z[np.arange(len(z)), np.minimum(y, C - 1)]

    def reconstruct(self, X: ArrayLike | DataSource, target: ArrayLike | None = None) -> np.ndarray:
        """E[x|y, z] (N, D) at z = the mean of q(z|x) over the classes, with the label ``target`` of all rows or of
        each, (N,); None: the likeliest class. See Model."""
        return self.decode(self.encode(X)[0], self.classify(X).argmax(axis=1) if target is None else target)

    def decode(self, Z: ArrayLike | DataSource, label: ArrayLike | None = None) -> np.ndarray:
        """E[x|y, z] (N, D) for the rows of Z (N, latent_dim) and the label of each, (N,), or of all; see Model."""
        return super().decode(Z, self._one_hot(label))

    def draw(self, Z: ArrayLike | DataSource, seed: int = 0, label: ArrayLike | None = None) -> np.ndarray:
        """x ~ p(x|y, z), a row for each row of Z (N, latent_dim) and the label of each, (N,), or of all; see Model."""
        return super().draw(Z, seed, self._one_hot(label))

    def sample(
        self, n: int, seed: int = 0, mean: bool = True, latent: Any = None, *, label: ArrayLike | None = None
    ) -> np.ndarray:
        """New rows (n, D) of the class ``label``, or each of its own (n,); None: y ~ p(y). See Model."""
        label = self.sample_labels(n, seed) if label is None else label
        return super().sample(n, seed, mean, latent, condition=label)

    def sample_labels(self, n: int, seed: int = 0) -> np.ndarray:
        """y ~ p(y), (n,) int64: those of the rows that ``sample`` makes. Raises what ``sample`` raises."""
        p = np.exp(self.classes.log_probabilities(self.parameters.dtype)[0][0].astype(np.float64))
        place = Noise(seed).uniform("class", (check_count("n", n, 1, ROWS), 1), np.arange(n), np.float64)[:, 0]
        return np.minimum(np.searchsorted(np.cumsum(p), place), self.n_classes - 1)

    def _one_hot(self, label):
        """The condition for a label, (C,), or for labels (N,), (N, C); None without any."""
        if label is None:
            return None
        columns = one_hot(np.atleast_1d(label), self.n_classes)
        return columns[0] if np.ndim(label) == 0 else columns

    def _shares(self, batch, memory):
        """q(y|x) or, of a labelled row, 1 for its label: (B, C) float64."""
        logits = self.classifier.forward(batch.x, None, memory)[0].astype(np.float64)
        log_q, share, (kl, extra) = np.empty_like(logits), np.empty_like(logits), np.empty((2, len(logits)))
        _kernels.log_softmax(logits, out=log_q)
        _kernels.class_shares(log_q, np.zeros((1, self.n_classes)), _labels(batch), 0.0, share, kl, extra)
        return share

    def children(self):
        return super().children() | {"classifier": self.classifier, "classes": self.classes}

    def config(self):
        return super().config() | {"alpha": self.alpha}


def _labels(batch):
    """The label of each row of a batch, (B,)."""
    return np.full(len(batch.x), UNKNOWN) if batch.label is None else batch.label


def _or_zeros(values, shape, cache):
    """The derivatives; where none are given, zeros."""
    if values is not None:
        return values
    zeros = cache.memory.take(shape, cache.share.dtype)
    _kernels.clear(zeros.reshape(-1))
    return zeros
