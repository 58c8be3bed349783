"""Burda, Grosse and Salakhutdinov 2016, table 1: one and two stochastic layers on MNIST, binarised afresh.

    PYVAE_DATA=... python benchmarks/papers/iwae.py iwae-k1 [--threads 1]
    PYVAE_DATA=... python benchmarks/papers/iwae.py iwae-k5
    PYVAE_DATA=... python benchmarks/papers/iwae.py iwae-2-layers-k1

From the authors' code: 784-200-200-50 and back or, of two layers, 784-200-200-100, 100-100-100-50 and back; tanh, sigma
= exp(linear), Glorot-uniform weights; the bias of the outputs is the logit of the mean picture, clipped to [0.001,
0.999]; batches of 20; the first 59,600 rows; 3,280 epochs in stages i = 1 .. 8 of 3^(i-1) epochs, at the rate 1e-4
round(10^(1 - (i-1)/7), 1). Both log densities of z are sampled. Adam has beta1 = 0.99 and epsilon = 1e-4, and its
second moments begin at 1. There the loss is summed over the 20 rows of a batch, here it is their mean: epsilon is
divided by 20, and the first second moments by 400. -log p(x) is estimated from 5,000 samples a row, on test rows that
are binarised once; a unit is active where the variance of its posterior mean over the rows is above 0.01: of z2, that
of q(z2|z1) at one z1 ~ q(z1|x) of each row.

Differences from the authors' code that are known: the order of rows is a new one in each epoch, there it is the same in
all; there a step goes by the moments of the step before; active units are those of the first 500 rows to train on
there, and of the test rows here, of z2 those of 5,000.
"""

from itertools import pairwise

import numpy as np
from protocol import Protocol, main

import pyvae
from pyvae import _kernels
from pyvae.data import datasets
from pyvae.data.sources import ArraySource
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar
from pyvae.metrics import active_units
from pyvae.training.adam import Adam
from pyvae.workspace import FRESH

TRAINED, BATCH = 59_600, 20
STAGES = [(sum(3**j for j in range(i)), 1e-4 * round(10 ** (1 - i / 7), 1)) for i in range(8)]  # (first epoch, rate)


def rate(epoch):
    """The learning rate after so many epochs."""
    return next(rate for first, rate in reversed(STAGES) if epoch >= first)


@pyvae.register
class LogSigmaGaussian(DiagonalGaussian):
    """q(z|x) = N(mu, sigma^2) of outputs [mu | log sigma]: logvar = 2 log sigma."""

    playable = True

    def split(self, outputs, memory=FRESH):
        latent_dim = outputs.shape[1] // 2
        log_sigma = outputs[:, latent_dim:]
        logvar = memory.take(log_sigma.shape, log_sigma.dtype)
        _kernels.add(log_sigma, log_sigma, out=logvar)
        return MuLogvar(outputs[:, :latent_dim], logvar)

    def split_backward(self, dq, outputs, memory=FRESH):
        doutputs = memory.take(outputs.shape, outputs.dtype)
        _kernels.copy(dq.mu, out=doutputs[:, : dq.mu.shape[1]])
        _kernels.add(dq.logvar, dq.logvar, out=doutputs[:, dq.mu.shape[1] :])
        return doutputs


class IWAE(Protocol):
    """One row of the table."""

    epochs = 3280

    def __init__(self, what, objective, published):
        self.what, self.objective, self.published = what, objective, published

    def prepare(self):
        model = self.make_model()
        pictures = datasets.load("mnist").train.X[:TRAINED]
        mean = pictures.mean(axis=0, dtype=np.float64) / 255
        model.likelihood.start(np.clip(mean, 0.001, 0.999), None, model.decoder.output_bias())
        optimizer = Adam(model.parameters, beta1=0.99, epsilon=1e-4 / BATCH)
        optimizer.v[...] = 1 / BATCH**2
        rows = ArraySource(pictures, scale=1 / 255, binarize="draw")
        return model, rows, {
            "batch_size": BATCH, "learning_rate": rate, "objective": self.objective, "optimizer": optimizer
        }  # fmt: skip

    def make_model(self):
        model = pyvae.VAE(
            net(784, 200, 200, 100), net(50, 200, 200, 784), pyvae.Bernoulli(784), posterior=LogSigmaGaussian(),
            seed=self.seed,
        )  # fmt: skip
        make_two_of_one(model.encoder)
        return model

    def measure(self, model, history):
        test = datasets.load("mnist").test
        test = ArraySource(test.X, scale=1 / 255, binarize="draw")
        mu, _ = model.encode(test)
        return {
            "-log p(x)": -model.log_likelihood(test, 5000).mean(),
            "active units": int(active_units(mu).sum()),
            "-ELBO": -model.elbo(test, 10).mean(),
            "-log p(x), last 400 training rows": -model.log_likelihood(last_rows(), 5000).mean(),
        }


class TwoLayers(IWAE):
    """One row of the table's right half."""

    def make_model(self):
        gaussian = LogSigmaGaussian()
        second = pyvae.SecondLayer(net(100, 100, 100, 100), net(50, 100, 100, 200), posterior=gaussian)
        model = pyvae.TwoLayerVAE(
            net(784, 200, 200, 200), net(100, 200, 200, 784), pyvae.Bernoulli(784), second, gaussian, self.seed
        )
        for of_gaussian in (model.encoder, second.encoder, second.decoder):
            make_two_of_one(of_gaussian)
        return model

    def measure(self, model, history):
        test = ArraySource(datasets.load("mnist").test.X, scale=1 / 255, binarize="draw")
        mu, _ = model.prior.encode(model.posterior_samples(test))
        return super().measure(model, history) | {"active units of z2": int(active_units(mu).sum())}


def net(n_in, *sizes):
    """Dense layers from n_in columns through these sizes, tanh but for the last."""
    *hidden, last = pairwise((n_in, *sizes))
    layers = [pyvae.Dense(*size, "tanh", init="glorot") for size in hidden]
    return pyvae.Sequential(*layers, pyvae.Dense(*last, init="glorot"))


def make_two_of_one(network):
    """The weights of the last layer as those of two, for mu and log sigma, which it is in the authors' code: Glorot's
    range depends on the number of outputs."""
    W = network.layers[-1].W
    n_in, n_out = W.shape
    W *= np.sqrt((n_in + n_out) / (n_in + n_out // 2))


def last_rows():
    """The 400 pictures that are not trained on."""
    train = datasets.load("mnist").train
    return ArraySource(train.X[TRAINED:], scale=1 / 255, binarize="draw")


PROTOCOLS = {
    "iwae-k1": IWAE("IWAE paper, 1 layer, k = 1", pyvae.ELBO(kl="sampled"), {"-log p(x)": 86.76, "active units": 19}),
    "iwae-k5": IWAE(
        "IWAE paper, 1 layer, k = 5", pyvae.ImportanceWeighted(5), {"-log p(x)": 85.54, "active units": 22}
    ),
    "iwae-2-layers-k1": TwoLayers(
        "IWAE paper, 2 layers, k = 1",
        pyvae.ELBO(kl="sampled"),
        {"-log p(x)": 85.33, "active units": 16, "active units of z2": 5},
    ),
}

if __name__ == "__main__":
    main(PROTOCOLS, __doc__)
