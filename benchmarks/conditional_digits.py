"""Digits on demand: is a new row of a ConditionalVAE the digit that was asked for, as a classifier reads it?

    PYVAE_DATA=... python benchmarks/conditional_digits.py [--epochs 50] [--samples 10000] [--seed 0]

ConditionalVAE 784-400-20 on MNIST's training rows, binarised afresh, batches of 128. 1,000 new rows of each digit from
the prior, their means. They are read by a classifier of scikit-learn (784-256-10) that was trained on the real rows in
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
    network = MLPClassifier((256,), batch_size=256, max_iter=15, early_stopping=True, random_state=seed)
    return network.fit(images, labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = datasets.load("mnist")
    images, test = (source.gather(np.arange(len(source))).x for source in (data.train, data.test))
    c, c_test = pyvae.one_hot(data.train_labels), pyvae.one_hot(data.test_labels)

    rows = pyvae.ArraySource(data.train.X, scale=1 / 255, binarize="draw", condition=c)
    model = pyvae.ConditionalVAE.mlp(784, CLASSES, latent_dim=20, hidden=(400,), seed=options.seed)
    pyvae.train(model, rows, epochs=options.epochs, batch_size=128, seed=options.seed, progress=False)
    elbo = model.elbo(pyvae.ArraySource(data.test.X, scale=1 / 255, binarize="draw", condition=c_test)).mean()
    print(f"test ELBO of log p(x|c) {elbo:.2f} nats")

    wanted = np.arange(options.samples) % CLASSES
    made = model.sample(options.samples, options.seed, condition=pyvae.one_hot(wanted, CLASSES))
    reader = classifier(images, data.train_labels, options.seed)
    print(f"real test rows read rightly: {np.mean(reader.predict(test) == data.test_labels):.2%}")
    print(f"new rows read as the digit asked for: {np.mean(reader.predict(made) == wanted):.2%}")
    distinct = [len(np.unique(pairwise_distances_argmin(X, images))) for X in (made, test[: options.samples])]
    print(f"different nearest training rows: {distinct[0]:,} of {len(made):,}; of real test rows {distinct[1]:,}")


if __name__ == "__main__":
    main()
