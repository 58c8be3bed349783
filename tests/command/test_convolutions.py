"""``pyvae train --conv``: pictures by convolutions."""

import re
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


def test_gray_values_in_bits(capsys, scikit_learn):
    """The length of an ideal code of the levels, by dense layers, which start at the means, and by convolutions."""
    levels = np.random.default_rng(0).integers(100, 110, (200, 12)).astype(np.uint8)
    np.save("levels.npy", levels)
    for network, most in (("--hidden 8", 4.5), ("--conv 4 --image-shape 3x4", 6.5)):
        line = f"train levels.npy --likelihood discretized-logistic {network} --epochs 40 --lr 0.01 --out run --force"
        assert main(f"{line} --quiet".split()) == 0
        bits = float(re.search(r", (\S+) bits per dimension", capsys.readouterr().out)[1])
        assert np.log2(10) < bits < most  # ten levels are equally likely
    assert main("score run levels.npy --out scores.csv".split()) == 0
    assert "bits per dimension" in capsys.readouterr().out


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
