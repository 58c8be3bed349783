"""From the start of the process to a trained MNIST model: `pyvae train mnist` against eager PyTorch.

    PYVAE_DATA=... python benchmarks/end_to_end.py [--rounds 3] [--epochs 10] [--json FILE]

Both train the 784-400-20 model on batches of 128 and report the test ELBO. What is timed is the whole process: imports,
reading the data, training, evaluation, and for this library also writing the model, the history and the pictures. For
PyTorch, reading the data is not counted: it says how long it took, and that is taken off.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def torch_process(epochs):
    """The child: trains in eager PyTorch; prints seconds spent on reading data, and the test ELBO."""
    import numpy as np
    import torch
    from torch.nn import functional

    start = time.perf_counter()
    from pyvae.data import datasets

    data = datasets.load("mnist")
    train, test = (torch.from_numpy(source.gather(np.arange(len(source))).x) for source in (data.train, data.test))
    reading = time.perf_counter() - start

    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(784, 400), torch.nn.ReLU(), torch.nn.Linear(400, 40))
    decoder = torch.nn.Sequential(torch.nn.Linear(20, 400), torch.nn.ReLU(), torch.nn.Linear(400, 784))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3, fused=True)

    def negative_elbo(x):
        mu, logvar = encoder(x).split(20, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        reconstruction = functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
        return reconstruction + 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()

    for _ in range(epochs):
        order = torch.randperm(len(train))
        for first in range(0, len(train), 128):
            x = train[order[first : first + 128]]
            optimizer.zero_grad(set_to_none=True)
            (negative_elbo(x) / len(x)).backward()
            optimizer.step()
    with torch.no_grad():
        print(reading, -(negative_elbo(test) / len(test)).item())


def run_pyvae(epochs, precision):
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pyvae", "train", "mnist", "--hidden", "400", "--latent", "20",
            "--activation", "relu", "--batch-size", "128", "--lr", "1e-3", "--epochs", str(epochs),
            "--precision", precision, "--json", "--quiet", "--out", str(Path(folder) / "run"),
        ]  # fmt: skip
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return time.perf_counter() - start, json.loads(done.stdout)["test_elbo"]


def run_torch(epochs):
    start = time.perf_counter()
    command = [sys.executable, __file__, "--torch", "--epochs", str(epochs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    reading, elbo = map(float, done.stdout.split())
    return time.perf_counter() - start - reading, elbo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        torch_process(options.epochs)
        return
    from pyvae import _kernels  # not before: the import is no part of PyTorch's time

    contestants = {
        "pyvae": lambda: run_pyvae(options.epochs, "highest"),
        "pyvae medium": lambda: run_pyvae(options.epochs, "medium"),
        "PyTorch eager": lambda: run_torch(options.epochs),
    }
    if _kernels.info()["bf16"] is None:
        del contestants["pyvae medium"]  # it would be the same as float32
    times, elbos = ({name: [] for name in contestants} for _ in range(2))
    for _ in range(options.rounds):
        for name, run in contestants.items():
            taken, elbo = run()
            times[name].append(taken)
            elbos[name].append(elbo)
    print(f"MNIST, {options.epochs} epochs, {len(os.sched_getaffinity(0))} processors, {options.rounds} rounds")
    for name in contestants:
        ratio = statistics.median(t / own for t, own in zip(times["PyTorch eager"], times[name], strict=True))
        print(
            f"  {name:14} {statistics.median(times[name]):7.2f} s   test ELBO {statistics.median(elbos[name]):8.2f}"
            f"   PyTorch takes {ratio:.2f} times as long"
        )
    if options.json:
        options.json.write_text(json.dumps({"seconds": times, "test_elbo": elbos}, indent=1) + "\n")


if __name__ == "__main__":
    main()
