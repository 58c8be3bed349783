"""What the scripts of this folder share: a training by a paper's protocol, which can be interrupted, and its record.

    class OfThePaper(Protocol): ...
    main({"name": OfThePaper()})

Every script trains in runs/papers/NAME, with checkpoints, and goes on from the newest one when it is called again. When
all epochs are done it measures on the test rows and writes results/papers/NAME.json: figures, seed, commit, machine,
time, and the SHA-256 of the weights after the first 100 steps. tests/test_papers.py holds the code to those bits, so
that a figure stays true of later commits.
"""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import pyvae
from pyvae.data.wrapped import WrappedSource
from pyvae.training.checkpoints import Checkpoints

BENCHMARKS = Path(__file__).parents[1]
RESULTS = BENCHMARKS / "results" / "papers"
STEPS = 100


class Protocol:
    """A training as a paper describes it.

    what: the protocol in a few words. published: the paper's figures, by the names that ``measure`` gives ours.
    epochs: in all.
    """

    what, published, epochs, seed = "", {}, None, 0

    def prepare(self):
        """model, rows to train on, and the arguments of ``pyvae.train`` for them but epochs and seed."""
        raise NotImplementedError

    def measure(self, model, history):
        """Figures on the test rows, by their names, in nats per row where they are likelihoods."""
        raise NotImplementedError


class FirstSteps(WrappedSource):
    """Rows that can be picked for so many minibatches, after which ``Enough`` is raised."""

    def __init__(self, source, steps):
        super().__init__(source)
        self.steps = steps

    def minibatch(self, rows, noise, dtype, memory):
        if self.steps == 0:
            raise Enough
        self.steps -= 1
        return self.source.minibatch(rows, noise, dtype, memory)


class Enough(Exception):
    """The first steps are done."""


def first_steps(protocol):
    """SHA-256 of the weights after the first 100 steps of a training, which has the same bits on all processors."""
    model, rows, arguments = protocol.prepare()
    try:
        pyvae.train(
            model, FirstSteps(rows, STEPS), epochs=protocol.epochs, seed=protocol.seed, progress=False, **arguments
        )
    except Enough:
        return hashlib.sha256(model.parameters.values).hexdigest()
    raise ValueError(f"the training ended before step {STEPS}")


def run(name, protocol, folder, progress=True):
    """Train, or go on training, and write the record once all epochs are done; the History."""
    begun = beginning(protocol, folder / f"{name}.start.json")
    model, rows, arguments = protocol.prepare()
    history = pyvae.train(
        model, rows, epochs=protocol.epochs, seed=protocol.seed, progress=progress,
        checkpoints=Checkpoints(folder / name, seconds=60), resume=True, **arguments,
    )  # fmt: skip
    if history.stopped == "interrupted":
        print(f"{name}: interrupted after epoch {len(history)} of {protocol.epochs}; call it again to go on")
        return history
    started = time.perf_counter()
    record = {
        "what": protocol.what,
        "script": type(protocol).__module__.replace("__main__", Path(sys.argv[0]).stem),
        "published": protocol.published,
        "figures": protocol.measure(model, history),
        "seed": protocol.seed,
        "epochs": len(history),
        "stopped": history.stopped,
        "best_epoch": history.best_epoch,
        "training_hours": round(sum(history["seconds"]) / 3600, 3),
        "measuring_hours": round((time.perf_counter() - started) / 3600, 3),
        "threads": begun["threads"],
        "commit": begun["commit"],
        "machine": f"{processor()}, {pyvae._kernels.info()['isa']}",
        "first_steps": begun["first_steps"],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    pyvae.save(model, folder / f"{name}.safetensors")
    (folder / f"{name}.csv").write_text(history.to_csv())
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record["figures"]))
    return history


def beginning(protocol, path):
    """Commit, threads and first steps with which a training began, kept in a file; refused where the code's first steps
    are others by now."""
    now = {"commit": commit(), "threads": pyvae.get_num_threads(), "first_steps": first_steps(protocol)}
    if not path.exists():
        path.write_text(json.dumps(now))
    begun = json.loads(path.read_text())
    if begun["first_steps"] != now["first_steps"]:
        raise SystemExit(
            f"{path}: it began at {begun['commit']}, whose first steps are not those of this code: begin anew"
        )
    return begun


def commit():
    """The commit of the code, with a + where files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+"], cwd=BENCHMARKS, capture_output=True, text=True
    )
    return described.stdout.strip() or None


def processor():
    """The processor's name, as its maker calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main(protocols, description):
    """The command line of a script: which of its trainings to run, and on how many threads."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("name", choices=protocols, nargs="?" if len(protocols) == 1 else None,
                        default=next(iter(protocols)))  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path("runs/papers"), help="of checkpoints, and of the model")
    parser.add_argument("--threads", type=int, help="changes the time, and no bit")
    parser.add_argument("--quiet", action="store_true", help="no bar")
    options = parser.parse_args()
    if options.threads:
        pyvae.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    run(options.name, protocols[options.name], options.folder, not options.quiet)
