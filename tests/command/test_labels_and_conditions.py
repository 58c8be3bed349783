"""Conditions, classes and few labels on the command line."""

import csv
import json

import numpy as np
import pytest

import pyvae
from pyvae.command.labels import known_labels
from pyvae.command.main import main
from pyvae.command.refusals import Refusal

pd = pytest.importorskip("pandas", reason="tables are read with pandas, which is not installed")

SHORT = "--hidden 20 --latent 3 --quiet".split()


def write_people(path, n=400):
    """Incomes that town and age say, whether somebody does sport, which age says and few rows tell, and a number of
    children."""
    rng = np.random.default_rng(0)
    town, age = rng.choice(["Ulm", "Bonn, old", "Jena"], n), rng.integers(18, 80, n)
    income = 20 + 0.2 * age + 30.0 * (town == "Ulm") + rng.normal(0, 1, n)
    sport = np.where(rng.random(n) < 0.7, None, np.where(age < 50, "yes", "no"))
    frame = pd.DataFrame({"town": town, "age": age, "income": income, "sport": sport, "kids": rng.poisson(1, n)})
    frame.to_csv(path, index=False)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_people("people.csv")
    np.save("rows.npy", np.zeros((60, 4)))


def train(*words):
    assert main(["train", *words, *SHORT]) == 0


