"""Products with zeros left out against the same products with none to leave out, from few entries to all.

    python benchmarks/zeros.py [--rounds 31] [--shape 128,784,400] [--png FILE]

x W, x' dy and da W' of float32, where the matrix on the left has entries at random places; the same call decides by
their number which way it takes. Printed are, for each density, the median over rounds of the time with all of them
entries by the time with some, and which way was taken. Rounds are interleaved; a short burst stands for a round, of
which the quickest call counts.
"""

import argparse
import statistics
import sys
import time

import numpy as np

import pyvae
from pyvae import _kernels
from pyvae._kernels import zeros

DENSITIES = (0.02, 0.05, 0.1, 0.19, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)
BURST = 5  # calls


def cases(rows, n_in, n_out):
    """name: a function of the matrix with zeros, (rows, n_in)."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((n_in, n_out)).astype(np.float32)
    dy = rng.standard_normal((rows, n_out)).astype(np.float32)
    y, dW, W_back = np.empty_like(dy), np.empty_like(W), np.ascontiguousarray(W.T)
    return {
        "x W": lambda x: _kernels.dense(x, W, None, None, y),
        "x' dy": lambda x: _kernels.dense_dW(x, dy, dW),
        "da W'": lambda x: _kernels.dense_dx(x, W_back, y),
    }


def quickest(call, x):
    times = []
    for _ in range(BURST):
        start = time.perf_counter()
        call(x)
        times.append(time.perf_counter() - start)
    return min(times)


def leaves_out(call, x):
    before = zeros.products_done()[1]
    call(x)
    return zeros.products_done()[1] > before


def measure(shape, n_rounds):
    """name: the median ratio at each density, and the densities at which zeros were left out."""
    rng = np.random.default_rng(1)
    full = rng.uniform(0.5, 1, shape[:2]).astype(np.float32)
    xs = [full * (rng.random(full.shape) < density) for density in DENSITIES]
    results = {}
    for name, call in cases(*shape).items():
        ratios = [[quickest(call, full) / quickest(call, x) for x in xs] for _ in range(n_rounds)]
        results[name] = list(map(statistics.median, zip(*ratios, strict=True))), [leaves_out(call, x) for x in xs]
    return results


def draw(results, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, (ratios, ways) in results.items():
        (line,) = axes.plot(DENSITIES, [1 / ratio for ratio in ratios], label=name)
        for density, ratio, way in zip(DENSITIES, ratios, ways, strict=True):
            axes.plot(density, 1 / ratio, "o" if way else "x", color=line.get_color())
    axes.plot([0, 1], [1, 1], "k:", label="all multiplied")
    axes.plot([0, 1], [0, 1], ":", color="gray", label="time in proportion to the entries")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share of entries that are not zero",
             ylabel="time, all multiplied = 1", title="dots: zeros left out; crosses: all multiplied")  # fmt: skip
    axes.legend()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--shape", default="128,784,400", help="rows, columns of x, columns of W")
    parser.add_argument("--png")
    options = parser.parse_args()
    results = measure(tuple(map(int, options.shape.split(","))), options.rounds)
    print(f"{options.shape}, {pyvae.get_num_threads()} threads, {_kernels.info()['isa']}")
    print(f"{'not zero':>8} " + " ".join(f"{name:>8}" for name in results))
    for i, density in enumerate(DENSITIES):
        cells = (f"{ratios[i]:6.2f}{' s' if ways[i] else ' d'}" for ratios, ways in results.values())
        print(f"{density:8.0%} " + " ".join(cells))
    print("s: zeros left out, d: all multiplied")
    if options.png:
        draw(results, options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
