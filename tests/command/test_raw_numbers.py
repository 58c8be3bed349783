"""Files of real numbers in any unit: standardised for the model, and as they were in everything that comes out."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main

CENTRES, SPREADS = np.array([1e6, 1e9, 1.7e12, 0, 7]), np.array([2e5, 50, 2e4, 1e-6, 0])
SMALL = "--likelihood gaussian --hidden 32 --latent 3 --out run"
ENOUGH = "--epochs 120 --lr 0.005"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def X(rng):
    """One factor behind all columns; the last is constant."""
    X = CENTRES + SPREADS * (rng.normal(size=(600, 1)) + 0.2 * rng.normal(size=(600, 5)))
    np.save("raw.npy", X)
    return X


def run(line, capsys):
    assert main(line.split()) == 0
    return capsys.readouterr().out


def test_every_command_speaks_of_the_values_as_given(X, capsys):
    told = json.loads(run(f"train raw.npy {SMALL} {ENOUGH} --json", capsys))
    std = X[:, :4].std(axis=0)
    model = pyvae.load("run")
    assert told["test_elbo"] == pytest.approx(model.elbo(X).mean(), abs=0.2)

    run("sample run -n 2000 --draw --out made.npy", capsys)
    made = np.load("made.npy")
    np.testing.assert_allclose((made.mean(axis=0) - X.mean(axis=0))[:4] / std, 0, atol=0.2)
    np.testing.assert_allclose(made[:, :4].std(axis=0) / std, 1, atol=0.15)
    np.testing.assert_allclose(np.corrcoef(made[:, :4].T), np.corrcoef(X[:, :4].T), atol=0.05)
    np.testing.assert_allclose(made[:, 4], 7, atol=0.05)

    run("reconstruct run -n 600 --out again.npy", capsys)
    assert (np.abs(np.load("again.npy") - X)[:, :4].mean(axis=0) < 0.3 * std).all()

    run("score run --out scores.csv", capsys)
    scores = np.loadtxt("scores.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(scores[:, 1].mean(), told["test_elbo"], rtol=1e-5)
    run("encode run --out latents.npz", capsys)
    np.testing.assert_array_equal(np.load("latents.npz")["mu"], model.encode(X)[0])
    assert main(["check", "run"]) == 0


def test_it_is_said_and_kept_out_of_the_configuration(X, capsys):
    said = run(f"train raw.npy {SMALL} --epochs 2", capsys)
    assert "scale    losses are of columns of standard deviation 1" in said
    assert len(Path("run/config.json").read_text()) < 4000


@pytest.mark.parametrize("word", ["gaussian", "gaussian-shared", "gaussian-predicted"])
def test_ten_epochs_are_enough_for_the_noise(word, rng, capsys):
    """Of 200 columns: the std that is learned is near the root mean square of the residuals."""
    x = np.outer(rng.normal(size=1965), np.ones(200)) + 0.05 * rng.normal(size=(1965, 200))
    np.save("faces.npy", 128 + 40 * x)
    run(f"train faces.npy --likelihood {word} --epochs 10 --hidden 100 --latent 8 --out run", capsys)
    model = pyvae.load("run")
    mu, logvar = model.encode(128 + 40 * x)
    z = (mu + np.exp(logvar / 2) * rng.normal(size=mu.shape)).astype(np.float32)
    residual = (128 + 40 * x - model.decode(z)) / model.standardization.scale
    outputs, _ = model.decode_rows(z, None, None)
    rho = outputs[:, 200:] if word == "gaussian-predicted" else model.likelihood.rho
    assert np.sqrt(np.mean(residual**2 / np.exp(rho))) == pytest.approx(1, rel=0.3)


def test_pixels_of_a_picture_stay_pixels(rng, capsys):
    np.save("pictures.npy", rng.integers(0, 256, (100, 6, 5)).astype(np.uint8))
    run(f"train pictures.npy {SMALL} --epochs 2", capsys)
    assert main("sample run -n 9 --out made.png".split()) == 0
    model = pyvae.load("run")
    assert model.metadata["value_range"][1] <= 1 and 0.2 < model.sample(20).mean() < 0.8


def test_a_resumed_run_has_the_same_bits(X, capsys):
    run(f"train raw.npy {SMALL} --epochs 6 --validation-fraction 0.2", capsys)
    whole = pyvae.load("run").parameters.values.copy()
    run(f"train raw.npy {SMALL}2 --epochs 3 --validation-fraction 0.2", capsys)
    run("train --resume --out run2 --epochs 6", capsys)
    np.testing.assert_array_equal(pyvae.load("run2").parameters.values, whole)


@pytest.mark.filterwarnings("always")  # the command prints it
def test_far_cells_are_named_and_do_no_harm(X, capsys):
    X[::150, 0] = -9999e6
    np.save("raw.npy", X)
    assert main(f"train raw.npy {SMALL} --epochs 60".split()) == 0
    assert "4 of column 0 of raw.npy" in capsys.readouterr().err
    model = pyvae.load("run")
    scores = model.elbo(X)
    assert scores[::150].max() < np.delete(scores, np.s_[::150]).min()
    np.testing.assert_allclose(model.standardization.scale[0], 2.04e5, rtol=0.1, atol=3)


def test_missing_values(X, capsys):
    X[::3, 1] = np.nan
    np.save("raw.npy", X)
    assert main(f"train raw.npy {SMALL}".split()) == 2
    assert "add --missing" in capsys.readouterr().err
    assert "add --missing" not in run(f"train raw.npy {SMALL} --missing --epochs 2", capsys)
    assert np.isfinite(pyvae.load("run").elbo(pyvae.ArraySource(X, missing=True))).all()


def test_counts_start_at_their_means(rng, capsys):
    """Of thousands, which a step of Adam from exp(0) would not reach."""
    np.save("counts.npy", rng.poisson([5, 3000, 90000], (500, 3)))
    for word in ("poisson", "negative-binomial"):
        run(f"train counts.npy --likelihood {word} --epochs 1 --hidden 8 --latent 2 --out {word}", capsys)
        np.testing.assert_allclose(pyvae.load(word).sample(500).mean(axis=0), [5, 3000, 90000], rtol=0.1, atol=3)


@pytest.mark.filterwarnings("always")  # the command prints it
@pytest.mark.parametrize("more", ["", "--validation-fraction 0.5"])
def test_far_cells_have_no_part_in_the_result(more, X, capsys):
    """One rule for the rows that are trained and those that are reported on."""
    run(f"train raw.npy {SMALL} --epochs 20 {more}", capsys)
    before = float((Path("run") / "log.txt").read_text().splitlines()[-1].split()[2])
    X[[4, 200, 401], 0] = -9999e6
    np.save("raw.npy", X)
    said = run(f"train raw.npy {SMALL} --epochs 20 {more} --force", capsys)
    assert float(said.splitlines()[-1].split()[2]) == pytest.approx(before, abs=3)


def test_a_run_is_not_resumed_on_other_rows(X, capsys):
    """Whose means make another model of the numbers alone."""
    run(f"train raw.npy {SMALL} --epochs 2", capsys)
    X[0, 1] += 1
    np.save("raw.npy", X)
    assert main("train --resume --out run --epochs 4".split()) == 2
    assert "was trained on other rows: resume it as it began, or train anew" in capsys.readouterr().err
