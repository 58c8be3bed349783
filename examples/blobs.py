"""Blobs: a VAE finds the plane on which points in twenty dimensions lie.

What one learns: what a latent space is, where the truth is known. Points of four Gaussian blobs in the plane are sent
through a random tanh network to 20 columns, and noise is added. A VAE with two latent dimensions sees the columns
alone. It finds a plane with four blobs again: mirrored or turned, as nothing says which way is up, and with the blobs
close together, as the prior wants them to fill N(0, 1). The std of its Gaussian likelihood is learned, and finds how
much of the data is noise.

    python examples/blobs.py            some seconds; writes pictures/blobs.png, the plane as it was and as it was found
    python examples/blobs.py --rows 400 --epochs 20

Measured with the default options: 99.8% of the points are nearest to their own blob's centre in the plane as it was,
99.5% in the one that was found; learned std 0.105, where 0.1 was added.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import pyvae

NOISE = 0.1  # standard deviation of what is added to each column


def make_blobs(n, rng):
    """Points (n, 2) of four blobs, what a random network makes of them (n, 20), and which blob is whose (n,)."""
    blob = rng.integers(4, size=n)
    points = np.array([[-2, -2], [-2, 2], [2, -2], [2, 2]])[blob] + 0.7 * rng.standard_normal((n, 2))
    hidden = np.tanh(points @ rng.standard_normal((2, 30)) / 2)
    X = hidden @ rng.standard_normal((30, 20)) / np.sqrt(30)
    return points, X + NOISE * rng.standard_normal(X.shape), blob


def separation(mu, blob):
    """The share of points whose blob's centre is nearer than the centres of the other three."""
    centres = np.array([mu[blob == b].mean(axis=0) for b in range(4)])
    distance = np.linalg.norm(mu[:, None] - centres, axis=2)  # (n, 4)
    return np.mean(distance.argmin(axis=1) == blob)


def main(argv=None):
    parser = argparse.ArgumentParser(description="a VAE of four blobs in twenty dimensions")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("pictures/blobs.png"))
    options = parser.parse_args(argv)

    points, X, blob = make_blobs(options.rows, np.random.default_rng(0))
    model = pyvae.VAE.mlp(20, latent_dim=2, hidden=(64, 64), activation="tanh", likelihood="gaussian", seed=0)
    pyvae.train(model, X, epochs=options.epochs, learning_rate=5e-3, progress=False)

    mu, _ = model.encode(X)
    std = np.exp(model.likelihood.rho / 2).mean()
    before, after = separation(points, blob), separation(mu, blob)
    print(f"nearest to the centre of their own blob: {before:.1%} of the points as they were, {after:.1%} as found")
    print(f"the noise has a std of {NOISE}, the model's learned stds are {std:.3f} in the mean")

    figure = Figure(figsize=(10, 5), layout="constrained")
    titles = {"as it was": points, "as the model found it": mu}
    for axes, (title, plane) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        axes.scatter(*plane.T, c=blob, s=4, cmap="viridis")
        axes.set_title(title)
        axes.set_aspect("equal")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
