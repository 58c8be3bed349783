"""VAERegressor, and what VAEClassifier (classifier.py) shares with it: y is predicted from x by the joint model of
models/joint.py.

The other way round, rows are made for a wanted y: among samples from the density of z over the fitted rows, one is
drawn with probability proportional to p(y|z), and decoded.
"""

import math
from functools import partial

import numpy as np
from scipy.stats import norm
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from pyvae.arguments import check_number
from pyvae.data.scaling import scale_of, scaled
from pyvae.data.sources import chunks_of
from pyvae.data.wrapped import partly_labelled
from pyvae.models.joint import (
    decode_targets,
    expected_number,
    joint_likelihood,
    joint_parts,
    normals,
    of_number,
    predicted,
)  # fmt: skip
from pyvae.models.vae import VAE
from pyvae.noise import Noise
from pyvae.sklearn.base import VAEEstimator, draw_seed

LATENT_SAMPLES = 4096  # samples of z, among which one is drawn for a wanted y
CACHED = 16  # times smaller chunks of their weights stay in a processor's cache
BISECTIONS = 50  # for a quantile


class JointEstimator(VAEEstimator):
    """The common part of the two. Their parameters are those of VAEEstimator, with early_stopping on a quarter of the
    rows as the default (a tenth of few rows is too noisy to choose by), and

    target_weight: how many times log p(y|z) counts in the loss. 1 gives the ELBO on log p(x, y).
    """

    def __init__(
        self, n_components=8, *, target_weight=30.0, hidden_layer_sizes=(100,), activation="relu", likelihood="auto",
        kinds=None, beta=1.0, alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=200, min_updates=2000,
        early_stopping=True, validation_fraction=0.25, n_iter_no_change=10, tol=1e-4, warm_start=False, verbose=False,
        random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def _fit_joint(self, X, y, sample_weight):
        """Train on X and on y as ``_encode_targets`` encodes it, by what ``_learn_targets`` finds in the first
        rows."""
        self._check_parameters()
        check_number("target_weight", self.target_weight, 0)
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        goes_on = self._goes_on()
        X = self._validated(X, reset=not goes_on)
        y = self._check_targets(y)
        if len(y) != X.shape[0]:
            raise ValueError(f"y must have one value for each of the {X.shape[0]} rows of X, not {len(y)} in all")
        X, sample_weight, y = self._weighed(X, sample_weight, y)
        X, sample_weight, y = self._weighed(X, self._with_class_weight(y, sample_weight), y)  # a class may weigh 0
        known = self._known(y)
        if not known.any():
            raise ValueError("sample_weight leaves no row whose y is known")
        if not goes_on:
            self._learn_targets(y[known], None if sample_weight is None else sample_weight[known])
        targets = self._encode_targets(y[known])
        self._some_target = targets[0].copy()
        if not known.all():
            encoded, targets = targets, np.full((len(y), targets.shape[1]), np.nan)
            targets[known] = encoded
        self._fit(X, sample_weight, targets, self._strata(y))
        self.latent_mixture_ = self.model_.aggregate_posterior(self._source(X))
        return self

    def _known(self, y):
        """Booleans (N,): True where the target of a row is known."""
        return np.ones(len(y), bool)

    def _with_class_weight(self, y, sample_weight):
        """The weights of the rows (N,) or None, times those of their classes."""
        return sample_weight

    def _strata(self, y):
        """The stratum of each row, by which rows are held out; None without any."""
        return None

    def _encode(self, X):
        """mu and logvar of q(z|x) for rows that were validated, (N, n_components) each."""
        return self.model_.encode(self._source(X))

    def _source(self, X):
        """A DataSource for the encoder, which sees x alone: any target will do."""
        return self.columns_.source(X, None, np.broadcast_to(self._some_target, (X.shape[0], len(self._some_target))))

    def _training_source(self, X, sample_weight=None, targets=None):
        """targets (N, T): with NaN where they are not known."""
        return partly_labelled(partial(super()._training_source, X, sample_weight), targets)

    def _make_model(self, columns, seed):
        likelihood = joint_likelihood(columns.likelihood(), self._target_likelihood(), self.target_weight)
        sizes = self.n_components, self._hidden, self.activation
        return VAE(*joint_parts(likelihood, *sizes, columns.first_layers()), seed=seed)

    def _log_py(self, targets, outputs):
        """log p(y|z) of each of the encoded targets (n, T) at each of the decoder's outputs for y (S, n_outputs),
        (n, S) float32, nats, less a constant."""
        raise NotImplementedError

    def _sample_given(self, targets, random_state):
        """One row x for each of the encoded targets (n, T)."""
        seed = draw_seed(random_state)
        z = self.latent_mixture_.sample(LATENT_SAMPLES, self.n_components, Noise(seed))
        outputs = decode_targets(self.model_, z)
        uniform = Noise(seed).uniform("x", (len(targets), 1), np.arange(len(targets)), np.float64)[:, 0]
        chosen = np.empty(len(targets), int)
        wanted, which = np.unique(targets.astype(np.float32), axis=0, return_inverse=True)
        order, firsts = np.argsort(which.ravel(), kind="stable"), np.cumsum([0, *np.bincount(which.ravel())])
        for some in chunks_of(len(wanted), CACHED * LATENT_SAMPLES):
            log_py = self._log_py(wanted[some], outputs)
            log_py -= log_py.max(axis=1, keepdims=True)
            rows = order[firsts[some[0]] : firsts[some[-1] + 1]]
            chosen[rows] = drawn(np.exp(log_py, out=log_py), which.ravel()[rows] - some[0], uniform[rows])
        outputs, _ = self.model_.decoder.forward(np.ascontiguousarray(z[chosen]))
        x = self.model_.likelihood.draw(outputs, Noise(seed, step=1))[:, : self.columns_.n_features]
        return self.columns_.decode(x)


class VAERegressor(RegressorMixin, JointEstimator):
    """Regression with uncertainty: y given z is normal, its mean and standard deviation both functions of z.

    The parameters are those of JointEstimator. Attributes: those of VAETransformer.
    """

    def fit(self, X, y, sample_weight=None):
        """Train on the rows of X (N, D) and the numbers y (N,), with weights sample_weight (N,). Raises TypeError or
        ValueError, naming the column, where they cannot be used."""
        return self._fit_joint(X, y, sample_weight)

    def predict(self, X, return_std=False):
        """E[y|x] of the rows of X (N, D): (N,); with return_std also its standard deviation, (N,), both in y's units.
        Raises what ``fit`` raises."""
        source = self._source(self._rows(X))
        expected, std = expected_number(self.model_, source, self._y_mean, self._y_scale)
        return (expected, std) if return_std else expected

    def predict_quantiles(self, X, quantiles=(0.05, 0.5, 0.95)):
        """The quantiles of p(y|x) for each row of X (N, D): (N, number of quantiles), in y's units; (N,) for a single
        number. Raises ValueError for quantiles not between 0 and 1, and what ``fit`` raises."""
        given = [quantiles] if np.ndim(quantiles) == 0 else quantiles
        levels = np.array([check_number("quantiles", q, 0, 1) for q in given])

        def statistic(outputs):
            return mixture_quantiles(*normals(self.model_, outputs, self._y_mean, self._y_scale), levels)

        found = predicted(self.model_, self._source(self._rows(X)), statistic)
        return found[:, 0] if np.ndim(quantiles) == 0 else found

    def sample(self, y, random_state=None):
        """A new row x ~ p(x|y) for each of the numbers y (n,): an array (n, D), or a DataFrame like the one that was
        fitted. Raises ValueError unless y are finite numbers."""
        check_is_fitted(self)
        return self._sample_given(self._encode_targets(self._check_targets(y)), random_state)

    def _log_py(self, targets, outputs):
        mean, std = normals(self.model_, outputs)
        away = targets - mean
        away *= np.sqrt(0.5, dtype=np.float32) / std
        away *= away
        return np.subtract(-np.log(std), away, out=away)

    def _check_targets(self, y):
        y = column_or_1d(y, warn=True)
        try:
            y = np.where(missing(y), np.nan, y).astype(float)
        except (TypeError, ValueError):
            raise ValueError("y must hold real numbers alone") from None
        assert_all_finite(y, input_name="y")
        return y

    def _learn_targets(self, y, weight):
        self._y_mean = np.average(y, weights=weight)
        std = np.sqrt(np.average((y - self._y_mean) ** 2, weights=weight))
        self._y_scale = float(scale_of(std, self._y_mean))

    def _encode_targets(self, y):
        return scaled(y, self._y_mean, self._y_scale)[:, None]

    def _target_likelihood(self):
        return of_number()


def drawn(weight, which, place):
    """The number of a sample for each of n rows, drawn with probability proportional to weight[which] (S,), S a square:
    the first at which the running sum reaches the share place (n,) of the whole. It is looked for among sqrt(S) sums of
    as many weights, and then among the weights of one of these. weight: (T, S); which: (n,) numbers below T."""
    root = math.isqrt(weight.shape[1])
    weight = weight.reshape(len(weight), root, root)
    reached = np.cumsum(weight.sum(axis=2), axis=1, dtype=np.float64)[which]  # (n, sqrt(S))
    place = place * reached[:, -1]
    block = np.minimum((reached < place[:, None]).sum(axis=1), root - 1)
    inside = weight[which, block].astype(np.float64)
    inside[:, 0] += reached[np.arange(len(place)), block] - inside.sum(axis=1)  # all that is before it
    first = (np.cumsum(inside, axis=1) < place[:, None]).sum(axis=1)
    return block * root + np.minimum(first, root - 1)


def mixture_quantiles(mean, std, levels):
    """Quantiles (n, number of levels) of n mixtures of S normal distributions with equal shares, mean and std (n, S),
    by bisection of the distribution function."""
    mean, std = mean[:, :, None], std[:, :, None]
    reach = norm.isf(np.minimum(levels, 1 - levels).min()) if len(levels) else 0.0
    low, high = (mean - reach * std).min(axis=1), (mean + reach * std).max(axis=1)  # of all levels
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = norm.cdf((middle[:, None] - mean) / std).mean(axis=1) < levels
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def missing(y):
    """Booleans: True where a value of an array is None, NaN or pandas' NA."""
    import pandas as pd

    return pd.isna(y)
