"""The command line, run as a user runs it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import pictures
from pyvae.cli import main


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_folder(tmp_path, scikit_learn):
    """A finished run on the digits, short."""
    assert main(["train", "--epochs", "2", "--hidden", "16", "--latent", "3", "--out", "run", "--quiet"]) == 0
    return tmp_path / "run"


def test_train_leaves_model_history_and_pictures(run_folder, matplotlib):
    names = {path.name for path in run_folder.iterdir()}
    assert names == {"history.csv", "model.safetensors", *pictures.NAMES} - {"manifold.png"}
    for path in run_folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000
    rows = list(csv.DictReader((run_folder / "history.csv").read_text().splitlines()))
    assert len(rows) == 2
    model = pyvae.load(run_folder / "model.safetensors")
    assert (model.n_features, model.latent_dim) == (64, 3)


def test_the_last_line_is_the_test_elbo(capsys, scikit_learn):
    assert main(["train", "--epochs", "1", "--hidden", "8"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    row = list(csv.DictReader(Path("runs/digits/history.csv").read_text().splitlines()))[-1]
    assert last.startswith("test ELBO -") and "nats" in last
    assert float(last.split()[2]) == pytest.approx(-float(row["val_loss"]), abs=0.01)


def test_train_says_what_it_does_in_80_columns(capsys, scikit_learn):
    assert main(["train", "--epochs", "1", "--hidden", "16", "--latent", "3"]) == 0
    captured = capsys.readouterr()
    assert "digits: 1437 rows of 64 columns" in captured.out and "64-16-3 relu" in captured.out
    assert "runs/digits" in captured.out and "row/s" in captured.err
    lines = (captured.out + captured.err).replace("\r", "\n").splitlines()
    assert max(len(line) for line in lines if "wrote" not in line) <= 80


def test_json_is_one_object(capsys, scikit_learn):
    assert main(["train", "--epochs", "1", "--hidden", "16", "--latent", "3", "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["test_elbo"] == pytest.approx(-(result["test_reconstruction"] + result["test_kl"]))
    assert result["epochs"] == 1 and result["out"] == "runs/digits" and result["seconds"] > 0


def test_npy_without_test_split(capsys, rng):
    np.save("x.npy", rng.random((50, 7)))
    assert main(["train", "x.npy", "--epochs", "2", "--hidden", "8,6", "--latent", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["split"] == "train" and np.isfinite(result["test_elbo"])
    assert sorted(path.name for path in Path("runs/x").iterdir()) == [
        "history.csv", "kl_per_dimension.png", "latent.png", "learning_curves.png", "model.safetensors",
    ]  # fmt: skip


def test_validation_fraction_reports_training_rows(scikit_learn):
    assert main(["train", "--epochs", "1", "--hidden", "8", "--validation-fraction", "0.2", "--quiet"]) == 0


def test_every_likelihood_trains(rng):
    np.save("x.npy", rng.standard_normal((60, 5)))
    for likelihood in ("gaussian", "gaussian-predicted", "gaussian-fixed"):
        options = ["--likelihood", likelihood, "--epochs", "1", "--hidden", "8", "--out", likelihood, "--quiet"]
        assert main(["train", "x.npy", *options]) == 0


def test_sample_and_reconstruct(run_folder):
    model = str(run_folder / "model.safetensors")
    assert main(["sample", model, "-n", "9", "--seed", "4", "--out", "s.npy"]) == 0
    expected = pyvae.load(model).sample(9, seed=4)
    np.testing.assert_array_equal(np.load("s.npy"), expected)
    assert main(["sample", model, "-n", "9", "--draw", "--out", "d.npy"]) == 0
    assert set(np.unique(np.load("d.npy"))) == {0.0, 1.0}
    assert main(["reconstruct", model, "-n", "10", "--out", "r.npy"]) == 0
    dataset = pyvae.datasets.load("digits")
    x = dataset.test.gather(np.arange(10)).x
    np.testing.assert_array_equal(np.load("r.npy"), pyvae.load(model).reconstruct(x))


def test_sample_and_reconstruct_leave_pictures(run_folder, matplotlib):
    model = str(run_folder / "model.safetensors")
    assert main(["sample", model]) == 0 and main(["reconstruct", model]) == 0
    assert Path("samples.png").exists() and Path("reconstructions.png").exists()


def test_check_everything(capsys):
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "every gradient agrees" in out and "Dense 300-35 tanh" in out and "float32" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_check_a_model(run_folder, capsys):
    assert main(["check", str(run_folder / "model.safetensors"), "--verbose"]) == 0
    assert "encoder.0.W" in capsys.readouterr().out


def test_check_finds_a_wrong_gradient(monkeypatch, capsys):
    monkeypatch.setattr(pyvae.StandardNormal, "log_density_backward", lambda self, d, cache: d[:, None] * cache.z)
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert "StandardNormal: dz" in out and "WRONG" in out


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert pyvae.__version__ in out and "kernels:" in out and "threads:" in out


def test_the_installed_command():
    done = subprocess.run([sys.executable, "-P", "-m", "pyvae", "--version"], capture_output=True, text=True)
    assert done.stdout == f"pyvae {pyvae.__version__}\n" and done.returncode == 0


def test_a_file_called_like_a_data_set_is_not_that(rng):
    np.save("digits.npy", rng.random((20, 4)))
    assert main(["train", "digits.npy", "--epochs", "1", "--hidden", "4", "--out", "run", "--quiet"]) == 0
    assert "data" not in pyvae.load("run/model.safetensors").metadata


def test_uint8_of_zeros_and_ones_is_black_and_white(rng):
    np.save("bits.npy", rng.integers(0, 2, (20, 4), dtype=np.uint8))
    assert pyvae.datasets.load("bits.npy").train.scale == 1


def test_validation_rows_of_a_file_are_reported(rng, capsys):
    np.save("x.npy", rng.random((50, 4)))
    options = ["--epochs", "2", "--hidden", "4", "--validation-fraction", "0.2", "--json", "--out", "run"]
    assert main(["train", "x.npy", *options]) == 0
    result = json.loads(capsys.readouterr().out)
    row = list(csv.DictReader(Path("run/history.csv").read_text().splitlines()))[-1]
    assert result["split"] == "validation" and result["test_elbo"] == pytest.approx(-float(row["val_loss"]))


def test_a_model_that_exploded_is_not_saved(rng, capsys):
    np.save("x.npy", rng.random((50, 4)))
    with np.errstate(all="ignore"):
        assert (
            main(["train", "x.npy", "--epochs", "1", "--hidden", "4", "--lr", "1e38", "--out", "run", "--quiet"]) == 2
        )
    assert "nothing was saved" in capsys.readouterr().err and not Path("run").exists()


BAD_FILES = {
    "nan.npy": np.array([[0.5, np.nan]]),
    "inf.npy": np.array([[0.5, 0.1], [0.2, np.inf]]),
    "big.npy": np.array([[0.5, 0.1], [0.2, 3.0]]),
    "flat.npy": np.zeros(5),
    "empty.npy": np.zeros((0, 5)),
    "hollow.npy": np.zeros((0, 5, 5)),
    "text.npy": np.array([["a", "b"]]),
    "good.npy": np.full((30, 4), 0.5),
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["COMMAND"]),
        (["trian"], ["invalid choice", "train"]),
        (["train", "mnits"], ["DATA", "digits, mnist, fashion-mnist"]),
        (["train", "none.npy"], ["none.npy"]),
        (["train", "nan.npy"], ["nan.npy[0, 1] is nan", "numbers from 0 to 1"]),
        (["train", "nan.npy", "--likelihood", "gaussian"], ["nan.npy[0, 1] is nan", "real numbers"]),
        (["train", "inf.npy", "--likelihood", "gaussian"], ["inf.npy[1, 1] is inf"]),
        (["train", "big.npy"], ["big.npy[1, 1] is 3", "Bernoulli"]),
        (["train", "flat.npy"], ["flat.npy", "two-dimensional"]),
        (["train", "empty.npy"], ["empty.npy", "at least one row"]),
        (["train", "text.npy"], ["text.npy", "real numbers"]),
        (["train", "broken.npy"], ["broken.npy", "not a .npy file"]),
        (["train", "good.npy", "--hiden", "3"], ["--hiden"]),
        (["train", "good.npy", "--hidden", "3,x"], ["--hidden", "'x'"]),
        (["train", "good.npy", "--latent", "0"], ["--latent", "at least 1"]),
        (["train", "good.npy", "--epochs", "many"], ["--epochs", "'many'"]),
        (["train", "good.npy", "--batch-size", "-3"], ["--batch-size", "at least 1"]),
        (["train", "good.npy", "--lr", "0"], ["--lr", "above 0"]),
        (["train", "good.npy", "--beta", "-1"], ["--beta", "from 0"]),
        (["train", "good.npy", "--seed", "-1"], ["--seed", "at least 0"]),
        (["train", "good.npy", "--threads", "0"], ["--threads", "at least 1"]),
        (["train", "good.npy", "--threads", "200000"], ["threads", "1024"]),
        (["train", "good.npy", "--out", "mine"], ["mine", "history.csv", "--force"]),
        (["train", "hollow.npy"], ["hollow.npy", "at least one row"]),
        (["train", "good.npy", "--activation", "swish"], ["--activation", "relu"]),
        (["train", "good.npy", "--likelihood", "poison"], ["--likelihood", "bernoulli"]),
        (["train", "good.npy", "--validation-fraction", "1.5"], ["--validation-fraction", "below 1"]),
        (["train", "good.npy", "--validation-fraction", "0.001"], ["validation_fraction", "no row"]),
        (["train", "good.npy", "--out", "good.npy"], ["--out", "must be a folder"]),
        (["train", "good.npy", "--out", "good.npy/run"], ["--out", "Not a directory"]),
        (["train", "good.npy", "--out", "taken"], ["--out", "--force"]),
        (["train", "good.npy", "--out", "/proc/run"], ["--out /proc/run cannot be written to"]),
        (["sample", "none.safetensors"], ["none.safetensors"]),
        (["sample", "good.npy"], ["good.npy", "not a pyvae model"]),
        (["sample", "taken/model.safetensors", "--out", "s.gif"], ["--out", ".png or .npy"]),
        (["sample", "taken/model.safetensors", "--out", "s.png"], ["--out", ".npy", "no pictures"]),
        (["sample", "taken/model.safetensors", "--out", "good.npy"], ["--out", "--force"]),
        (["sample", "taken/model.safetensors", "--out", "none/s.npy"], ["--out", "no folder"]),
        (["reconstruct", "taken/model.safetensors"], ["DATA"]),
        (["reconstruct", "taken/model.safetensors", "wide.npy"], ["DATA", "4 columns", "not 6"]),
        (["check", "none.safetensors"], ["none.safetensors"]),
        (["info", "extra"], ["extra"]),
    ],
)
def test_wrong_command_lines(arguments, words, tmp_path, capsys):
    """One sentence that names the argument, exit status 2, no traceback, nothing written."""
    for name, array in BAD_FILES.items():
        np.save(name, array)
    np.save("wide.npy", np.zeros((3, 6)))
    (tmp_path / "broken.npy").write_bytes(b"nonsense")
    (tmp_path / "taken").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "history.csv").write_text("of something else")
    pyvae.save(pyvae.VAE.mlp(4, latent_dim=2, hidden=(3,)), tmp_path / "taken" / "model.safetensors")

    def files():
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    before = files()
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2 and files() == before
    assert len(captured.err.splitlines()) == 1 and "Traceback" not in captured.err
    for word in words:
        assert word in captured.err
