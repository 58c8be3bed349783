"""A training step of this library against NumPy, PyTorch and JAX, on the workloads of workloads.py.

    pip install ".[bench]"                            (torch and jax; what is missing is reported as missing)
    PYVAE_DATA=... python benchmarks/frameworks.py [--workloads "A,A dense,B"] [--rounds 9] [--seconds 0.5]
                                                   [--json FILE] [--png FILE]

Every competitor is a process of its own, which sleeps in a read while the others run. Each first trains for an epoch,
as units of a new network are not zero as often as later on. In each round each does as many steps as take about half a
second, in turn; a turn during which other processes used the machine is thrown away and repeated. A host may have the
processors close to each other or not, which changes everybody's times: messages between them are timed before and after
each round (neighbours.c), and only rounds count in which both were close; a line says how many did not. Reported are
the medians over rounds and each one's ratio to this library within the same rounds. All use the same number of threads,
the processors that this process may use. OpenMP's wait policy is left as each library sets it, unless OMP_WAIT_POLICY
is set; the JSON says which.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from competitors import COMPETITORS
from processes import Contestant, Neighbours, serve
from workloads import N_ROWS, WORKLOADS, rows, share_of_entries

MOST_APART = 3  # times as many rounds as are asked for may fail to count; then all do


def worker(run, n_warm):
    """The child: does n_warm steps of ``run``, then answers numbers of steps with "seconds loss"."""
    run(n_warm)

    def answer(steps):
        start = time.perf_counter()
        loss = run(int(steps))
        return f"{time.perf_counter() - start} {loss}"

    serve(answer)


class Competitor(Contestant):
    """A library at a workload, and its turns."""

    def __init__(self, script, name, workload):
        super().__init__(script, "--worker", name, workload)
        self.name, self.times = name, []

    def milliseconds(self, answer, steps):
        """Per step; keeps the loss."""
        seconds, self.loss = map(float, answer.split())
        return 1000 * seconds / steps

    def calibrate(self, seconds):
        """As many steps as take this long; asked twice, as the first call may compile."""
        self.ask(20)
        self.steps = max(5, round(1000 * seconds / self.milliseconds(self.ask(20), 20)))
        self.ask(self.steps)

    def turn(self):
        self.times.append(self.milliseconds(self.ask_undisturbed(self.steps), self.steps))


def measure(workload, names, n_rounds, seconds, script=__file__):
    """A table row: what each competitor took, and what became of it; and how many rounds did not count. script: makes
    the competitors."""
    competitors, neighbours, apart = [Competitor(script, name, workload) for name in names], Neighbours(), 0
    present = [c for c in competitors if c.missing is None]
    for c in present:
        c.calibrate(seconds)
    while len(present[0].times) < n_rounds:
        close = neighbours.are_close()
        for c in present:
            c.turn()
        if not (close and neighbours.are_close()) and apart < MOST_APART * n_rounds:
            apart += 1
            for c in present:
                c.times.pop()
    result = {}
    for c in competitors:
        result[c.name] = {"missing": c.missing} if c.missing is not None else {
            "milliseconds": statistics.median(c.times), "times": c.times, "loss": c.loss, "thrown_away": c.thrown_away,
        }  # fmt: skip
        c.close()
    return result, apart


def machine():
    """What it ran on, in words."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    command = [sys.executable, "-c", "import pyvae; i = pyvae._kernels.info(); print(i['isa'], i['bf16'])"]
    isa, bf16 = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {
        "cpu": cpu,
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernels": f"pyvae's {isa}, bf16 by {bf16}",
        "date": time.strftime("%Y-%m-%d"),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
    }


def describe(workload):
    drawn = ", drawn" if rows(workload)[1] else ""
    return f"{workload}  {WORKLOADS[workload]}{drawn}, {share_of_entries(workload):.0%} of the rows not zero"


def print_row(description, result, apart):
    print(f"\n{description}")
    if apart:
        print(f"  ({apart} rounds, with the processors apart, do not count)")
    ours = result["pyvae"]["milliseconds"]
    for name, entry in result.items():
        if "missing" in entry:
            print(f"  {name:<20} missing: {entry['missing'][:55]}")
        else:
            ratio = statistics.median(t / o for t, o in zip(entry["times"], result["pyvae"]["times"], strict=True))
            print(f"  {name:<20} {entry['milliseconds']:8.3f} ms  {entry['milliseconds'] / ours:5.2f}x"
                  f"  (by rounds {ratio:5.2f}x)  loss {entry['loss']:.1f}")  # fmt: skip


def draw(results, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    names = [name for name in COMPETITORS if any("milliseconds" in r[name] for r in results.values() if name in r)]
    for i, name in enumerate(names):
        heights = [r[name].get("milliseconds", 0) / r["pyvae"]["milliseconds"] for r in results.values()]
        axes.bar([x + 0.8 * i / len(names) for x in range(len(results))], heights, 0.8 / len(names), label=name)
    axes.set_xticks([x + 0.35 for x in range(len(results))], [name.replace(" ", "\n") for name in results])
    axes.set_ylabel("time per step, pyvae = 1")
    axes.legend(fontsize=8)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--competitors", default=",".join(COMPETITORS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        competitor, workload = options.worker
        worker(COMPETITORS[competitor](workload), N_ROWS // WORKLOADS[workload].batch_size)
        return 0
    results = {}
    print(machine())
    for workload in options.workloads.split(","):
        names = options.competitors.split(",")
        results[workload], apart = measure(workload, names, options.rounds, options.seconds)
        print_row(describe(workload), results[workload], apart)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    if options.png:
        draw(results, options.png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
