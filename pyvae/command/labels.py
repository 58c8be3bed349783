"""Classes on the command line: which rows are labelled, and which class a model says that rows are of."""

from copy import copy

import numpy as np

from pyvae.command.inputs import beside_of, codes_of, number_beside
from pyvae.command.numbers import ToldNumber, check_number_options
from pyvae.command.outputs import counted
from pyvae.command.refusals import Refusal
from pyvae.data.labels import UNKNOWN
from pyvae.data.standardization import STANDARDIZED
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.noise import Noise


def take_labels(dataset, options):
    """Give the rows to train on so many labels as --labels says; refuse options that do not fit one another."""
    if options.condition and options.target:
        raise Refusal("--condition is what rows are given, and --target what is to be told of them: leave one out")
    if options.labels is not None:
        if dataset.table is not None:
            raise Refusal("--labels is of arrays: of a table, --target names the column of the classes")
        if dataset.train_labels is None:
            raise Refusal(f"--labels needs classes: {options.data} has none")
        if options.likelihood in STANDARDIZED and dataset.train.binarize is None:
            raise Refusal(f"--labels goes with rows from 0 to 1 or of counts, not --likelihood {options.likelihood}")
        dataset.train.label = known_labels(dataset.train_labels, options.labels, options.seed)
    check_number_options(options, dataset.beside)
    if options.alpha is not None and dataset.train.label is None:
        raise Refusal("--alpha weighs what labels teach: add --target or --labels")


def known_labels(labels, n, seed):
    """The numbers of the classes of n rows, of each class the same number, drawn at random; UNKNOWN elsewhere."""
    classes, codes = np.unique(labels, return_inverse=True)
    if not len(classes) <= n <= len(codes):
        raise Refusal(f"--labels must be from {len(classes)}, one of each class, to {len(codes)}, not {n}")
    order = Noise(seed).permutation("class", len(codes))
    place = np.empty(len(codes), int)  # of each row among those of its class
    for c in range(len(classes)):
        rows = order[codes[order] == c]
        place[rows] = np.arange(len(rows))
    known, chosen = np.full(len(codes), UNKNOWN), order[np.argsort(place[order], kind="stable")][:n]
    known[chosen] = codes[chosen]
    return known


def classes_of(dataset):
    """The names of the classes of the rows to train on, in their order."""
    beside = dataset.beside
    return np.unique(dataset.train_labels).tolist() if beside is None else beside.target.categories


def names_of(model):
    """The names of a model's classes."""
    beside = beside_of(model)
    return np.asarray(model.metadata["classes"] if beside is None else beside.target.categories, object)


def told_of(model, dataset, source):
    """What is told of the rows that a training reports on; None for a model that tells nothing, or without a label."""
    if dataset.n_labelled is None:
        return None
    if source is dataset.test and dataset.test_labels is not None:
        source = copy(source)
        source.label = codes_of(dataset.test_labels, classes_of(dataset))
    told = told_by(model, source)
    return told if told.n_labelled else None


def told_by(model, source):
    """What a model tells of the rows of a DataSource: a number or a class of each."""
    return (ToldClass if number_beside(model) is None else ToldNumber)(model, source)


class ToldClass:
    """The classes that a model tells of the rows of a DataSource, which may have labels.

    shares: q(y|x) (N, C). error: the share of the rows with a label that are told wrongly; None without any.
    """

    def __init__(self, model, source):
        if not isinstance(model, SemiSupervisedVAE):
            raise Refusal("--predict tells a class or a number: train a model with --target or --labels")
        self.shares, self.names = model.classify(source), names_of(model)
        self.likeliest = self.shares.argmax(axis=1)
        known = np.zeros(len(source), bool) if source.label is None else source.label != UNKNOWN
        self.n_labelled = int(known.sum())
        self.error = float(np.mean(self.likeliest[known] != source.label[known])) if self.n_labelled else None

    def columns(self):
        """What is written of each row: the name of the likeliest class, and its probability."""
        rows = np.arange(len(self.shares))
        return {"class": self.names[self.likeliest], "probability": self.shares[rows, self.likeliest]}

    def result(self):
        """What --json says."""
        return {"error": self.error, "labelled": self.n_labelled}

    def __str__(self):
        return f"{self.error:.2%} of {counted(self.n_labelled, 'labelled row')} told wrongly"
