"""``pyvae train``: which objective, prior and posterior the options ask for, and what does not go together."""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.command.main import main

SMALL = ["--hidden", "8", "--latent", "3", "--epochs", "2", "--quiet", "--out", "run"]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "objective"),
    [
        ("", pyvae.ELBO()),
        ("--beta 0.5 --kl-warmup 2 --samples 3", pyvae.ELBO(pyvae.LinearWarmUp(0.5, 2), 3)),
        ("--kl-cycles 3", pyvae.ELBO(pyvae.Cyclical(1.0, 2, 3))),
        ("--objective iwae", pyvae.ImportanceWeighted(5)),
        (
            "--objective iwae --samples 4 --groups 2 --mix 0.1 --gradient doubly-reparameterized",
            pyvae.ImportanceWeighted(4, "doubly-reparameterized", 2, 0.1),
        ),
        ("--objective tc --beta 6", pyvae.TotalCorrelation(6.0, 1437)),
        ("--objective mmd", pyvae.MMD()),
        ("--objective mmd --mmd-weight 30 --beta 0.1 --samples 2", pyvae.MMD(30.0, 0.1, 2)),
        ("--free-bits 0.3", pyvae.FreeBits(0.3)),
        ("--capacity 5 --kl-warmup 1", pyvae.Capacity(pyvae.LinearWarmUp(5.0, 1))),
    ],
)
def test_options_make_the_objective(words, objective, monkeypatch):
    seen = {}
    train = pyvae.train

    def spy(model, X, **options):
        seen.update(options)
        return train(model, X, **options)

    monkeypatch.setattr("pyvae.training.loop.train", spy)
    assert main(["train", *words.split(), *SMALL]) == 0
    assert repr(seen["objective"]) == repr(objective)
    told = json.loads(Path("run/config.json").read_text())["options"]
    assert told["objective"] == (words.split() + ["", "elbo"])[1] if "--objective" in words else "elbo"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--objective iwea", "--objective: it must be one of elbo, iwae, tc, mmd, not 'iwea'; did you mean iwae?"),
        ("--mix 0.3", "--mix goes with --objective iwae: elbo has no use for it"),
        ("--objective iwae --beta 2", "--beta goes with --objective elbo, tc or mmd: iwae has no use for it"),
        ("--objective iwae --mix 1", "--mix: it must be a number from 0 and below 1"),
        ("--objective tc", "--objective tc needs --beta, the weight of the total correlation, such as --beta 6"),
        ("--objective tc --beta 2 --free-bits 1", "--free-bits goes with --objective elbo: tc has no use for it"),
        ("--free-bits 1 --capacity 2", "--free-bits and --capacity say two things about the KL: leave one out"),
        ("--free-bits 1 --beta 2", "--beta has no place beside --free-bits or --capacity: leave it out"),
        ("--free-bits 1 --kl-warmup 2", "--kl-warmup has no place beside --free-bits: leave it out"),
        ("--components 3", "--components goes with --prior mixture or vamp: normal has none"),
        (
            "--prior vamp --posterior full",
            "a VampPrior is a mixture of diagonal Gaussians, for which the posterior must",
        ),
        ("--prior flow --latent 1", "--latent must be a whole number of at least 2, not 1"),
        ("--prior mixture --objective mmd", "for which the prior must be StandardNormal, not Mixture"),
        (
            "--posterior planar --objective iwae --gradient path",
            "by z alone, which PlanarFlow does not: take the standard",
        ),
        ("--kl-cycles 2 --kl-warmup 2", "--kl-cycles and --kl-warmup are two ways for beta to rise: leave one out"),
    ],
)
def test_refusals_are_one_sentence_and_leave_nothing(words, sentence, capsys):
    with pytest.raises(SystemExit) if "argument" in sentence or ": it must" in sentence else _status_2():
        assert main(["train", *SMALL, *words.split()]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not Path("run").exists()


def _status_2():
    import contextlib

    return contextlib.nullcontext()


def test_a_run_is_resumed_with_its_objective_alone(capsys):
    assert main(["train", "--free-bits", "0.5", *SMALL]) == 0
    before = np.loadtxt("run/history.csv", delimiter=",", skiprows=1)
    assert main(["train", "--resume", "--epochs", "3", "--quiet", "--out", "run"]) == 0
    after = np.loadtxt("run/history.csv", delimiter=",", skiprows=1)
    assert len(after) == 3 and (after[:2, :9] == before[:, :9])[~np.isnan(before[:, :9])].all()
    assert main(["train", "--resume", "--free-bits", "2", "--epochs", "4", "--quiet", "--out", "run"]) == 2
    assert "--free-bits was 0.5 when the run in run began, not 2.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "prior", "posterior"),
    [
        ("--prior mixture --components 3", pyvae.Mixture(3, 3), pyvae.DiagonalGaussian()),
        ("--prior vamp --components 7", pyvae.VampPrior(64, 7, (0, 1)), pyvae.DiagonalGaussian()),
        ("--prior flow --posterior full", pyvae.Flow(3), pyvae.FullGaussian()),
        ("--posterior planar", pyvae.StandardNormal(), pyvae.PlanarFlow()),
    ],
)
def test_options_make_the_prior_and_the_posterior(words, prior, posterior, capsys):
    assert main(["train", *SMALL, *words.split()]) == 0
    model = pyvae.load("run")
    assert model.prior.describe() == prior.describe() and model.posterior.describe() == posterior.describe()
    told = json.loads(Path("run/config.json").read_text())["model"]
    assert told["prior"]["type"] == type(prior).__name__ and told["posterior"]["type"] == type(posterior).__name__
    for command in ("sample run -n 3 --latent prior", "reconstruct run", "encode run", "score run"):
        assert main(command.split()) == 0
    assert np.load("latents.npz")["logvar"].shape == (360, 3)


