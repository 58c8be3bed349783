"""Command lines that a new user gets wrong: each is answered in one sentence that says what to type instead."""

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.advice import ARGUMENTS, OTHER_WORDS, plain_number
from pyvae.command.main import COMMANDS, main
from pyvae.command.option_values import image_shape, sizes
from pyvae.command.options import make_parser
from pyvae.layers.activations import ACTIVATIONS
from pyvae.likelihoods.words import LIKELIHOODS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with data, good and bad, two runs, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYVAE_DATA", str(tmp_path / "cache"))
    arrays = {
        "good": np.full((30, 4), 0.5),
        "wide": np.zeros((3, 6)),
        "nan": np.array([[0.5, np.nan]]),
        "inf": np.array([[0.5, 0.1], [0.2, np.inf]]),
        "big": np.array([[0.5, 0.1], [0.2, 3.0]]),
        "large": np.array([[3.0, 3.0, 3.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
        "flat": np.zeros(5),
        "hollow": np.zeros((0, 5)),
        "hollow-pictures": np.zeros((0, 5, 5)),
        "text": np.array([["a", "b"]]),
        "complex": np.full((3, 4), 1j),
        "dates": np.zeros((3, 4), "M8[D]"),
        "records": np.zeros(3, [("age", "f4"), ("height", "f4")]),
        "scalar": np.array(3.0),
        "films": np.zeros((2, 3, 4, 5)),
        "objects": np.array([[1, None]]),
        "keys": np.array([[1, 2], [3, 2**40]]),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)  # objects are pickled
    np.savez("two.npz", a=arrays["good"], b=arrays["wide"])
    np.savez("objects.npz", X=arrays["objects"])
    np.savez("labels.npz", X=arrays["good"], y=np.zeros(29))
    np.savez("splits.npz", X=arrays["good"], X_test=arrays["wide"])
    np.savez("sparse.npz", data=np.ones(2), indices=np.zeros(2), indptr=np.zeros(3), shape=np.array([2, 2]))
    np.savez_compressed("good.npz", X=arrays["good"])
    idx = b"\0\0\x08\x02" + np.array([5, 4], ">u4").tobytes() + bytes(20)
    for name, data in {
        "good.idx.gz": gzip.compress(idx),
        "short.idx": idx[:-1],
        "long.idx": idx + b"x",
        "other.idx": b"plain text",
        "text.idx.gz": gzip.compress(b"plain text"),
        "picture.csv": b"\x89PNG\r\n\x1a\n\0\0",
        "latin.csv": "age,job\r\n1,clerk\r\n2,Bäcker\r\n".encode("latin-1"),
        "utf16.csv": "age,job\n1,clerk\n".encode("utf-16"),
        "pickle.npy": pickle.dumps([[1, 2], [3, 4]]),
        "renamed.npz": b"1,2\n3,4\n",
        "renamed.npy": b"PK\3\4",
    }.items():
        Path(name).write_bytes(data)
    for name in ("good.npy", "good.npz", "good.idx.gz"):
        Path(f"cut-{name}").write_bytes(Path(name).read_bytes()[:-9])
    for name, text in {
        "words.csv": "height,colour\n1.5,red\n",
        "nan.csv": "height,width\n1.5,2\n3,nan\n",
        "gap.csv": "1;2\n3;\n",
        "table.csv": "height,width\n\n0.5,1\n0.25,3\n",
        "gone/config.json": '{"options": {"data": "gone.csv"}}',
        "empty.csv": "",
        "blank.csv": "\n\n",
        "header.csv": "height,width\n",
        "ragged.csv": "height,width\n1,2\n3\n",
        "cut.csv": "height,width\n1,2\n3,",
        "inf.csv": "1,2\n3,-inf\n",
        "decimals.csv": "1,5;2,5\n3,5;4,5\n",
        "blanks.csv": "1 2\n3 4\n",
        "notes.txt": "1 2 3",
        "broken.npy": "nonsense",
        "mine/history.csv": "1,0\n0,1\n",
        "bare/readme": "",
    }.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    Path("empty.npy").touch()
    Path("run").mkdir()
    model = pyvae.VAE.mlp(4, latent_dim=2, hidden=(3,))
    for path in ("run/model.safetensors", "model.npy", "gone/model.safetensors"):
        pyvae.save(model, path)
    model.metadata["binarize"] = "threshold"
    pyvae.save(model, "threshold")
    return tmp_path


WRONG = [
    # the command
    ("", "the following arguments are required: COMMAND; see pyvae --help"),
    ("trian", "not 'trian'; did you mean train?"),
    ("digits", "COMMAND: it must be one of train, sample,"),
    ("info extra", "'extra' is one word too many: options begin with --; see pyvae info --help"),
    ("generate run", "did you mean sample?"),
    ("predict run", "did you mean encode?"),
    ("--quiet train digits", "put --quiet after the command: pyvae train --quiet"),
    ("--epochs 2 train", "put --epochs after the command: pyvae train --epochs"),
    ("--samples=2", "put --samples after the command: pyvae train --samples"),
    ("-v", "there is no option -v; did you mean --version?"),
    ("check -v", "there is no option -v; did you mean --verbose?"),
    ("-help", "there is no option -help; did you mean --help?"),
    ("train -hidden 3", "there is no option -hidden; did you mean --hidden?"),
    ("train --quiet=yes", "--quiet takes no value"),
    ("train --force=true", "--force takes no value"),
    # data
    ("train mnits", "not 'mnits'; did you mean mnist?"),
    ("train Digits", "did you mean digits?"),
    ("train good", "not 'good'"),
    ("train none.npy", "no file none.npy"),
    ("train gooood.npy", "no file gooood.npy; did you mean good.npy?"),
    ("train run", "run is a folder: name a file in it"),
    ("train notes.txt", "give a .npy, .npz, .csv, .idx or .idx.gz file"),
    (
        "train words.csv --likelihood gaussian",
        "line 2, column 2 (colour) is 'red', not a finite number: drop the line or",
    ),
    ("train words.csv --likelihood gaussian", "0 and 1; or leave out --likelihood, and it is a table"),
    ("train nan.csv --binarize draw", "line 3, column 2 (width) is 'nan', not a finite number"),
    ("train gap.csv", "line 2, column 2 is empty: fill it with a number or drop the line"),
    ("train empty.csv", "empty.csv is empty: a .csv file holds a line for each row, with commas between its cells"),
    ("train empty.npy", "empty.npy is not a .npy file of numbers, as np.save writes it"),
    ("train broken.npy", "broken.npy is not a .npy file of numbers, as np.save writes it"),
    ("train two.npz", "two.npz holds a, b: call the array of rows X"),
    ("train objects.npy", "objects.npy is not a .npy file of numbers, as np.save writes it, or it is damaged"),
    ("train pickle.npy", "pickle.npy is not a .npy file of numbers"),
    ("train renamed.npy", "renamed.npy is not a .npy file of numbers"),
    ("train cut-good.npy", "cut-good.npy is not a .npy file of numbers"),
    ("train complex.npy", "complex.npy must hold real numbers, not complex numbers"),
    ("train dates.npy", "dates.npy must hold real numbers, not dates"),
    ("train records.npy", "records.npy must hold real numbers, not records of age, height"),
    ("train scalar.npy", "scalar.npy must be two-dimensional, (rows, features), not of shape ()"),
    ("train films.npy", "films.npy has rows of shape (3, 4, 5): save X.reshape(len(X), -1), rows of 60 columns"),
    ("train objects.npz", "objects.npz, array X, is no array of real numbers, or it is damaged"),
    ("train labels.npz", "labels.npz has 29 labels y for 30 rows"),
    ("train splits.npz", "splits.npz has test rows of shape (6,), but rows to train on of shape (4,)"),
    (
        "train sparse.npz",
        "sparse.npz is no sparse matrix that can be read, or it is damaged: write it with scipy.sparse",
    ),
    ("train renamed.npz", "renamed.npz is not an .npz file, as np.savez writes it, or it is damaged"),
    ("train cut-good.npz", "cut-good.npz is not an .npz file, as np.savez writes it, or it is damaged"),
    ("train cut-good.idx.gz", "cut-good.idx.gz is not a gzip file, or it is damaged"),
    ("train text.idx.gz", "text.idx.gz is not an IDX file, the format of MNIST, or it is damaged"),
    ("train other.idx", "other.idx is not an IDX file"),
    ("train short.idx", "short.idx is cut short: 19 values instead of 20"),
    ("train long.idx", "long.idx is too long: 21 values instead of 20"),
    ("train blank.csv", "blank.csv is empty: a .csv file holds a line for each row"),
    ("train header.csv", "header.csv holds a header and no rows: write a line for each row below it"),
    ("train ragged.csv", "ragged.csv line 3 has 1 cells, not 2 as the lines before it: complete it"),
    (
        "train cut.csv --likelihood poisson",
        "cut.csv line 3, column 2 (width) is empty: fill it with a number or drop the line",
    ),
    ("train inf.csv", "inf.csv line 2, column 2 is '-inf', not a finite number"),
    ("train decimals.csv", "decimals.csv line 1, column 1 is '1,5': write decimals with a point"),
    ("train blanks.csv", "separate cells with commas, semicolons or tabs, not blanks"),
    ("train latin.csv", "latin.csv line 3 is not UTF-8: save the file in that encoding, as iconv -f latin1 -t utf-8"),
    ("train utf16.csv", "utf16.csv is no text in UTF-8: a .csv file holds a line for each row"),
    ("train picture.csv", "picture.csv is no text in UTF-8: a .csv file holds a line for each row, with commas"),
    ("encode run complex.npy", "complex.npy must hold real numbers, not complex numbers"),
    ("score run cut-good.npz", "cut-good.npz is not an .npz file"),
    ("reconstruct run ragged.csv", "ragged.csv line 3 has 1 cells"),
    ("train flat.npy", "flat.npy must be two-dimensional, (rows, features)"),
    ("train hollow.npy", "hollow.npy must have at least one row"),
    ("train hollow-pictures.npy", "hollow-pictures.npy must have at least one row"),
    ("train text.npy", "text.npy must hold real numbers"),
    ("train good.npy --image-shape 28", "it must be height x width, such as 28x28, not '28'"),
    ("train good.npy --image-shape 28x28", "28x28 is 784 columns, but good.npy has 4"),
    ("train digits --image-shape 8x8", "leave it out, digits has its own"),
    ("train binarized-mnist", "binarized_mnist.npz: put the arrays train, valid and test there"),
    # values
    (
        "train nan.npy",
        "nan.npy[0, 1] is nan, but the Bernoulli likelihood takes numbers from 0 to 1: "
        "fill it, drop the row, or add --missing",
    ),
    ("train nan.npy --likelihood gaussian", "nan.npy[0, 1] is nan"),
    ("train keys.npy --likelihood poisson", "keys.npy[1, 1] is 1099511627776, but float32 rounds whole numbers above"),
    ("train inf.npy --likelihood gaussian", "inf.npy[1, 1] is inf"),
    (
        "train big.npy",
        "big.npy[1, 1] is 3, but the Bernoulli likelihood takes numbers from 0 to 1; scale the rows, or use",
    ),
    ("train big.npy --binarize threshold", "big.npy[1, 1] is 3, but a threshold of 0.5 takes numbers from 0 to 1"),
    ("train big.npy --likelihood poisson", "takes whole numbers from 0; use --likelihood gaussian"),
    ("train table.csv --likelihood bernoulli", "table.csv line 4, column 2 (width) is 3, but the Bernoulli likelihood"),
    ("train big.npy", "or use --likelihood gaussian, gaussian-"),
    ("train big.npy --binarize draw", "a draw takes probabilities, from 0 to 1; no likelihood takes that: scale"),
    # the model
    ("train good.npy --hiden 3", "there is no option --hiden; did you mean --hidden?"),
    (
        "train good.npy --hidden 3,x",
        "--hidden: it must be whole numbers from 1 with commas, such as 400,200, not '3,x'",
    ),
    ("train good.npy --data x", "there is no option --data: write DATA alone, as in pyvae train DATA"),
    ("encode run --dataset=x", "there is no option --dataset: write DATA alone, as in pyvae encode MODEL DATA"),
    ("train good.npy --gpu", "there is no option --gpu; see"),
    ("train good.npy --dropout 0.1", "there is no option --dropout; see"),
    ("train good.npy --save x", "did you mean --out?"),
    ("train good.npy --layers 3", "did you mean --hidden?"),
    ("train good.npy --kl-weight 3", "did you mean --beta?"),
    ("sample run --n 3", "there is no option --n; did you mean -n?"),
    ("sample run 100", "'100' is one word too many; did you mean -n 100?"),
    ("train good.npy --hidden 256 128", "write --hidden 256,128"),
    ("train --hidden 256, 128, 64", "write --hidden 256,128,64"),
    ("train good.npy --hidden 400;200", "such as 400,200, not '400;200'"),
    ("train good.npy --hidden 0", "whole numbers from 1"),
    ("train good.npy --latent 0", "--latent: it must be a whole number of at least 1, not 0"),
    ("train good.npy --activation rleu", "--activation: it must be one of relu,"),
    ("train good.npy --activation rleu", "did you mean relu?"),
    ("train good.npy --likelihood bernouli", "did you mean bernoulli?"),
    ("train good.npy --activation swish", "did you mean silu?"),
    ("train good.npy --likelihood mse", "did you mean gaussian?"),
    ("train good.npy --likelihood bce", "did you mean bernoulli?"),
    ("train good.npy --likelihood mse", "it must be one of bernoulli, gaussian"),
    # the training
    ("train good.npy --epochs -5", "--epochs: it must be a whole number of at least 1, not -5"),
    ("train good.npy --epochs many", "--epochs: it must be a whole number of at least 1, not 'many'"),
    ("train good.npy --epochs", "argument --epochs: expected one argument"),
    ("train good.npy --epochs 1e2", "not '1e2'; did you mean 100?"),
    ("train good.npy --epochs 10,000", "not '10,000'; did you mean 10000?"),
    ("sample run -n 10k", "not '10k'; did you mean 10000?"),
    ("train good.npy --validation-fraction 20%", "not '20%'; did you mean 0.2?"),
    ("train good.npy --lr 0,001", "not '0,001'; did you mean 0.001?"),
    ("train good.npy --epochs 20%", "it must be a whole number of at least 1, not '20%'; see"),
    ("sample run -n 1000000000000000000", "sample: -n must be a whole number from 1 to 4294967296, not 1000"),
    ("train good.npy --hidden 1000000000000000000", "not enough memory: lower --latent, --hidden or --samples"),
    ("train good.npy --batch-size 0.5", "--batch-size: it must be a whole number of at least 1"),
    ("train good.npy --lr abc", "--lr: it must be a number above 0, not 'abc'"),
    ("train good.npy --lr 0", "--lr: it must be a number above 0"),
    ("train good.npy --beta -1", "--beta: it must be a number from 0"),
    ("train good.npy --seed -1", "--seed: it must be a whole number of at least 0"),
    ("train good.npy --patience 5", "--patience needs rows to validate on: add --validation-fraction, such as 0.1"),
    ("train good.npy --schedule setp", "did you mean step?"),
    ("train good.npy --schedule step", "add --decay-at with epochs, such as --decay-at 200,350"),
    ("train good.npy --decay-at 5", "add --schedule step"),
    ("train good.npy --schedule step --decay-at 9,5", "ascending order, such as 200,350, not '9,5'"),
    ("train good.npy --decay-factor 0.5", "add --schedule step or --schedule exponential"),
    ("train good.npy --decay-factor 2", "--decay-factor: it must be a number above 0 and below 1"),
    ("train good.npy --clip-norm 0", "--clip-norm: it must be a number above 0"),
    ("train good.npy --weight-decay -1", "--weight-decay: it must be a number from 0"),
    ("train good.npy --kl-warmup ten", "--kl-warmup: it must be a whole number of at least 0"),
    ("train good.npy --lr-warmup -2", "--lr-warmup: it must be a whole number of at least 0"),
    ("train good.npy --validation-fraction 1.5", "--validation-fraction: it must be a number from 0 and below 1"),
    ("train good.npy --validation-fraction 0.001", "leaves no row to validate on"),
    ("train good.npy --threads 0", "--threads: it must be a whole number of at least 1"),
    ("train good.npy --threads 200000", "--threads must be a whole number from 1 to 1024"),
    ("train good.npy --precision low", "--precision: it must be one of highest, high, medium, not 'low'"),
    # where results go
    ("train good.npy --out good.npy", "--out good.npy is a file; it must be a folder"),
    ("train good.npy --out good.npy/run", "Not a directory; choose another folder"),
    (
        "train good.npy --out mine",
        "--out mine holds history.csv already; add --force to overwrite it, or choose another",
    ),
    ("train good.npy --out run", "--out run holds model.safetensors already; add --force"),
    ("train good.npy --out /proc/run", "--out /proc/run cannot be written to"),
    # models
    ("sample", "the following arguments are required: MODEL"),
    ("sample none.safetensors", "no model file none.safetensors: MODEL is a run's folder, such as runs/digits"),
    ("sample bare", "no model file bare/model.safetensors: MODEL is a run's folder"),
    ("sample good.npy", "good.npy is not a pyvae model file, or its header is damaged: MODEL is a run's folder"),
    ("check none.safetensors", "no model file none.safetensors"),
    ("sample run -n 0", "-n: it must be a whole number of at least 1"),
    ("sample run --out s.gif", "--out must end in .png or .npy, not 's.gif'"),
    ("sample run --out s.png", "--out must end in .npy: the model's rows are no pictures"),
    ("reconstruct run good.npy --out s.png", "trained without --image-shape"),
    ("sample run --out good.npy", "--out good.npy exists; add --force to overwrite it, or choose another name"),
    ("sample run --out nowhere/s.npy", "there is no folder nowhere; make it, or choose another"),
    ("encode run", "DATA must be given"),
    ("reconstruct run wide.npy", "DATA wide.npy has 6 columns, but the model takes 4: give rows like those"),
    ("encode run wide.npy", "DATA wide.npy has 6 columns, but the model takes 4: give rows like those"),
    ("encode run good.npy --out latents", "--out must end in .npz, .csv or .npy, not 'latents'"),
    ("encode run good.npy --out latents.txt", "--out must end in .npz, .csv or .npy"),
    ("encode run good.npy --out bare.npy/x.npz", "there is no folder bare.npy"),
    ("score run good.npy --split test", "good.npy has no test split: use --split train"),
    ("score run good.npy --split tets", "did you mean test?"),
    ("score run good.npy --samples 0", "--samples: it must be a whole number of at least 1"),
    ("score run good.npy --loglikelihood", "did you mean --log-likelihood?"),
    ("score run big.npy", "but the model takes 4"),
    (
        "reconstruct threshold large.npy",
        "large.npy[0, 0] is 3, but a threshold of 0.5 takes numbers from 0 to 1",
    ),
    ("sample run --out=", "--out: it is empty: name a folder or a file"),
    ("train good.npy --out=", "--out: it is empty: name a folder or a file"),
    ("encode run good.npy --out good.npy --force", "--out good.npy is a file that is read: choose another name"),
    ("score run good.npy --out bare/../good.npy --force", "--out bare/../good.npy is a file that is read"),
    ("reconstruct run good.npy --out good.npy --force", "is a file that is read"),
    ("sample model.npy --out model.npy --force", "is a file that is read"),
    ("train mine/history.csv --out mine --force", "--out mine/history.csv is a file that is read"),
    ("encode gone", "DATA must be given: the model was trained on gone.csv, but no such file is here"),
]


@pytest.mark.parametrize(("line", "words"), WRONG, ids=[line or "nothing" for line, _ in WRONG])
def test_wrong_command_lines(line, words, folder, assert_refused):
    """One sentence on standard error that says what to type, exit status 2, and nothing written."""
    assert_refused(line, words)


def test_generous_numbers_are_not_wrong(folder):
    """A minibatch larger than the data is all of the data."""
    assert main("train good.npy --epochs 1 --hidden 3 --batch-size 100000 --quiet".split()) == 0


SCRIPT = "import sys\nfrom pyvae_command import main\nsys.exit(main())\n"  # as installing makes it


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PYVAE_KERNELS", "nonsense", "PYVAE_KERNELS must be"),
        ("PYVAE_MAX_ISA", "v9", "PYVAE_MAX_ISA must be one of v2"),
    ],
)
def test_wrong_environment(variable, value, words, tmp_path):
    """What the kernels refuse at import is one sentence too; in Python an ImportError."""
    if variable == "PYVAE_MAX_ISA" and not pyvae._kernels.BUILT:
        pytest.skip(reason="built without native kernels, which alone have an instruction set")
    script = tmp_path / "pyvae"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYVAE_")}
    environment[variable] = value

    def run(*words):
        return subprocess.run([sys.executable, "-P", *words], capture_output=True, text=True, env=environment)

    done = run(str(script), "info")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"pyvae: {words}") and done.stderr.count("\n") == 1
    done = run("-c", "import pyvae")
    assert done.returncode == 1 and f"ImportError: {words}" in done.stderr


