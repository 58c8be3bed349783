"""The command line, run as a user runs it."""

import argparse
import csv
import errno
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
import pyvae.datasets
import pyvae.tables
from pyvae import _kernels
from pyvae.command import checkup, pictures
from pyvae.command.main import COMMANDS, main
from pyvae.command.options import parse
from pyvae.command.outputs import tell
from pyvae.command.training_options import learning_rate
from pyvae.likelihoods.words import LIKELIHOODS
from pyvae.training import schedules


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_folder(tmp_path, scikit_learn):
    """A finished run on the digits, short."""
    assert main(["train", "--epochs", "2", "--hidden", "16", "--latent", "3", "--out", "run", "--quiet"]) == 0
    return tmp_path / "run"


def test_train_leaves_model_history_and_pictures(pictures_of_runs, run_folder):
    names = {path.name for path in run_folder.iterdir()}
    written = {"config.json", "history.csv", "latent.npz", "log.txt", "model.safetensors", "reference.npz"}
    assert names == {"checkpoints"} | written | set(pictures.NAMES) - {"manifold.png"}
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
    assert "digits: 1437 rows of 64 columns, 360 test, black and white (cut at 0.5)\n" in captured.out
    assert "64-16-3 relu" in captured.out
    assert "runs/digits" in captured.out and "train ELBO -" in captured.err and "?" not in captured.err
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
        "checkpoints", "config.json", "history.csv", "latent.npz", "log.txt", "model.safetensors", "reference.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ("--epochs 1", "trained for 2 steps only: --epochs 1000 would make 2,000"),
        ("--epochs 3 --validation-fraction 0.2", "trained for 6 steps only: --epochs 1000 would make 2,000"),
        ("--epochs 3 --batch-size 17", "trained for 36 steps only: --epochs 167 would make 2,004"),
        ("--epochs 1 --batch-size 200", "trained for 1 step only: --epochs 2000 would make 2,000"),
        ("--epochs 5 --batch-size 1", None),
        ("--epochs 99 --lr 1e-20 --validation-fraction 0.2 --patience 1", None),
    ],
)
def test_few_steps_are_said_to_be(options, advice, rng, monkeypatch, capsys):
    """Where the epochs ended it, in one line before the result, which --quiet and --json move to standard error."""
    monkeypatch.setattr(pictures, "save", lambda *arguments: [])
    np.save("x.npy", rng.random((200, 4)))
    assert main(["train", "x.npy", "--hidden", "4", "--out", "run", *options.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "advice" in line and "only" in line] == ([f"advice   {advice}"] if advice else [])
    assert lines[-1].startswith(("train ELBO -", "validation ELBO -")), "as it is promised"
    for quiet in ("--quiet", "--json"):
        assert main(["train", "x.npy", "--hidden", "4", "--out", "run", *options.split(), "--force", quiet]) == 0
        captured = capsys.readouterr()
        assert captured.out.count("\n") == 1
        assert (f"pyvae train: {advice}\n" in captured.err) if advice else "only" not in captured.err
        if quiet == "--json":
            assert json.loads(captured.out)["advice"][:1] == [advice] if advice else "only" not in captured.out


def test_steps_are_counted_from_the_beginning_of_a_resumed_run(rng, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "save", lambda *arguments: [])
    np.save("x.npy", rng.random((200, 4)))
    line = "train x.npy --hidden 4 --batch-size 1 --out run".split()
    assert main([*line, "--epochs", "4"]) == 0 and "800 steps only: --epochs 10 " in capsys.readouterr().out
    assert main([*line, "--epochs", "5", "--resume"]) == 0 and "only" not in capsys.readouterr().out


def test_a_warm_up_that_never_ends_and_a_collapse_are_said(rng, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "save", lambda *arguments: [])
    np.save("x.npy", (rng.random((200, 4)) < 0.5).astype(np.uint8))
    line = "train x.npy --hidden 4 --batch-size 20 --epochs 100 --out run --quiet --force".split()
    assert main([*line, "--beta", "50"]) == 0
    assert "nats, so z carries nothing of the rows (posterior collapse): try more --epochs" in capsys.readouterr().err
    assert main([*line, "--kl-warmup", "100"]) == 0
    said = capsys.readouterr().err
    assert "the KL never had its full weight: its warm-up is no shorter than the training, of 100 epochs" in said


def test_validation_fraction_reports_training_rows(scikit_learn):
    assert main(["train", "--epochs", "1", "--hidden", "8", "--validation-fraction", "0.2", "--quiet"]) == 0


def test_every_likelihood_trains(rng):
    np.save("x.npy", rng.integers(0, 2, (60, 5)))  # which every one of them can have made
    for likelihood in LIKELIHOODS:
        options = ["--likelihood", likelihood, "--epochs", "1", "--hidden", "8", "--out", likelihood, "--quiet"]
        assert main(["train", "x.npy", *options]) == 0
        model, drawn = f"{likelihood}/model.safetensors", f"{likelihood}.npy"
        assert main(["sample", model, "-n", "9", "--draw", "--out", drawn]) == 0 and np.load(drawn).shape == (9, 5)


def test_sample_and_reconstruct(run_folder):
    model = str(run_folder / "model.safetensors")
    loaded, dataset = pyvae.load(model), pyvae.datasets.load("digits")
    assert main(["sample", model, "-n", "9", "--seed", "4", "--out", "s.npy"]) == 0
    latent = loaded.aggregate_posterior(dataset.train)
    np.testing.assert_array_equal(np.load("s.npy"), loaded.sample(9, seed=4, latent=latent))
    assert main(["sample", model, "-n", "9", "--seed", "4", "--latent", "prior", "--out", "p.npy"]) == 0
    np.testing.assert_array_equal(np.load("p.npy"), loaded.sample(9, seed=4))
    assert main(["sample", model, "-n", "9", "--draw", "--out", "d.npy"]) == 0
    assert set(np.unique(np.load("d.npy"))) == {0.0, 1.0}
    assert main(["reconstruct", model, "-n", "10", "--out", "r.npy"]) == 0
    x = dataset.test.gather(np.arange(10)).x
    np.testing.assert_array_equal(np.load("r.npy"), loaded.reconstruct(x))


def test_sample_and_reconstruct_leave_pictures(run_folder, matplotlib):
    model = str(run_folder / "model.safetensors")
    assert main(["sample", model]) == 0 and main(["reconstruct", model]) == 0
    from PIL import Image

    for name in ("samples.png", "reconstructions.png"):
        with Image.open(name) as image:
            assert image.mode == "P", "a byte a dot, as the pictures of a run"


def test_a_picture_holds_400_rows(run_folder, capsys):
    assert main("sample run -n 401".split()) == 2 and not Path("samples.png").exists()
    assert capsys.readouterr().err == (
        "pyvae sample: -n 401 is too many for one picture, which holds 400: use .npy, --out samples.npy\n"
    )
    assert main("sample run -n 401 --out s.npy".split()) == 0
    assert main("reconstruct run -n 1000 --split train".split()) == 2 and not Path("reconstructions.png").exists()
    assert "reconstruct: -n 1000 is too many" in capsys.readouterr().err


def test_words_agree_with_their_numbers(run_folder, capsys):
    capsys.readouterr()
    np.save("x.npy", np.zeros((1, 64)))
    lines = {
        "sample run -n 1 --out a.npy": "wrote 1 sample to a.npy\n",
        "sample run -n 2 --out b.npy": "wrote 2 samples to b.npy\n",
        "reconstruct run -n 1000 --out c.npy": "wrote reconstructions of all 360 test rows to c.npy\n",
        "reconstruct run -n 360 --out d.npy": "wrote reconstructions of 360 test rows to d.npy\n",
        "reconstruct run x.npy --out e.npy": "wrote reconstructions of 1 row to e.npy\n",
        "encode run x.npy --out f.npy": "wrote mu of 1 row to f.npy\n",
    }
    for line, sentence in lines.items():
        assert main(line.split()) == 0 and capsys.readouterr().out == sentence
    assert main("score run x.npy".split()) == 0
    assert "mean of 1 row, 1 sample each" in capsys.readouterr().out


def test_rows_of_another_file_are_not_called_train(rng, capsys):
    """They are where the file is the one that was trained on, whatever its path is called, or says so itself."""
    x = rng.random((50, 4))
    np.save("x.npy", x)
    np.save("other.npy", x)
    np.savez("both.npz", X=x, X_test=x)
    assert main("train x.npy --epochs 1 --hidden 4 --out run --quiet".split()) == 0
    words = {"": "train", "x.npy": "train", "./x.npy": "train", "other.npy": None, "both.npz --split train": "train"}
    for data, split in words.items():
        for command in ("score", "encode", "reconstruct"):
            capsys.readouterr()
            line = [command, "run", *data.split(), "--force"]
            assert main([*line, "--json"]) == 0 and json.loads(capsys.readouterr().out)["split"] == split
            assert main(line) == 0 and ("train" in capsys.readouterr().out) == (split is not None)
    assert main("score run other.npy --force".split()) == 0
    assert re.match(r"ELBO -\S+ nats, mean of 50 rows, 1 sample each; wrote scores.csv\n", capsys.readouterr().out)


def test_check_everything(capsys):
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "every gradient agrees" in out and "Dense 300-35 tanh" in out and "float32" in out
    assert re.search(r"VAE: backward twice, zero upstream +exact  \(2 compared\)\n", out) and "error 0.0" not in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_check_a_model(run_folder, capsys):
    assert main(["check", str(run_folder / "model.safetensors"), "--verbose"]) == 0
    assert "encoder.0.W" in capsys.readouterr().out


def test_check_finds_a_wrong_gradient(monkeypatch, capsys):
    monkeypatch.setattr(pyvae.StandardNormal, "log_density_backward", lambda self, d, cache: d[:, None] * cache.z)
    groups = ("objectives", "posterior and prior")  # others have tests of their own
    monkeypatch.setattr(checkup, "GROUPS", {name: checkup.GROUPS[name] for name in groups})
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
    assert "try a smaller --lr" in capsys.readouterr().err and not Path("run").exists()


def spy_on_train(monkeypatch, **changes):
    """What ``train`` is called with, in a dict that fills when it is; ``changes`` are attributes of its History."""
    seen, train = {}, pyvae.training.loop.train

    def spy(model, X, **arguments):
        seen.update(arguments, X=X)
        history = train(model, X, **arguments)
        for name, value in changes.items():
            setattr(history, name, value)
        return history

    monkeypatch.setattr(pyvae.training.loop, "train", spy)
    return seen


def test_training_options_reach_train(rng, monkeypatch):
    np.save("x.npy", rng.random((50, 4)))
    seen = spy_on_train(monkeypatch)
    options = "--epochs 3 --hidden 4 --beta 0.5 --kl-warmup 2 --weight-decay 0.01 --clip-norm 5 --patience 4 --quiet"
    assert main(["train", "x.npy", *options.split(), "--validation-fraction", "0.2", "--lr", "0.002"]) == 0
    assert repr(seen["objective"]) == repr(pyvae.ELBO(pyvae.LinearWarmUp(0.5, 2)))
    assert (seen["weight_decay"], seen["clip_norm"]) == (0.01, 5)
    assert (seen["patience"], seen["validation_fraction"], seen["X_val"]) == (4, 0.2, None)
    assert len(seen["X"]) == 50 and seen["learning_rate"] == 0.002


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", 0.002),
        ("--schedule constant", 0.002),
        ("--schedule step --decay-at 200,350 --decay-factor 0.5", schedules.StepDecay(0.002, 0.5, (200, 350))),
        ("--schedule step --decay-at 7", schedules.StepDecay(0.002, 0.1, (7,))),
        ("--schedule exponential", schedules.ExponentialDecay(0.002, 0.99)),
        ("--schedule exponential --decay-factor 0.9", schedules.ExponentialDecay(0.002, 0.9)),
        ("--schedule cosine", schedules.CosineDecay(0.002, 12)),
        ("--lr-warmup 3", schedules.WarmUp(schedules.Constant(0.002), 3)),
        ("--schedule cosine --lr-warmup 3", schedules.WarmUp(schedules.CosineDecay(0.002, 12), 3)),
    ],
)
def test_schedules(line, expected):
    options = parse(["train", "--lr", "0.002", *line.split()], COMMANDS)
    assert learning_rate(options, 12) == expected


