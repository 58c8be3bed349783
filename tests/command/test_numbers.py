"""--target of numbers on the command line: regression."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main

pd = pytest.importorskip("pandas", reason="tables are read with pandas, which is not installed")

SHORT = "--hidden 20 --latent 3 --quiet".split()


def write_people(path, n=400):
    """Rents that town and size say, with an error of 2, and of which 2 in 5 are not known."""
    rng = np.random.default_rng(0)
    town, size = rng.choice(["Ulm", "Jena"], n), rng.integers(20, 120, n)
    rent = 100 + 0.5 * size + 30.0 * (town == "Ulm") + rng.normal(0, 2, n)
    people = {"town": town, "size": size, "rent": np.where(np.arange(n) % 5 < 2, np.nan, rent.round(2))}
    people |= {"owner": rng.random(n) < 0.5, "kids": rng.poisson(1, n)}
    pd.DataFrame(people).to_csv(path, index=False)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_people("people.csv")


def train(*words):
    assert main(["train", "people.csv", *words, *SHORT]) == 0


def told(capsys, *words):
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_number_is_told_and_made(capsys, assert_refused):
    options = "--target rent --epochs 200 --lr 0.005 --validation-fraction 0.2 --json"
    train(*options.split())
    trained = json.loads(capsys.readouterr().out)
    assert trained["labelled"] == 48 and trained["rmse"] < 6 and trained["r2"] > 0.9  # a fifth of those with a rent

    people = pd.read_csv("people.csv")
    known = people["rent"].notna().to_numpy()
    scored = told(capsys, "score", "runs/people", "--predict")
    rows = pd.read_csv("scores.csv")
    error = (rows["prediction"] - people["rent"])[known]
    assert scored["labelled"] == known.sum()
    assert scored["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5) and scored["rmse"] < 6
    assert scored["r2"] == pytest.approx(1 - np.mean(error**2) / people["rent"][known].var(ddof=0), rel=1e-5)
    truth = 100 + 0.5 * people["size"] + 30 * (people["town"] == "Ulm")
    away = ((rows["prediction"] - truth) / rows["std"])[~known]
    assert np.sqrt(np.mean((rows["prediction"] - truth)[~known] ** 2)) < 6 and np.mean(np.abs(away) < 2) > 0.8

    people.drop(columns="rent").to_csv("unknown.csv", index=False)  # what is not known changes no score
    unknown = told(capsys, "score", "runs/people", "unknown.csv", "--predict", "--out", "u.csv")
    assert (unknown["labelled"], unknown["rmse"], unknown["r2"]) == (0, None, None)
    pd.testing.assert_frame_equal(pd.read_csv("u.csv"), rows)
    assert unknown["elbo"] == scored["elbo"]

    for given, town, rent in (("rent=155", None, 155), ("rent=140,town=Jena", "Jena", 140)):
        assert main(["sample", "runs/people", "--given", given, "-n", "400", "--force", "--out", "new.csv"]) == 0
        made = pd.read_csv("new.csv")
        assert made.columns.tolist() == ["rent", "town", "size", "owner", "kids"] and set(made["rent"]) == {rent}
        assert town is None or set(made["town"]) == {town}
        expected = (made["rent"] - 100 - 30 * (made["town"] == "Ulm")) / 0.5
        assert (made["size"] - expected).mean() == pytest.approx(0, abs=8)
    assert main("sample runs/people -n 400 --out any.csv".split()) == 0
    made = pd.read_csv("any.csv")
    assert made["rent"].mean() == pytest.approx(people["rent"].mean(), abs=5) and made["rent"].std() > 15
    assert np.corrcoef(made["rent"], made["size"])[0, 1] > 0.5
    assert main("sample runs/people --given town=Ulm,size=100,owner=True,kids=0 -n 400 --out own.csv".split()) == 0
    assert pd.read_csv("own.csv")["rent"].mean() == pytest.approx(180, abs=5)
    capsys.readouterr()
    all_given = "rent=150,town=Ulm,size=3,owner=True,kids=1"
    assert_refused("sample runs/people --given rent=dear --out x.csv", "--given rent must be a number, not 'dear'")
    assert_refused("sample runs/people --given rnt=3 --out x.csv", "which is no column; did you mean rent?")
    assert_refused(f"sample runs/people --given {all_given} --out x.csv", "leave some column out")


def test_the_other_commands_take_its_runs(capsys, pictures_of_runs):
    train(*"--target rent --epochs 60 --validation-fraction 0.2".split())
    assert "rent: root mean squared error" in Path("runs/people/log.txt").read_text()
    pd.read_csv("people.csv").drop(columns="rent").to_csv("unknown.csv", index=False)
    for data in ("people.csv", "unknown.csv"):
        for command in (
            "reconstruct",
            "encode",
            "score --log-likelihood --samples 5 --predict",
            "score --flag 0.1 --why",
        ):
            assert main([*command.split()[:1], "runs/people", data, *command.split()[1:], "--force"]) == 0
        assert pd.read_csv("reconstructions.csv").columns.tolist() == ["town", "size", "owner", "kids"]
        diagnosed = told(capsys, "diagnose", "runs/people", data)
        assert diagnosed["rows"] == (240 - 48 if data == "people.csv" else 400)  # those whose rent is known, if any is
    assert main(["check", "runs/people"]) == 0


def test_it_is_the_estimator(capsys):
    """The same weights from the same seed, so that a run predicts what VAERegressor predicts."""
    pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
    from pyvae.data.csv_files import read_table
    from pyvae.sklearn import VAERegressor

    pd.read_csv("people.csv").dropna().to_csv("known.csv", index=False)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    words = f"known.csv --target rent --batch-size 50 --epochs 3 --validation-fraction 0.25 --seed {seed}"
    assert main(["train", *words.split(), *SHORT]) == 0
    assert main(["score", "runs/known", "--predict"]) == 0
    frame = read_table("known.csv")
    X, y = frame.drop(columns="rent"), frame["rent"].to_numpy(float)
    regressor = VAERegressor(3, hidden_layer_sizes=(20,), batch_size=50, max_iter=3, min_updates=0, random_state=0)
    expected, std = regressor.fit(X, y).predict(X, return_std=True)
    rows = pd.read_csv("scores.csv")
    np.testing.assert_allclose(rows["prediction"], expected, rtol=1e-5)
    np.testing.assert_allclose(rows["std"], std, rtol=1e-5)


def test_a_run_goes_on_with_the_same_bits(assert_refused):
    options = "--target rent --target-weight 5 --validation-fraction 0.2 --checkpoint-seconds 0".split()
    train(*options, "--epochs", "4", "--out", "whole")
    train(*options, "--epochs", "2", "--out", "parts")
    assert main(["train", "--resume", "--out", "parts", "--epochs", "4", "--quiet"]) == 0
    assert Path("whole/model.safetensors").read_bytes() == Path("parts/model.safetensors").read_bytes()
    assert pyvae.load("whole").likelihood.parts[1].weight == 5


def test_the_kind_of_the_column_decides(capsys):
    for column, kinds, expected in (
        ("kids", "", "VAE"),
        ("kids", "--kinds kids=categorical", "SemiSupervisedVAE"),
        ("owner", "", "SemiSupervisedVAE"),
        ("owner", "--kinds owner=numeric", "VAE"),
    ):
        train("--drop", "rent", "--target", column, *kinds.split(), "--epochs", "1", "--force")
        assert type(pyvae.load("runs/people")).__name__ == expected
        assert main(["sample", "runs/people", "-n", "50", "--force"]) == 0
        assert set(pd.read_csv("samples.csv")["kids"]) <= set(range(9))  # whole, and not below the least


@pytest.mark.filterwarnings("always:values far from all others")
def test_a_number_far_from_all_others_is_not_learned(capsys):
    people = pd.read_csv("people.csv")
    people.loc[2, "rent"] = 1e6  # a slip of the pen
    people.to_csv("people.csv", index=False)
    train("--target", "rent", "--epochs", "2", "--json")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["labelled"] == 239 and "1 of column 'rent'" in captured.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--target rent --alpha 1", "--alpha weighs what classes teach, and rent is a number: use --target-weight"),
        ("--target town --target-weight 3", "town is one of classes, use --alpha"),
        ("--target-weight 3", "--target-weight weighs what a column of numbers teaches: add --target"),
        ("--target rent --target-weight 0", "it must be a number above 0"),
        ("--target rent --posterior full", "--posterior full goes without a --target of numbers"),
        ("--target rent --labels 5", "of a table, --target names the column"),
        ("--target rent --condition town", "leave one out"),
        ("--target rent --kinds rent=count", "holds whole numbers from 0, but line"),
        ("--target rent --drop town,size,owner,kids", "has no column but rent: nothing is left to model"),
        ("--target same", "column 'same' has one value alone"),
    ],
)
def test_what_does_not_fit_is_refused(options, words, assert_refused):
    pd.read_csv("people.csv").assign(same=7).to_csv("people.csv", index=False)
    options = options if "same" in options else f"{options},same" if "--drop" in options else f"{options} --drop same"
    assert_refused(f"train people.csv {options} --out out", words)


def test_a_model_without_a_target_predicts_nothing(capsys, assert_refused):
    train("--drop", "rent", "--epochs", "1")
    capsys.readouterr()
    assert_refused("score runs/people --predict --out s.csv", "train a model with --target or --labels")
