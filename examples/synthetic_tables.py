"""Synthetic tables: rows like those of a table, and nobody's.

What one learns: a DataFrame goes in, and a DataFrame comes out. Columns of the census data Adult are numbers, counts
and words; each kind has its likelihood, and missing entries (a "?" in the file) are left out of it. Two columns of
numbers are better taken for categories, and kinds= says so: the years of education have 16 values only, and 47% work 40
hours a week, a peak that no smooth likelihood has. A table of as many new rows is drawn from the prior, and compared
column by column: by the share of rows that would have to change their word (total variation), and for counts by the
largest difference of the distribution functions (Kolmogorov and Smirnov). Both are 0 for equal distributions.

    python examples/synthetic_tables.py            half a minute; writes pictures/synthetic_tables.png
    python examples/synthetic_tables.py --rows 1000 --epochs 20

Measured with the default options: no total variation above 0.029; the largest differences of distributions are 0.043
(age), 0.034 and 0.056 (capital losses and gains, which are 0 for most). As a count, hours-per-week would have 0.221.
The table is read from $PYVAE_DATA/adult/adult.data.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from pyvae.sklearn import VAETransformer

NAMES = (
    "age workclass weight education education-years marital-status occupation relationship race sex capital-gain "
    "capital-loss hours-per-week native-country income"
).split()
KINDS = {"education-years": "categorical", "hours-per-week": "categorical"}
PICTURED = ("age", "hours-per-week", "education-years", "marital-status", "occupation", "income")
GRAY, RED = "#94a4a2", "#bd1f01"


def load(rows):
    """Adult as a DataFrame, without the weights of the census."""
    path = Path(os.environ.get("PYVAE_DATA", "")) / "adult" / "adult.data"
    if not path.exists():
        sys.exit("synthetic_tables.py needs the file adult.data of the data set Adult in $PYVAE_DATA/adult.")
    table = pd.read_csv(path, names=NAMES, skipinitialspace=True, na_values="?", nrows=rows)
    return table.drop(columns="weight")


def shares(column, values):
    """The share of each of the values, (n,), among the known entries."""
    return column.value_counts(normalize=True).reindex(values, fill_value=0).to_numpy()


def main(argv=None):
    parser = argparse.ArgumentParser(description="a synthetic table like Adult")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("pictures/synthetic_tables.png"))
    options = parser.parse_args(argv)

    real = load(options.rows)
    model = VAETransformer(kinds=KINDS, max_iter=options.epochs, min_updates=0, random_state=0).fit(real)
    made = model.sample(len(real), random_state=0)
    print(made[["age", "education", "occupation", "hours-per-week", "income"]].head().to_string(index=False))
    for name in real:
        if pd.api.types.is_numeric_dtype(real[name]) and name not in KINDS:
            print(f"{name:15} largest difference of distributions {ks_2samp(real[name], made[name]).statistic:.3f}")
        else:
            values = real[name].dropna().unique()
            total_variation = np.abs(shares(real[name], values) - shares(made[name], values)).sum() / 2
            print(f"{name:15} total variation {total_variation:.3f}")

    figure = Figure(figsize=(11, 7), layout="constrained")
    for axes, name in zip(figure.subplots(2, 3).flat, PICTURED, strict=True):
        if name in ("age", "hours-per-week"):
            bins = np.arange(real[name].min(), real[name].max() + 4, 4)
            axes.hist(real[name], bins, density=True, color=GRAY, label="real")
            axes.hist(made[name], bins, density=True, color=RED, histtype="step", linewidth=1.8, label="synthetic")
            axes.set(yticks=[], ylabel="rows")
        else:
            values = np.sort(real[name].unique()) if name in KINDS else real[name].value_counts().index[:10]
            places = np.arange(len(values))
            axes.barh(places - 0.2, 100 * shares(real[name], values), 0.4, color=GRAY)
            axes.barh(places + 0.2, 100 * shares(made[name], values), 0.4, color=RED)
            axes.set_yticks(places, values, fontsize=8)
            axes.invert_yaxis()
            axes.set_xlabel("% of the rows")
        axes.set_title(name, fontsize=10)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=120)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