def test_pseudo_inputs_begin_as_rows():
    """Of numbers of any unit: standardised ones."""
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.normal([0, 50, 1e6], [1, 10, 1e5], (300, 3)))
    words = "train x.npy --likelihood gaussian --prior vamp --components 20 --lr 1e-9"
    assert main([*words.split(), *SMALL]) == 0
    U = pyvae.load("run").prior.U
    assert np.abs(U.mean(axis=0)).max() < 1 and 0.5 < U.std(axis=0).min() < U.std(axis=0).max() < 2


def test_the_run_says_what_was_minimised(tmp_path):
    np.save("rows.npy", np.eye(12, dtype=np.float32))
    assert main(["train", "rows.npy", *SMALL, "--objective", "iwae", "--samples", "3"]) == 0
    assert json.loads(Path("run/config.json").read_text())["objective"] == repr(pyvae.ImportanceWeighted(3))
    assert "loss     ImportanceWeighted(" in Path("run/log.txt").read_text()


def test_every_share_of_validation_rows_goes_with_the_total_correlation():
    """Of 5 rows half are 2, by rounding to even numbers; 3 are trained on."""
    np.save("rows.npy", np.eye(5, dtype=np.float32))
    line = ["train", "rows.npy", *SMALL, "--objective", "tc", "--beta", "4", "--validation-fraction", "0.5"]
    assert main(line) == 0


@pytest.mark.parametrize("values", [(0, 1), (0.3, 0.7)])
def test_pseudo_inputs_begin_within_their_bounds_and_can_move(values):
    X = np.where(np.eye(40) > 0, *values[::-1]).astype(np.float32)
    np.save("rows.npy", X)
    assert main(["train", "rows.npy", *SMALL, "--prior", "vamp", "--components", "20", "--lr", "1e-9"]) == 0
    prior = pyvae.load("run").prior
    assert (prior.U > 0).all() and (prior.U < 1).all()
    np.testing.assert_allclose(prior.U, 0.05 + 0.9 * X[np.linspace(0, 39, 20).astype(int)], atol=0.06)


def test_cycles_keep_their_length(capsys, assert_refused):
    np.save("rows.npy", np.eye(12, dtype=np.float32))
    assert main(["train", "rows.npy", *SMALL, "--kl-cycles", "2", "--checkpoint-seconds", "0"]) == 0
    capsys.readouterr()
    assert_refused("train rows.npy --out run --resume --epochs 9", "--kl-cycles divides --epochs, which were 2")


def test_what_is_said_of_a_collapse_fits_the_objective(capsys):
    np.save("rows.npy", np.zeros((30, 4), np.float32))
    for words, remedy in (
        ("--objective mmd", "a smaller --mmd-weight"),
        ("--objective iwae", "--free-bits without --objective iwae"),
        ("--objective tc --beta 3", "a smaller --beta or"),
        ("", "a --kl-warmup, a --beta below 1, --free-bits or another --likelihood"),
    ):
        line = [*SMALL[:4], "--epochs", "500", "--lr", "0.01", *SMALL[6:], "--force", *words.split()]
        assert main(["train", "rows.npy", *line]) == 0
        assert f"(posterior collapse): try more --epochs, {remedy}" in capsys.readouterr().err


def test_cycles_that_had_the_full_weight_are_no_warm_up_that_was_too_long(capsys):
    np.save("rows.npy", np.eye(12, dtype=np.float32))
    assert main(["train", "rows.npy", *SMALL, "--epochs", "6", "--kl-cycles", "6", "--force"]) == 0
    assert "full weight" not in capsys.readouterr().err
    assert main(["train", "rows.npy", *SMALL, "--capacity", "5", "--kl-warmup", "9", "--force"]) == 0
    assert "the capacity never came to its last value" in capsys.readouterr().err


def test_the_word_of_others_for_a_warm_up(assert_refused):
    assert_refused("train digits --kl-schedule linear", "did you mean --kl-warmup?")