def test_an_interrupted_run_is_saved(rng, monkeypatch, capsys):
    np.save("x.npy", rng.random((50, 4)))
    spy_on_train(monkeypatch, stopped="interrupted")
    assert main("train x.npy --epochs 2 --hidden 4 --json --out run".split()) == 130
    captured = capsys.readouterr()
    assert json.loads(captured.out)["stopped"] == "interrupted"
    assert "interrupted; what was learned in 2 epochs is in run" in captured.err
    assert pyvae.load("run/model.safetensors").n_features == 4
    assert "stopped  interrupted, after epoch 2 of 2" in Path("run/log.txt").read_text()


def test_a_run_interrupted_in_its_first_epoch_is_not_saved(rng, monkeypatch, capsys):
    np.save("x.npy", rng.random((50, 4)))
    monkeypatch.setattr(pyvae.training.loop.Training, "pass_over_rows", lambda *_: None)
    assert main("train x.npy --epochs 2 --hidden 4 --quiet --out run".split()) == 130
    assert capsys.readouterr().err == "pyvae train: stopped, nothing was saved\n" and not Path("run").exists()


def test_the_run_folder_explains_itself(rng, capsys):
    np.savez("x.npz", X=rng.random((50, 4)), X_test=rng.random((9, 4)))
    line = "train x.npz --epochs 2 --hidden 8,4 --latent 3 --validation-fraction 0.2 --lr 0.01 --seed 5 --out run"
    assert main(line.split()) == 0
    printed = capsys.readouterr().out.splitlines()
    config = json.loads(Path("run/config.json").read_text())
    assert config["options"]["hidden"] == [8, 4] and config["options"]["lr"] == 0.01 and config["seed"] == 5
    assert config["options"]["data"] == "x.npz" and config["options"]["patience"] is None
    assert config["data"]["rows"] == {"train": 40, "validation": 10, "test": 9} and config["data"]["columns"] == 4
    assert config["model"] == pyvae.load("run/model.safetensors").describe() and config["precision"] == "highest"
    assert config["pyvae"] == pyvae.__version__ and config["kernels"] == json.loads(json.dumps(_kernels.info()))

    log = Path("run/log.txt").read_text().splitlines()
    assert [line for line in log if line in printed] == printed and log[-1].startswith("test ELBO -")
    epochs = [line.split() for line in log if line.startswith("epoch ")]
    history = list(csv.DictReader(Path("run/history.csv").read_text().splitlines()))
    assert [float(words[3]) for words in epochs] == pytest.approx(
        [float(row["train_loss"]) for row in history], abs=0.0051
    )
    assert [words[6] for words in epochs] == ["validation"] * 2

    first = {path.name: path.read_bytes() for path in Path("run").iterdir() if path.is_file()}
    assert main([*line.split(), "--force"]) == 0
    assert {name for name in first if Path("run", name).read_bytes() != first[name]} <= {
        "log.txt", "history.csv", "config.json", "learning_curves.png",
    }  # fmt: skip
    assert json.loads(Path("run/config.json").read_text())["options"].pop("force")


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        (("X",), "--binarize draw", "6 columns, black and white (drawn afresh at every step)"),
        (("X",), "--validation-fraction 0.25", "400 rows of 6 columns, 100 held out to validate on"),
        (("X", "X_test"), "", "6 columns, 400 test"),
        (("X", "X_val", "X_test"), "", "6 columns, 400 test, 400 validation"),
    ],
)
def test_the_log_names_the_rows_that_are_validated_on(arrays, options, words, rng):
    """Epochs in at most 100 columns; "test" where validation rows are the test split, nothing where there are none."""
    np.savez("x.npz", **{name: rng.random((400, 6)) for name in arrays})
    assert main(["train", "x.npz", *"--epochs 2 --hidden 4 --out run --quiet".split(), *options.split()]) == 0
    log = Path("run/log.txt").read_text()
    assert words in " ".join(log.split()) and "nan" not in log
    epochs = [line for line in log.splitlines() if line.startswith("epoch ")]
    named = "validation" if "X_val" in arrays or "fraction" in options else "test" if "X_test" in arrays else None
    assert len(epochs) == 2 and max(map(len, epochs)) <= 100
    for line in epochs:
        assert {"validation", "test"} & set(line.split()) == ({named} if named else set())


