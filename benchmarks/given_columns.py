"""Rows given the values of some columns: are the other columns those of the real rows with the same values?

    PYVAE_DATA=... python benchmarks/given_columns.py [--seeds 1] [--json results.json] [--quick]

Adult. VAETransformer is fitted to the 32,561 training rows, the columns of few different values as categories. For each
combination of education and sex that 200 real test rows have, 5,000 rows are made, given both. In each other column of
words, their distribution is compared with that of the real test rows of the combination:

    total variation = 1/2 sum_c |share of c in the made rows - share of c in the real rows|

Its mean is over those columns, and over the combinations weighted by their test rows. Numbers are compared likewise, in
ten bins between the quantiles of the combination's real test rows. Beside it stands the same figure of the real
training rows of the combination: the floor, as no two samples have the same shares. And the same of 20,000 rows of all
kinds against all test rows, with training rows for the floor; those are marginals, which say nothing of what belongs
together. An independent guess (the same rows of all kinds against the combination's test rows) would be the other end.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from synthetic_tables import KINDS, NUMBERS, WORDS, read

from pyvae.sklearn import VAETransformer

GIVEN = ["education", "sex"]
MOST_MADE, ALL_KINDS, LEAST_REAL = 5_000, 20_000, 200
SETTINGS = {"n_components": 16, "max_iter": 30}
OTHERS = [name for name in WORDS if name not in GIVEN]


def shares(column, edges):
    """The share of each value of a column, or of each of the bins between edges."""
    values = column if edges is None else np.searchsorted(edges, column.astype(float))
    return pd.Series(values).value_counts(normalize=True)


def total_variation(made, real):
    """The total variation of each column that is not given, of some rows against the real ones."""
    result = {}
    for name in OTHERS + NUMBERS:
        edges = np.quantile(real[name], np.arange(1, 10) / 10) if name in NUMBERS else None
        result[name] = shares(made[name], edges).sub(shares(real[name], edges), fill_value=0).abs().sum() / 2
    return result


def measure(train, test, seed, settings):
    """The total variation by column of every combination's rows, as four tables, and of rows of all kinds."""
    start = time.perf_counter()
    model = VAETransformer(kinds=KINDS, random_state=seed, **settings).fit(train)
    taken = time.perf_counter() - start
    anything = model.sample(ALL_KINDS, seed)
    sizes = test.groupby(GIVEN).size()
    kinds = {"given": [], "floor": [], "of all kinds": []}
    start = time.perf_counter()
    for values in sizes.index[sizes >= LEAST_REAL]:
        given = dict(zip(GIVEN, values, strict=True))
        real, known = (rows[(rows[GIVEN] == list(values)).all(axis=1)] for rows in (test, train))
        made = model.sample(MOST_MADE, seed, given=given)
        for kind, rows in zip(kinds, (made, known, anything), strict=True):
            kinds[kind].append({"rows": len(real), **given, **total_variation(rows, real)})
    return {
        "seconds": {"fit": taken, "sample": time.perf_counter() - start},
        "combinations": {kind: pd.DataFrame(found) for kind, found in kinds.items()},
        "marginals": {"made": total_variation(anything, test), "floor": total_variation(train, test)},
    }


def mean(table, columns):
    """The mean over columns, and over combinations weighted by their rows."""
    return float(np.average(table[columns].mean(axis=1), weights=table["rows"]))


def summary(measured):
    """The figures of one seed."""
    combinations, marginals = measured["combinations"], measured["marginals"]
    return {
        **{f"{kind}, {what}": mean(table, columns) for kind, table in combinations.items()
           for what, columns in (("words", OTHERS), ("numbers", NUMBERS))},
        **{f"marginals {kind}, {what}": float(np.mean([found[name] for name in columns]))
           for kind, found in marginals.items() for what, columns in (("words", OTHERS), ("numbers", NUMBERS))},
    }  # fmt: skip


def show(measured):
    """Print a table of columns and one of combinations."""
    tables = measured["combinations"]
    print("total variation       given  floor  of all kinds   marginals  floor")
    for name in OTHERS + NUMBERS:
        of_column = [mean(table, [name]) for table in tables.values()]
        made, floor = (measured["marginals"][kind][name] for kind in ("made", "floor"))
        print(f"{name:20} {of_column[0]:6.3f} {of_column[1]:6.3f} {of_column[2]:13.3f} {made:11.3f} {floor:6.3f}")
    print("\ncombination               rows   given  floor   (words)")
    for i, row in tables["given"].iterrows():
        given, floor = (table.loc[i, OTHERS].mean() for table in (tables["given"], tables["floor"]))
        print(f"{row['education']:13} {row['sex']:8} {row['rows']:7,} {given:7.3f} {floor:6.3f}")
    seconds = measured["seconds"]
    print(f"\nfit {seconds['fit']:.0f} s, {len(tables['given'])} samples of {MOST_MADE:,} {seconds['sample']:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--quick", action="store_true", help="2,000 rows and 2 epochs: only whether it runs")
    options = parser.parse_args()
    train, test = read("adult.data"), read("adult.test", skip=1)
    settings = SETTINGS | ({"max_iter": 2, "min_updates": 0} if options.quick else {})
    train = train[:2000] if options.quick else train
    if options.quick:  # whose categories are all that a model knows
        test = test[(test[GIVEN].isin(train[GIVEN].to_dict("list"))).all(axis=1)]
    results = []
    for seed in range(options.seeds):
        measured = measure(train, test, seed, settings)
        print(f"seed {seed}")
        show(measured)
        results.append(summary(measured) | measured["seconds"])
        for what in ("words", "numbers"):
            figures = [f"{kind} {results[-1][f'{kind}, {what}']:.4f}" for kind in measured["combinations"]]
            print(f"mean over {what}: {', '.join(figures)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"settings": settings, "seeds": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
