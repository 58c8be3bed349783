"""``pyvae score --flag --why``: which rows are odd, by the rows that the run was not trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main
from pyvae.command.reference import Reference


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def people(rng, n):
    pandas = pytest.importorskip("pandas", reason="tables are read with pandas")
    age = rng.normal(40, 12, n).clip(18, 90)
    return pandas.DataFrame({
        "age": age.round(1), "income": (1000 * age + rng.normal(0, 4000, n)).round(2), "children": rng.poisson(1.5, n),
        "town": rng.choice(["Ulm", "Bonn, on the Rhine"], n),
    })  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of a table."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("people")
    people(rng, 1000).to_csv(folder / "people.csv", index=False)
    network = "--hidden 30 --latent 3 --epochs 60 --lr 0.003 --validation-fraction 0.3 --quiet"
    assert main(f"train {folder}/people.csv {network} --out {folder}/run".split()) == 0
    return folder / "run"


@pytest.fixture
def run(trained, rng):
    Path("run").symlink_to(trained)
    fresh = people(rng, 400)
    fresh.loc[3, "age"], fresh.loc[7, "income"], fresh.loc[9, "children"] = 1890, -9999, 40
    fresh.to_csv("fresh.csv", index=False)


def test_odd_rows_are_flagged_and_explained(run, capsys):
    capsys.readouterr()
    assert main("score run fresh.csv --flag 0.05 --why --json".split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["flagged"][:3]) == {3, 7, 9} and 0.015 < len(told["flagged"]) / 400 < 0.1
    reasons = {reason["row"]: next(iter(reason["columns"]), None) for reason in told["why"]}
    assert (reasons[3], reasons[7], reasons[9]) == ("age", "income", "children")
    pandas = pytest.importorskip("pandas", reason="tables are read with pandas")
    table = pandas.read_csv("scores.csv")
    assert list(table.columns) == ["row", "log_likelihood", "flagged", "why"]
    assert sorted(told["flagged"]) == table.row[table.flagged == 1].tolist()
    assert (table.log_likelihood[table.flagged == 1] < told["threshold"]).all()
    assert table.why[3].startswith("age +") and table.why[table.flagged == 0].isna().all()


def test_what_is_shown_fits_a_terminal(run, capsys):
    capsys.readouterr()
    assert main("score run fresh.csv --flag 0.05 --why --out s.npz".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("flagged ") and "not trained on" in lines[0] and max(map(len, lines)) <= 100
    assert lines[1].startswith("  row 3 ") and "age +" in lines[1] and lines[-2].startswith("  and ")
    assert set(np.load("s.npz")) == {"row", "log_likelihood", "flagged", "why"}


def test_a_far_number_of_an_array(rng, capsys):
    np.save("x.npy", rng.normal(size=(300, 3)) * [1, 10, 100])
    line = "train x.npy --likelihood gaussian --hidden 16 --latent 2 --epochs 20 --out run --quiet"
    assert main(line.split()) == 0
    x = rng.normal(size=(20, 3)) * [1, 10, 100]
    x[5, 1] = 1e20
    np.save("fresh.npy", x)
    assert main("score run fresh.npy --flag 0.01 --why".split()) == 0
    said = capsys.readouterr().out
    assert "  row 5 " in said and "column 1 +" in said
    assert "more of fresh rows will be: train with --validation-fraction 0.1" in said, "as all rows were trained on"


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", "other"])
def test_a_damaged_reference_is_refused(damage, rng, assert_refused, capsys):
    np.save("x.npy", rng.random((50, 3)))
    assert main("train x.npy --epochs 1 --hidden 4 --latent 2 --out run --quiet".split()) == 0
    capsys.readouterr()
    if damage == "other":
        np.savez("run/reference.npz", log_likelihood=np.full(3, np.nan), held_out=True)
    else:
        Path("run/reference.npz").write_bytes(damage)
    assert_refused("score run --flag 0.1", "reference.npz is not a reference of a run, or it is damaged: train")


def test_refusals(rng, assert_refused, capsys):
    np.save("x.npy", rng.poisson(2, (50, 3)))
    line = "train x.npy --likelihood multinomial --epochs 1 --hidden 4 --latent 2 --out run --quiet"
    assert main(line.split()) == 0
    capsys.readouterr()
    assert_refused("score run --why", "--why says why rows are flagged: add --flag, such as --flag 0.05")
    assert_refused("score run --flag 0", "--flag: it must be")
    assert_refused("score run --flag 0.1 --why", "--why needs columns that are independent given z")
    Path("run/reference.npz").unlink()
    assert_refused("score run --flag 0.1", "--flag needs run/reference.npz, which a run of an earlier version has not")


def test_a_reference_is_of_the_rows_as_given(rng):
    """Of numbers whose unit is another: the medians of the columns do not depend on it, the log-likelihood does."""
    X = rng.normal(size=(300, 2)) * [1, 1000]
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=1, hidden=(8,))
    reference = Reference.of(model, pyvae.ArraySource(X), held_out=True)
    np.testing.assert_allclose(reference.surprise, reference.surprise.mean(), rtol=0.3)
    np.testing.assert_allclose(np.median(reference.log_likelihood), np.median(model.log_likelihood(X, 100)), rtol=0.01)


def test_what_is_missing_is_no_reason(rng, capsys):
    """Of three columns that go together, one with gaps, and one that is mostly gaps."""
    x = rng.normal(size=(400, 1)) + 0.05 * rng.normal(size=(400, 4))
    x[:, 3] = rng.normal(size=400)
    x[::9, 0], x[rng.random(400) < 0.65, 3] = np.nan, np.nan
    np.save("x.npy", x)
    line = "train x.npy --likelihood gaussian --missing --hidden 30 --latent 2 --epochs 150 --lr 0.003 --out run"
    assert main(f"{line} --quiet".split()) == 0
    capsys.readouterr()
    assert main("score run --flag 0.2 --why --json".split()) == 0
    told = json.loads(capsys.readouterr().out)
    named = [{int(name.split()[1]) for name in reason["columns"]} for reason in told["why"]]
    gaps = [set(np.flatnonzero(np.isnan(x[reason["row"]]))) for reason in told["why"]]
    assert not any(columns & missing for columns, missing in zip(named, gaps, strict=True))
    known = [3 in columns for columns, missing in zip(named, gaps, strict=True) if 3 not in missing]
    assert np.mean(known) < 0.8, "it is not odd to be known"


def test_a_flag_does_not_depend_on_the_place_of_a_row(rng, capsys):
    x = rng.normal(size=(300, 3))
    np.save("x.npy", x)
    np.save("turned.npy", x[::-1])
    assert main("train x.npy --likelihood gaussian --hidden 8 --latent 2 --epochs 20 --out run --quiet".split()) == 0
    for name in ("x", "turned"):
        assert main(f"score run {name}.npy --flag 0.1 --out {name}_scores.npy".split()) == 0
    np.testing.assert_array_equal(np.load("x_scores.npy"), np.load("turned_scores.npy")[::-1])


def test_the_advice_about_a_missing_value_is_that_of_the_command(rng, assert_refused, capsys):
    np.save("x.npy", rng.random((40, 3)))
    assert main("train x.npy --epochs 1 --hidden 4 --latent 2 --out run --quiet".split()) == 0
    np.save("gap.npy", np.where(np.eye(40, 3), np.nan, 0.5))
    capsys.readouterr()
    assert_refused("score run gap.npy", "fill it, drop the row, or train a model with --missing")