def test_no_path_is_cut(rng, capsys):
    np.save("x.npy", rng.random((5, 4)))
    out = f"run-{'long' * 30}"
    assert main(["train", "x.npy", "--hidden", "3", "--epochs", "1", "--out", out]) == 0
    assert out in capsys.readouterr().out and out in Path(out, "log.txt").read_text()


@pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins twenty seconds")
def test_epochs_that_were_not_given_are_in_config(rng):
    np.save("x.npy", rng.random((5, 4)))
    assert main("train x.npy --hidden 3 --out run --quiet".split()) == 0
    assert json.loads(Path("run/config.json").read_text())["options"]["epochs"] == 2000  # steps


def test_pictures_of_a_file(rng, pictures_of_runs):
    np.save("x.npy", rng.random((30, 12)))
    assert main("train x.npy --image-shape 3x4 --epochs 1 --hidden 4 --out run --quiet".split()) == 0
    assert pyvae.load("run/model.safetensors").metadata["image_shape"] == [3, 4] and Path("run/samples.png").exists()


def test_encode(run_folder, capsys):
    test = pyvae.datasets.load("digits").test
    mu, logvar = pyvae.load(run_folder / "model.safetensors").encode(test)
    assert main(["encode", "run"]) == 0
    assert capsys.readouterr().out.endswith("wrote mu and logvar of 360 test rows to latents.npz\n")
    with np.load("latents.npz") as latents:
        np.testing.assert_array_equal(latents["mu"], mu)
        np.testing.assert_array_equal(latents["logvar"], logvar)
    assert main("encode run --out z.csv".split()) == 0 and main("encode run --out z.npy".split()) == 0
    np.testing.assert_array_equal(np.load("z.npy"), mu)
    header, *lines = Path("z.csv").read_text().splitlines()
    assert header == "mu_1,mu_2,mu_3,logvar_1,logvar_2,logvar_3"
    np.testing.assert_array_equal(np.array([line.split(",") for line in lines], np.float32), np.hstack([mu, logvar]))


