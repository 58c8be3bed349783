"""Imputation: hidden entries of held-out rows, filled by VAETransformer.impute and by scikit-learn's imputers.

    PYVAE_DATA=... python benchmarks/imputation.py [--seeds 3] [--quick] [--markdown]

Entries are hidden completely at random, 20% or 50% of them, in the rows to train on as in the held-out fifth. Of the
hidden entries of the latter: the root mean squared error of numbers, in standard deviations of their column over all
rows, and the share of categories that are wrong (Adult alone has any). Digits (64 gray pixels), breast cancer (30
numbers), and Adult's six numbers and nine categories: as its rivals take long, for all of them 5,000 rows that have no
entry missing of their own, drawn by the seed. All have their default settings. Those of scikit-learn are given
standardised numbers and one-hot categories, of which the largest is taken: the mean of that is the most frequent
category. --quick: breast cancer alone, one seed.
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from pyvae.sklearn import VAETransformer

SHARES = (0.2, 0.5)
IMPUTERS = {
    "mean": lambda seed: SimpleImputer(keep_empty_features=True),
    "KNN": lambda seed: KNNImputer(keep_empty_features=True),
    "iterative": lambda seed: IterativeImputer(keep_empty_features=True, random_state=seed),
}
ADULT = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain "
    "capital-loss hours-per-week native-country income"
).split()


def adult():
    """The rows of adult.data that have no entry missing, numbers as floats, text as categories of the whole table."""
    path = Path(os.environ["PYVAE_DATA"]) / "adult" / "adult.data"
    frame = pd.read_csv(path, names=ADULT, na_values="?", skipinitialspace=True).dropna()
    return frame.astype({name: float if dtype == "int64" else "category" for name, dtype in frame.dtypes.items()})


DATA = {
    "digits": lambda: pd.DataFrame(load_digits().data),
    "breast cancer": lambda: load_breast_cancer(as_frame=True).data,
    "Adult": adult,
}


def hide(frame, share, rng):
    """The frame without that share of its entries; every row keeps one at least."""
    hidden = rng.random(frame.shape) < share
    full = np.flatnonzero(hidden.all(axis=1))
    hidden[full, rng.integers(frame.shape[1], size=len(full))] = False
    return frame.mask(hidden), hidden


def encoded(frame, like):
    """Numbers in standard deviations from the mean and one-hot categories of the frame ``like``, NaN where missing."""
    columns = []
    for name in like.columns:
        if like[name].dtype.kind == "f":
            columns.append(((frame[name] - like[name].mean()) / (like[name].std(ddof=0) or 1.0)).to_numpy()[:, None])
            continue
        levels = np.unique(like[name])
        one_hot = (frame[name].to_numpy(object)[:, None] == levels).astype(float)
        one_hot[frame[name].isna()] = np.nan
        columns.append(one_hot)
    return columns


def errors(filled, truth, hidden):
    """The root mean squared error of hidden numbers, and the share of hidden categories that are wrong (NaN: there are
    none), of columns as ``encoded`` makes them."""
    squares, wrong = [], []
    for j, (x, right) in enumerate(zip(filled, truth, strict=True)):
        x, right = x[hidden[:, j]], right[hidden[:, j]]
        if right.shape[1] == 1:
            squares.append((x - right) ** 2)
        else:
            wrong.append(x.argmax(axis=1) != right.argmax(axis=1))
    return np.sqrt(np.concatenate(squares).mean()), np.concatenate(wrong).mean() if wrong else np.nan


def run(frame, share, seed):
    """The errors of each imputer on one split."""
    rng = np.random.default_rng(seed)
    frame = frame.iloc[rng.permutation(len(frame))[:5000]].reset_index(drop=True)
    n_held_out = len(frame) // 5
    known, hidden = hide(frame, share, rng)
    train, test = known.iloc[n_held_out:], known.iloc[:n_held_out]
    columns, truth, hidden = encoded(known, frame), encoded(frame.iloc[:n_held_out], frame), hidden[:n_held_out]
    numbers, edges = np.hstack(columns), np.cumsum([column.shape[1] for column in columns])[:-1]
    results = {}
    for name, make in IMPUTERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            filled = make(seed).fit(numbers[n_held_out:]).transform(numbers[:n_held_out])
        results[name] = errors(np.split(filled, edges, axis=1), truth, hidden)
    is_array = all(dtype.kind == "f" for dtype in frame.dtypes)
    estimator = VAETransformer(random_state=seed).fit(train.to_numpy() if is_array else train)
    filled = estimator.impute(test.to_numpy() if is_array else test)
    filled = pd.DataFrame(filled, columns=frame.columns)
    return results | {"VAE": errors(encoded(filled, frame), truth, hidden)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = [*IMPUTERS, "VAE"]
    if options.markdown:
        print("| data | hidden | error |", " | ".join(names), "|\n|" + "---|" * (3 + len(names)))
    else:
        print(f"{'data':14} {'hidden':>6}  {'error':10}", *(f"{name:>9}" for name in names))
    for data in ("breast cancer",) if options.quick else DATA:
        frame = DATA[data]()
        for share in SHARES:
            runs = [run(frame, share, seed) for seed in range(1 if options.quick else options.seeds)]
            for i, error in enumerate(("RMSE", "categories")):
                figures = [np.mean([one[name][i] for one in runs]) for name in names]
                if np.isnan(figures).all():
                    continue
                if options.markdown:
                    print(f"| {data} | {share:.0%} | {error} |", " | ".join(f"{x:.3f}" for x in figures), "|")
                else:
                    print(f"{data:14} {share:6.0%}  {error:10}", *(f"{x:9.3f}" for x in figures), flush=True)


if __name__ == "__main__":
    main()
