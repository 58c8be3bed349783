"""MNIST binarised afresh, with 2 to 20 latent dimensions: the plain VAE of the N-VAE comparison.

    PYVAE_DATA=... python benchmarks/papers/nvae.py nvae-z2 [--threads 1]

784-256-128-z and back, ReLU, batches of 64, Adam at 1e-3, 500 epochs, the weight of the KL rising from 0 to 1 over the
first 100. -log p(x) of the test rows, which are binarised once, from 500 importance samples.
"""

from protocol import Protocol, main

import pyvae
from pyvae.data import datasets
from pyvae.data.sources import ArraySource


class NVAE(Protocol):
    """latent_dim: z."""

    epochs = 500

    def __init__(self, latent_dim, published):
        self.what = f"N-VAE's comparison, MNIST binarised afresh, z = {latent_dim}"
        self.latent_dim, self.published = latent_dim, {"-log p(x)": published}

    def prepare(self):
        model = pyvae.VAE.mlp(784, self.latent_dim, hidden=(256, 128), seed=self.seed)
        rows = ArraySource(datasets.load("mnist").train.X, scale=1 / 255, binarize="draw")
        return model, rows, {"batch_size": 64, "learning_rate": 1e-3, "kl_warmup": 100}

    def measure(self, model, history):
        test = ArraySource(datasets.load("mnist").test.X, scale=1 / 255, binarize="draw")
        return {"-log p(x)": -model.log_likelihood(test, 500).mean(), "-ELBO": -model.elbo(test, 10).mean()}


PUBLISHED = {2: 135.73, 5: 110.21, 10: 93.84, 20: 88.90}
PROTOCOLS = {f"nvae-z{latent_dim}": NVAE(latent_dim, figure) for latent_dim, figure in PUBLISHED.items()}

if __name__ == "__main__":
    main(PROTOCOLS, __doc__)
