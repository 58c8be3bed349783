"""Topics of 20 Newsgroups: perplexity of the test rows, and the memory that fitting takes.

    PYVAE_DATA=... python benchmarks/topics.py [--quick]

Rows are counts of 1,995 words in CSR. The perplexity leaves out the multinomial coefficient, which tells how many
orders of the words are one row, and uses the bound in place of log p(x):

    corpus      exp(-sum of bounds / sum of words)
    documents   exp(mean of -bound / words), over the rows that have a word

Beside it stands that of the unigram model, whose only topic is how often each word occurs. The memory is the process's
own (RssAnon), the most that was seen while fitting, above what it was before: with the matrix loaded, the imports made,
another, tiny model fitted, so that what threads and libraries take once does not count, and all that was freed given
back. It is compared with the matrix, the parameters and Adam's two moments. Linux with glibc only.
"""

import argparse
import ctypes
import gc
import os
import threading
import time
from pathlib import Path

import numpy as np
from scipy.sparse import load_npz
from scipy.special import gammaln

from pyvae.sklearn import VAETransformer

SETTINGS = {"n_components": 50, "hidden_layer_sizes": (100,), "batch_size": 64, "max_iter": 40}
INTERVAL = 0.002  # seconds between two looks at the memory


def read(name):
    return load_npz(Path(os.environ["PYVAE_DATA"]) / "20news" / f"{name}_counts.npz").tocsr()


def model(**settings):
    return VAETransformer(likelihood="multinomial", random_state=0, **settings)


class PeakMemory:
    """The most of RssAnon, in bytes, above what it is at the start of the block."""

    def __enter__(self):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back first, or fitting would use it unseen
        self.start = self.most = own_memory()
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.end.wait(INTERVAL):
            self.most = max(self.most, own_memory())

    def __exit__(self, *exception):
        self.end.set()
        self.thread.join()
        self.growth = self.most - self.start


def own_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def coefficients(X):
    """log n! - sum_j log x_j! of each row, (N,)."""
    log_factorials = X.astype(np.float64)
    log_factorials.data = gammaln(log_factorials.data + 1)
    return gammaln(row_sums(X) + 1) - row_sums(log_factorials)


def row_sums(X):
    return np.asarray(X.sum(axis=1)).ravel()


def perplexities(log_p, X):
    """Over the corpus, and over the documents; log_p (N,) without the coefficient."""
    words = row_sums(X)
    some = words > 0
    return np.exp(-log_p.sum() / words.sum()), np.exp(np.mean(-log_p[some] / words[some]))


def unigram(X, test):
    """log p of the test rows where each word has its share of the training rows, every word counted once more."""
    counts = np.asarray(X.sum(axis=0)).ravel() + 1
    return test @ np.log(counts / counts.sum())


def megabytes(*arrays):
    return sum(array.nbytes for array in arrays) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 epochs: only whether it runs")
    options = parser.parse_args()
    X, test = read("train"), read("test")
    model(n_components=2, hidden_layer_sizes=(4,), max_iter=1, min_updates=0).fit(X[:400])
    settings = SETTINGS | ({"max_iter": 2, "min_updates": 0} if options.quick else {})
    topics, start = model(**settings), time.perf_counter()
    with PeakMemory() as memory:
        topics.fit(X)
    taken, parameters = time.perf_counter() - start, topics.model_.parameters.values
    print(", ".join(f"{name}={value}" for name, value in settings.items()))
    print(f"{X.shape[0]} training rows, {topics.n_iter_} epochs in {taken:.0f} s; {test.shape[0]} test rows\n")
    print("perplexity            corpus  documents")
    for name, log_p in (
        ("unigram", unigram(X, test)),
        ("VAETransformer", topics.score_samples(test) - coefficients(test)),
    ):
        print("{:20} {:7.1f}    {:7.1f}".format(name, *perplexities(log_p, test)))
    csr, trained = megabytes(X.data, X.indices, X.indptr), 3 * megabytes(parameters)
    peak = memory.growth / 1e6
    print(f"\nmemory: {peak:.1f} MB at most while fitting, {peak / (csr + trained):.2f} times")
    print(f"        {csr:.1f} MB of matrix + {trained:.1f} MB of parameters and moments")


if __name__ == "__main__":
    main()
