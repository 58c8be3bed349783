"""log p(x) of MNIST's 10,000 test rows from 5,000 importance samples each: time and memory.

    PYVAE_DATA=... python benchmarks/log_likelihood.py [--rows 10000] [--samples 5000]

784-200-200-50 tanh, trained for one epoch. The memory is the most that the process ever had (resident), its rows and
the model included.
"""

import argparse
import resource
import time

import pyvae
from pyvae import metrics
from pyvae.data import datasets
from pyvae.data.sources import ArraySource


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=5_000)
    options = parser.parse_args()
    data = datasets.load("mnist")
    train, test = (ArraySource(source.X, scale=1 / 255, binarize="draw") for source in (data.train, data.test))
    model = pyvae.VAE.mlp(784, latent_dim=50, hidden=(200, 200), activation="tanh")
    pyvae.train(model, train, epochs=1, batch_size=128, progress=False)
    rows = ArraySource(test.X[: options.rows], scale=1 / 255, binarize="draw")
    before = time.perf_counter()
    found = metrics.log_likelihood(model, rows, options.samples)
    seconds = time.perf_counter() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.rows} rows, {options.samples} samples each, {pyvae.get_num_threads()} threads: {seconds:.0f} s, "
        f"{memory:.0f} MB; log p(x) {found.log_likelihood.mean():.2f} nats, median standard error "
        f"{sorted(found.standard_error)[options.rows // 2]:.3f}"
    )


if __name__ == "__main__":
    main()