def test_encode_a_split_of_other_data(run_folder, rng, capsys):
    np.savez("x.npz", X=rng.random((5, 64)), valid=rng.random((4, 64)), X_test=rng.random((3, 64)))
    for split, n in (("train", 5), ("validation", 4), ("test", 3)):
        assert main(["encode", "run", "x.npz", "--split", split, "--out", f"{split}.npy", "--json"]) == 0
        assert np.load(f"{split}.npy").shape == (n, 3)
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert result == {"rows": n, "latent_dim": 3, "split": split, "out": f"{split}.npy"}


def test_score(run_folder, capsys):
    model, test = pyvae.load(run_folder / "model.safetensors"), pyvae.datasets.load("digits").test
    capsys.readouterr()
    assert main("score run --samples 3 --seed 2".split()) == 0
    expected = model.elbo(test, n_samples=3, seed=2)
    assert capsys.readouterr().out == (
        f"test ELBO {expected.mean():.2f} nats, mean of 360 rows, 3 samples each; wrote scores.csv\n"
    )
    rows = list(csv.DictReader(Path("scores.csv").read_text().splitlines()))
    assert [int(row["row"]) for row in rows] == list(range(360))
    for row, elbo in zip(rows, expected, strict=True):
        assert float(row["elbo"]) == elbo == -(float(row["reconstruction"]) + float(row["kl"]))
    assert main("score run --samples 3 --seed 2 --out s.npy".split()) == 0
    np.testing.assert_array_equal(np.load("s.npy"), expected)


