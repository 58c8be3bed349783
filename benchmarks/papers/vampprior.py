"""Tomczak and Welling 2018, table 1: static MNIST under a standard normal prior, a VampPrior, and a mixture.

    PYVAE_DATA=... python benchmarks/papers/vampprior.py vampprior-standard [--threads 1]

From the authors' code: gated layers 784-300-300-40 and back, He's first weights, logvar clipped to [-6, 2], batches of
100, Adam at 5e-4, the sampled KL with a weight that rises over 100 epochs, 500 pseudo-inputs that start at N(0.05,
0.01^2) and are held between 0 and 1. The 10,000 rows that choose the epoch, and end the training when 50 epochs after
the warm-up have brought nothing better, are drawn from the 60,000 of the training and the validation split. At most 600
epochs, where the paper has 2,000. -log p(x) of the test rows from 5,000 importance samples.

Differences from the authors' code that are known: there each tensor's gradient is divided by its norm before Adam sees
it; the 10,000 rows are those of the fixed validation split (here validation rows that choose an epoch are drawn from
the rows given); biases begin at uniform random numbers, and not at 0.
"""

import numpy as np
from protocol import Protocol, main

import pyvae
from pyvae.data import datasets


class Vamp(Protocol):
    """make_prior: a function without arguments."""

    epochs = 600

    def __init__(self, what, make_prior, published):
        self.what, self.make_prior, self.published = f"static MNIST, gated 300-300, {what}", make_prior, published

    def prepare(self):
        def gated(n_in):
            return pyvae.GatedDense(n_in, 300, init="he"), pyvae.GatedDense(300, 300, init="he")

        encoder = pyvae.Sequential(*gated(784), pyvae.Dense(300, 80, init="he"))
        decoder = pyvae.Sequential(*gated(40), pyvae.Dense(300, 784, init="he"))
        posterior = pyvae.DiagonalGaussian(logvar_bounds=(-6, 2))
        model = pyvae.VAE(encoder, decoder, pyvae.Bernoulli(784), self.make_prior(), posterior, self.seed)
        data = datasets.load("binarized-mnist")
        rows = pyvae.ArraySource(np.concatenate([data.train.X, data.validation.X]))
        return model, rows, {
            "batch_size": 100, "learning_rate": 5e-4, "validation_fraction": 1 / 6, "patience": 50,
            "objective": pyvae.ELBO(pyvae.LinearWarmUp(1.0, 100), kl="sampled"),
        }  # fmt: skip

    def measure(self, model, history):
        test = datasets.load("binarized-mnist").test
        return {"-log p(x)": -model.log_likelihood(test, 5000).mean(), "-ELBO": -model.elbo(test, 10).mean()}


PROTOCOLS = {
    "vampprior-standard": Vamp("standard prior", pyvae.StandardNormal, {"-log p(x)": 88.56}),
    "vampprior-500": Vamp("VampPrior 500", lambda: pyvae.VampPrior(784, 500, clip=(0, 1)), {"-log p(x)": 85.57}),
    "vampprior-mixture": Vamp("mixture of 500 Gaussians", lambda: pyvae.Mixture(40, 500), {}),
}

if __name__ == "__main__":
    main(PROTOCOLS, __doc__)
