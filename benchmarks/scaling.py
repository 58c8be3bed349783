"""How time and memory grow: with threads, batch size, width, latent size, and rows of a memory-mapped file.

    python benchmarks/scaling.py [--rounds 7] [--most-rows 1000000] [--folder DIR] [--only SWEEP]
                                  [--json FILE] [--png FILE]

Each line changes one size of the model 784-400-20 with batches of 128. Times are medians over interleaved rounds. The
rows are uint8, in a file of --folder that is removed at the end (784 bytes each: ten million are 8 GB), and memory is
the process's own (RssAnon), not what the system keeps of the file.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import pyvae
from pyvae.training.step import Step


def own_megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


class Load:
    """A model in training, of which some steps can be timed."""

    def __init__(self, source, batch_size=128, hidden=400, latent=20, threads=None):
        model = pyvae.VAE.mlp(source.n_features, latent, (hidden,))
        self.source, self.batch_size, self.threads = source, batch_size, threads or pyvae.get_num_threads()
        self.step, self.optimizer, self.count = Step(model, pyvae.ELBO()), pyvae.Adam(model.parameters), 0

    def milliseconds(self, steps):
        start = time.perf_counter()
        with pyvae.threads(self.threads):
            for _ in range(steps):
                noise = pyvae.Noise(0, self.count)
                first = self.count * self.batch_size % (len(self.source) - self.batch_size + 1)
                rows = noise.permutation("order", len(self.source), first, first + self.batch_size)
                with self.step.team:
                    self.step(self.source, rows, noise)
                    self.optimizer.step()
                self.count += 1
        return 1000 * (time.perf_counter() - start) / steps


def medians(loads, rounds):
    """Milliseconds per step of each, in interleaved rounds."""
    steps = {name: max(5, round(100 / load.milliseconds(20))) for name, load in loads.items()}
    times = {name: [] for name in loads}
    for _ in range(rounds):
        for name, load in loads.items():
            times[name].append(load.milliseconds(steps[name]))
    return {name: statistics.median(t) for name, t in times.items()}


def rows_of_a_file(X, options):
    """The sweep over rows, which stand in a file."""
    results = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "rows.npy"
        whole = np.lib.format.open_memmap(path, "w+", np.uint8, (options.most_rows, 784))
        for first in range(0, options.most_rows, len(X)):
            whole[first : first + len(X)] = X[: options.most_rows - first]
        whole.flush()
        del whole
        counts = [n for n in (10**4, 10**5, 10**6, 10**7) if n <= options.most_rows]
        loads = {n: Load(pyvae.ArraySource(np.load(path, mmap_mode="r")[:n], 1 / 255)) for n in counts}
        for load in loads.values():
            load.milliseconds(1)  # allocates what every step uses again
        before = own_megabytes()
        results["rows"] = medians(loads, options.rounds)
        print(f"\n{'rows in the file':>18}   ms per step   us per row")
        for value, taken in results["rows"].items():
            print(f"{value:18}   {taken:11.3f}   {1000 * taken / 128:10.2f}")
        results["own memory grew by, MB"] = own_megabytes() - before
        print(f"own memory grew by {own_megabytes() - before:.1f} MB meanwhile")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--most-rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("threads", "batch size", "hidden units", "latent dimensions", "rows"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    X = np.random.default_rng(0).integers(0, 256, (10_000, 784), dtype=np.uint8)
    source = pyvae.ArraySource(X, 1 / 255)
    sweeps = {
        "threads": {n: Load(source, threads=n) for n in range(1, pyvae.get_num_threads() + 1)},
        "batch size": {n: Load(source, batch_size=n) for n in (1, 8, 32, 128, 512, 2048)},
        "hidden units": {n: Load(source, hidden=n) for n in (50, 100, 200, 400, 800, 1600)},
        "latent dimensions": {n: Load(source, latent=n) for n in (2, 10, 20, 50, 200)},
    }
    results = {}
    for name, loads in sweeps.items():
        if options.only not in (None, name):
            continue
        results[name] = medians(loads, options.rounds)
        print(f"\n{name:>18}   ms per step   us per row")
        for value, taken in results[name].items():
            print(f"{value:18}   {taken:11.3f}   {1000 * taken / loads[value].batch_size:10.2f}", flush=True)

    if options.only in (None, "rows"):
        results |= rows_of_a_file(X, options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.png:
        draw({name: sweep for name, sweep in results.items() if isinstance(sweep, dict)}, options.png)


def draw(sweeps, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(sweeps), 3), dpi=120, layout="constrained")
    for axes, (name, sweep) in zip(figure.subplots(1, len(sweeps)), sweeps.items(), strict=True):
        axes.loglog(list(sweep), list(sweep.values()), marker="o")
        axes.set_xlabel(name)
        axes.set_ylim(bottom=min(sweep.values()) / 2, top=max(sweep.values()) * 2)
    figure.axes[0].set_ylabel("milliseconds per step")
    figure.savefig(path)


if __name__ == "__main__":
    main()
