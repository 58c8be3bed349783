"""Synthetic tables that are of use: train on synthetic rows of Adult, test on real ones, against ctgan's TVAE.

    PYVAE_DATA=... python benchmarks/synthetic_tables.py [--quick] [--seeds 1]

A generator is fitted to the 32,561 training rows, label included, and draws as many. Gradient boosting is trained on
those and tested on the 16,281 real test rows: F1 of the incomes above 50K, and accuracy. What is timed is fitting and
drawing. TVAE has its defaults (300 epochs). VAETransformer has its own, but for what a table as wide as this calls
for: more components, fewer epochs, and the columns of few different values, some of them most often 0, as categories.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from pyvae.sklearn import VAETransformer

COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip
LABEL, POSITIVE = "income", ">50K"
NUMBERS = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
WORDS = [name for name in COLUMNS if name not in NUMBERS]
KINDS = {name: "categorical" for name in NUMBERS} | {"fnlwgt": "numeric"}
QUICK_ROWS = 2000


def read(name, skip=0):
    """Rows as a DataFrame; "?" stays, as a category of its own."""
    path = Path(os.environ["PYVAE_DATA"]) / "adult" / name
    rows = pd.read_csv(path, names=COLUMNS, skiprows=skip, skipinitialspace=True)
    rows[LABEL] = rows[LABEL].str.rstrip(".")
    return rows


def real(rows, seed, quick):
    return rows


def pyvae_(rows, seed, quick):
    settings = {"max_iter": 2, "min_updates": 0} if quick else {"max_iter": 30}
    model = VAETransformer(n_components=16, kinds=KINDS, random_state=seed, **settings)
    return model.fit(rows).sample(len(rows), random_state=seed)


def tvae(rows, seed, quick):
    import torch
    from ctgan import TVAE

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, which is what it draws from
    model = TVAE(epochs=2) if quick else TVAE()
    model.fit(rows, WORDS)
    return model.sample(len(rows))


GENERATORS = {"real rows": real, "VAETransformer": pyvae_, "ctgan's TVAE": tvae}


def judge(rows, test):
    """F1 and accuracy on the test rows of gradient boosting that was trained on these rows."""
    words = [name for name in WORDS if name != LABEL]
    numbered = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    classifier = make_pipeline(
        make_column_transformer((numbered, words), remainder="passthrough"),
        HistGradientBoostingClassifier(random_state=0),
    )
    classifier.fit(rows.drop(columns=LABEL), rows[LABEL] == POSITIVE)
    predicted, true = classifier.predict(test.drop(columns=LABEL)), test[LABEL] == POSITIVE
    return f1_score(true, predicted), accuracy_score(true, predicted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS} rows and 2 epochs: only whether it runs")
    parser.add_argument("--seeds", type=int, default=1, help="(%(default)s)")
    options = parser.parse_args()
    train, test = read("adult.data"), read("adult.test", skip=1)
    train = train[:QUICK_ROWS] if options.quick else train
    print(f"Adult: {len(train)} training rows, {len(test)} test rows")
    print("trained on             seed  fit, sample      F1  accuracy   >50K")
    for seed in range(options.seeds):
        for name, generate in GENERATORS.items():
            start = time.perf_counter()
            try:
                rows = generate(train, seed, options.quick)
            except ImportError as missing:
                print(f"{name:22} {seed:4}  missing: {missing}")
                continue
            taken, positive = time.perf_counter() - start, np.mean(rows[LABEL] == POSITIVE)
            f1, accuracy = judge(rows, test)
            print(f"{name:22} {seed:4} {taken:10.1f} s   {f1:.3f}     {accuracy:.3f}  {positive:.3f}", flush=True)


if __name__ == "__main__":
    main()
