"""benchmarks/papers: the trainings behind README's table, which can be interrupted, and their first steps."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import pyvae

PAPERS = Path(__file__).parents[1] / "benchmarks" / "papers"
SCRIPTS = sorted(path.stem for path in PAPERS.glob("*.py") if path.stem not in ("protocol", "report"))
RECORDS = sorted((PAPERS.parent / "results" / "papers").glob("*.json"))
LEVEL = pyvae._kernels.info()["isa"]


pytestmark = pytest.mark.skipif(not SCRIPTS, reason="needs the repository's benchmarks, which are not here")


@pytest.fixture
def protocols(monkeypatch):
    """All protocols by their names, and the module that runs them."""
    monkeypatch.setattr(sys, "path", [str(PAPERS), *sys.path])
    scripts = [import_module(script) for script in SCRIPTS]
    return {name: protocol for script in scripts for name, protocol in script.PROTOCOLS.items()}


@pytest.mark.skipif(LEVEL not in ("v3", "v4"), reason="recorded on instruction sets with one set of bits")
@pytest.mark.skipif("PYVAE_DATA" not in os.environ, reason="needs MNIST in $PYVAE_DATA")
@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_a_recorded_figure_is_of_this_code(path, protocols):
    """The first 100 steps of its training have the bits that they had then."""
    first_steps = import_module("protocol").first_steps
    assert first_steps(protocols[path.stem]) == json.loads(path.read_text())["first_steps"]


def test_a_training_goes_on_where_it_was_interrupted_and_leaves_a_record(protocols, tmp_path, monkeypatch, capsys):
    protocol = import_module("protocol")
    monkeypatch.setattr(protocol, "RESULTS", tmp_path / "results")
    X = (np.random.default_rng(0).random((500, 9)) < 0.3).astype(np.float32)

    class Small(protocol.Protocol):
        published, epochs = {"-ELBO": 5.0}, 30
        callbacks = ()

        def prepare(self):
            model = pyvae.VAE.mlp(9, 2, (5,))
            return model, pyvae.ArraySource(X), {"batch_size": 100, "callbacks": self.callbacks}

        def measure(self, model, history):
            return {"-ELBO": -model.elbo(X).mean()}

    def interrupt(history):
        if len(history) == 25:
            import signal

            signal.raise_signal(signal.SIGINT)

    whole, interrupted = Small(), Small()
    interrupted.callbacks = (interrupt,)
    protocol.run("whole", whole, tmp_path, progress=False)
    protocol.run("parts", interrupted, tmp_path, progress=False)
    assert "interrupted after epoch 25 of 30" in capsys.readouterr().out
    assert not (tmp_path / "results" / "parts.json").exists()
    protocol.run("parts", whole, tmp_path, progress=False)
    records = [json.loads((tmp_path / "results" / f"{name}.json").read_text()) for name in ("whole", "parts")]
    assert records[0]["figures"] == records[1]["figures"] and records[1]["epochs"] == 30
    assert records[0]["first_steps"] == records[1]["first_steps"] and records[0]["published"] == {"-ELBO": 5.0}
    files = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1]
