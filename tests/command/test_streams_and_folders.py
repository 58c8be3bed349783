"""What surrounds a command: closed and plain streams, two trainings at once, pictures with a dimension more."""

import fcntl
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import pyvae
from pyvae.command import runs
from pyvae.command.main import main
from pyvae.data import datasets
from pyvae.likelihoods.words import likelihood_of_entries

SMALL = "--epochs 2 --hidden 8 --latent 2 --out run"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def program(line, redirections="", **environment):
    """The command in a process of its own, started by a shell with redirections such as >&-."""
    command = f'"{sys.executable}" -m pyvae {line} {redirections}'
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment, check=False
    )


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(redirections, rng):
    np.save("x.npy", rng.random((40, 3)))
    done = program(f"train x.npy {SMALL}", redirections)
    assert done.returncode == 0, done.stderr
    assert pyvae.load("run").n_features == 3
    assert b"Traceback" not in done.stderr
    assert program("train none.npy", redirections).returncode == 2


def test_a_terminal_that_knows_ascii_alone():
    pytest.importorskip("pandas", reason="tables are read with pandas")
    with open("people.csv", "w", encoding="utf-8") as file:
        file.write("größe,n\n" + "".join(f"{1.5 + i / 9},{i % 4}\n" for i in range(40)))
    done = program(f"train people.csv {SMALL}", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert b"gr\\xf6\\xdfe  numeric" in done.stdout and done.stdout.isascii()
    with open("run/log.txt", encoding="utf-8") as file:
        assert "größe" in file.read()


def test_two_trainings_in_one_folder(rng, assert_refused, tmp_path):
    """The second is refused, and the first one's files stay."""
    np.save("x.npy", rng.random((40, 3)))
    assert main(f"train x.npy {SMALL} --quiet".split()) == 0
    descriptor = os.open("run", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as a training that is under way has it
        before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
        assert main(f"train x.npy {SMALL} --force --quiet --seed 3".split()) == 2
        assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")} == before
    finally:
        os.close(descriptor)
    assert main(f"train x.npy {SMALL} --force --quiet --seed 3".split()) == 0, "the folder is free again"
    assert {path.name for path in (tmp_path / "run").glob("*.*")} >= set(before) & set(runs.FILES)


def test_more_threads_than_cores_are_said_to_be_slower(rng, capsys, monkeypatch):
    np.save("x.npy", rng.random((40, 3)))
    threads = pyvae.get_num_threads()
    monkeypatch.setattr("pyvae._kernels.processors.physical_cores", lambda: 2)
    try:
        assert main(f"train x.npy {SMALL} --quiet --threads 3".split()) == 0
        assert "--threads 3 is more than the 2 cores of this process: they take turns" in capsys.readouterr().err
    finally:
        pyvae.set_num_threads(threads)


def test_gray_pictures_with_a_last_dimension_of_one(rng):
    pictures = rng.integers(0, 256, (30, 5, 6)).astype(np.uint8)
    np.save("x.npy", pictures[..., None])
    assert main(f"train x.npy {SMALL} --quiet".split()) == 0
    assert pyvae.load("run").metadata["image_shape"] == [5, 6]


@pytest.mark.parametrize("shape", [(9, 4, 5, 3), (9, 2, 2, 2, 2)])
def test_other_pictures_are_told_how_they_become_rows(shape, rng, assert_refused):
    np.save("x.npy", rng.random(shape))
    assert_refused("train x.npy", f"save X.reshape(len(X), -1), rows of {np.prod(shape[1:])} columns")
    with pytest.raises(ValueError, match=r"X.reshape\(len\(X\), -1\) makes each picture a row"):
        pyvae.VAE.mlp(60, 1).elbo(rng.random(shape))


def test_a_fraction_among_counts_is_said(rng):
    pytest.importorskip("pandas", reason="tables are read with pandas")
    counts = [*map(str, rng.poisson(3, 150)), "2.5"]
    with open("x.csv", "w") as file:
        file.write("n,m\n" + "".join(f"{n},{i % 5}\n" for i, n in enumerate(counts)))
    with pytest.warns(UserWarning, match="column 'n' is taken for real numbers, not counts, as line 152 has 2.5"):
        datasets.table("x.csv")
    X = sparse.csr_array(np.append(rng.poisson(3, 299), 0.5)[None].repeat(2, axis=0))
    with pytest.warns(UserWarning, match="taken for real numbers, not counts, as a few are none, such as 0.5"):
        assert likelihood_of_entries(X) == "gaussian"