def test_score_by_log_likelihood(run_folder, capsys):
    model, train = pyvae.load(run_folder / "model.safetensors"), pyvae.datasets.load("digits").train
    capsys.readouterr()
    assert main("score run --log-likelihood --samples 5 --split train --json".split()) == 0
    result = json.loads(capsys.readouterr().out)
    expected = model.log_likelihood(train, n_samples=5)
    assert result["log_likelihood"] == pytest.approx(expected.mean()) and result["split"] == "train"
    header, first, *_ = Path("scores.csv").read_text().splitlines()
    assert header == "row,log_likelihood" and first == f"0,{expected[0]}"


def test_json_of_every_command_is_one_object(run_folder, capsys):
    capsys.readouterr()
    for line, key in {
        "sample run": "out",
        "reconstruct run": "split",
        "encode run": "latent_dim",
        "score run": "elbo",
        "diagnose run": "fault",
        "check run": "agrees",
        "info": "kernels",
    }.items():
        assert main([*line.split(), "--json"]) == 0
        assert key in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["sample", "reconstruct", "encode", "score"])
def test_files_go_into_the_working_directory_as_the_help_says(command, run_folder, capsys, matplotlib):
    before = sorted(run_folder.iterdir())
    assert main([command, "run", "--json"]) == 0
    name = json.loads(capsys.readouterr().out.splitlines()[-1])["out"]
    assert Path(name).is_file() and Path(name).parent == Path() and sorted(run_folder.iterdir()) == before
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"\(default: {re.escape(name)}[^)]* in the working directory, not in MODEL\)", text)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_readable_at_80_columns(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and max(len(line) for line in text.splitlines()) <= 80
    assert re.search(rf"examples?:\n  pyvae {command}", text)


def test_help_lists_the_commands_a_line_each(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    commands = text.split("commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in commands] == list(COMMANDS) and all(len(line.split()) > 3 for line in commands)
    assert "pyvae COMMAND --help" in text


def test_help_of_train_names_every_likelihood_and_what_files_hold(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    words = re.sub(r"\s+", " ", text)
    assert set(LIKELIHOODS) <= set(re.findall(r"[\w-]+", words.split("--likelihood WORD")[-1].split("(default")[0]))
    assert "a .csv that begins with names is a table" in words and "1/255" in words


def test_help_names_the_exit_status(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert re.findall(r"^  (\d+) ", text, re.MULTILINE) == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_the_help_can_be_parsed(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    examples = re.split(r"examples?:\n", capsys.readouterr().out)[1].splitlines()
    for example in examples:
        assert parse(example.split()[1:], COMMANDS).command == command


def test_a_model_knows_the_file_it_was_trained_on(rng):
    """config.json beside the model names DATA; the model's file, which equal rows make equal, does not."""
    np.save("x.npy", rng.random((50, 7)))
    assert main("train x.npy --epochs 1 --hidden 8 --out run --quiet".split()) == 0
    assert main("encode run --out default.npy".split()) == 0
    assert main("encode run x.npy --out given.npy".split()) == 0
    np.testing.assert_array_equal(np.load("default.npy"), np.load("given.npy"))
    assert b"x.npy" not in Path("run/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device; free some space, or choose another --out"),
        (errno.EACCES, "Permission denied; choose another --out"),
    ],
)
@pytest.mark.parametrize("command", ["encode run --out out.csv", "sample run --out out.npy", "sample run --out out.png",
                                     "train x.npy --epochs 1 --hidden 8 --out run --force --quiet"])  # fmt: skip
def test_a_disk_that_takes_nothing(command, number, words, rng, monkeypatch, capsys, matplotlib):
    """Files appear whole or not at all, and one sentence names the file that was asked for, not a temporary one."""
    np.save("x.npy", rng.random((50, 16)))
    assert main("train x.npy --image-shape 4x4 --epochs 1 --hidden 8 --out run --quiet".split()) == 0
    Path("run/samples.png").write_bytes(b"of the first run")
    capsys.readouterr()

    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    assert main(command.split()) == 2
    out = command.split()[command.split().index("--out") + 1].replace("run", "run/config.json")
    said = capsys.readouterr().err
    assert said == f"pyvae {command.split()[0]}: {out} cannot be written: {words}\n"
    assert {path.name for path in Path().iterdir()} == {"x.npy", "run"}
    assert not any(path.name.startswith(".") for path in Path("run").iterdir())
    assert pyvae.load("run/model.safetensors").n_features == 16
    assert Path("run/samples.png").read_bytes() == b"of the first run"


def test_a_model_file_that_may_not_be_read(run_folder, monkeypatch, capsys):
    def refuse(path, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(pyvae.persistence, "open", refuse, raising=False)
    assert main(["sample", "run"]) == 2
    assert "run/model.safetensors cannot be read: Permission denied; chmod u+r" in capsys.readouterr().err


def test_a_latent_file_that_is_damaged_or_missing(run_folder, capsys):
    (run_folder / "latent.npz").write_bytes(b"PK\3\4 and no more")
    assert main(["sample", "run", "--out", "s.npy"]) == 2
    assert "latent.npz is damaged" in (said := capsys.readouterr().err) and "use --latent prior" in said
    (run_folder / "latent.npz").unlink()  # as earlier versions left it
    assert main(["sample", "run", "--out", "s.npy"]) == 0
    np.testing.assert_array_equal(np.load("s.npy"), pyvae.load("run").sample(64))


def test_missing_entries_of_an_array(rng, capsys):
    """--missing takes NaN, the model remembers it, and without it the message names it."""
    X = rng.normal(size=(60, 4))
    X[::7, 1] = np.nan
    np.save("x.npy", X)
    train = ["train", "x.npy", "--likelihood", "gaussian", "--epochs", "2", "--out", "run", "--quiet"]
    assert main(train) == 2
    said = capsys.readouterr().err
    assert "x.npy[0, 1] is nan" in said and "fill it, drop the row, or add --missing\n" in said
    assert main([*train, "--missing"]) == 0
    assert main(["score", "run", "x.npy", "--out", "scores.npy"]) == 0
    assert np.isfinite(np.load("scores.npy")).all()
    assert main(["train", "digits", "--missing", "--out", "other"]) == 2
    assert "what is missing cannot be black or white: add --binarize none" in capsys.readouterr().err


def test_json_holds_null_where_a_number_is_not_finite(capsys):
    tell(argparse.Namespace(json=True), "", elbo=-math.inf, errors={"a": math.nan, "b": 1.5}, rows=3)
    assert json.loads(capsys.readouterr().out) == {"elbo": None, "errors": {"a": None, "b": 1.5}, "rows": 3}


def test_a_folder_of_a_run_loads(run_folder):
    assert pyvae.load("run").describe() == pyvae.load("run/model.safetensors").describe()
