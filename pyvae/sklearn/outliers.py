"""VAEOutlierDetector: rows that a model of the others finds improbable, and which of their features make them so.

A model gives the rows that it was trained on higher scores than fresh rows of the same kind, much higher where rows are
few. A threshold that is a quantile over the trained rows would call most fresh rows outliers. So it is set on rows that
the model has not seen: with few rows by five models, each trained on four fifths of them and scoring the last fifth;
with many by one model, trained on nine tenths.
"""

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.metaestimators import available_if

from pyvae.arguments import check_number, shown
from pyvae.data.frames import as_pandas
from pyvae.data.wrapped import Rows
from pyvae.models.expectations import surprise
from pyvae.noise import Noise
from pyvae.sklearn.base import SAMPLES, VAEEstimator, draw_seed, evenly, take

FEW_ROWS, FOLDS = 2000, 5  # with fewer rows than these there are so many models
TENTH = 10  # the share of more rows that are not trained on
LEAST_ROWS = 2 * FOLDS  # with fewer than these the threshold is set on the trained rows
MOST_ROWS = 10_000  # that set the threshold


class VAEOutlierDetector(OutlierMixin, VAEEstimator):
    """Outliers and novelties as the rows with the lowest log p(x), estimated by importance sampling.

    contamination: the share of rows, of the same kind as the fitted ones, that ``predict`` calls outliers; "auto" calls
    those outliers whose score lies below q25 - 1.5 (q75 - q25) of the scores (Tukey's fence). novelty: True sets the
    threshold for fresh rows, by scores of rows that a model was not trained on, and has no ``fit_predict``; False sets
    it for the fitted rows themselves, of which ``predict`` then calls the share ``contamination`` outliers. The other
    parameters are those of VAEEstimator (pyvae/sklearn/base.py), with a wider hidden layer, tanh and more steps as the
    default: units that are bounded follow a row less far away from the fitted ones.

    Training draws the place of rounded numbers in their grid step at random (pyvae.data.Dequantized). Otherwise a
    column of few different values, such as whole numbers, might count for more than all others.

    Attributes: those of VAETransformer; ``models_``, with novelty and fewer than 2,000 rows five, each trained on other
    four fifths of the rows in half of min_updates, else one: scores are means over them, and ``model_``,
    ``loss_curve_`` and the like are the first one's; ``offset_``, the least log-likelihood (nats) that ``predict``
    calls normal, which may be set to any other; ``held_out_scores_``, the scores from which it comes (of 10,000 rows at
    most, evenly spread).

    Source: Burda et al. 2016, eq. 8, for the score.
    """

    _dequantize = True

    def __init__(
        self, n_components=8, *, contamination=0.1, novelty=True, hidden_layer_sizes=(300,), activation="tanh",
        likelihood="auto", kinds=None, beta=1.0, alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=100,
        min_updates=4000, early_stopping=False, validation_fraction=0.1, n_iter_no_change=10, tol=1e-4,
        warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Train on the rows of X (N, D), with weights sample_weight (N,). groups (N,): rows of one group, such as those
        of one patient, stay together, all trained on or all held out. Raises TypeError or ValueError, naming the
        column, where they cannot be used, and ValueError where contamination is neither "auto" nor above 0 and at most
        0.5, or where all rows are of one group."""
        self._check_parameters()
        goes_on = self._goes_on()
        X = self._validated(X, reset=not goes_on)
        if groups is not None and np.shape(groups) != (X.shape[0],):
            raise ValueError(f"groups must have one word or number for each of the {X.shape[0]} rows of X")
        X, weight, groups = self._weighed(X, sample_weight, None if groups is None else np.asarray(groups))
        self._seed = draw_seed(self.random_state)
        splits = self._splits(np.arange(X.shape[0]) if groups is None else np.unique(groups, return_inverse=True)[1])
        if not goes_on:
            self._begin(X, weight)
            self.models_ = [self.model_]
            self.models_ += [self._new_model(X, weight, self._seed + i) for i in range(1, len(splits))]
        if len(self.models_) != len(splits):
            raise ValueError(f"a warm_start needs rows for {len(self.models_)} models, but these are for {len(splits)}")
        source, scores = self._training_source(X, weight), []
        for i, (model, (trained, scored)) in enumerate(zip(self.models_, splits, strict=True)):
            self._train(model, Rows(source, trained), self._seed + i, self.min_updates // (2 if len(splits) > 1 else 1))
            scores.append(self._log_likelihood(take(X, scored), [model]))
        self.held_out_scores_ = np.concatenate(scores)
        self.offset_ = self._threshold(take(weight, np.concatenate([scored for _, scored in splits])))
        return self

    def _check_parameters(self):
        super()._check_parameters()
        if not isinstance(self.novelty, bool | np.bool):
            raise ValueError(f"novelty must be True or False, not {shown(repr(self.novelty))}")
        if isinstance(self.contamination, str):
            if self.contamination != "auto":
                raise ValueError(f"contamination must be a number or 'auto', not {shown(repr(self.contamination))}")
        elif check_number("contamination", self.contamination, 0) > 0.5:
            raise ValueError(f"contamination must be at most 0.5, not {self.contamination}")

    def _splits(self, groups):
        """For each model the numbers of the rows to train on, and of those by whose scores the threshold is set.
        groups (N,): a number 0, 1, ... for each row."""
        n, n_groups = len(groups), int(groups.max()) + 1
        if not self.novelty or n < LEAST_ROWS:
            return [(np.arange(n), evenly(n, MOST_ROWS))]
        if n_groups == 1:
            raise ValueError("groups must be two at least: with one, no row can be held out, unless novelty=False")
        folds = min(FOLDS, n_groups) if n < FEW_ROWS else TENTH
        fold = Noise(self._seed).permutation("split", n_groups, 0, n_groups)[groups] % folds
        splits = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(folds if n < FEW_ROWS else 1)]
        return [(trained, scored[evenly(len(scored), MOST_ROWS)]) for trained, scored in splits]

    def _threshold(self, weight):
        """The least score that is normal, by the held-out scores and the weights of their rows (n,) or None."""
        levels = [0.25, 0.75] if self.contamination == "auto" else [self.contamination]
        method = "linear" if weight is None else "inverted_cdf"  # the one that takes weights
        found = np.quantile(self.held_out_scores_, levels, weights=weight, method=method)
        return float(found[0] if len(found) == 1 else found[0] - 1.5 * (found[1] - found[0]))

    def score_samples(self, X):
        """log p(x) of each row of X, (N,), nats, by importance sampling: the lower, the odder; with several models
        their mean. Raises what ``fit`` raises."""
        return self._log_likelihood(self._rows(X))

    def decision_function(self, X):
        """``score_samples`` less ``offset_``, (N,), nats: below 0 for the rows that ``predict`` calls outliers. Raises
        what ``fit`` raises."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """1 for the normal rows of X (N, D), -1 for outliers: (N,). Raises what ``fit`` raises."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    @available_if(lambda self: not self.novelty)
    def fit_predict(self, X, y=None, **kwargs):
        """``fit`` and ``predict`` of the same rows X (N, D): (N,). Only with novelty=False, as the threshold is for
        fresh rows else."""
        return super().fit_predict(X, y, **kwargs)

    def contributions(self, X):
        """The share of each feature in the oddness of each row: -E[log p(x_j|z) | x], (N, number of features), nats, of
        X as it is given; a DataFrame if X is one. Compare a feature with its median over normal rows: a value far above
        it is odd. Missing entries contribute 0. Raises what ``fit`` raises."""
        X = as_pandas(X)
        known, places = self._rows(X), self.columns_.places
        alike, _ = self._alike(known)
        surprises = np.mean([surprise(model, alike, places, SAMPLES) for model in self.models_], axis=0)
        log_scale = self.columns_.log_scale()
        log_scale = np.array([log_scale[place].sum() for place in places])
        surprises += log_scale if hasattr(X, "tocsr") else np.where(self.columns_.known(known), log_scale, 0)
        if hasattr(X, "columns"):
            import pandas as pd

            return pd.DataFrame(surprises, columns=X.columns, index=X.index)
        return surprises

    def _log_likelihood(self, X, models=None):
        alike, log_scale = self._alike(X)
        return np.mean([model.log_likelihood(alike, SAMPLES) for model in models or self.models_], axis=0) - log_scale
