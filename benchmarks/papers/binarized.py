"""Fixed binarised MNIST under the protocol of pythae's reproduction script, whose figure is 89.78 (reference: 89.9).

    PYVAE_DATA=... python benchmarks/papers/binarized.py binarized-400-400 [--threads 1]

784-400-40 ReLU, one sample, batches of 100 of the 50,000 rows, Adam at 1e-4 times 10^(-1/5) after epochs 200 and 350,
500 epochs. In the script a second hidden layer of 400 units is commented out, in the encoder and in the decoder. Here
both networks are trained. -log p(x) of the test rows from 200 importance samples.
"""

from protocol import Protocol, main

import pyvae
from pyvae.data import datasets
from pyvae.training.schedules import StepDecay


class Binarized(Protocol):
    """hidden: the sizes of the encoder's hidden layers."""

    published, epochs = {"-log p(x)": 89.78}, 500

    def __init__(self, hidden):
        self.hidden, layers = hidden, "-".join(map(str, hidden))
        self.what = f"fixed binarised MNIST, 784-{layers}-40 ReLU"

    def prepare(self):
        model = pyvae.VAE.mlp(784, latent_dim=40, hidden=self.hidden, seed=self.seed)
        rate = StepDecay(1e-4, 10 ** (-1 / 5), (200, 350))
        return model, datasets.load("binarized-mnist").train, {"batch_size": 100, "learning_rate": rate}

    def measure(self, model, history):
        test = datasets.load("binarized-mnist").test
        return {"-log p(x)": -model.log_likelihood(test, 200).mean(), "-ELBO": -model.elbo(test, 10).mean()}


PROTOCOLS = {"binarized-400-400": Binarized((400, 400)), "binarized-400": Binarized((400,))}

if __name__ == "__main__":
    main(PROTOCOLS, __doc__)
