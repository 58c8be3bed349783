"""``pyvae diagnose``: a run's faults, their pictures, and what is said of runs that are not whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from pyvae.command.main import main


@pytest.fixture
def rows(tmp_path, monkeypatch, rng):
    """Rows of two factors in a file, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(400, 6))
    np.save("rows.npy", X)
    return X


def train(*options):
    line = "train rows.npy --likelihood gaussian --hidden 16 --latent 2 --out run --force --quiet"
    assert main([*line.split(), *options]) == 0


def found(capsys, *options):
    """The object that --json prints."""
    capsys.readouterr()
    assert main(["diagnose", "run", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_healthy_run(rows, capsys):
    train("--epochs", "60", "--validation-fraction", "0.25")
    result = found(capsys)
    assert (result["fault"], result["found"], result["pictures"], result["rows"]) == (None, [], [], 300)
    assert result["signs"]["over-fitting"]["elbo_others"] < 0  # of the rows that were held out
    assert main(["diagnose", "run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("rows     300 rows trained on, and 100 other rows\n") and out.endswith("no fault was found\n")
    assert main(["diagnose", "run", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("no sign  ") for line in lines) == 12 and max(map(len, lines)) <= 80


def test_faults_have_pictures_and_remedies(rows, capsys, matplotlib):
    train("--epochs", "20", "--beta", "50")
    result = found(capsys)
    assert result["fault"] == "posterior collapse" and result["signs"]["posterior collapse"]["try"]
    assert [Path(path) for path in result["pictures"]] == [Path("run/diagnosis/posterior_collapse.png")]
    assert Path(result["pictures"][0]).read_bytes().startswith(b"\x89PNG")
    assert main(["diagnose", "run"]) == 0
    out = capsys.readouterr().out
    assert (
        "found    posterior collapse: z says" in out
        and "  try    a --kl-warmup, a --beta below 1, --free-bits\n" in out
    )
    assert out.endswith("the fault to mend first: posterior collapse\n") and "the KL weighed 50" in out


def test_pictures_of_a_diagnosis_before_are_removed(rows, capsys, matplotlib):
    train("--epochs", "20", "--beta", "50")
    assert found(capsys)["pictures"]
    train("--epochs", "100")  # overwrites the run, and its diagnosis
    assert not Path("run/diagnosis").exists()
    assert found(capsys, "--out", "elsewhere")["pictures"] == []
    assert not Path("elsewhere").exists()


def test_the_warm_up_and_the_rate_are_those_of_the_run(rows, capsys):
    train("--epochs", "10", "--kl-warmup", "40")
    assert found(capsys)["fault"] == "warm-up longer than the training"
    train("--epochs", "10", "--lr", "0.02")
    assert found(capsys)["signs"]["learning rate too high"]["learning_rate"] == 0.02


def test_a_model_without_its_run(rows, capsys):
    train("--epochs", "10", "--kl-warmup", "40")
    Path("run/history.csv").unlink()
    Path("run/config.json").unlink()
    assert main(["diagnose", "run/model.safetensors", "rows.npy"]) == 0
    out = capsys.readouterr().out
    assert "a warm-up cannot be told" in out and "no others, to tell over-fitting" in out


def test_other_rows_are_not_said_to_be_trained_on(rows, capsys):
    train("--epochs", "60", "--validation-fraction", "0.25")
    np.save("other.npy", rows[:100])
    assert main(["diagnose", "run", "other.npy"]) == 0
    assert "100 rows of other.npy, which is not what the model was trained on; no" in " ".join(
        capsys.readouterr().out.split()
    )


def test_what_is_wrong_is_one_sentence(rows, assert_refused, capsys):
    assert_refused("diagnose nowhere", "no model file nowhere")
    train("--epochs", "2")
    capsys.readouterr()
    assert_refused("diagnose run --out rows.npy", "--out rows.npy is a file")
    assert_refused("diagnose run missing.npy", "missing.npy")
    Path("run/history.csv").write_text("epoch,loss\n1,2\n")
    assert_refused("diagnose run", "history.csv is damaged: a history has the columns epoch, train_loss")
    Path("run/config.json").write_text("{")
    assert_refused("diagnose run", "config.json is damaged")
