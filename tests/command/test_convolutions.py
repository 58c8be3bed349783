"""``pyvae train --conv``: pictures by convolutions."""

from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main


@pytest.fixture(autouse=True)
def in_a_folder_with_rows(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.random((40, 12)))
    Path("t.csv").write_text("a,b\n" + "".join(f"{a:.2f},{b:.2f}\n" for a, b in rng.standard_normal((30, 2))))


def test_a_run_of_convolutions(capsys, scikit_learn, matplotlib):
    line = "train digits --conv 4,6 --latent 3 --epochs 2 --out run"
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "64-conv 4-conv 6-3 relu, bernoulli" in said
    model = pyvae.load("run")
    assert [type(layer).__name__ for layer in model.encoder.layers] == ["Conv2d", "Conv2d", "Dense"]
    assert model.encoder.layers[1].c_out == 6 and model.decoder.layers[-1].out_height == 8
    assert main("score run --json".split()) == main("sample run -n 4".split()) == 0
    assert main("train digits --conv 4,6 --latent 3 --epochs 3 --out run --resume --quiet".split()) == 0


def test_a_file_of_pictures_and_hidden_layers():
    assert main("train x.npy --image-shape 3x4 --conv 4 --hidden 7 --epochs 1 --out run --quiet".split()) == 0
    assert pyvae.load("run").encoder.layers[1].n_out == 7


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x.npy --conv 4", "--conv goes with pictures: say --image-shape HxW if the rows of x.npy are some"),
        ("t.csv --conv 4", "--conv goes with pictures: leave it out, t.csv is a table"),
        ("digits --conv 4 --labels 20", "--conv goes with pictures alone: leave it out, or --labels"),
        (
            "digits --conv 4 --binarize none --likelihood gaussian",
            "--conv goes with values from 0 to 1 or counts, not --likelihood gaussian",
        ),
        ("x.npy --image-shape 3x4 --conv 0", "argument --conv"),
    ],
)
def test_convolutions_of_what_is_no_picture(line, message, assert_refused, scikit_learn):
    assert_refused(f"train {line} --epochs 1 --out run --quiet", message)
