"""VAEClusterer: groups of rows that lie together in the latent space."""

import numpy as np
from scipy.special import softmax
from sklearn.base import ClusterMixin
from sklearn.mixture import GaussianMixture

from pyvae.arguments import check_count
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.latent.mixture import Mixture
from pyvae.models.build import mlp_parts
from pyvae.models.clusters import ClusterVAE
from pyvae.sklearn.base import VAEEstimator, check_word

PRE_TRAINED, PRE_TRAINING_BETA = 1 / 3, 0.1  # the share of the epochs before the clusters' start, and its share of beta


class VAEClusterer(ClusterMixin, VAEEstimator):
    """Clusters as the components of a Gaussian mixture in the latent space of a variational autoencoder.

    n_clusters: components of the mixture. prior: "normal" fits it to the posterior means of a model that was trained
    before; "mixture" makes it the prior, and trains it with the model (pyvae.ClusterVAE), after a third of the epochs
    with a small weight of the KL. The other parameters are those of VAEEstimator (pyvae/sklearn/base.py).

    Attributes: those of VAETransformer, of the training after the clusters' start; ``labels_`` (N,), the clusters of
    the fitted rows; ``mixture_``, scikit-learn's GaussianMixture, with prior="normal".
    """

    def __init__(
        self, n_clusters=8, *, prior="normal", n_components=8, hidden_layer_sizes=(100,), activation="relu",
        likelihood="auto", kinds=None, beta=1.0, alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=200,
        min_updates=2000, early_stopping=False, validation_fraction=0.1, n_iter_no_change=10, tol=1e-4,
        warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def fit(self, X, y=None, sample_weight=None):
        """Train on the rows of X (N, D), with weights sample_weight (N,), and find the clusters. Raises TypeError or
        ValueError, naming the column, where they cannot be used, or where there are fewer rows than clusters."""
        self._check_parameters()
        X = self._validated(X, reset=not self._goes_on())
        kept, sample_weight, _ = self._weighed(X, sample_weight)
        if kept.shape[0] < self.n_clusters:
            raise ValueError(f"n_samples = {kept.shape[0]} must be at least n_clusters = {self.n_clusters}")
        self._fit(kept, sample_weight)
        if not self._has_clusters():
            latent = self._latent(kept)
            self.mixture_ = GaussianMixture(self.n_clusters, n_init=5, random_state=self._seed).fit(latent)
        self.labels_ = self._shares(X).argmax(axis=1)
        return self

    def predict(self, X):
        """The likeliest cluster of each row of X (N, D): whole numbers (N,). Raises what ``fit`` raises."""
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        """The probability of each cluster for each row of X (N, D): (N, n_clusters). Raises what ``fit`` raises."""
        return self._shares(self._rows(X))

    def _check_parameters(self):
        super()._check_parameters()
        check_count("n_clusters", self.n_clusters, 1)
        check_word("prior", self.prior, ["normal", "mixture"])

    def _begin(self, X, sample_weight):
        super()._begin(X, sample_weight)
        self._of_the_model["prior"] = self.prior
        if self._has_clusters():
            self._of_the_model["n_clusters"] = self.n_clusters

    def _make_model(self, columns, seed):
        if self.prior == "normal":
            return super()._make_model(columns, seed)
        self._is_started = False
        sizes = columns.n_features, self.n_components, self._hidden
        parts = mlp_parts(*sizes, self.activation, columns.likelihood(), columns.first_layers())
        return ClusterVAE(*parts, Mixture(self.n_components, self.n_clusters), seed=seed)

    def _train(self, model, source, seed, min_updates):
        if self._has_clusters() and not self._is_started:
            super()._train(model, source, seed, min_updates, PRE_TRAINED, PRE_TRAINING_BETA)
            model.start_clusters(source, seed)
            self._is_started = True
            super()._train(model, source, seed, min_updates, 1 - PRE_TRAINED)
        else:
            super()._train(model, source, seed, min_updates)

    def _has_clusters(self):
        """True if the model has clusters of its own."""
        return isinstance(self.model_, ClusterVAE)

    def _shares(self, X):
        """The probability of each cluster for validated rows, (N, n_clusters)."""
        if self._has_clusters():
            return self.model_.cluster(self.columns_.source(X))
        return softmax(self._log_joint(X), axis=1)

    def _log_joint(self, X):
        """log pi_k + log N(z; m_k, S_k) of the posterior mean z of each row, (N, n_clusters), nats. GaussianMixture
        computes the same, but in products whose last bits change with the rows beside a row."""
        mixture = self.mixture_
        density = AggregatePosterior(mixture.weights_, mixture.means_, np.linalg.cholesky(mixture.covariances_))
        return density.log_joint(self._latent(X))

    def _latent(self, X):
        return self.model_.encode(self.columns_.source(X))[0].astype(float)  # GaussianMixture computes in double

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False  # else scikit-learn's checks expect the classes of a classifier
        return tags
