"""The common part of the estimators: parameters and their checks, X as rows of a model, training."""

import math
import warnings
from collections.abc import Mapping
from statistics import fmean

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pyvae.arguments import check_count, check_number, either, shown
from pyvae.data.columns import contents
from pyvae.data.frames import as_pandas
from pyvae.data.scaling import log_scale_of_rows
from pyvae.data.tables import refuse_equal_names
from pyvae.data.validation import filled
from pyvae.data.wrapped import Dequantized, SameNoise
from pyvae.layers.activations import ACTIVATIONS
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.words import LIKELIHOODS, likelihood_of_entries
from pyvae.models.build import mlp_parts
from pyvae.models.vae import VAE
from pyvae.sklearn.columns import ArrayColumns, TableColumns
from pyvae.training.adam import Adam
from pyvae.training.advice import COLLAPSED
from pyvae.training.loop import train

SAMPLES = 100  # of z for each row in a score
OF_THE_MODEL = ("n_components", "hidden_layer_sizes", "activation", "likelihood", "kinds")


class VAEEstimator(BaseEstimator):
    """The common part of the estimators. Their parameters have the names and meanings of scikit-learn's MLP:

    n_components: dimensions of z. hidden_layer_sizes: of the encoder, and in reverse of the decoder. activation: one of
    pyvae.layers.ACTIVATIONS. likelihood: "auto", a word of likelihoods/words.py, or a Likelihood of X's columns, which
    are then taken as they are. kinds: {name: kind} of columns of a DataFrame, in place of what their types say
    (pyvae.tables). beta: weight of the KL. alpha: weight decay (AdamW's). batch_size: "auto" is min(200, rows).
    learning_rate_init: of Adam. max_iter: epochs, or more if these would be fewer than min_updates steps.
    early_stopping: put aside validation_fraction of the rows, and keep the epoch that is best on them.
    n_iter_no_change, tol: training ends when the mean loss of so many epochs (with early_stopping the least validation
    loss), in nats per row, is not lower by tol than that of as many before. warm_start: fit continues from the weights
    of the last fit. verbose: show progress. random_state: of all random numbers."""

    _dequantize = False  # True: train on rounded numbers with their place in the grid step drawn

    def __init__(
        self, n_components=8, *, hidden_layer_sizes=(100,), activation="relu", likelihood="auto", kinds=None, beta=1.0,
        alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=200, min_updates=2000, early_stopping=False,
        validation_fraction=0.1, n_iter_no_change=10, tol=1e-4, warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def _keep(self, parameters):
        """Set the arguments of ``__init__``, its ``locals()``, each under its own name, as scikit-learn requires."""
        for name, value in parameters.items():
            if name != "self":
                setattr(self, name, value)

    def _check_parameters(self):
        """Raise ValueError where a parameter is out of range."""
        check_count("n_components", self.n_components, 1)
        sizes = [self.hidden_layer_sizes] if np.ndim(self.hidden_layer_sizes) == 0 else self.hidden_layer_sizes
        self._hidden = [check_count("hidden_layer_sizes", size, 1) for size in sizes]
        check_word("activation", self.activation, ACTIVATIONS)
        if not isinstance(self.likelihood, Likelihood):
            check_word("likelihood", self.likelihood, ["auto", *LIKELIHOODS, "a Likelihood"])
        if not isinstance(self.kinds, Mapping | None):
            raise ValueError(f"kinds must be a dict, {{name of a column: kind}}, not {shown(repr(self.kinds))}")
        check_number("beta", self.beta, 0, low_included=True)
        check_number("alpha", self.alpha, 0, low_included=True)
        if not isinstance(self.batch_size, str) or self.batch_size != "auto":
            check_count("batch_size", self.batch_size, 1)
        for name in ("early_stopping", "warm_start"):
            if not isinstance(getattr(self, name), bool | np.bool):
                raise ValueError(f"{name} must be True or False, not {shown(repr(getattr(self, name)))}")
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
        X = as_pandas(X)
        is_frame = hasattr(X, "iloc") and hasattr(X, "columns")
        is_table = (is_frame and self._is_table(X)) if reset else isinstance(self.columns_, TableColumns)
        if reset:
            self._frame = _without_rows(X) if is_frame else None
        if is_table and not reset:  # the table names a column that differs
            if not is_frame:
                raise TypeError(f"X must be a DataFrame like the one that was fitted, not of type {type(X).__name__}")
            if not len(X):
                raise ValueError("X has 0 rows, but at least 1 is required")
            return X
        if is_table:
            validate_data(self, X, reset=True, skip_check_array=True)
            if len(X) < 2:
                raise ValueError(f"X has n_samples = {len(X)}, but at least 2 are required")
            return X
        if is_frame:
            _check_numeric(X)
        X = filled(X) if isinstance(X, np.ma.MaskedArray) else X
        mapped = isinstance(X, np.memmap)  # stays on disk, in its own type
        accept_sparse = "csr" if self.__sklearn_tags__().input_tags.sparse else False
        dtypes = [np.float64, np.float32]
        if hasattr(X, "tocsr") and X.dtype.kind in "iu":
            dtypes.append(X.dtype)  # counts are used in place: each minibatch becomes float32
        X = validate_data(
            self, X, reset=reset, accept_sparse=accept_sparse, dtype="numeric" if mapped else dtypes,
            ensure_all_finite="allow-nan", ensure_min_samples=2 if reset else 1,
        )  # fmt: skip
        if hasattr(X, "tocsr") and X.dtype.kind == "f" and np.isnan(X.data).any():
            raise ValueError("X must not hold NaN where it is sparse: only arrays and DataFrames may miss entries")
        return X.view(np.memmap) if mapped else X

    def _is_table(self, frame):
        """True if each column of a DataFrame is to have a kind of its own."""
        is_auto = isinstance(self.likelihood, str) and self.likelihood == "auto"
        return is_auto and (bool(self.kinds) or not all(dtype.kind == "f" for dtype in frame.dtypes))

    def _make_columns(self, X, weight):
        if hasattr(X, "iloc"):
            return TableColumns(X, self.kinds, weight, self._dequantize)
        if self.kinds:
            raise ValueError("kinds are of the columns of a DataFrame, with likelihood='auto': drop them here")
        likelihood = self.likelihood
        if isinstance(likelihood, str) and likelihood == "auto":
            likelihood = likelihood_of_entries(X) if hasattr(X, "tocsr") else "gaussian"
        return ArrayColumns(X, likelihood, weight, self._frame, self._dequantize)

    def _rows(self, X):
        """X, checked to be like the X that was fitted."""
        check_is_fitted(self)
        return self._validated(X, reset=False)

    # --- Training ---------------------------------------------------------------------------------------------------

    def _goes_on(self):
        """True if fit continues from the weights of the last fit. Raises ValueError where its parameters make another
        model."""
        if not (self.warm_start and hasattr(self, "model_")):
            return False
        for name, last in self._of_the_model.items():
            if _in_words(getattr(self, name)) != _in_words(last):
                raise ValueError(f"{name} must stay {shown(repr(last))} for a warm_start, not become "
                                 f"{shown(repr(getattr(self, name)))}")  # fmt: skip
        return True

    def _weighed(self, X, sample_weight, y=None):
        """X, the weights and y without the rows of weight 0, which count as not given."""
        if sample_weight is None:
            return X, None, y
        sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        kept = sample_weight > 0
        if kept.all():
            return X, sample_weight, y
        X = X.iloc[kept] if hasattr(X, "iloc") else X[kept]
        return X, sample_weight[kept], None if y is None else y[kept]

    def _fit(self, X, sample_weight=None, targets=None, strata=None):
        """Train on validated and weighed rows, with targets (N, T) beside them and strata (N,) by which rows are held
        out, and set the attributes that ``fit`` leaves."""
        seed = self._seed = draw_seed(self.random_state)
        self._optimizer = None  # of partial_fit
        if not self._goes_on():
            self._begin(X, sample_weight)
        source = self._training_source(X, sample_weight, targets)
        source.strata = strata
        self._train(self.model_, source, seed, self.min_updates)
        return self

    def _remember(self, history):
        """Set the attributes that tell of a training."""
        self.n_iter_ = len(history)
        self.loss_curve_ = history["train_loss"]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        self.validation_scores_ = [-loss for loss in history["val_loss"]] if self.early_stopping else None

    def _training_source(self, X, sample_weight=None, targets=None):
        source = self.columns_.source(X, sample_weight, targets, training=True)
        return source if self.columns_.steps is None else Dequantized(source, self.columns_.steps)

    def _begin(self, X, sample_weight):
        """Find scales or categories in the first rows, and make a model."""
        if X.shape[0] < 2:
            raise ValueError(f"sample_weight leaves {X.shape[0]} row, but at least 2 are required")
        self.columns_ = self._make_columns(X, sample_weight)
        self.model_ = self._new_model(X, sample_weight, self._seed)
        self._of_the_model = {name: getattr(self, name) for name in OF_THE_MODEL}
        self._n_features_out = self.n_components

    def _new_model(self, X, sample_weight, seed):
        """A model that starts at the means of these rows."""
        model = self._make_model(self.columns_, seed)
        self.columns_.start(model, X, sample_weight)
        return model

    def _make_model(self, columns, seed):
        """A VAE for the columns."""
        sizes = columns.n_features, self.n_components, self._hidden
        return VAE(*mlp_parts(*sizes, self.activation, columns.likelihood(), columns.first_layers()), seed=seed)

    def _batch_size(self, n_rows):
        return min(200, n_rows) if self.batch_size == "auto" else self.batch_size

    def _train(self, model, source, seed, min_updates, share=1.0, of_beta=1.0):
        """Train for at least min_updates steps, or a share of them and of max_iter epochs, with a share of beta. Raises
        KeyboardInterrupt after Ctrl-C, with the model as the last whole epoch left it."""
        n_rows, batch_size, last = len(source), self._batch_size(len(source)), LastEpoch(model.parameters)
        column, held_out = "train_loss", 0.0
        if self.early_stopping:
            column, held_out = "val_loss", max(self.validation_fraction, 1 / n_rows)  # one row at least
        steps = math.ceil((n_rows - round(n_rows * held_out)) / batch_size)  # of an epoch
        least, most = math.ceil(share * min_updates / steps), math.ceil(share * self.max_iter)
        history = train(
            model, source, epochs=max(most, least), batch_size=batch_size, beta=of_beta * self.beta,
            learning_rate=self.learning_rate_init, weight_decay=self.alpha, validation_fraction=held_out, seed=seed,
            progress=bool(self.verbose), callbacks=[last, Plateau(column, self.n_iter_no_change, self.tol, least)],
        )  # fmt: skip
        if model is self.model_:
            self._remember(history)
        if history.stopped == "interrupted":
            if history.best_epoch is None:
                last.put_back()
            raise KeyboardInterrupt
        if len(history) and history["train_kl"][-1] < COLLAPSED and self.beta > 0:
            warnings.warn(
                f"the KL is {history['train_kl'][-1]:.3f} nats, so z carries nothing of the rows (posterior "
                "collapse): give more min_updates or a beta below 1, unless the columns are independent",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _partial_fit(self, X, sample_weight=None):
        """Make one pass over validated and weighed rows; Adam's moments carry over from call to call."""
        if not hasattr(self, "model_"):
            self._seed = draw_seed(self.random_state)
            self._begin(X, sample_weight)
            self.n_iter_, self.loss_curve_, self.validation_scores_ = 0, [], None
        if getattr(self, "_optimizer", None) is None:
            self._optimizer = Adam(self.model_.parameters, weight_decay=self.alpha)
        source, last = self.columns_.source(X, sample_weight, training=True), LastEpoch(self.model_.parameters)
        history = train(
            self.model_, source, epochs=1, batch_size=self._batch_size(len(source)), beta=self.beta,
            learning_rate=self.learning_rate_init, seed=self._seed + self.n_iter_, progress=bool(self.verbose),
            optimizer=self._optimizer,
        )  # fmt: skip
        if history.stopped == "interrupted":
            last.put_back()
            raise KeyboardInterrupt
        self.n_iter_ += len(history)
        self.loss_curve_ = self.loss_curve_ + history["train_loss"]
        self.loss_ = self.loss_curve_[-1]
        return self

    # --- Scores -----------------------------------------------------------------------------------------------------

    def _alike(self, X):
        """Validated rows, all with the same noise, so that no score depends on a row's neighbours; and the log scales
        to subtract from their log p(x)."""
        source = self.columns_.source(X)
        return SameNoise(source), log_scale_of_rows(source, self.columns_.log_scale())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def evenly(n, most):
    """At most ``most`` of the row numbers 0 ... n - 1, evenly spread."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)


def take(X, rows):
    """The rows of X with these numbers: of an array, a sparse matrix or a DataFrame; None of None."""
    return None if X is None else X.iloc[rows] if hasattr(X, "iloc") else X[rows]


class LastEpoch:
    """A callback that keeps a copy of the weights as the last whole epoch left them."""

    def __init__(self, parameters):
        self.parameters, self.values = parameters, parameters.values.copy()

    def __call__(self, history):
        self.values[...] = self.parameters.values

    def put_back(self):
        self.parameters.values[...] = self.values


class Plateau:
    """A callback that ends training once the loss of so many epochs is not lower by tol than that of as many before,
    after a least number of epochs. Of train_loss it compares the means, as one epoch's scatters by more than it falls;
    of val_loss, which has the same noise in every epoch, the least."""

    def __init__(self, column, n_epochs, tol, least):
        self.column, self.n_epochs, self.tol, self.least = column, n_epochs, tol, least
        self.summary = min if column == "val_loss" else fmean

    def __call__(self, history):
        losses = history[self.column][-2 * self.n_epochs :]
        if len(history) < self.least or len(losses) < 2 * self.n_epochs:
            return False
        before, now = losses[: self.n_epochs], losses[self.n_epochs :]
        return self.summary(now) > self.summary(before) - self.tol


def draw_seed(random_state):
    """A seed from what scikit-learn calls a random_state. Raises ValueError where it is none."""
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError:
        expected = "None, a whole number from 0 or a RandomState"
        raise ValueError(f"random_state must be {expected}, not {shown(repr(random_state))}") from None


def _in_words(parameter):
    """What tells parameters of a model apart."""
    return repr(parameter.describe() if isinstance(parameter, Likelihood) else parameter)


def _without_rows(frame):
    """The names and types of a DataFrame's columns, as a DataFrame. Raises ValueError where a name occurs twice."""
    refuse_equal_names(frame, "X")
    return frame.iloc[:0].copy()


def _check_numeric(frame):
    """Raise TypeError, naming the column, where a DataFrame that must become one array holds more than numbers."""
    for name, column in frame.items():
        if column.dtype.kind not in "biuf" and contents(column) != "object":
            raise TypeError(f"X must hold numbers alone here, but its column {shown(name)!r} holds {contents(column)}")


def check_word(name, value, words):
    """Raise ValueError unless the value is one of the words."""
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be {either(words)}, not {shown(repr(value))}")