def test_rows_given_the_columns_of_a_condition(capsys, assert_refused):
    train("people.csv", "--condition", "town,age", "--drop", "sport", "--epochs", "150")
    for town, expected in (("Ulm", 58), ('"Bonn, old"', 28)):
        given = f"town={town},age=40" if town == "Ulm" else '"town=Bonn, old",age=40'
        assert main(["sample", "runs/people", "--given", given, "-n", "300", "--force", "--out", "new.csv"]) == 0
        made = pd.read_csv("new.csv")
        assert made.columns.tolist() == ["town", "age", "income", "kids"]
        assert set(made["town"]) == {town.strip('"')} and set(made["age"]) == {40}
        assert made["income"].mean() == pytest.approx(expected, abs=3)
    capsys.readouterr()
    assert main(["score", "runs/people", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    model = pyvae.load("runs/people")
    assert type(model).__name__ == "ConditionalVAE" and scored["rows"] == 400
    for command in ("encode", "reconstruct", "check"):
        assert main([command, "runs/people"]) == 0
    capsys.readouterr()
    other = pd.read_csv("people.csv").drop(columns=["town", "sport"])
    other.to_csv("other.csv", index=False)
    assert_refused("score runs/people other.csv --out s.csv", "no column 'town', the condition of its rows")
    assert_refused("sample runs/people --out x.csv", "--given must say 'town', 'age'")
    assert_refused("sample runs/people --given town=Ulm --out x.csv", "--given must say 'age'")
    assert_refused("sample runs/people --given town=Ulmm,age=4 --out x.csv", "--given town must be one of Bonn, old,")
    assert_refused("sample runs/people --given town=Ulm,age=old --out x.csv", "age must be a whole number from 0")
    assert_refused("sample runs/people --given town=Ulm,agee=4 --out x.csv", "none of town, age")
    assert_refused("sample runs/people --given town --out x.csv", "it must be COLUMN=VALUE")


def test_rows_given_some_columns_of_a_table(capsys, assert_refused):
    train("people.csv", "--drop", "sport", "--epochs", "300", "--lr", "0.003")
    for town, age, expected in (("Ulm", 25, 55), ("Jena", 25, 25), ("Jena", 75, 35)):
        given = f"town={town},age={age}"
        assert main(["sample", "runs/people", "--given", given, "-n", "500", "--force", "--out", "new.csv"]) == 0
        made = pd.read_csv("new.csv")
        assert made.columns.tolist() == ["town", "age", "income", "kids"]
        assert set(made["town"]) == {town} and set(made["age"]) == {age}
        assert made["income"].mean() == pytest.approx(expected, abs=4)
    assert main(["sample", "runs/people", "--given", "income=56", "-n", "300", "--out", "rich.csv"]) == 0
    made = pd.read_csv("rich.csv")
    assert (made["town"] == "Ulm").mean() > 0.9 and made["kids"].nunique() > 2
    capsys.readouterr()
    assert_refused("sample runs/people --given towm=Ulm --out x.csv", "which is no column; did you mean town?")
    assert_refused("sample runs/people --given town=Ulm,age=3,income=4,kids=0 --out x.csv", "leave some column out")
    assert_refused("sample runs/people --given income=much --out x.csv", "--given income must be a number, not 'much'")


def test_classes_of_a_table_are_told_and_made(capsys, assert_refused):
    options = "--target sport --epochs 150 --validation-fraction 0.2 --alpha 10 --lr 0.005 --json"
    train("people.csv", *options.split())
    trained = json.loads(capsys.readouterr().out)
    assert trained["labelled"] == pytest.approx(0.3 * 80, abs=8) and trained["error"] < 0.25
    assert main(["score", "runs/people", "--predict", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    with open("scores.csv") as file:
        rows = list(csv.DictReader(file))
    people = pd.read_csv("people.csv")
    wrong = [row["class"] != real for row, real in zip(rows, people["sport"], strict=True) if isinstance(real, str)]
    assert scored["error"] == pytest.approx(np.mean(wrong)) and scored["labelled"] == len(wrong)
    truth = np.where(people["age"] < 50, "yes", "no")
    assert np.mean([row["class"] != real for row, real in zip(rows, truth, strict=True)]) < 0.2
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)

    people.drop(columns="sport").to_csv("unknown.csv", index=False)  # nobody knows the classes
    assert main(["score", "runs/people", "unknown.csv", "--predict", "--json", "--out", "u.csv"]) == 0
    assert json.loads(capsys.readouterr().out)["labelled"] == 0
    with open("u.csv") as file:
        again = list(csv.DictReader(file))
    assert [row["class"] for row in again] == [row["class"] for row in rows]
    assert [row["elbo"] for row in again] == [row["elbo"] for row in rows]  # of log p(x), whoever knows the class

    assert main(["sample", "runs/people", "--given", "sport=yes", "-n", "200", "--out", "yes.csv"]) == 0
    assert main(["sample", "runs/people", "-n", "200", "--out", "any.csv"]) == 0
    made = pd.read_csv("yes.csv")
    assert set(made["sport"]) == {"yes"} and made["age"].mean() < 45
    assert set(pd.read_csv("any.csv")["sport"]) == {"yes", "no"}
    capsys.readouterr()
    assert_refused("sample runs/people --given sport=maybe --out x.csv", "--given sport must be one of no, yes")
    assert_refused("diagnose runs/people", "diagnose does not know the SemiSupervisedVAE")


def test_few_labels_of_a_data_set(capsys, assert_refused):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
    train("digits", "--labels", "100", "--epochs", "40", "--json")
    trained = json.loads(capsys.readouterr().out)
    assert trained["labelled"] == 360 and trained["error"] < 0.35  # 0.9 by chance
    assert main(["score", "runs/digits", "--predict", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert (scored["error"], scored["labelled"]) == (trained["error"], 360)
    assert scored["elbo"] == pytest.approx(trained["test_elbo"], abs=0.01)
    assert main(["train", "digits", "--labels", "100", "--epochs", "41", "--resume", *SHORT]) == 0
    capsys.readouterr()
    assert_refused("train digits --labels 99 --epochs 42 --resume --hidden 20 --latent 3", "--labels was 100")
    assert main("sample runs/digits --given class=7 -n 5 --out seven.npy".split()) == 0
    capsys.readouterr()
    assert_refused("sample runs/digits --given class=10 --out x.npy", "--given class must be one of 0, 1, 2")


def test_pictures_of_a_model_of_classes_have_a_column_of_each(pictures_of_runs):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
    from pathlib import Path

    train("digits", "--labels", "50", "--epochs", "1")
    names = {path.name for path in Path("runs/digits").glob("*.png")}
    assert {"samples.png", "reconstructions.png", "latent.png"} <= names and "traversals.png" not in names


def test_the_same_number_of_each_class_is_labelled():
    labels = np.repeat(["a", "b", "c"], [50, 30, 3])
    known = known_labels(labels, 12, seed=1)
    assert np.bincount(known + 1).tolist() == [71, 5, 4, 3] or sorted(np.bincount(known + 1)[1:]) == [3, 4, 5]
    assert all(known[i] in (-1, "abc".index(label)) for i, label in enumerate(labels))
    assert np.bincount(known_labels(labels, 3, 0) + 1)[1:].tolist() == [1, 1, 1]
    assert not np.array_equal(known, known_labels(labels, 12, seed=2))
    assert (known_labels(labels, 83, 0) >= 0).all()
    with pytest.raises(Refusal, match="--labels must be from 3, one of each class, to 83, not 2"):
        known_labels(labels, 2, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("people.csv --target spor", "--target names the column 'spor'"),
        ("people.csv --condition spor", "--condition names the column 'spor'"),
        ("people.csv --target sport --condition age", "leave one out"),
        ("people.csv --condition sport", "has no value in column 'sport', its condition: drop it"),
        ("people.csv --condition town,age,income,sport,kids", "has no value in column 'sport'"),
        ("people.csv --labels 10", "--labels is of arrays"),
        ("people.csv --alpha 1", "--alpha weighs what labels teach"),
        ("digits --target y", "--target goes with a table"),
        ("digits --labels 5", "--labels must be from 10"),
        ("digits --labels 50 --likelihood gaussian --binarize none", "not --likelihood gaussian"),
        ("digits --labels 50 --prior mixture", "must have a closed form"),
        ("rows.npy --labels 50", "--labels needs classes: rows.npy has none"),
    ],
)
def test_what_does_not_fit_is_refused(options, words, assert_refused):
    assert_refused(f"train {options} --out out", words)
