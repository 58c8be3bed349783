"""Topics: texts as counts of words, and directions in which the words change.

What one learns: sparse input, and a likelihood that fits it. Each text of 20 Newsgroups is a row of a CSR matrix, how
often each of 1,995 words occurs in it; it is never made dense. The multinomial likelihood says with which probability
each word is the next one. KMeans groups the texts by their z, and each centre is decoded to the probabilities of words
there: the words that are most raised above those of the whole say what the group is about. Perplexity is how many
equally likely words a text's words are as hard to guess as (without the multinomial coefficient, which is that of their
order); an empty text has none.

    python examples/topics.py            two minutes; writes pictures/topics.png, the first words of each group
    python examples/topics.py --rows 300 --epochs 5

Measured with the default options: perplexity 753; with the same probabilities of words for all texts 1161. Groups are
about cars, religion, guns, sports, medicine, space, ciphers, Israel and Armenia; the largest is of requests for help.
The counts are read from $PYVAE_DATA/20news: train_counts.npz and test_counts.npz (scipy.sparse), vocab.txt.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import scipy.sparse
from matplotlib.figure import Figure
from scipy.special import gammaln
from sklearn.cluster import KMeans

from pyvae.sklearn import VAETransformer

GROUPS, WORDS = 12, 6  # of texts; of each, the first words


def load(rows):
    """Training and test counts, (N, 1995) CSR, without empty texts; and the words."""
    folder = Path(os.environ.get("PYVAE_DATA", "")) / "20news"
    if not (folder / "vocab.txt").exists():
        sys.exit(
            "topics.py needs train_counts.npz, test_counts.npz and vocab.txt of 20 Newsgroups in $PYVAE_DATA/20news."
        )
    counts = (scipy.sparse.load_npz(folder / f"{part}_counts.npz").tocsr()[:rows] for part in ("train", "test"))
    words = [line.split()[0] for line in (folder / "vocab.txt").read_text().splitlines()]
    return *(part[part.getnnz(axis=1) > 0] for part in counts), np.array(words)


def perplexity(model, X):
    """exp(-log p / words) of all texts together, log p by the ELBO, of the words in the order in which they stand."""
    n = np.asarray(X.sum(axis=1)).ravel()
    log_factorials = X.astype(float)
    log_factorials.data = gammaln(X.data + 1.0)
    log_n_orders = gammaln(n + 1) - np.asarray(log_factorials.sum(axis=1)).ravel()
    return np.exp(-(model.score_samples(X) - log_n_orders).sum() / n.sum())


def main(argv=None):
    parser = argparse.ArgumentParser(description="topics of texts")
    parser.add_argument("--rows", type=int, help="texts to train on, and to test with (all)")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("pictures/topics.png"))
    options = parser.parse_args(argv)

    X, X_test, words = load(options.rows)
    model = VAETransformer(50, likelihood="multinomial", max_iter=options.epochs, min_updates=0, random_state=0).fit(X)
    whole = np.asarray(X.sum(axis=0)).ravel() / X.sum()  # the share of each word
    unigram = np.exp(-(X_test @ np.log(whole + 1e-9)).sum() / X_test.sum())
    found = perplexity(model, X_test)
    print(f"perplexity of {X_test.shape[0]} test texts: {found:.0f}; of one topic for all {unigram:.0f}")

    groups = KMeans(GROUPS, n_init=10, random_state=0).fit(model.transform(X))
    share = model.inverse_transform(groups.cluster_centers_)  # of each word, (GROUPS, 1995)
    raised = share * np.log(share / (whole + 1e-9))  # each word's part of the KL between a group and the whole
    figure = Figure(figsize=(11, 8), layout="constrained")
    sizes = np.bincount(groups.labels_)
    cells = figure.subplots(3, GROUPS // 3)
    for axes, g in zip(cells.flat, np.argsort(-sizes), strict=True):
        first = np.argsort(-raised[g])[:WORDS]
        print(f"{sizes[g]:5} texts: {' '.join(words[first])}")
        axes.barh(words[first[::-1]], 100 * share[g, first[::-1]], color="#3f90da", label="in this group")
        axes.barh(words[first[::-1]], 100 * whole[first[::-1]], height=0.3, color="#000000", label="in all texts")
        axes.set_title(f"{sizes[g]} texts", fontsize=10)
    figure.supxlabel("% of the words")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=120)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
