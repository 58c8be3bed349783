"""One epoch of MNIST on the native kernels and on their NumPy twins, in turns: how much the native ones are worth.

    python benchmarks/native_against_twins.py [rounds]

Each turn is a process of its own that trains 784-400-20 with batches of 128 for one epoch. Prints the seconds of every
round, the medians and their ratio. NumPy's own products use as many threads as its BLAS likes.
"""

import os
import statistics
import subprocess
import sys

EPOCH = """
import time, pyvae
from pyvae import datasets
rows = datasets.load("mnist").train
model = pyvae.VAE.mlp(784, latent_dim=20, hidden=(400,))
start = time.perf_counter()
pyvae.train(model, rows, epochs=1, batch_size=128, progress=False)
print(time.perf_counter() - start)
"""


def seconds(kernels):
    environment = {**os.environ, "PYVAE_KERNELS": kernels}
    return float(
        subprocess.run([sys.executable, "-P", "-c", EPOCH], env=environment, stdout=subprocess.PIPE, check=True).stdout
    )


def main(rounds=5):
    times = {"native": [], "reference": []}
    for _ in range(rounds):
        for kernels, column in times.items():
            column.append(seconds(kernels))
    medians = {kernels: statistics.median(column) for kernels, column in times.items()}
    for kernels, column in times.items():
        print(f"{kernels:<10} {'  '.join(f'{t:6.2f}' for t in column)}   median {medians[kernels]:.2f} s")
    print(f"native is {medians['reference'] / medians['native']:.2f} times as fast")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
