"""``kill -9`` at random moments of ``pyvae train``, and ``--resume``: the same model to the byte, the same history.

Twice in the suite; ``pytest -n 0 -m slow -s tests/training/test_killed.py`` does it 50 times and counts in what the
kills fell.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

TRAIN = [sys.executable, "-m", "pyvae", "train"]
LINE = ["x.npz", *"--epochs 80 --hidden 256 --latent 8 --kl-warmup 5 --validation-fraction 0.2 --lr 0.002".split(),
        "--checkpoint-seconds", "0", "--quiet"]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(8)
    np.savez(tmp_path / "x.npz", X=rng.random((900, 40), np.float32), X_test=rng.random((50, 40), np.float32))
    return tmp_path


def run(folder, out, *options):
    return subprocess.Popen(
        [*TRAIN, *LINE, "--out", out, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def epochs_logged(out):
    try:
        return sum(line.startswith("epoch ") for line in (out / "log.txt").read_text().splitlines())
    except FileNotFoundError:
        return 0


def history(out):
    with open(out / "history.csv") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def where(out):
    """What a killed run was doing, as far as its folder tells."""
    if any(out.glob("checkpoints/.epoch-*")):
        return "writing a checkpoint"
    if (out / "model.safetensors").exists():
        return "writing the results"
    return "training" if epochs_logged(out) else "before the first epoch was done"


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills, folder):
    """A moment is an epoch, from before the first to after the last, and up to 50 ms more."""
    process = run(folder, "whole")
    assert process.wait() == 0, process.stderr.read()
    process.stderr.close()
    n_epochs = epochs_logged(folder / "whole")
    moments, fell = random.Random(kills), Counter()
    for kill in range(kills):
        out = folder / f"run{kill}"
        epoch = moments.randrange(n_epochs + 1)
        process = run(folder, out.name)
        while epochs_logged(out) < epoch and process.poll() is None:
            time.sleep(0.002)
        time.sleep(moments.random() * (0.05 if epoch else 2.0))  # before the first epoch there is the start-up, too
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        fell[where(out)] += 1

        process = run(folder, out.name, "--resume", "--force")
        assert process.wait() == 0, process.stderr.read()
        process.stderr.close()
        assert (out / "model.safetensors").read_bytes() == (folder / "whole" / "model.safetensors").read_bytes()
        assert history(out) == history(folder / "whole")
        assert not [path for path in Path(out).rglob(".*") if path.name.startswith(".epoch-")]
    print(f"\n{kills} of {kills} killed and resumed, same model and history; killed while:")
    for what, count in fell.most_common():
        print(f"{count:4}  {what}")


def test_a_signal_that_ends_it_at_once_loses_no_checkpoint(folder):
    """SIGTERM, as batch systems send it, is not caught: what is on the disk is whole at any moment."""
    process = run(folder, "run")
    while epochs_logged(folder / "run") < 3 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    process.stderr.close()
    process = subprocess.Popen([*TRAIN, "--resume", "--out", "run", "--epochs", "80", "--quiet"], cwd=folder,
                               stdout=subprocess.DEVNULL, env=os.environ)  # fmt: skip
    assert process.wait() == 0
    assert len(history(folder / "run")) == 80
