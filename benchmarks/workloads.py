"""The workloads of frameworks.py: which rows, what model, how many rows a step.

A step picks the next minibatch from rows in memory, computes the loss, its gradients, and an Adam update. The loss is
the negative ELBO of one sample a row; I has the importance-weighted bound of 50 instead. How much of a row is zero
matters to this library, and to no other here: so A to E have MNIST's own rows, and each has a *dense control*, "A
dense" and so on, with no zero pixel and units that are never zero.

    rows            what they are                                                      likelihood
    gray            MNIST's first 10,000, 19% of whose pixels are not zero             Bernoulli
    binarised       the same, each pixel drawn afresh at every step, black or white    Bernoulli
    dense           the same with 1 of 255 where a pixel is zero                       Bernoulli
    numbers         10,000 drawn rows of 30 numbers from 0 to 1                        Bernoulli
    table           Adult without income: 6 standardised numbers, 8 one-hot groups     normal (std 1), categories
    words           20 Newsgroups: counts of 1,995 words, CSR, 2% of them not zero     multinomial

Without $PYVAE_DATA rows of the same kind and share of zeros are drawn in place of MNIST, Adult and 20 Newsgroups, and
the report says "drawn".
"""

import gzip
import os
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

N_ROWS = 10_000
LEARNING_RATE = 1e-3


class Workload(NamedTuple):
    rows: str
    n_features: int
    hidden: tuple
    latent: int
    activation: str
    batch_size: int
    samples: int = 1  # of z for each row

    def __str__(self):
        layers = "-".join(map(str, (self.n_features, *self.hidden, self.latent)))
        samples = f", {self.samples} samples" if self.samples > 1 else ""
        return f"{layers} {self.activation}, {self.rows}, batch {self.batch_size}{samples}"


WORKLOADS = {
    "A": Workload("gray", 784, (400,), 20, "relu", 128),
    "B": Workload("gray", 784, (400,), 20, "relu", 32),
    "C": Workload("gray", 784, (400,), 20, "relu", 512),
    "D": Workload("binarised", 784, (200, 200), 50, "tanh", 20),
    "E": Workload("gray", 784, (1024, 1024), 64, "relu", 256),
    "F": Workload("numbers", 30, (64, 32), 8, "relu", 256),
    "G": Workload("table", 108, (128,), 16, "relu", 500),
    "H": Workload("words", 1995, (100,), 50, "relu", 64),
    "I": Workload("binarised", 784, (200, 200), 50, "tanh", 20, samples=50),
}
WORKLOADS |= {f"{name} dense": WORKLOADS[name]._replace(rows="dense", activation="tanh") for name in "ABCDE"}

ADULT_NUMBERS = (0, 2, 4, 10, 11, 12)  # columns; the others are words
ADULT_SIZES = (9, 16, 7, 15, 6, 5, 2, 42)  # of the groups of one-hot columns


def data_file(*parts):
    """The path of a file of $PYVAE_DATA; None where it is not there."""
    path = Path(os.environ.get("PYVAE_DATA", "/nowhere"), *parts)
    return path if path.is_file() else None


def rows(workload):
    """The rows, an array or a CSR matrix, and whether they are drawn in place of others."""
    kind = WORKLOADS[workload].rows
    if kind == "numbers":
        rng = np.random.default_rng(0)
        factors = np.maximum(rng.standard_normal((N_ROWS, 10)), 0)
        values = factors @ np.maximum(rng.standard_normal((10, 30)) - 0.5, 0)
        return np.minimum(values * 80, 255).astype(np.uint8), False
    if kind == "table":
        return table()
    if kind == "words":
        return words()
    X, drawn = pictures()
    return (np.maximum(X, 1) if kind == "dense" else X), drawn


def pictures():
    """Gray pictures of 28 x 28 pixels, uint8."""
    path = data_file("mnist", "train-images-idx3-ubyte.gz")
    if path is not None:
        with gzip.open(path) as file:
            return np.frombuffer(file.read(16 + 784 * N_ROWS), np.uint8, offset=16).reshape(N_ROWS, 784), False
    rng = np.random.default_rng(0)
    coarse = rng.random((N_ROWS, 8, 8))  # smooth blots in the middle of a black picture
    fine = np.kron(coarse, np.ones((1, 2, 2)))
    fine = (fine + np.roll(fine, 1, 1) + np.roll(fine, 1, 2) + np.roll(fine, (1, 1), (1, 2))) / 4
    X = np.zeros((N_ROWS, 28, 28), np.uint8)
    X[:, 6:22, 6:22] = np.where(fine > np.quantile(fine, 1 - 0.19 * 784 / 256), 255 * fine, 0)
    return X.reshape(N_ROWS, 784), True


def table():
    """Standardised numbers, then groups of one-hot columns, float32."""
    path = data_file("adult", "adult.data")
    rng = np.random.default_rng(0)
    if path is None:
        numbers = rng.standard_normal((N_ROWS, len(ADULT_NUMBERS)))
        codes = [rng.integers(size, size=N_ROWS) for size in ADULT_SIZES]
    else:
        lines = [line.split(", ") for line in path.read_text().splitlines()[:N_ROWS]]
        columns = list(zip(*lines, strict=True))
        numbers = np.array([columns[j] for j in ADULT_NUMBERS], float).T
        numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
        codes = [np.unique(columns[j], return_inverse=True)[1] for j in range(14) if j not in ADULT_NUMBERS]
    groups = [np.eye(size)[code] for size, code in zip(ADULT_SIZES, codes, strict=True)]
    return np.hstack([numbers, *groups]).astype(np.float32), path is None


def words():
    """Counts of words, CSR."""
    path = data_file("20news", "train_counts.npz")
    if path is not None:
        return sparse.load_npz(path).tocsr()[:N_ROWS], False
    rng = np.random.default_rng(0)
    rates = 40 * rng.dirichlet(np.full(1995, 0.5), 20)[rng.integers(20, size=N_ROWS)]
    return sparse.csr_matrix(rng.poisson(rates)), True


def share_of_entries(workload):
    """The share of a row that is not zero."""
    X = rows(workload)[0]
    share = X.nnz / np.prod(X.shape) if sparse.issparse(X) else np.count_nonzero(X) / X.size
    return share if WORKLOADS[workload].rows != "binarised" else X.mean() / 255


def sizes(workload):
    """Layer sizes of the encoder and of the decoder."""
    w = WORKLOADS[workload]
    return [w.n_features, *w.hidden, 2 * w.latent], [w.latent, *reversed(w.hidden), w.n_features]


def batches(batch_size):
    """Row numbers of one minibatch after another, each epoch in a new order, whole batches only."""
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(N_ROWS)
        for start in range(0, N_ROWS - batch_size + 1, batch_size):
            yield order[start : start + batch_size]


def first_weights(workload):
    """The same uniform first weights for everybody, a list of (W, b) for encoder and decoder."""
    rng = np.random.default_rng(2)
    return [
        [
            (rng.uniform(-1, 1, (a, b)).astype(np.float32) / np.float32(np.sqrt(a)), np.zeros(b, np.float32))
            for a, b in pairwise(part)
        ]
        for part in sizes(workload)
    ]
