"""VAEClassifier: a class with its probability, by the joint model of supervised.py."""

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from pyvae.arguments import check_number, shown
from pyvae.likelihoods.categorical import Categorical
from pyvae.sklearn.supervised import JointEstimator, missing


class VAEClassifier(ClassifierMixin, JointEstimator):
    """Classification by p(class|z), and rows for a wanted class.

    The parameters are those of JointEstimator, and class_weight: {class: weight of its rows}, "balanced" for weights
    that make all classes count the same, or None for weights of 1. Of each class the same share of rows is held out;
    of one too rare for that, the rows are trained on and validated on.
    Attributes: those of VAETransformer, and ``classes_``.
    """

    def __init__(
        self, n_components=8, *, target_weight=30.0, class_weight=None, hidden_layer_sizes=(100,), activation="relu",
        likelihood="auto", kinds=None, beta=1.0, alpha=0.0, batch_size="auto", learning_rate_init=1e-3, max_iter=200,
        min_updates=2000, early_stopping=True, validation_fraction=0.25, n_iter_no_change=10, tol=1e-4,
        warm_start=False, verbose=False, random_state=None,
    ):  # fmt: skip
        self._keep(locals())

    def fit(self, X, y, sample_weight=None):
        """Train on the rows of X (N, D) and the classes y (N,), with weights sample_weight (N,), which multiply those
        of the classes. Raises TypeError or ValueError, naming the column, where they cannot be used."""
        return self._fit_joint(X, y, sample_weight)

    def predict_proba(self, X):
        """The probability of each of ``classes_`` for the rows of X (N, D): (N, n_classes). Raises what ``fit``
        raises."""
        return self._predicted(X, lambda logits: softmax(logits, axis=-1).mean(axis=1))

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
        unknown = np.flatnonzero(missing(y))
        if unknown.size:
            raise ValueError(f"y is missing in row {unknown[0]}: drop it")
        check_classification_targets(y)
        return y

    def _learn_targets(self, y, weight):
        self.classes_ = np.unique(y)

    def _encode_targets(self, y):
        known = set(self.classes_.tolist())
        unknown = [label for label in y.tolist() if label not in known]
        if unknown:
            raise ValueError(f"y has the class {shown(repr(unknown[0]))}, which was not fitted")
        return np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]

    def _check_parameters(self):
        super()._check_parameters()
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
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        classes, codes = np.unique(y, return_inverse=True)
        if isinstance(self.class_weight, Mapping):
            of_class = np.array([self.class_weight.get(label, 1.0) for label in classes.tolist()], float)
        else:  # all classes have the same weight in all
            of_class = weight.sum() / (len(classes) * np.bincount(codes, weight))
        return weight * of_class[codes]

    def _strata(self, y):
        return np.searchsorted(self.classes_, y)

    def _target_likelihood(self):
        return Categorical([len(self.classes_)])
