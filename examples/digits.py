"""Digits: the whole way of a model, from data to invented pictures, in the order in which one would go it.

What one learns: to check the gradients before anything is trained; that the ELBO is a lower bound, with log p(x) about
a nat above it; and what reconstructions and samples look like.

    python examples/digits.py            300 epochs, ten seconds; writes pictures/digits.png
    python examples/digits.py --epochs 3

Measured with the default options: test ELBO -18.0, log p(x) -17.0 nats.

Lines of the picture: test rows, their reconstructions, and rows that the model made up.
"""

import argparse
from pathlib import Path

import numpy as np

import pyvae
from pyvae import datasets, plots


def main(argv=None):
    parser = argparse.ArgumentParser(description="a VAE of scikit-learn's digits")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("pictures/digits.png"))
    options = parser.parse_args(argv)

    data = datasets.load("digits")  # black and white: 1437 rows to train on, 360 to test
    model = pyvae.VAE.mlp(64, latent_dim=10, hidden=(256,), likelihood="bernoulli", seed=0)
    test = data.test.gather(np.arange(len(data.test))).x  # (360, 64)

    checks = pyvae.check_gradients(model, test[:5])  # raises where a gradient is wrong
    print(f"gradients agree with finite differences to {max(check.error for check in checks):.0e}")

    pyvae.train(model, data.train, epochs=options.epochs, X_val=data.test, progress=False)
    print(f"test ELBO {model.elbo(test, n_samples=20).mean():.2f} nats")
    print(f"log p(x)  {model.log_likelihood(test, n_samples=1000).mean():.2f} nats")

    shown = test[:12]
    rows = [*shown, *model.reconstruct(shown), *model.sample(24, seed=0)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    plots.image_grid(rows, (8, 8), columns=12, labels=("test rows", "again", "new", "new")).savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
