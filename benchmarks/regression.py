"""Regression with uncertainty: how good are VAERegressor's means, intervals and whole distributions?

    python benchmarks/regression.py [--seeds 5] [--quick]

Two tables. The diabetes data of scikit-learn (442 rows, 10 columns), in 5-fold cross-validation, each seed with folds
of its own; and a known function of two variables with noise that grows with the first,

    y = sin(2 x1) + x2^2 / 2 + s e,    s = 0.1 + 0.2 |x1|,    x uniform in [-2, 2]^2,    e normal,

3,000 rows to learn from and 2,000 to judge by. The columns:

    R2         of the mean; beside it that of Ridge (its penalty chosen by cross-validation), or of the function itself
    coverage   share of the rows inside the interval from the 5% to the 95% quantile, %
    width      its mean length, in y's units; beside it that of the true interval
    CRPS       continuous ranked probability score, in y's units, lower is better: twice the mean pinball loss of the
               quantiles 1%, 2%, ... 99% (Gneiting and Raftery 2007, section 4.2); beside it that of intervals of
               constant width: the same means, and a normal distribution with the std of the training errors
"""

import argparse

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pyvae.sklearn import VAERegressor

LEVELS = np.arange(1, 100) / 100


def crps(y, quantiles):
    """Twice the mean pinball loss of quantiles (N, 99) at LEVELS."""
    error = y[:, None] - quantiles
    return 2 * np.mean(np.maximum(LEVELS * error, (LEVELS - 1) * error))


def judge(regressor, X, y, X_test):
    """Of the fitted regressor: means, quantiles, and quantiles of constant width, for the test rows."""
    mean = regressor.predict(X_test)
    std = np.std(y - regressor.predict(X))
    return mean, regressor.predict_quantiles(X_test, LEVELS), mean[:, None] + std * norm.ppf(LEVELS)


def figures(y, mean, quantiles, constant):
    low, high = quantiles[:, 4], quantiles[:, 94]  # 5% and 95%
    return (
        r2_score(y, mean), 100 * np.mean((y >= low) & (y <= high)), np.mean(high - low),
        crps(y, quantiles), crps(y, constant),
    )  # fmt: skip


def diabetes(seed, options):
    X, y = load_diabetes(return_X_y=True)
    parts, ridge = [], np.empty(len(y))
    for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
        regressor = VAERegressor(random_state=seed, **options).fit(X[train], y[train])
        parts.append((test, *judge(regressor, X[train], y[train], X[test])))
        linear = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 30))).fit(X[train], y[train])
        ridge[test] = linear.predict(X[test])
    rows, *judged = (np.concatenate(part) for part in zip(*parts, strict=True))
    r2, *rest = figures(y[rows], *judged)
    return r2, r2_score(y, ridge), *rest[:2], np.nan, *rest[2:]


def known_function(seed, options, n=3000, n_test=2000):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n + n_test, 2))
    function, std = np.sin(2 * X[:, 0]) + X[:, 1] ** 2 / 2, 0.1 + 0.2 * np.abs(X[:, 0])
    y = function + std * rng.standard_normal(len(X))
    regressor = VAERegressor(random_state=seed, **options).fit(X[:n], y[:n])
    r2, *rest = figures(y[n:], *judge(regressor, X[:n], y[:n], X[n:]))
    true_width = np.mean(2 * norm.ppf(0.95) * std[n:])
    return r2, r2_score(y[n:], function[n:]), *rest[:2], true_width, *rest[2:]


def main():
    parser = argparse.ArgumentParser(description="VAERegressor's means, intervals and distributions.")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--quick", action="store_true", help="one seed and few updates: to see that it runs")
    arguments = parser.parse_args()
    options = {"max_iter": 5, "min_updates": 100} if arguments.quick else {}
    for task, other in ((diabetes, "Ridge"), (known_function, "best")):
        print(f"\n{task.__name__.replace('_', ' ')}")
        print(f"{'seed':>4} {'R2':>7} {other:>7} {'coverage':>9} {'width':>8} {'true':>8} {'CRPS':>8} {'constant':>9}")
        rows = [task(seed, options) for seed in range(1 if arguments.quick else arguments.seeds)]
        for label, row in [*enumerate(rows), ("mean", np.mean(rows, axis=0))]:
            r2, best, coverage, width, true, score, constant = row
            true = "" if np.isnan(true) else f"{true:.3f}"
            line = f"{label:>4} {r2:7.3f} {best:7.3f} {coverage:8.1f}% {width:8.3f} {true:>8} "
            print(line + f"{score:8.3f} {constant:9.3f}", flush=True)


if __name__ == "__main__":
    main()
