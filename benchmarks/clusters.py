"""Clusters in two latent dimensions: four blobs, bent through a network and buried in 50 columns.

    python benchmarks/clusters.py [--seeds 5] [--beta 0.001] [--quick]

1,000 points of four Gaussian blobs with standard deviation 0.4 (scikit-learn's make_blobs, whose centers each seed
draws anew) are sent through a fixed random network, tanh(tanh(x V + c) W), to 50 columns, with noise of 0.1 added. 800
rows train VAETransformer(2) and PCA(2), and KMeans on what they make of them; 200 rows are judged:

    ARI          adjusted Rand index of KMeans' clusters and the blobs
    silhouette   of the blobs in the two dimensions

The KL draws all rows together towards the prior, one normal distribution, and so clusters towards each other: where
they are to stand apart, beta is small. 800 rows are few, and noisy ones: with a hidden layer of 50, half the default,
the encoder passes on less of the noise.
"""

import argparse

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.model_selection import train_test_split

from pyvae.sklearn import VAETransformer


def bent_blobs(seed, n=1000, n_columns=50, noise=0.1):
    """Rows (n, n_columns) and the number of each row's blob."""
    network = np.random.default_rng(0)  # the same for all seeds
    V, c = 0.5 * network.standard_normal((2, n_columns)), network.standard_normal(n_columns)
    W = 2 * network.standard_normal((n_columns, n_columns)) / np.sqrt(n_columns)
    x, blob = make_blobs(n, centers=4, cluster_std=0.4, random_state=seed)
    X = np.tanh(np.tanh(x @ V + c) @ W)
    return X + noise * np.random.default_rng(seed).standard_normal(X.shape), blob


def judge(transformer, X, X_test, blob):
    z, z_test = transformer.fit_transform(X), transformer.transform(X_test)
    clusters = KMeans(4, n_init=10, random_state=0).fit(z).predict(z_test)
    return adjusted_rand_score(blob, clusters), silhouette_score(z_test, blob)


def main():
    parser = argparse.ArgumentParser(description="Clusters in two latent dimensions, beside PCA.")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default 5)")
    parser.add_argument("--beta", type=float, default=0.001, help="weight of the KL (default 0.001)")
    parser.add_argument("--quick", action="store_true", help="one seed and few updates: to see that it runs")
    arguments = parser.parse_args()
    options = {"max_iter": 5, "min_updates": 100} if arguments.quick else {}
    print(f"{'seed':>4} {'VAE ARI':>9} {'silhouette':>11} {'PCA ARI':>9} {'silhouette':>11}")
    for seed in range(1 if arguments.quick else arguments.seeds):
        X, blob = bent_blobs(seed)
        X, X_test, _, blob_test = train_test_split(X, blob, test_size=0.2, random_state=seed)
        vae = VAETransformer(2, hidden_layer_sizes=(50,), beta=arguments.beta, random_state=seed, **options)
        figures = [judge(transformer, X, X_test, blob_test) for transformer in (vae, PCA(2, random_state=seed))]
        print(f"{seed:>4}" + "".join(f" {ari:9.3f} {silhouette:11.3f}" for ari, silhouette in figures), flush=True)


if __name__ == "__main__":
    main()
