"""``pyvae train --resume``: what a run needs to go on, and what it says where it cannot."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main
from pyvae.command.train import Run


class Killed(BaseException):
    pass


def killed(*_):
    """In place of Run.save: the process ends before its files are written."""
    raise Killed


@pytest.fixture
def table(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", X=rng.random((40, 6)), X_test=rng.random((9, 6)))


LINE = "train x.npz --epochs 5 --hidden 7 --latent 2 --checkpoint-seconds 0 --quiet"


def test_the_command_resumes(table, monkeypatch, capsys):
    """With the options that the run began with: they are in the checkpoint."""
    assert main([*LINE.split(), "--seed", "4", "--out", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", killed)
        with pytest.raises(Killed):
            main([*LINE.replace("--epochs 5", "--epochs 3").split(), "--seed", "4", "--out", "run"])
    assert not Path("run/model.safetensors").exists()
    capsys.readouterr()
    assert main("train --resume --out run --epochs 5".split()) == 0
    assert "resumed  from run/checkpoints/epoch-000003.safetensors" in capsys.readouterr().out
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    config = json.loads(Path("run/config.json").read_text())["options"]
    assert (config["hidden"], config["seed"], config["epochs"], config["data"]) == ([7], 4, 5, "x.npz")
    epochs = [line.split()[1] for line in Path("run/log.txt").read_text().splitlines() if line.startswith("epoch ")]
    assert epochs == ["1", "2", "3", "4", "5"]

    assert main("train --resume --out run --lr 0.5".split()) == 2
    assert "was trained with a --lr of 0.001 in epoch 1, not 0.5: resume it as it began" in capsys.readouterr().err
    assert main("train --resume --out run".split()) == 0
    assert "trained  nothing, as 5 epochs are done already" in capsys.readouterr().out
    assert main("train --resume --out run --hidden 8,9".split()) == 2
    said = "--hidden was 7 when the run in run began, not 8,9: leave it out, or begin anew with --force\n"
    assert capsys.readouterr().err == f"pyvae train: {said}"


def test_the_command_says_where_a_run_can_be_resumed(table, capsys):
    assert main([*LINE.split(), "--out", "run"]) == 0
    assert main([*LINE.split(), "--out", "run"]) == 2
    assert "holds model.safetensors already; add --resume to go on with it, or --force to" in capsys.readouterr().err
    assert main([*LINE.split(), "--out", "run", "--force", "--epochs", "2"]) == 0
    assert pyvae.Checkpoints("run/checkpoints").epochs() == [1, 2]
    for path in Path("run/checkpoints").iterdir():
        path.unlink()
    assert main([*LINE.split(), "--out", "run", "--resume"]) == 2  # there is a model that would be lost
    assert "run has no checkpoint to resume from; --force begins anew" in capsys.readouterr().err
    assert main([*LINE.split(), "--out", "new", "--resume"]) == 0
    assert capsys.readouterr().err.startswith("pyvae train: no checkpoint in new: the run begins anew\n")


def test_the_command_tells_of_warnings_in_one_line(table, capsys):
    assert main([*LINE.split(), "--out", "run"]) == 0
    Path("run/checkpoints/epoch-000005.safetensors").write_bytes(b"")
    capsys.readouterr()
    assert main("train --resume --out run --quiet".split()) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "only" not in line]  # which is advice
    assert said and all(
        line.startswith("pyvae train: run/checkpoints/epoch-000005.safetensors is not") for line in said
    )


def test_the_command_begins_anew_where_all_are_damaged(table, capsys):
    assert main([*LINE.split(), "--out", "run"]) == 0
    for path in Path("run/checkpoints").iterdir():
        path.write_bytes(b"")
    assert main("train x.npz --resume --out run --quiet".split()) == 2
    assert "or its header is damaged; --force begins anew" in capsys.readouterr().err
    assert main([*LINE.split(), "--resume", "--force", "--out", "run"]) == 0


def test_a_run_whose_folder_is_moved_away(table, monkeypatch, capsys):
    """It is made again, and nothing is lost but the first lines of the log."""
    after = Run._after_epoch

    def move(run, history):
        if len(history) == 3:
            Path("run").rename("elsewhere")
        after(run, history)

    monkeypatch.setattr(Run, "_after_epoch", move)
    assert main([*LINE.split(), "--out", "run"]) == 0
    assert {"model.safetensors", "history.csv", "config.json", "log.txt"} <= {p.name for p in Path("run").iterdir()}
    assert "epoch    5" in Path("run/log.txt").read_text() and pyvae.Checkpoints("run/checkpoints").epochs() == [4, 5]
