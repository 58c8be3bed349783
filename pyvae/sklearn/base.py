"""What the estimators share: parameters and their checks, X as rows of a model, training."""

import math

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pyvae.arguments import check_count, check_number, either
from pyvae.data import SameNoise
from pyvae.layers import ACTIVATIONS
from pyvae.likelihoods import Likelihood
from pyvae.model import VAE
from pyvae.optim import Adam
from pyvae.sklearn.columns import ArrayColumns, TableColumns
from pyvae.training import train
from pyvae.words import LIKELIHOODS, likelihood_of_entries

SAMPLES = 100  # of z for each row, where rows are scored


class VAEEstimator(BaseEstimator):
    """The common part of the estimators. Their parameters have the names and meanings of scikit-learn's MLP:

    n_components: dimensions of z. hidden_layer_sizes: of the encoder, and in reverse of the decoder. activation: one of
    pyvae.layers.ACTIVATIONS. likelihood: "auto", a word of pyvae.words, or a Likelihood of X's columns, which are then
    taken as they are. kinds: of a DataFrame's columns, {name: kind}, where their types are not to decide
    (pyvae.tables). beta: weight of the KL. alpha: weight decay (AdamW's). batch_size: "auto" is min(200, rows).
    learning_rate_init: of Adam. max_iter: epochs; more, where there would be fewer than min_updates steps.
    early_stopping: put aside validation_fraction of the rows, and keep the epoch that is best on them.
    n_iter_no_change, tol: training ends when the loss, in nats per row, of training or else of validation, has not
    fallen by tol for so many epochs. warm_start: fit goes on from the last one's weights. verbose: show progress.
    random_state: of all random numbers."""

    def __init__(
        self, n_components=8, *, hidden_layer_sizes=(100,), activation="relu", likelihood="auto", kinds=None, beta=1.0,
        alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=200, min_updates=2000, early_stopping=False,
        validation_fraction=0.1, n_iter_no_change=10, tol=1e-4, warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.kinds = kinds
        self.beta = beta
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.min_updates = min_updates
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    def _check_parameters(self):
        """Raise ValueError where a parameter is out of range."""
        check_count("n_components", self.n_components, 1)
        sizes = [self.hidden_layer_sizes] if np.ndim(self.hidden_layer_sizes) == 0 else self.hidden_layer_sizes
        self._hidden = [check_count("hidden_layer_sizes", size, 1) for size in sizes]
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be {either(ACTIVATIONS)}, not {self.activation!r}")
        if not isinstance(self.likelihood, Likelihood) and self.likelihood not in ("auto", *LIKELIHOODS):
            raise ValueError(f"likelihood must be {either(['auto', *LIKELIHOODS])} or a Likelihood")
        check_number("beta", self.beta, 0, low_included=True)
        check_number("alpha", self.alpha, 0, low_included=True)
        if self.batch_size != "auto":
            check_count("batch_size", self.batch_size, 1)
        check_number("learning_rate_init", self.learning_rate_init, 0)
        for name in ("max_iter", "n_iter_no_change"):
            check_count(name, getattr(self, name), 1)
        check_count("min_updates", self.min_updates, 0)
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        check_number("tol", self.tol, 0, low_included=True)

    # --- X ----------------------------------------------------------------------------------------------------------

    def _validated(self, X, reset):
        """X as an array with NaN where entries are missing, a CSR matrix, or a DataFrame of several kinds of
        columns."""
        is_frame = hasattr(X, "iloc") and hasattr(X, "columns")
        if is_frame and (self._is_table(X) if reset else isinstance(self.columns_, TableColumns)):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if reset and len(X) < 2:
                raise ValueError(f"X has n_samples = {len(X)}, but at least 2 are required")
            return X
        accept_sparse = "csr" if self.__sklearn_tags__().input_tags.sparse else False
        dtypes = [np.float64, np.float32]
        if hasattr(X, "tocsr") and X.dtype.kind in "iu":
            dtypes.append(X.dtype)  # counts are used in place: a minibatch at a time becomes float32
        return validate_data(
            self, X, reset=reset, accept_sparse=accept_sparse, dtype=dtypes,
            ensure_all_finite="allow-nan", ensure_min_samples=2 if reset else 1,
        )  # fmt: skip

    def _is_table(self, frame):
        return self.likelihood == "auto" and not all(dtype.kind == "f" for dtype in frame.dtypes)

    def _make_columns(self, X, weight):
        if hasattr(X, "iloc"):
            return TableColumns(X, self.kinds)
        likelihood = self.likelihood
        if isinstance(likelihood, str) and likelihood == "auto":
            likelihood = likelihood_of_entries(X) if hasattr(X, "tocsr") else "gaussian"
        return ArrayColumns(X, likelihood, weight)

    def _rows(self, X):
        """X, validated to be like what was fitted."""
        check_is_fitted(self)
        return self._validated(X, reset=False)

    # --- Training ---------------------------------------------------------------------------------------------------

    def _fit(self, X, sample_weight=None, targets=None):
        """Train on rows that were validated, and targets (N, T) beside them. Sets what ``fit`` leaves behind."""
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            kept = sample_weight > 0
            if not kept.any():
                raise ValueError("sample_weight must not be 0 for every row")
            if not kept.all():
                X, sample_weight = (X.iloc if hasattr(X, "iloc") else X)[kept], sample_weight[kept]
                targets = None if targets is None else targets[kept]
        seed = self._seed = self._draw_seed()
        self._optimizer = None  # of partial_fit
        if not (self.warm_start and hasattr(self, "model_")):
            self.columns_ = self._make_columns(X, sample_weight)
            self.model_ = self._make_model(self.columns_, seed)
        source = self.columns_.source(X, sample_weight, targets)
        steps = math.ceil(len(source) / self._batch_size(len(source)))
        history = self._train(source, max(self.max_iter, math.ceil(self.min_updates / steps)), seed)
        self.n_iter_ = len(history)
        self.loss_curve_ = history["train_loss"]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        self.validation_scores_ = [-loss for loss in history["val_loss"]] if self.early_stopping else None
        self._n_features_out = self.n_components
        return self

    def _draw_seed(self):
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _make_model(self, columns, seed):
        """A VAE for the columns."""
        return VAE.mlp(
            columns.n_features, self.n_components, self._hidden, self.activation, columns.likelihood(), seed=seed
        )

    def _batch_size(self, n_rows):
        return min(200, n_rows) if self.batch_size == "auto" else self.batch_size

    def _train(self, source, epochs, seed, **options):
        batch_size = self._batch_size(len(source))
        least = math.ceil(self.min_updates / math.ceil(len(source) / batch_size))
        column = "val_loss" if self.early_stopping else "train_loss"
        return train(
            self.model_, source, epochs=epochs, batch_size=batch_size, learning_rate=self.learning_rate_init,
            beta=self.beta, weight_decay=self.alpha, seed=seed, progress=bool(self.verbose),
            validation_fraction=self.validation_fraction if self.early_stopping else 0.0,
            callbacks=[Plateau(column, self.n_iter_no_change, self.tol, least)],
            **options,
        )  # fmt: skip

    def _partial_fit(self, X, sample_weight=None):
        """One pass over rows that were validated, with Adam's moments going on from call to call."""
        if not hasattr(self, "model_"):
            self._seed = self._draw_seed()
            self.columns_ = self._make_columns(X, sample_weight)
            self.model_ = self._make_model(self.columns_, self._seed)
            self.n_iter_, self.loss_curve_, self.validation_scores_ = 0, [], None
            self._n_features_out = self.n_components
        if getattr(self, "_optimizer", None) is None:
            self._optimizer = Adam(self.model_.parameters, weight_decay=self.alpha)
        source = self.columns_.source(X, sample_weight)
        history = train(
            self.model_, source, epochs=1, batch_size=self._batch_size(len(source)), beta=self.beta,
            learning_rate=self.learning_rate_init, seed=self._seed + self.n_iter_, progress=bool(self.verbose),
            optimizer=self._optimizer,
        )  # fmt: skip
        self.n_iter_ += len(history)
        self.loss_curve_ = self.loss_curve_ + history["train_loss"]
        self.loss_ = self.loss_curve_[-1]
        return self

    # --- Scores -----------------------------------------------------------------------------------------------------

    def _log_scale(self, source):
        """What a row's log p(x) of the model's numbers is to be lessened by, so that it is that of X as given."""
        log_scale = self.columns_.log_scale()
        if not getattr(source, "missing", False) or not log_scale.any():
            return log_scale.sum()
        return (~np.isnan(source.X)) @ log_scale

    def _alike(self, X):
        """Rows that were validated, all with the same noise, so that no score depends on a row's neighbours; and what
        their log p(x) is to be lessened by."""
        source = self.columns_.source(X)
        return SameNoise(source), self._log_scale(source)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags


class Plateau:
    """A callback that ends training when a loss has not fallen by tol for so many epochs, after a least number."""

    def __init__(self, column, patience, tol, least):
        self.column, self.patience, self.tol, self.least = column, patience, tol, least
        self.lowest, self.since = math.inf, 0

    def __call__(self, history):
        loss = history[self.column][-1]
        self.since = 0 if loss < self.lowest - self.tol else self.since + 1
        self.lowest = min(self.lowest, loss)
        return len(history) >= self.least and self.since >= self.patience
