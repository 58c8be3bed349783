"""The test ELBO of a model file, computed a second time by a script that shares nothing with the library.

    python benchmarks/elbo_from_file.py runs/mnist/model.safetensors $PYVAE_DATA/mnist/t10k-images-idx3-ubyte.gz

It reads the weights with the safetensors package, the images with gzip, draws its own noise with NumPy's generator,
and writes the formulas down once more, in float64: for a model of dense ReLU layers with a Bernoulli likelihood on
gray values in [0, 1]. Prints the mean over rows of the ELBO, -log p(x|z) and the KL, in nats, with 20 samples a row.
"""

import gzip
import sys

import numpy as np
from safetensors.numpy import load_file

SAMPLES = 20


def mlp(weights, part, x):
    depth = sum(name.startswith(part) and name.endswith(".W") for name in weights)
    for i in range(depth):
        x = x @ weights[f"{part}.{i}.W"] + weights[f"{part}.{i}.b"]
        x = np.maximum(x, 0) if i < depth - 1 else x
    return x


def main(model, images):
    weights = {name: tensor.astype(np.float64) for name, tensor in load_file(model).items()}
    with gzip.open(images) as file:
        X = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / 255
    rng = np.random.default_rng()
    reconstruction, kl = np.zeros(len(X)), np.zeros(len(X))
    for start in range(0, len(X), 500):
        rows = slice(start, start + 500)
        x = X[rows]
        mu, logvar = np.split(mlp(weights, "encoder", x), 2, axis=1)
        kl[rows] = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
        for _ in range(SAMPLES):
            logits = mlp(weights, "decoder", mu + np.exp(0.5 * logvar) * rng.standard_normal(mu.shape))
            log_px = (x * logits - np.logaddexp(0, logits)).sum(axis=1)
            reconstruction[rows] -= log_px / SAMPLES
    elbo = -(reconstruction + kl).mean()
    print(f"ELBO {elbo:.3f} nats (reconstruction {reconstruction.mean():.3f}, KL {kl.mean():.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
