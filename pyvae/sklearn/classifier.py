"""VAEClassifier: a class with its probability, by the joint model of models/joint.py."""

from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from pyvae.arguments import check_number, shown
from pyvae.likelihoods.categorical import Categorical
from pyvae.models.joint import predicted
from pyvae.sklearn.supervised import JointEstimator, missing


class VAEClassifier(ClassifierMixin, JointEstimator):
    """Classification by p(class|z), and rows for a wanted class.

    The parameters are those of JointEstimator, and class_weight: {class: weight of its rows}, "balanced" for weights
    that make all classes count the same, or None for weights of 1. Of each class the same share of rows is held out;
    of one too rare for that, the rows are trained on and validated on.

    unlabeled: what y has in rows of which nobody knows the class, such as -1; NaN for NaN, None and pandas' NA. None:
    every row has a class. Of a row without one the model learns p(x) alone: log p(y|z) is left out of its loss. It
    weighs 1, whatever class_weight says, and is never held out: the best epoch is that of rows with a class.

    Attributes: those of VAETransformer, and ``classes_``.
    """

    def __init__(
        self, n_components=8, *, target_weight=30.0, class_weight=None, unlabeled=None, hidden_layer_sizes=(100,),
        activation="relu", likelihood="auto", kinds=None, beta=1.0, alpha=0.0, batch_size="auto",
        learning_rate_init=1e-3, max_iter=200, min_updates=2000, early_stopping=True, validation_fraction=0.25,
        n_iter_no_change=10, tol=1e-4, warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def fit(self, X, y, sample_weight=None):
        """Train on the rows of X (N, D) and the classes y (N,), with weights sample_weight (N,), which multiply those
        of the classes. Raises TypeError or ValueError, naming the column, where they cannot be used."""
        return self._fit_joint(X, y, sample_weight)

    def predict_proba(self, X):
        """The probability of each of ``classes_`` for the rows of X (N, D): (N, n_classes). Raises what ``fit``
        raises."""
        source = self._source(self._rows(X))
        return predicted(self.model_, source, lambda logits: softmax(logits, axis=-1).mean(axis=1))

    def predict(self, X):
        """The likeliest class of each row of X (N, D): (N,). Raises what ``fit`` raises."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def sample(self, y, random_state=None):
        """A new row x ~ p(x|y) for each of the classes y (n,): an array (n, D), or a DataFrame like the one that was
        fitted. Raises ValueError for a class that was not fitted."""
        check_is_fitted(self)
        return self._sample_given(self._encode_targets(column_or_1d(y)), random_state)

    def _check_targets(self, y):
        y = column_or_1d(y, warn=True)
        known = self._known(y)
        unknown = np.flatnonzero(known & missing(y))
        if unknown.size:
            raise ValueError(f"y is missing in row {unknown[0]}: drop it, or say unlabeled=np.nan")
        if not known.any():
            raise ValueError(f"y has no class: every row is {shown(repr(self.unlabeled))}, which means unlabeled")
        check_classification_targets(self._classes(y[known]))
        return y

    def _known(self, y):
        known = super()._known(y)
        if self.unlabeled is None:
            return known
        if missing(self.unlabeled):
            return ~missing(y)
        there = ~missing(y)
        known[there] = [label != self.unlabeled for label in y[there].tolist()]
        return known

    def _classes(self, y):
        """y (n,) of rows with a class: an array that held None, too, was one of objects, but numbers are numbers."""
        return y if self.unlabeled is None or y.dtype != object else np.array(y.tolist())

    def _learn_targets(self, y, weight):
        self.classes_ = np.unique(self._classes(y))

    def _encode_targets(self, y):
        known = set(self.classes_.tolist())
        unknown = [label for label in y.tolist() if label not in known]
        if unknown:
            raise ValueError(f"y has the class {shown(repr(unknown[0]))}, which was not fitted")
        return np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]

    def _log_py(self, targets, outputs):
        return log_softmax(outputs, axis=1).T[targets.argmax(axis=1)]

    def _check_parameters(self):
        super()._check_parameters()
        if np.ndim(self.unlabeled) != 0:
            raise ValueError(f"unlabeled must be one value, such as -1 or NaN, not {shown(repr(self.unlabeled))}")
        if isinstance(self.class_weight, Mapping):
            for label, weight in self.class_weight.items():
                check_number(f"class_weight of {shown(repr(label))}", weight, 0, low_included=True)
        elif self.class_weight is not None and self.class_weight != "balanced":
            raise ValueError(
                f"class_weight must be None, 'balanced' or {{class: weight}}, not {shown(repr(self.class_weight))}"
            )

    def _with_class_weight(self, y, sample_weight):
        if self.class_weight is None:
            return sample_weight
        weight, known = np.ones(len(y)) if sample_weight is None else sample_weight.copy(), self._known(y)
        classes, codes = np.unique(self._classes(y[known]), return_inverse=True)
        if isinstance(self.class_weight, Mapping):
            of_class = np.array([self.class_weight.get(label, 1.0) for label in classes.tolist()], float)
        else:  # all classes have the same weight in all
            of_class = weight[known].sum() / (len(classes) * np.bincount(codes, weight[known]))
        weight[known] *= of_class[codes]
        return weight

    def _strata(self, y):
        """See JointEstimator. Rows without a class are trained on: how good an epoch is, the others tell."""
        known = self._known(y)
        strata = np.full(len(y), -1)
        strata[known] = np.searchsorted(self.classes_, self._classes(y[known]))
        return strata

    def _target_likelihood(self):
        return Categorical([len(self.classes_)])
