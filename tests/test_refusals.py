"""What is raised where no other test leads: interfaces without a body, faults of files, of memory, of the network."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import _kernels, persistence
from pyvae.arena import Arena
from pyvae.command.main import main
from pyvae.data import datasets

native = pytest.mark.skipif(_kernels.KERNELS == "reference", reason="the twins have no tapes and units of their own")


@pytest.mark.parametrize(
    "call",
    [
        lambda: len(pyvae.DataSource()),
        lambda: pyvae.DataSource().gather([0]),
        lambda: pyvae.Layer().forward(np.ones((1, 1))),
        lambda: pyvae.Layer().backward(np.ones((1, 1)), None),
        lambda: pyvae.Likelihood(1).log_density(np.ones((1, 1)), np.ones((1, 1))),
        lambda: pyvae.Likelihood(1).log_density_backward(np.ones(1), None),
        lambda: pyvae.Likelihood(1).mean(np.ones((1, 1))),
        lambda: pyvae.Likelihood(1).draw(np.ones((1, 1)), None),
    ],
)
def test_interfaces_have_no_body(call):
    """A class of one's own that forgets a method learns it at the first call."""
    with pytest.raises(NotImplementedError):
        call()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pyvae.DiagonalGaussian((2, -3)), r"logvar_bounds must be None or \(low, high\) with low < high"),
        (lambda: pyvae.Dense(2, 2, "swish"), "activation must be None or one of relu, .*, not 'swish'"),
        (lambda: pyvae.Dense(2, 2, init="zeros"), "init must be one of uniform, he, glorot, not 'zeros'"),
        (lambda: Arena({}, np.int32), "dtype must be float32 or float64, not int32"),
    ],
)
def test_wrong_words_of_parts(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def rewrite(path, **changes):
    """The same file with entries of its description changed and its checksums right."""
    data = path.read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:size])
    description = json.loads(header["__metadata__"]["pyvae"])
    del description["description"]
    description |= changes
    description["description"] = persistence._sha256(description)
    header["__metadata__"]["pyvae"] = json.dumps(description)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[size:])


def test_parts_that_do_not_fit_together(tmp_path):
    """Every tensor is there, and every part can be built, but not a model of them."""
    pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / "m")
    model = pyvae.load(tmp_path / "m").describe()
    rewrite(tmp_path / "m", model=model | {"likelihood": {"type": "Bernoulli", "n_features": 7}})
    with pytest.raises(ValueError, match="m cannot be built: encoder takes 6 columns, but the likelihood has 7"):
        pyvae.load(tmp_path / "m")


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    pyvae.save(model, tmp_path / "m")
    with persistence.ModelFile(tmp_path / "m") as file:
        os.truncate(tmp_path / "m", 1000)
        with pytest.raises(ValueError, match="m was cut short while it was read"):
            file.model()


def test_a_checkpoint_whose_state_lacks_something(tmp_path, rng):
    X, model = rng.random((20, 6)), pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    pyvae.train(model, X, epochs=1, progress=False, checkpoints=tmp_path)
    path = tmp_path / "epoch-000001.safetensors"
    with persistence.ModelFile(path) as file:
        training = file.description["training"]
    for entry in ("history", "step", "best_loss", "settings"):
        rewrite(path, training={name: value for name, value in training.items() if name != entry})
        with pytest.raises(ValueError, match="is damaged: the state of its training lacks something"):
            pyvae.train(model, X, epochs=2, progress=False, checkpoints=tmp_path, resume=True)


def test_a_training_in_python_is_not_resumed_by_the_command(tmp_path, rng, capsys):
    X = rng.random((20, 6))
    pyvae.train(pyvae.VAE.mlp(6, latent_dim=2), X, epochs=1, progress=False, checkpoints=tmp_path / "checkpoints")
    assert main(["train", "--resume", "--out", str(tmp_path)]) == 2
    assert "was not written by pyvae train: resume it in Python, with pyvae.train" in capsys.readouterr().err


def test_a_training_that_diverges_later_is_saved(tmp_path, rng, monkeypatch, capsys):
    """With the weights of the last epoch that was good, and exit status 3."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.random((40, 4)))
    line = "train x.npy --epochs 9 --hidden 4 --batch-size 8 --likelihood gaussian --quiet --out run".split()
    rate = pyvae.training.loop.Plan.learning_rate_at
    monkeypatch.setattr(pyvae.training.loop.Plan, "learning_rate_at", lambda s, e: 1e38 if e > 2.5 else rate(s, e))
    with np.errstate(all="ignore"):
        assert main(line) == 3
    said = capsys.readouterr().err
    assert "try a smaller --lr than" in said and said.endswith("of the end of epoch 2; they are in run\n")
    assert "kept     the weights of epoch 2, the last that were good" in Path("run/log.txt").read_text()
    monkeypatch.setattr(pyvae.training.loop.Plan, "learning_rate_at", rate)
    assert main([*line[:2], "--epochs", "2", *line[4:-1], "two"]) == 0
    assert Path("run/model.safetensors").read_bytes() == Path("two/model.safetensors").read_bytes()


def test_an_output_that_is_a_folder(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), "m.safetensors")
    Path("out.npy").mkdir()
    assert main("sample m.safetensors --out out.npy".split()) == 2
    assert capsys.readouterr().err == "pyvae sample: --out out.npy is a folder: name a file in it\n"


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("PYVAE_DATA", str(tmp_path))


def test_a_download_that_fails(nowhere, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="downloads are made by pooch, which is not installed")

    def fail(*arguments):
        raise ConnectionError

    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(FileNotFoundError, match="train-images.*, and it could not be downloaded: ConnectionError"):
        datasets.load("mnist")


def test_packages_that_are_missing_are_named(nowhere, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(FileNotFoundError, match=r"put it there, or pip install \"pyvae\[data\]\""):
        datasets.load("mnist")
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"the digits come with scikit-learn: pip install \"pyvae\[sklearn\]\""):
        datasets.load("digits")


@native
def test_a_unit_that_the_machine_lacks():
    from pyvae._kernels import cpu

    for unit in cpu.BF16_UNITS[cpu.BF16_UNITS.index(cpu.get_bf16()) + 1 :]:
        with pytest.raises(ValueError, match=f"this machine has no {unit}"):
            cpu.set_bf16(unit)


@native
def test_extents_and_rows_of_another_shape():
    values = np.zeros(8, np.float32)
    with pytest.raises(ValueError, match="extents must have two columns"):
        _kernels.clear(values, np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="extents must rise from 0 to 8"):
        _kernels.clear(values, [[4, 9]])
    with pytest.raises(ValueError, match="rows must be one-dimensional, not 2-dimensional"):
        _kernels.uniform((1, 2), 0, np.zeros((2, 2), np.int64), np.zeros((4, 3), np.float32))


@native
def test_a_tape_for_which_there_is_no_memory():
    """Python's allocators are made to fail once, at every place: an error each time, or a tape that can be played."""
    faults = pytest.importorskip("_testcapi", reason="this Python cannot be told to run out of memory")
    x, out = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    failed = 0
    for place in range(60):  # a call asks for memory some ten times
        tape = _kernels.Tape()
        with tape:
            faults.set_nomemory(place, place + 1)
            try:
                _kernels.activate(x, "tanh", out=out)
            except MemoryError:
                failed += 1
            finally:
                faults.remove_mem_hooks()
    assert failed > 0
    tape.play()
    np.testing.assert_allclose(out, np.tanh(x), rtol=1e-6)
