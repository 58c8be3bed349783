"""VAETransformer: rows as points in a few dimensions, and back."""

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from pyvae.arguments import check_count
from pyvae.data.frames import as_pandas
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.models.expectations import expected
from pyvae.sklearn.base import SAMPLES, VAEEstimator, check_word, draw_seed
from pyvae.sklearn.given import sample_given


class VAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, VAEEstimator):
    """Dimension reduction with a variational autoencoder, for arrays, sparse matrices and DataFrames.

    x -> E[z|x], (N, D) -> (N, n_components). X may have NaN, which is left out of the likelihood; log-likelihoods are
    in nats, of X as it is given. The parameters are those of VAEEstimator (pyvae/sklearn/base.py).

    Attributes: ``model_`` (a pyvae.VAE), ``columns_``, ``loss_curve_`` (negative ELBO per row, nats, by epoch),
    ``loss_``, ``n_iter_``, ``validation_scores_`` (ELBO), ``n_features_in_``, ``feature_names_in_``,
    ``latent_mixture_`` (None after ``partial_fit``).

    Source: Kingma and Welling 2014.
    """

    def fit(self, X, y=None, sample_weight=None):
        """Train on the rows of X (N, D), with weights sample_weight (N,). Raises TypeError or ValueError, naming the
        column, where they cannot be used."""
        self._check_parameters()
        X = self._validated(X, reset=not self._goes_on())
        X, sample_weight, _ = self._weighed(X, sample_weight)
        self._fit(X, sample_weight)
        self.latent_mixture_ = self.model_.aggregate_posterior(self.columns_.source(X))
        return self

    def partial_fit(self, X, y=None, sample_weight=None):
        """Make one pass over the rows of X (N, D), the next ones of a stream. Scales and categories are those of the
        first call. Raises what ``fit`` raises."""
        self._check_parameters()
        X = self._validated(X, reset=not hasattr(self, "model_"))
        X, sample_weight, _ = self._weighed(X, sample_weight)
        self.latent_mixture_ = None  # these rows may be of one kind alone
        return self._partial_fit(X, sample_weight)

    def transform(self, X):
        """The posterior means of the rows of X: (N, n_components). Raises what ``fit`` raises."""
        known = self._rows(X)
        mu, _ = self.model_.encode(self.columns_.source(known))
        return mu.astype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)

    def inverse_transform(self, X):
        """E[x|z] of the rows of X (N, n_components): an array (N, D), or a DataFrame like the one that was fitted.
        Raises ValueError where X has another number of columns."""
        check_is_fitted(self)
        Z = check_array(X, dtype=(np.float64, np.float32))
        if Z.shape[1] != self.model_.latent_dim:
            raise ValueError(f"X must have {self.model_.latent_dim} columns, as transform makes, not {Z.shape[1]}")
        return self.columns_.decode(self.model_.decode(Z), Z.dtype)

    def sample(self, n_samples=1, random_state=None, latent="mixture", given=None):
        """New rows x ~ p(x|z): an array (n_samples, D), or a DataFrame like the one that was fitted. latent: "mixture"
        draws z where the fitted rows lie (latent/aggregate.py), "prior" from N(0, 1), as after ``partial_fit``.

        given: {column: value} makes rows that have these values, the other columns ~ p(x|z) at z ~ p(z|given), of
        weighted samples of that density (models/latents_given.py). Columns are called by name, those of an array by
        number. A warning says so where fitted rows were hardly ever like that. Raises ValueError for n_samples below 1,
        another word, or columns and values that were not fitted, and TypeError for a value of another type.
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples, 1)
        check_word("latent", latent, ["mixture", "prior"])
        density, seed = self.latent_mixture_ if latent == "mixture" else None, draw_seed(random_state)
        if given is not None:
            density = density or AggregatePosterior.standard_normal(self.n_components)
            return sample_given(self.model_, self.columns_, given, n_samples, density, seed)
        return self.columns_.decode(self.model_.sample(n_samples, seed, mean=False, latent=density))

    def impute(self, X):
        """X (N, D) with each missing entry replaced by its expectation given the rest of the row: the mean of a number,
        the likeliest category. Raises what ``fit`` raises."""
        if hasattr(X, "tocsr"):
            raise TypeError("X must be an array or a DataFrame: no entry of a sparse matrix is missing")
        X = as_pandas(X)
        known = self._rows(X)
        alike, _ = self._alike(known)
        return self.columns_.fill(X, known, expected(self.model_, alike, SAMPLES))

    def score_samples(self, X):
        """The evidence lower bound on log p(x) of each row of X, (N,), nats. Raises what ``fit`` raises."""
        alike, log_scale = self._alike(self._rows(X))
        return self.model_.elbo(alike, SAMPLES) - log_scale

    def score(self, X, y=None):
        """The mean of ``score_samples`` over the rows of X (N, D), nats. Raises what ``fit`` raises."""
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
