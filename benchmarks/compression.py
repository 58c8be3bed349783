"""Lossy compression: what is left of test rows that went through a few numbers each, against PCA with as many.

    PYVAE_DATA=... python benchmarks/compression.py [--seeds 2] [--quick] [--markdown]

The root mean squared error per pixel, gray values from 0 to 1, of inverse_transform(transform(X)): digits, 1,437 rows
to train on and 360 to test, and MNIST, 60,000 and 10,000. VAETransformer has one setting for all sizes (SETTING): a
Gaussian with one standard deviation for all pixels, whose log-likelihood is largest where the squared error is least.
PCA is exact, but for the signs of its columns; the VAE's error is a mean over seeds. --quick: digits alone, one seed.
"""

import argparse

import numpy as np
from sklearn.decomposition import PCA

from pyvae import datasets
from pyvae.sklearn import VAETransformer

SETTING = {
    "likelihood": "gaussian-shared", "hidden_layer_sizes": (256, 128), "max_iter": 10, "min_updates": 3000,
    "early_stopping": True,
}  # fmt: skip
SIZES = {"digits": (2, 8), "mnist": (2, 8, 32)}
NAMES = {"digits": "digits", "mnist": "MNIST"}
HEADER = ("data", "columns", "numbers", "PCA", "VAE", "s.d.", "VAE/PCA")


def gray_rows(name):
    """Rows to train on and to test on, gray values from 0 to 1."""
    data = datasets.load(name)
    sources = (data.train.gray(), data.test.gray())
    return [source.gather(np.arange(len(source))).x for source in sources]


def error(estimator, train, test):
    """The root mean squared error of test rows that went there and back."""
    estimator.fit(train)
    back = estimator.inverse_transform(estimator.transform(test))
    return np.sqrt(np.mean((back - test) ** 2, dtype=np.float64))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    seeds = range(1 if options.quick else options.seeds)
    if options.markdown:
        print("|", " | ".join(HEADER), "|\n|" + "---|" * len(HEADER))
    else:
        print("{:8} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8}".format(*HEADER))
    for name in ("digits",) if options.quick else SIZES:
        train, test = gray_rows(name)
        for size in SIZES[name]:
            pca = error(PCA(size, random_state=0), train, test)
            errors = [error(VAETransformer(size, random_state=seed, **SETTING), train, test) for seed in seeds]
            mean, spread = np.mean(errors), np.std(errors)
            form = "| {} | {} | {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} |" if options.markdown else (
                "{:8} {:7} {:7} {:8.4f} {:8.4f} {:8.4f} {:8.2f}"
            )  # fmt: skip
            print(form.format(NAMES[name], train.shape[1], size, pca, mean, spread, mean / pca), flush=True)


if __name__ == "__main__":
    main()
