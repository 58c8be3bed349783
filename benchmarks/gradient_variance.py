"""The encoder's gradient under importance-weighted bounds: its variance and its signal-to-noise ratio against k.

    PYVAE_DATA=... python benchmarks/gradient_variance.py [--epochs 10] [--draws 200] [--png docs/signal-to-noise.png]

The model is that of papers/iwae.py, k = 1, after some epochs of its protocol. For one batch of 20 rows and each k, the
gradient of every parameter of the encoder is computed for many draws of z: standard, path and doubly reparameterised.
Printed are the variance, summed over the parameters, and the ratio |mean| / sqrt(variance), with |mean|^2 freed of the
part that the draws' own scatter puts into it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "papers"))
import iwae

import pyvae
from pyvae.noise import Noise
from pyvae.objectives.importance import GRADIENTS

SAMPLES = (1, 4, 16, 64, 256)
RATIOS = (0.5, 1, 2)  # that are marked in the picture


def trained(epochs):
    """The model after so many epochs, and a batch of its rows."""
    model, rows, arguments = iwae.PROTOCOLS["iwae-k1"].prepare()
    pyvae.train(model, rows, epochs=epochs, **arguments)
    return model, rows.minibatch(np.arange(iwae.BATCH), Noise(1), np.float32)


def moments(model, batch, k, gradient, draws):
    """The sum over the encoder's parameters of the gradient's squared mean and of its variance."""
    names = [name for name in model.parameters.names if name.startswith("encoder")]
    objective, total, squares = pyvae.ImportanceWeighted(k, gradient), 0.0, 0.0
    for draw in range(draws):
        model.parameters.zero_grads()
        terms, cache = model.forward(batch, Noise(2, step=draw), k)
        model.backward(cache, objective(terms)[1])
        g = np.concatenate([model.parameters.grad(name).ravel() for name in names]).astype(np.float64)
        total, squares = total + g, squares + g @ g
    mean = total / draws
    variance = (squares - draws * mean @ mean) / (draws - 1)
    return max(mean @ mean - variance / draws, 0.0), variance


def draw(ratios, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for (gradient, values), marker in zip(ratios.items(), "o^s", strict=True):
        axes.loglog(SAMPLES, values, marker=marker, label=gradient)
    axes.set(xlabel="samples k", ylabel="signal-to-noise ratio of the encoder's gradient")
    axes.set_xticks(SAMPLES, map(str, SAMPLES))
    axes.set_yticks(RATIOS, map(str, RATIOS))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    model, batch = trained(options.epochs)
    ratios = {gradient: [] for gradient in GRADIENTS}
    print("k        " + "".join(f"{gradient:>36}" for gradient in GRADIENTS))
    for k in SAMPLES:
        found = {gradient: moments(model, batch, k, gradient, options.draws) for gradient in GRADIENTS}
        cells = []
        for gradient, (signal, variance) in found.items():
            ratios[gradient].append((signal / variance) ** 0.5)
            cells.append(f"variance {variance:10.3e}, ratio {ratios[gradient][-1]:7.3f}")
        print(f"{k:<9}" + "".join(f"{cell:>36}" for cell in cells), flush=True)
    if options.png:
        draw(ratios, options.png)


if __name__ == "__main__":
    main()
