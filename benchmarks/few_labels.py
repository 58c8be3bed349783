"""Few labels: what rows without a class are worth to VAEClassifier, on scikit-learn's digits.

    python benchmarks/few_labels.py [--seeds 5] [--json results.json]

80% of the 1,797 digits train, the rest are held out. Of the training rows 5% or 20% have a label, of each digit the
same share. By seed, the accuracy on held-out rows of

    alone           VAEClassifier, fitted to the labelled rows alone
    unlabeled=-1    VAEClassifier, fitted to all training rows
    again           the same, fitted once more with the predictions that were 90% sure as labels
    all labels      VAEClassifier, fitted to all training rows with all of their labels: what could be reached
    logistic        scikit-learn's LogisticRegression on standardised pixels, fitted to the labelled rows alone
    self-training   scikit-learn's SelfTrainingClassifier of it, on all training rows, with the same threshold

All of VAEClassifier have the same settings. A quarter of 72 labels tells little of which epoch is best, so no row is
held out in training; with early stopping, the default, all figures are lower.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from pyvae.sklearn import VAEClassifier

SHARES, SURE, UNKNOWN = (0.05, 0.2), 0.9, -1
SETTINGS = {"n_components": 16, "likelihood": "gaussian-shared", "early_stopping": False}


def rows(share, seed):
    """Training rows, their classes and labels (-1 where unknown), and held-out rows with their classes."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    known, _ = train_test_split(np.arange(len(y)), train_size=round(share * len(y)), random_state=seed, stratify=y)
    labels = np.full(len(y), UNKNOWN)
    labels[known] = y[known]
    return X, y, labels, X_test, y_test


def accuracies(share, seed):
    """The accuracy of each way, by name."""
    X, y, labels, X_test, y_test = rows(share, seed)
    known = labels != UNKNOWN
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    classifier = VAEClassifier(unlabeled=UNKNOWN, random_state=seed, **SETTINGS)
    result = {"alone": classifier.fit(X[known], labels[known]).score(X_test, y_test)}
    result["unlabeled=-1"] = classifier.fit(X, labels).score(X_test, y_test)
    p = classifier.predict_proba(X)
    predicted = classifier.classes_[p.argmax(axis=1)]
    sure = np.where(known, labels, np.where(p.max(axis=1) >= SURE, predicted, UNKNOWN))
    result["again"] = classifier.fit(X, sure).score(X_test, y_test)
    result["all labels"] = classifier.fit(X, y).score(X_test, y_test)
    result["logistic"] = logistic.fit(X[known], y[known]).score(X_test, y_test)
    trained = SelfTrainingClassifier(logistic, threshold=SURE).fit(X, labels)
    result["self-training"] = trained.score(X_test, y_test)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = {}
    for share in SHARES:
        start = time.perf_counter()
        found = [accuracies(share, seed) for seed in range(options.seeds)]
        results[f"{share:.0%}"] = {name: [of_seed[name] for of_seed in found] for name in found[0]}
        print(f"{share:.0%} of labels known   mean   seeds" + f"{time.perf_counter() - start:38.0f} s")
        for name, scores in results[f"{share:.0%}"].items():
            print(f"{name:20} {np.mean(scores):7.1%}  " + " ".join(f"{score:6.1%}" for score in scores))
        print(flush=True)
    if options.json:
        options.json.write_text(json.dumps({"settings": SETTINGS, "accuracy": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
