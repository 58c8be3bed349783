"""Tables on the command line: a .csv file with a header in, one with the same columns and types out."""

import contextlib
import csv
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
import pyvae.datasets
import pyvae.tables
from pyvae.command import pictures
from pyvae.command.main import main

pd = pytest.importorskip("pandas", reason="tables are read with pandas, which is not installed")

SHORT = "--epochs 3 --hidden 16 --latent 2 --quiet".split()
KINDS = {"age": "count", "height": "numeric", "vegan": "boolean", "lame": "boolean", "job": "categorical"}


def write(path, n=200, seed=0):
    """Rows with every kind of column, words with commas and blanks, and missing cells of every spelling."""
    rng = np.random.default_rng(seed)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "age", "height", "vegan", "lame", "job"])
        for i in range(n):
            age = rng.integers(18, 90) if rng.random() > 0.1 else ["", "?", "NA"][i % 3]
            height = f"{rng.normal(170, 10):.1f}" if rng.random() > 0.1 else " ?"
            job = [" clerk", "nurse, head", "pilot ", ""][rng.integers(4)]
            writer.writerow([i, age, height, rng.random() > 0.5, rng.integers(2), job])


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "save", lambda *arguments: [])  # which takes longer than all the rest
    write("people.csv")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A short run on people.csv, without their id, and a model of an array."""
    folder = tmp_path_factory.mktemp("runs")
    with contextlib.chdir(folder):
        write("people.csv")
        assert main(["train", "people.csv", "--drop", "id", "--out", "run", *SHORT]) == 0
        model = pyvae.VAE.mlp(4, latent_dim=2, hidden=(3,))
        pyvae.save(model, "plain")
        model.metadata["binarize"] = "threshold"
        pyvae.save(model, "binary")
    return folder


@pytest.fixture
def run(runs, tmp_path):
    shutil.copytree(runs / "run", tmp_path / "run")
    return Path("run")


def frame(path):
    return pd.read_csv(path, na_values=["?"], skipinitialspace=True)


def test_train_shows_the_kinds_in_80_columns(capsys):
    assert main(["train", "people.csv", "--drop", "id", "--epochs", "1", "--hidden", "8", "--latent", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = int(frame("people.csv").drop(columns="id").isna().sum().sum())
    assert lines[0] == f"data     people: 200 rows of 5 columns, 7 numbers each, {missing} cells missing"
    shown = [line[9:].split() for line in lines if line[9:].split()[:1] and line[9:].split()[0] in KINDS]
    assert {words[0]: words[1] for words in shown} == KINDS
    assert max(map(len, (line for line in lines if "wrote" not in line))) <= 80
    log = Path("runs/people/log.txt").read_text().splitlines()
    assert set(lines) <= set(log), "the log says what was shown"
    config = json.loads(Path("runs/people/config.json").read_text())
    assert config["data"]["kinds"] == KINDS and config["options"]["drop"] == ["id"]


def test_the_model_knows_the_table(run):
    metadata = pyvae.load(run / "model.safetensors").metadata
    table = pyvae.tables.Table.from_config(metadata["table"])
    assert {column.name: column.kind for column in table.columns} == KINDS and metadata["dropped"] == ["id"]
    job = next(column for column in table.columns if column.name == "job")
    assert job.categories == ["clerk", "nurse, head", "pilot"], "no blanks around words"


def test_samples_are_a_table_like_the_one_trained_on(run, capsys):
    assert main("sample run -n 300 --seed 4".split()) == 0
    assert capsys.readouterr().out == "wrote 300 samples to samples.csv\n"
    given, drawn = frame("people.csv").drop(columns="id"), frame("samples.csv")
    assert list(drawn.columns) == list(given.columns) and len(drawn) == 300 and not drawn.isna().any(axis=None)
    assert drawn["age"].dtype == np.int64 and drawn["vegan"].dtype == bool and drawn["height"].dtype == np.float64
    for name in ("age", "height"):
        assert drawn[name].between(given[name].min(), given[name].max()).all()
    assert set(drawn["job"]) == {"clerk", "nurse, head", "pilot"} and set(drawn["lame"]) == {0, 1}
    assert len(set(drawn["height"])) > 250, "drawn, not means"
    assert main("sample run -n 300 --seed 4 --out again.csv".split()) == 0
    assert Path("again.csv").read_bytes() == Path("samples.csv").read_bytes()


def test_samples_can_be_trained_on(run):
    """What is written has the kinds of what was read."""
    assert main("sample run -n 100".split()) == 0
    assert main(["train", "samples.csv", "--out", "second", *SHORT]) == 0
    config = json.loads(Path("second/config.json").read_text())
    assert config["data"]["kinds"] == KINDS


def test_reconstructions(run, capsys):
    assert main("reconstruct run -n 7 --json".split()) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "reconstructions.csv"
    rows = frame("reconstructions.csv")
    assert rows.shape == (7, 5) and not rows.isna().any(axis=None)
    model = pyvae.load("run/model.safetensors")
    table = pyvae.tables.Table.from_config(model.metadata["table"])
    source = pyvae.data.datasets.rows_of_table("people.csv", table, ["id"]).train
    expected = table.decode(model.reconstruct(pyvae.data.Rows(source, np.arange(7))))
    np.testing.assert_array_equal(rows["height"], expected["height"])


def test_encode_takes_a_table_like_it(run):
    write("others.csv", 30, seed=1)
    assert main("encode run others.csv --out l.csv".split()) == 0
    assert pd.read_csv("l.csv").shape == (30, 4)
    with_id = Path("l.csv").read_bytes()
    frame("others.csv").drop(columns="id").to_csv("others.csv", index=False)
    assert main("encode run others.csv --out l.csv --force".split()) == 0
    assert Path("l.csv").read_bytes() == with_id, "what was dropped may be missing"


def test_words_stay_words(run):
    """A column of words in which just numbers, or nothing, happen to stand is one of words all the same."""
    Path("zip.csv").write_text("zip,n\n8001,1\nB-1000,2\n8001,3\n8002,4\n")
    assert main(["train", "zip.csv", "--out", "zips", *SHORT]) == 0
    Path("some.csv").write_text("zip,n\n8001,1\n8002,\n")
    assert main("encode zips some.csv --out some.npy".split()) == 0 and np.isfinite(np.load("some.npy")).all()
    Path("none.csv").write_text("zip,n\n,1\n?,2\n")
    assert main("encode zips none.csv --out none.npy".split()) == 0 and np.isfinite(np.load("none.npy")).all()


def test_categories_keep_their_spelling():
    Path("zip.csv").write_text("zip,n\n00123,1\n00999,2\n00123,3\n")
    assert main(["train", "zip.csv", "--kinds", "zip=categorical", "--out", "zips", *SHORT]) == 0
    assert main("sample zips -n 20".split()) == 0
    words = [line.split(",")[0] for line in Path("samples.csv").read_text().splitlines()]
    assert words[0] == "zip" and set(words[1:]) == {"00123", "00999"}


def test_scores_are_of_the_table_as_given(run, capsys):
    """In centimetres of height a density is a tenth of that in millimetres: log 10 less for each known height."""
    assert main("score run --log-likelihood --samples 5 --out a.csv".split()) == 0
    model = pyvae.load("run/model.safetensors")
    table = pyvae.tables.Table.from_config(model.metadata["table"])
    X = table.encode(pyvae.data.csv_files.read_table("people.csv").drop(columns="id"))
    source = pyvae.ArraySource(X, missing=True)
    known = pyvae.data.csv_files.read_table("people.csv")["height"].notna().to_numpy()
    std = pyvae.data.csv_files.read_table("people.csv")["height"].to_numpy(float, na_value=np.nan)
    expected = model.log_likelihood(source, 5) - known * np.log(np.nanstd(std))
    np.testing.assert_allclose(pd.read_csv("a.csv")["log_likelihood"], expected, rtol=1e-6)
    capsys.readouterr()
    assert main("score run --json --out b.csv".split()) == 0
    elbo = json.loads(capsys.readouterr().out)["elbo"]
    assert main(["train", "people.csv", "--drop", "id", "--out", "again", *SHORT, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["test_elbo"] == pytest.approx(elbo) and result["split"] == "train"
    assert result["test_elbo"] == pytest.approx(-result["test_reconstruction"] - result["test_kl"])


def test_missing_cells_are_left_out_of_the_score(run):
    """A row less one of its known cells has another score; the same row has the same one however the gap is spelt."""
    header = "age,height,vegan,lame,job\n"
    scores = []
    for height in ("170.5", "", "?", "NA"):
        Path("row.csv").write_text(f"{header}40,{height},True,1,clerk\n")
        assert main("score run row.csv --out row-scores.csv --force".split()) == 0
        scores.append(Path("row-scores.csv").read_text())
    assert scores[1] == scores[2] == scores[3] != scores[0]


def test_validation_resume_and_check(run, capsys):
    options = "people.csv --drop id --kinds lame=count,job=categorical --validation-fraction 0.2 --out v".split()
    assert main(["train", *options, "--hidden", "16", "--latent", "3", "--epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"] == "validation"
    assert main(["train", *options, "--resume", "--hidden", "16", "--latent", "3", "--epochs", "4", "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    straight = [word if word != "v" else "w" for word in options]
    assert main(["train", *straight, "--hidden", "16", "--latent", "3", "--epochs", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_elbo"] == resumed["test_elbo"] and resumed["epochs"] == 4
    assert Path("v/model.safetensors").read_bytes() == Path("w/model.safetensors").read_bytes()
    assert main("check v".split()) == 0


def test_pictures_are_those_that_make_sense(run, matplotlib):
    names = {path.name for path in run.glob("*.png")}
    assert names == {"learning_curves.png", "kl_per_dimension.png", "latent.png"}


def test_tabs_and_semicolons_separate_too():
    for mark in "\t;":
        text = Path("people.csv").read_text().replace(",", mark).replace(f"nurse{mark} head", "nurse")
        Path("other.csv").write_text(text)
        found = pyvae.datasets.table("other.csv", drop=["id"]).table
        assert {column.name: column.kind for column in found.columns} == KINDS


def test_lines_are_those_of_an_editor():
    """Python ends lines at characters that a text may hold."""
    Path("odd.csv").write_text('name,age\n"a\u2028b",3\n"c\x0cd",4\ne,inf\n', encoding="utf-8")
    with pytest.raises(ValueError, match="but line 4 has inf"):
        pyvae.datasets.table("odd.csv")
    Path("odd.csv").write_text('name,age\n"a\u2028b",3\n"c\x0cd",4\n', encoding="utf-8")
    found = pyvae.datasets.table("odd.csv").table
    assert found.columns[0].categories == ["a\u2028b", "c\x0cd"]


def test_large_counts_do_not_begin_at_one():
    """The first epoch is already near what the rows are, without a step of thousands."""
    large = np.random.default_rng(0).lognormal(11, 1, 500).astype(int)
    Path("large.csv").write_text("large,rare\n" + "".join(f"{n},0\n" for n in large))
    assert main(["train", "large.csv", "--lr", "1e-9", "--out", "large", *SHORT]) == 0
    model = pyvae.load("large/model.safetensors")
    bias = model.decoder.layers[-1].b
    assert bias[0] == pytest.approx(np.log(large.mean()), abs=0.01) and -8 < bias[1] < -5
    loss = float(pd.read_csv("large/history.csv")["train_reconstruction"].iloc[0])
    assert loss < 14, "nats: of log-normal counts a negative binomial has about 12.5, and a mean of 1 thousands"


@pytest.mark.parametrize(
    ("text", "options", "is_table"),
    [
        ("a,b\n0.5,1\n0.25,0\n", "", False),  # from 0 to 1, as pictures are
        ("a,b\n0.5,3\n0.25,0\n", "", True),
        ("a,b\n0.5,3\n0.25,0\n", "--likelihood gaussian", False),
        ("a,b\n0.5,1\n0.25,0\n", "--kinds b=count", True),
        ("0.5,1\n0.25,0\n", "", False),
        ("a,b\n0.5,1\n,0\n", "", True),
        ("a,b\n0.5,1\n\n0.2,yes\n", "", True),
    ],
)
def test_what_is_a_table(text, options, is_table):
    Path("x.csv").write_text(text)
    assert main(["train", "x.csv", *options.split(), *SHORT]) == 0
    assert ("table" in pyvae.load("runs/x/model.safetensors").metadata) == is_table


def test_a_table_without_pandas(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main("train people.csv --out none".split()) == 2
    said = capsys.readouterr().err
    assert 'pip install "pyvae[sklearn]"' in said and said.count("\n") == 1 and not Path("none").exists()


def test_notes_of_another_table_are_refused(run, capsys):
    model = pyvae.load("run/model.safetensors")
    for notes in (model.metadata["table"][1:], [{"name": "age"}], "age", [{**model.metadata["table"][0], "x": 1}], 7):
        model.metadata["table"] = notes
        pyvae.save(model, "odd.safetensors")
        assert main("sample odd.safetensors --force".split()) == 2
        assert "has notes of a table that is not its own" in capsys.readouterr().err


def test_a_sparse_matrix(capsys, rng):
    from scipy import sparse

    counts = rng.poisson(0.3, (60, 12))
    for name, matrix in {"csr": sparse.csr_matrix(counts), "csc": sparse.csc_array(counts)}.items():
        sparse.save_npz(f"{name}.npz", matrix)
        source = pyvae.datasets.load(f"{name}.npz").train
        assert isinstance(source, pyvae.data.SparseSource) and (source.X.toarray() == counts).all()
    assert main(["train", "csr.npz", "--out", "csr", *SHORT, "--validation-fraction", "0.2"]) == 0
    assert main("train --resume --out csr --epochs 4 --quiet csr.npz".split()) == 0
    assert isinstance(pyvae.load("csr/model.safetensors").likelihood, pyvae.NegativeBinomial)
    np.save("dense.npy", counts)
    assert main("encode csr csr.npz --out sparse-latents.npy".split()) == 0
    assert main("encode csr dense.npy --out dense-latents.npy".split()) == 0
    np.testing.assert_allclose(np.load("sparse-latents.npy"), np.load("dense-latents.npy"), rtol=1e-4, atol=1e-5)
    assert main("score csr csr.npz".split()) == 0 and np.isfinite(pd.read_csv("scores.csv")["elbo"]).all()
    assert main("reconstruct csr csr.npz -n 5".split()) == 0 and np.load("reconstructions.npy").shape == (5, 12)
    sparse.save_npz("bits.npz", sparse.csr_array((counts > 0).astype(np.uint32)))
    assert main(["train", "bits.npz", "--out", "bits", *SHORT]) == 0
    assert isinstance(pyvae.load("bits/model.safetensors").likelihood, pyvae.Bernoulli)
    assert json.loads(Path("bits/config.json").read_text())["options"]["likelihood"] == "bernoulli"


@pytest.mark.parametrize("harm", ["index", "negative", "order", "short", "shape", "format", "object"])
def test_a_damaged_sparse_matrix(harm, capsys):
    """Whatever its indices say, no memory beyond its arrays is read."""
    parts = {
        "data": np.ones(3), "indices": np.array([0, 1, 1]), "indptr": np.array([0, 2, 3]), "shape": np.array([2, 2]),
        "format": np.array(b"csr"),
    }  # fmt: skip
    harmed = {
        "index": {"indices": np.array([0, 1, 999_999])}, "negative": {"indices": np.array([0, -1, 1])},
        "order": {"indptr": np.array([0, 9, 3])}, "short": {"data": np.ones(2)}, "shape": {"shape": np.array([9, 2])},
        "format": {"format": np.array(b"coo")}, "object": {"data": np.array([None, 1, 2])},
    }  # fmt: skip
    np.savez("odd.npz", **parts | harmed[harm])
    assert main("train odd.npz".split()) == 2
    assert "odd.npz is no sparse matrix that can be read, or it is damaged: write it with" in capsys.readouterr().err


WRONG = [
    # to train on
    ("train people.csv --kinds age=integer", "--kinds: a kind must be numeric, count, boolean or categorical, not 'i"),
    ("train people.csv --kinds age=cuont", "not 'cuont'; did you mean count?"),
    ("train people.csv --kinds age", "it must be COLUMN=KIND with commas, such as age=numeric,zip=categorical, not "),
    ("train people.csv --kinds heigth=count", "--kinds names the column 'heigth', which people.csv has not; did"),
    ("train people.csv --drop hieght", "--drop names the column 'hieght', which people.csv has not; did you mean"),
    ("train people.csv --kinds job=numeric", "column 'job' is numeric, but holds text; --drop leaves a column out"),
    ("train people.csv --kinds height=count", "column 'height' holds whole numbers from 0, but line "),
    ("train people.csv --kinds age=boolean", "column 'age' holds True or False, but line "),
    ("train people.csv --drop id,age,height,vegan,lame,job", "the table must have at least one row and one column"),
    ("train people.csv --exclude id", "there is no option --exclude; did you mean --drop?"),
    ("train people.csv --types age=count", "there is no option --types; did you mean --kinds?"),
    ("train people.csv --kinds age=count --likelihood gaussian", "--likelihood is of arrays and --kinds of tables"),
    ("train people.csv --likelihood gaussian", "not a finite number: drop the line or the column, or write words as"),
    ("train people.csv --likelihood gaussian", "; or leave out --likelihood, and it is a table"),
    ("train people.csv --binarize threshold", "; or leave out --binarize, and it is a table"),
    ("train rows.npy --drop id", "--drop goes with a table: leave it out, rows.npy is no .csv file"),
    ("train digits --kinds a=count", "--kinds goes with a table: leave it out, digits is no .csv file"),
    ("train none.csv --drop id", "no file none.csv"),
    ("train header.csv", "header.csv holds a header and no rows"),
    ("train one.csv", "one.csv has 1 row: a table to train on has at least two"),
    ("train short.csv", "short.csv line 3 has 1 cells, not 2 as the lines before it: complete it"),
    ("train long.csv", "long.csv line 3 has 3 cells, not 2 as the lines before it: put what holds a comma"),
    ("train unknown.csv", "column 'b' has no known value: drop it; --drop leaves a column out"),
    ("train many.csv", "column 'name' has 1500 different values, more than the 1000 that a"),
    ("train hollow.csv", "hollow.csv: line 4 of the table has no known value: drop it"),
    ("train infinite.csv", "column 'a' holds finite numbers, but line 3 has inf"),
    ("train twice.csv", "twice.csv has two columns named 'a': rename one in its first line"),
    ("train nameless.csv", "nameless.csv has no name for column 1: write one into its first line (pandas leaves its"),
    ("train bare.csv", "'clerk', not a finite number: begin the file with a line of names, none of them a number"),
    ("train people.csv --kinds jbo=categorical", "--kinds names the column 'jbo', which people.csv has not"),
    ("train bare.csv --kinds a=count", "bare.csv has numbers in its first line: begin it with a line of the columns'"),
    ("train quotes.csv", "quotes.csv line 3 cannot be read: unexpected end of data; close its quotes"),
    ("train german.csv", "german.csv has '1,5' in column 'height': write a number with a decimal point"),
    # rows like those that were trained on
    ("encode run short.csv", "short.csv line 3 has 1 cells, not 2 as the lines before it: complete it"),
    ("encode run unlike.csv", "column 'job' has the category 'diver' in line 3, which no fitted row had"),
    ("encode run unlike.csv", "; give the columns age, height, vegan, lame, job, with empty cells for what"),
    ("encode run moved.csv", "column 0 of the table is 'height', but was 'age' in the fitted rows"),
    ("score run fewer.csv", "the table has no column 'job', which the fitted rows had"),
    ("reconstruct run more.csv", "the table has a column 'extra', which the fitted rows did not have"),
    ("score run wordy.csv", "column 'age' is count, but holds text"),
    ("encode run lines.csv", "has the category 'night\\nnurse' in line 4, which no fitted row had"),
    ("encode run deep.csv", "column 'age' holds whole numbers from 0, but line 5 has 1.5"),
    ("train broad.csv", "broad.csv line 4 has 3 cells, not 2 as the lines before it"),
    ("score run halves.csv", "column 'age' holds whole numbers from 0, but line 2 has 1.5"),
    ("encode run rows.npy", "DATA rows.npy is no table: give a .csv file, as the model was trained on one"),
    ("encode run digits", "DATA digits is no table: give a .csv file"),
    ("encode plain people.csv", "not a finite number: drop the line or the column"),
    ("score run people.csv --split test", "people.csv has no test split: use --split train"),
    ("sample run --out s.npy", "--out must end in .csv, not 's.npy'"),
    ("sample run --out s.png", "--out must end in .csv, not 's.png'"),
    ("reconstruct run people.csv --out people.csv --force", "--out people.csv is a file that is read"),
    ("train sparse.npz --binarize draw", "--binarize is of arrays: leave it out, sparse.npz is a sparse matrix"),
    ("train sparse.npz --image-shape 2x2", "leave it out, sparse.npz is a sparse matrix"),
    ("train sparse.npz --likelihood bernoulli", "is 3, but the Bernoulli likelihood takes numbers from 0 to 1; scale"),
    ("encode run sparse.npz", "DATA sparse.npz is no table"),
    ("encode binary sparse.npz", "DATA sparse.npz is a sparse matrix, but the model was trained on black and"),
]  # fmt: skip

FILES = {
    "header.csv": "a,b\n",
    "one.csv": "a,b\n1,x\n",
    "short.csv": "a,b\n1,x\n2\n",
    "long.csv": "a,b\n1,x\n2,x,y\n",
    "unknown.csv": "a,b\n1,\n2,?\n",
    "many.csv": "name\n" + "".join(f"n{i}\n" for i in range(1500)),
    "hollow.csv": "a,b\n1,x\n\n?,\n",
    "lines.csv": 'age,height,vegan,lame,job\n40,170,True,0,"nurse, head"\n\n40,170,True,0,"night\nnurse"\n',
    "deep.csv": 'age,height,vegan,lame,job\n40,170,True,0,"\n\nclerk"\n1.5,170,True,0,clerk\n',
    "broad.csv": 'a,b\n1,"x\ny"\n2,"x\n",y\n',
    "infinite.csv": "a,b\n1.5,x\ninf,y\n",
    "twice.csv": "a,a\n1,x\n2,y\n",
    "nameless.csv": ",b\n0,x\n1,y\n",
    "bare.csv": "1,clerk\n2,pilot\n",
    "quotes.csv": 'a,b\n1,x\n2,"y\n',
    "german.csv": "height;job\n1,5;clerk\n1,75;pilot\n",
    "unlike.csv": "age,height,vegan,lame,job\n40,170,True,0,clerk\n40,170,True,0,diver\n",
    "moved.csv": "height,age,vegan,lame,job\n170,40,True,0,clerk\n",
    "fewer.csv": "age,height,vegan,lame\n40,170,True,0\n",
    "more.csv": "age,height,vegan,lame,job,extra\n40,170,True,0,clerk,1\n",
    "wordy.csv": "age,height,vegan,lame,job\nold,170,True,0,clerk\n",
    "halves.csv": "age,height,vegan,lame,job\n1.5,170,True,0,clerk\n",
}


@pytest.mark.parametrize(("line", "words"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_command_lines(line, words, runs, assert_refused):
    """One sentence on standard error that says what to type, exit status 2, and nothing written."""
    from scipy import sparse

    for name, text in FILES.items():
        Path(name).write_text(text)
    np.save("rows.npy", np.full((3, 4), 0.5))
    sparse.save_npz("sparse.npz", sparse.csr_array(np.diag([1.0, 3.0, 1.0, 1.0])))
    for name in ("run", "plain", "binary"):
        os.symlink(runs / name, name)
    assert_refused(line, words)


@pytest.mark.data("adult")
def test_adult(capsys):
    """The census, whose file has no header: a file to write one into, and rows as others are."""
    names = (
        "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain,"
        "capital-loss,hours-per-week,native-country,income"
    )
    rows = (Path(os.environ["PYVAE_DATA"]) / "adult" / "adult.data").read_text()
    Path("adult.csv").write_text(f"{names}\n{rows}")
    assert main("train adult.csv --epochs 1 --hidden 64 --latent 8 --quiet --json".split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert np.isfinite(result["test_elbo"])
    kinds = json.loads(Path("runs/adult/config.json").read_text())["data"]["kinds"]
    assert {kinds[name] for name in ("age", "fnlwgt", "capital-gain", "hours-per-week")} == {"count"}
    assert {kinds[name] for name in ("workclass", "sex", "income")} == {"categorical"}
    assert main("sample runs/adult -n 500".split()) == 0
    drawn = frame("samples.csv")
    assert drawn.shape == (500, 15) and ",".join(drawn.columns) == names and drawn["fnlwgt"].dtype == np.int64
    assert set(drawn["income"]) == {"<=50K", ">50K"}
