"""A hundred labels: what pictures without a label teach a classifier that has ten of each digit.

What one learns: a network of a hundred pictures learns these by heart, and fails on others. M1+M2 (docs/labels.md)
looks at all pictures: a VAE learns which pictures there are, as z (M1), and a second model learns that each z is one of
ten classes and a style (M2), in which a hundred labels say which class is which digit.

    python examples/few_labels.py              four minutes, where MNIST is at hand ($PYVAE_DATA) or can be loaded

Measured with the default options: of the 10,000 test rows, a network of 784-500-50-300-10, as M1+M2 is where it
classifies, tells 20.0% wrongly; M1+M2 10.5%. Longer, with the protocol of Kingma et al. 2014, it becomes half of that
(benchmarks/semi_supervised.py).

The picture: the labelled rows; and the errors on the test rows after each pass over the rows.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier

import pyvae
from pyvae import datasets
from pyvae.data import Drawn

CLASSES, LABELS, Z = 10, 100, 50


def ten_of_each(digit):
    """digit with -1 for all rows but ten of each, the first of a random order."""
    order, known = np.random.default_rng(0).permutation(len(digit)), np.full(len(digit), -1)
    for c in range(CLASSES):
        rows = order[digit[order] == c][: LABELS // CLASSES]
        known[rows] = c
    return known


def main(argv=None):
    parser = argparse.ArgumentParser(description="a hundred labels")
    parser.add_argument("--rows", type=int, default=60_000, help="the first so many training rows, at most")
    parser.add_argument("--epochs", type=int, default=25, help="of each of the two models")
    parser.add_argument("--out", type=Path, default=Path("pictures/few_labels.png"))
    options = parser.parse_args(argv)

    data = datasets.load("mnist")
    rows, test_rows = np.arange(min(options.rows, len(data.train))), np.arange(len(data.test))
    x, x_test = data.train.gather(rows).x, data.test.gather(test_rows).x
    label = ten_of_each(data.train_labels[rows])
    known = np.flatnonzero(label >= 0)

    def error(shares):
        return np.mean(shares.argmax(axis=1) != data.test_labels)

    network = MLPClassifier((500, Z, 300), max_iter=500, random_state=0).fit(x[known], label[known])
    alone = error(network.predict_proba(x_test))
    print(f"a network of the {len(known)} labelled rows tells {alone:.1%} of the test rows wrongly")

    m1 = pyvae.VAE.mlp(784, Z, (500,), "softplus", seed=0)
    pyvae.train(m1, x, epochs=options.epochs, batch_size=200, learning_rate=3e-3, progress=False)
    (mu, logvar), mu_test = m1.encode(x), m1.encode(x_test)[0]

    weight = 0.1 * len(x) / len(known)  # of the classifier's loss in a labelled row
    m2 = pyvae.SemiSupervisedVAE.mlp(Z, CLASSES, Z, (300,), "softplus", pyvae.Gaussian(Z, "predicted"), weight)
    errors = []
    pyvae.train(
        m2, Drawn(pyvae.ArraySource(mu, label=label), logvar), epochs=options.epochs, batch_size=200, progress=False,
        learning_rate=pyvae.CosineDecay(3e-3, options.epochs, 3e-5), optimizer=pyvae.Adam(m2.parameters, l2=1 / len(x)),
        callbacks=[lambda history: errors.append(error(m2.classify(mu_test)))],
    )  # fmt: skip
    print(f"M1+M2 of all {len(x):,} rows, {len(known)} of them labelled: {errors[-1]:.1%}")
    draw(x[known][np.argsort(label[known], kind="stable")], errors, alone, options.out)
    print(f"picture: {options.out}")


def draw(labelled, errors, alone, path):
    """The labelled rows (100, 784), and the errors after each pass beside that of the network alone."""
    from matplotlib.figure import Figure

    figure = Figure((9, 4), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    tiles = labelled.reshape(CLASSES, -1, 28, 28).transpose(0, 2, 1, 3).reshape(28 * CLASSES, -1)
    left.imshow(tiles, cmap="gray_r")
    left.set_axis_off()
    left.set_title("all that have a label")
    right.plot(np.arange(len(errors)) + 1, 100 * np.array(errors), label="M1+M2, all rows")
    right.axhline(100 * alone, color="0.5", linestyle="--", label="a network of the labelled rows")
    right.set(xlabel="pass over the rows", ylabel="errors on the test rows, %", ylim=(0, None))
    right.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    main()
