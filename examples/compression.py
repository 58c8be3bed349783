"""Lossy compression: a row as a few numbers, against PCA with as many.

What one learns: the code z may be bent. PCA finds the flat space of k dimensions that loses least of the training rows;
a VAE's decoder bends it. Both keep k numbers of each test row, and are measured by what is lost, the mean squared error
of the gray values. likelihood="gaussian-shared" has one std for all pixels, and training it minimises squared error
(docs/likelihoods.md); a std for each pixel would spend the code on pixels that hardly ever vary.

    python examples/compression.py            some seconds; writes pictures/compression.png
    python examples/compression.py --data mnist            some minutes
    python examples/compression.py --rows 500

Measured with the default options, mean squared errors: 2 numbers 0.0546 (PCA) and 0.0397 (VAE), 8 numbers 0.0253 and
0.0144.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from pyvae import datasets, plots
from pyvae.sklearn import VAETransformer

SIZES = {"digits": (2, 8), "mnist": (2, 8, 32)}  # numbers kept of a row
SIDE = {"digits": 8, "mnist": 28}
SHOWN = 12  # test rows in the picture


def load(name, rows):
    """Training and test rows, gray values from 0 to 1."""
    if name == "digits":
        return train_test_split(load_digits().data[:rows] / 16, test_size=0.2, random_state=0)
    data = datasets.load("mnist")
    return [part.X[:rows] / np.float32(255) for part in (data.train, data.test)]


def main(argv=None):
    parser = argparse.ArgumentParser(description="lossy compression, against PCA")
    parser.add_argument("--data", choices=SIZES, default="digits")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--out", type=Path, default=Path("pictures/compression.png"))
    options = parser.parse_args(argv)

    X_train, X_test = load(options.data, options.rows)
    pictures = {"test rows": X_test}
    for k in SIZES[options.data]:
        vae = VAETransformer(k, likelihood="gaussian-shared", random_state=0)
        for name, method in {"PCA": PCA(k, random_state=0), "VAE": vae}.items():
            code = method.fit(X_train).transform(X_test)  # (N, k)
            pictures[f"{name}, {k}"] = again = method.inverse_transform(code)
            lost = np.mean((again - X_test) ** 2)
            print(f"{name}, {k:2} of {X_test.shape[1]} numbers: mean squared error {lost:.4f}")

    rows = np.vstack([rows[:SHOWN] for rows in pictures.values()])
    shape = (SIDE[options.data],) * 2
    options.out.parent.mkdir(parents=True, exist_ok=True)
    plots.image_grid(rows, shape, columns=SHOWN, labels=list(pictures)).savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
