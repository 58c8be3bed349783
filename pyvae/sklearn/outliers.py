"""VAEOutlierDetector: rows that a model of the others finds improbable, and which of their features make them so."""

import numpy as np
from sklearn.base import OutlierMixin

from pyvae.arguments import check_number
from pyvae.models.expectations import surprise
from pyvae.sklearn.base import SAMPLES, VAEEstimator, spread

MOST_ROWS = 10_000  # fitted rows that set the threshold of predict


class VAEOutlierDetector(OutlierMixin, VAEEstimator):
    """Outliers and novelties as the rows with the lowest log p(x), estimated by importance sampling.

    contamination: the share of the fitted rows that ``predict`` calls outliers. The other parameters are those of
    VAEEstimator (pyvae/sklearn/base.py), with a wider hidden layer and more steps as the default.

    Training draws the place of rounded numbers in their grid step at random (pyvae.data.Dequantized). Otherwise a
    column of few different values, such as whole numbers, might count for more than all others.

    Attributes: those of VAETransformer, and ``offset_``, the least log-likelihood (nats) that ``predict`` calls normal:
    a quantile over the fitted rows, or over 10,000 of them, evenly spread.

    Source: Burda et al. 2016, eq. 8, for the score.
    """

    _dequantize = True

    def __init__(
        self, n_components=8, *, contamination=0.1, hidden_layer_sizes=(300,), activation="relu", likelihood="auto",
        kinds=None, beta=1.0, alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=100, min_updates=4000,
        early_stopping=False, validation_fraction=0.1, n_iter_no_change=10, tol=1e-4, warm_start=False, verbose=False,
        random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def fit(self, X, y=None, sample_weight=None):
        """Train on the rows of X (N, D), with weights sample_weight (N,). Raises TypeError or ValueError, naming the
        column, where they cannot be used, and ValueError where contamination is not above 0 and at most 0.5."""
        self._check_parameters()
        if check_number("contamination", self.contamination, 0) > 0.5:
            raise ValueError(f"contamination must be at most 0.5, not {self.contamination}")
        X = self._validated(X, reset=not self._goes_on())
        X, sample_weight, _ = self._weighed(X, sample_weight)
        self._fit(X, sample_weight)
        log_likelihood = self._log_likelihood(spread(X, MOST_ROWS))
        self.offset_ = float(np.percentile(log_likelihood, 100 * self.contamination))
        return self

    def score_samples(self, X):
        """log p(x) of each row of X, (N,), nats, by importance sampling: the lower, the odder. Raises what ``fit``
        raises."""
        return self._log_likelihood(self._rows(X))

    def decision_function(self, X):
        """``score_samples`` less ``offset_``, (N,), nats: below 0 for the rows that ``predict`` calls outliers. Raises
        what ``fit`` raises."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """1 for the normal rows of X (N, D), -1 for outliers: (N,). Raises what ``fit`` raises."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def contributions(self, X):
        """The share of each feature in the oddness of each row: -E[log p(x_j|z) | x], (N, number of features), nats, of
        X as it is given; a DataFrame if X is one. Compare a feature with its median over normal rows: a value far above
        it is odd. Missing entries contribute 0. Raises what ``fit`` raises."""
        known, places = self._rows(X), self.columns_.places
        surprises = surprise(self.model_, self._alike(known)[0], places, SAMPLES)
        log_scale = np.array([self.columns_.log_scale()[place].sum() for place in places])
        surprises += log_scale if hasattr(X, "tocsr") else np.where(self.columns_.known(known), log_scale, 0)
        if hasattr(X, "columns"):
            import pandas as pd

            return pd.DataFrame(surprises, columns=X.columns, index=X.index)
        return surprises

    def _log_likelihood(self, X):
        alike, log_scale = self._alike(X)
        return self.model_.log_likelihood(alike, SAMPLES) - log_scale
