"""Styles: one digit, and what the other nine would look like in the same hand.

What one learns: that z of a ConditionalVAE is what is left when the class is known. The same z beside another label is
the same hand writing another digit: a z that told the class as well would pay for it twice.

    python examples/styles.py                  scikit-learn's digits, half a minute; writes pictures/styles.png
    python examples/styles.py --data mnist     some minutes, where MNIST is at hand ($PYVAE_DATA) or can be loaded

Measured with the default options: test ELBO of log p(x|c) -14.7 nats; without labels (examples/digits.py) -18.0.

Lines of the picture: a test row, and then its z with each of the ten labels.
"""

import argparse
from pathlib import Path

import numpy as np

import pyvae
from pyvae import datasets, plots
from pyvae.data import WithCondition


def main(argv=None):
    parser = argparse.ArgumentParser(description="digits in the style of one")
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path, default=Path("pictures/styles.png"))
    options = parser.parse_args(argv)

    data = datasets.load(options.data)
    D, epochs = data.train.n_features, options.epochs or (300 if options.data == "digits" else 20)
    c, c_test = pyvae.one_hot(data.train_labels), pyvae.one_hot(data.test_labels)
    if options.data == "mnist":  # gray values, which become black or white by chance, afresh at every step
        train, test = (pyvae.ArraySource(source.X, 1 / 255, binarize="draw") for source in (data.train, data.test))
    else:
        train, test = data.train, data.test
    x_test = test.gather(np.arange(len(test))).x

    model = pyvae.ConditionalVAE.mlp(D, n_condition=10, latent_dim=10, hidden=(256,), seed=0)
    pyvae.train(model, WithCondition(train, c), epochs=epochs, progress=False)
    print(f"test ELBO of log p(x|c) {model.elbo(x_test, n_samples=20, condition=c_test).mean():.2f} nats")

    hands = [np.flatnonzero(data.test_labels == label)[0] for label in range(10)]  # a test row of each digit
    lines = []
    for i in hands:
        in_every_class = model.reconstruct(np.repeat(x_test[i : i + 1], 10, axis=0), c_test[i], np.eye(10))
        lines += [x_test[i], *in_every_class]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    plots.image_grid(lines, data.image_shape, columns=11).savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