def test_a_reader_that_has_seen_enough():
    """As in ``pyvae check | head``: a pipe that nobody reads ends the command without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-P", "-m", "pyvae", "info"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_interruption_before_anything_runs(tmp_path):
    """Ctrl-C while modules are imported: a line, no traceback, exit status 130."""
    (tmp_path / "safetensors.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(pyvae.__file__).parents[1])])}
    (tmp_path / "pyvae").write_text(SCRIPT)
    command = [sys.executable, "-P", str(tmp_path / "pyvae"), "info"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (130, "pyvae: stopped, nothing was saved\n")


@pytest.mark.parametrize(
    ("text", "plain"),
    [("1e2", "100"), ("10,000", "10000"), ("10k", "10000"), ("1.5M", "1500000"), ("20%", "0.2"), ("0,1", "0.1"),
     ("many", "many"), ("", ""), ("k", "k")],
)  # fmt: skip
def test_numbers_as_people_write_them(text, plain):
    assert plain_number(text) == plain


def test_numbers_that_are_simply_read():
    assert (sizes("256, 128"), image_shape("8X8"), image_shape("8 x 8")) == ((256, 128), (8, 8), (8, 8))


def test_a_training_that_diverges_names_options(folder, capsys):
    """Python's argument names are not what the user of a command can type."""
    line = "train large.npy --likelihood gaussian-fixed --lr 1e30 --epochs 50 --hidden 3 --quiet"
    with np.errstate(all="ignore"):  # the twins' warnings
        assert main(line.split()) == 2
    said = capsys.readouterr().err
    assert "try a smaller --lr than 1e+30, a --clip-norm" in said and "learning_rate" not in said


def test_other_words_lead_to_what_there_is():
    """Every word that the tables lead to is an option, a command or a value."""
    _, parsers = make_parser(COMMANDS)
    there = {"--version", *COMMANDS, *ACTIVATIONS, *LIKELIHOODS}
    there |= {option for parser in parsers.values() for option in parser.options()}
    assert {word for words in OTHER_WORDS.values() for word in words.split()} <= there
    assert {word for words in ARGUMENTS.values() for word in words.split() if word.startswith("-")} <= there
