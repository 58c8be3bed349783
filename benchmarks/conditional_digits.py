"""Digits on demand: is a new row of a ConditionalVAE the digit that was asked for, as a classifier reads it?

    PYVAE_DATA=... python benchmarks/conditional_digits.py [--epochs 15] [--samples 10000] [--seed 0]

ConditionalVAE 784-500-500-10 on MNIST's training rows, binarised afresh, batches of 128, a rate that falls from 1e-3 as
a cosine. 1,000 new rows of each digit, their means, in two ways:

    prior        z ~ N(0, 1), as the model has it: z and the digit independent
    aggregate    z from the density of the z of the training rows of that digit, ``aggregate_posterior``

Training makes z independent of the digit over all rows only as far as the ELBO pays for it. Where the training rows of
a digit have left a hole that others fill, the decoder was never asked for that digit, and a sample from the prior shows
nothing or another one. They are read by a classifier of scikit-learn (784-256-10) that was trained on the real rows in
gray. Diversity: how many different training rows are the nearest one of some new row, beside the same figure for as
many real test rows. A model that knew one picture of each digit would be read without fault, and have ten.
"""

import argparse

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neural_network import MLPClassifier

import pyvae
from pyvae import datasets

CLASSES = 10


def classifier(images, labels, seed):
    """A network of one hidden layer, by scikit-learn."""
    network = MLPClassifier((256,), batch_size=256, max_iter=30, early_stopping=True, random_state=seed)
    return network.fit(images, labels)


def from_aggregates(model, rows, labels, wanted, seed):
    """The means of new rows of the wanted digits, z from the aggregate posterior of the training rows of each."""
    made = np.empty((len(wanted), model.n_features), np.float32)
    for digit in range(CLASSES):
        latent = model.aggregate_posterior(pyvae.data.Rows(rows, np.flatnonzero(labels == digit)))
        which = np.flatnonzero(wanted == digit)
        c = pyvae.one_hot(wanted[which], CLASSES)
        made[which] = model.sample(len(which), seed + digit, latent=latent, condition=c)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = datasets.load("mnist")
    images, test = (source.gather(np.arange(len(source))).x for source in (data.train, data.test))
    c, c_test = pyvae.one_hot(data.train_labels), pyvae.one_hot(data.test_labels)

    rows = pyvae.ArraySource(data.train.X, scale=1 / 255, binarize="draw", condition=c)
    model = pyvae.ConditionalVAE.mlp(784, CLASSES, latent_dim=10, hidden=(500, 500), seed=options.seed)
    rate = pyvae.CosineDecay(1e-3, options.epochs, 1e-5)
    pyvae.train(
        model, rows, epochs=options.epochs, batch_size=128, learning_rate=rate, seed=options.seed, progress=False
    )
    elbo = model.elbo(pyvae.ArraySource(data.test.X, scale=1 / 255, binarize="draw", condition=c_test)).mean()
    print(f"test ELBO of log p(x|c) {elbo:.2f} nats")

    reader = classifier(images, data.train_labels, options.seed)
    print(f"real test rows read rightly: {np.mean(reader.predict(test) == data.test_labels):.2%}")
    wanted = np.arange(options.samples) % CLASSES
    new = {
        "prior": model.sample(options.samples, options.seed, condition=pyvae.one_hot(wanted, CLASSES)),
        "aggregate": from_aggregates(model, rows, data.train_labels, wanted, options.seed),
    }
    real = distinct(test[: options.samples], images)
    for name, made in new.items():
        print(f"{name:<10} read as the digit asked for: {np.mean(reader.predict(made) == wanted):.2%}")
        print(f"{'':<10} different nearest training rows: {distinct(made, images):,}; of real test rows {real:,}")


def distinct(X, images):
    """How many of the images are the nearest one of some row of X."""
    return len(np.unique(pairwise_distances_argmin(X, images)))


if __name__ == "__main__":
    main()
