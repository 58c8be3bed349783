"""The examples run, on a few rows, and say what they promise; and the 60 lines are what the library does."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest

import pyvae

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    """The example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def both(rng):
    """The file of 60 lines and a float64 model of the library, with the same weights, rows and noise."""
    sixty = example("vae_in_60_lines")
    model = pyvae.VAE.mlp(30, latent_dim=5, hidden=(17,)).astype(np.float64)
    weights = sixty.initial_weights(30, 17, 5, rng)
    for name, w in zip(model.parameters.names, weights, strict=True):
        model.parameters[name][...] = w
    x = (rng.random((40, 30)) < 0.5).astype(np.float64)
    return sixty, model, weights, x, rng.standard_normal((40, 5))


def assert_close(arena, view, arrays):
    """Each within 1e-12 of the tensor's largest number."""
    for name, array in zip(arena.names, arrays, strict=True):
        np.testing.assert_allclose(view(name), array, rtol=0, atol=1e-12 * np.abs(array).max(), err_msg=name)


def test_gradients_of_the_60_lines_are_the_librarys(both):
    sixty, model, weights, x, eps = both
    loss, gradients = sixty.loss_and_gradients(weights, x, eps)
    assert model.loss_and_gradients(x, eps) == pytest.approx(loss, rel=1e-12)
    assert_close(model.parameters, model.parameters.grad, gradients)


def test_adam_of_the_60_lines_is_the_librarys(both):
    sixty, model, weights, x, eps = both
    m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
    optimizer = pyvae.Adam(model.parameters, learning_rate=1e-3)
    for t in range(1, 6):
        sixty.adam(weights, sixty.loss_and_gradients(weights, x, eps)[1], m, v, t)
        model.loss_and_gradients(x, eps)
        optimizer.step()
        assert_close(model.parameters, model.parameters.__getitem__, weights)


def test_the_60_lines_train(rng, capsys):
    x = (rng.random((300, 1)) < [[0.5]]).astype(float).repeat(12, axis=1)  # all black or all white
    example("vae_in_60_lines").train(x, H=32, Z=2, epochs=40, batch_size=10)
    elbos = [float(elbo) for elbo in re.findall(r"ELBO (\S+) nats", capsys.readouterr().out)]
    assert len(elbos) == 40 and elbos[0] < -6 < -3 < elbos[-1] < -np.log(2)  # log p(x) = log 1/2


def run(name, capsys, tmp_path, *options):
    """What the example prints, run on small data; its picture is there and is a PNG."""
    picture = tmp_path / "pictures" / f"{name}.png"
    example(name).main([*options, "--out", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    return capsys.readouterr().out


def test_digits(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("digits", capsys, tmp_path, "--epochs", "5")
    bound, log_px = (float(re.search(rf"{what} +(\S+) nats", out)[1]) for what in ("test ELBO", r"log p\(x\)"))
    assert -35 < bound < log_px < -15
    assert float(re.search(r"differences to (\S+)", out)[1]) < 1e-6


@pytest.mark.data("mnist")
def test_mnist(capsys, tmp_path, matplotlib):
    out = run("mnist", capsys, tmp_path, "--rows", "1000", "--epochs", "2")
    assert -300 < float(re.search(r"test ELBO (\S+) nats", out)[1]) < -150
    assert 1 <= int(re.search(r"(\d+) of 40 latent dimensions", out)[1]) <= 40


def test_blobs(capsys, tmp_path, matplotlib):
    out = run("blobs", capsys, tmp_path, "--rows", "400", "--epochs", "20")
    before, after = (float(share) for share in re.findall(r"([\d.]+)%", out))
    assert before > 98 and after > 90


@pytest.mark.data("qm9")
def test_molecules(capsys, tmp_path, matplotlib):
    out = run("molecules", capsys, tmp_path, "--rows", "1000", "--epochs", "3")
    exact, balanced = (float(share) for share in re.findall(r"([\d.]+)%", out))
    assert 0 <= exact <= 100 and 0 <= balanced <= 100
    assert -50 < float(re.search(r"test ELBO (\S+) nats", out)[1]) < -20


@pytest.mark.parametrize(
    "smiles", ["C", "CC(=O)N", "C[C@H](O)C(F)(C)C#N", "C1CC2(C1)CN2", "c1cc2ncoc-2n1", "C1=CC(C=1)C"]
)
def test_balanced_strings(smiles, matplotlib):
    assert example("molecules").parses(smiles)


@pytest.mark.parametrize(
    "smiles",
    ["", "C(C", "CC)", "C()C", "(C)C", "C=(C)C", "C(=)C", "CC=", "=C", "C==C", "C1CC", "C11", "C[C@H", "CX", "C(C)1C1"],
)
def test_unbalanced_strings(smiles, matplotlib):
    assert not example("molecules").parses(smiles)


@pytest.mark.data("qm9")
def test_molecules_of_the_data_are_balanced_and_survive_one_hot(matplotlib):
    module = example("molecules")
    smiles = (Path(os.environ["PYVAE_DATA"]) / "qm9" / "qm9_smiles.txt").read_text().split()[:5000]
    assert all(map(module.parses, smiles))
    X, symbols = module.one_hot(smiles)
    assert module.strings(X, symbols) == smiles
    assert (X.reshape(len(X), -1, len(symbols)).sum(axis=2) == 1).all()
