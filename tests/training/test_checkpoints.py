"""Checkpoints: a resumed training has the bits of one that never ended, and no fault takes an older checkpoint away."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import persistence
from pyvae.persistence import ModelFile
from pyvae.training import checkpoints

EPOCHS = 6


def make(dtype=np.float32):
    """A model with something of everything that draws or remembers: dropout, LayerNorm, a gate, a learned std."""
    encoder = pyvae.Sequential(
        pyvae.Dense(5, 8), pyvae.LayerNorm(8), pyvae.Tanh(), pyvae.Dropout(0.2), pyvae.GatedDense(8, 6),
        pyvae.Dense(6, 4),
    )  # fmt: skip
    decoder = pyvae.Sequential(pyvae.Dense(2, 8, "relu"), pyvae.Dense(8, 5))
    return pyvae.VAE(encoder, decoder, pyvae.Gaussian(5, std="shared"), seed=3, dtype=dtype)


@pytest.fixture
def X(rng):
    return rng.standard_normal((60, 5)).astype(np.float32)


SETTINGS = [
    {},
    {"validation_fraction": 0.25, "kl_warmup": 2, "patience": 100},
    {"weight_decay": 0.1, "clip_norm": 1.0, "n_samples": 2, "beta": 0.5, "learning_rate": pyvae.CosineDecay(0.01, 6)},
]  # fmt: skip


def train(model, X, folder=None, resume=False, seconds=0, keep=2, epochs=EPOCHS, **settings):
    settings = {"batch_size": 16, "learning_rate": 0.01, "seed": 2, "progress": False, **settings}
    folder = None if folder is None else pyvae.Checkpoints(folder, seconds, keep)
    return pyvae.train(model, X, epochs=epochs, checkpoints=folder, resume=resume, **settings)


def without_seconds(history):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history.epochs]


class Killed(Exception):
    pass


def killed_after(epoch):
    def callback(history):
        if len(history) == epoch:
            raise Killed

    return callback


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("epoch", [1, 2, 4, EPOCHS])
def test_resumed_training_has_the_same_bits(epoch, settings, dtype, X, tmp_path):
    """It ends in the callback of an epoch, before that epoch's checkpoint is written, and goes on in a new model."""
    model = make(dtype)
    history = train(model, X, **settings)
    with pytest.raises(Killed):
        train(make(dtype), X, tmp_path, callbacks=[killed_after(epoch)], **settings)
    again = make(dtype)
    resumed = train(again, X, tmp_path, resume=True, **settings)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    assert str(without_seconds(resumed)) == str(without_seconds(history))
    assert (resumed.best_epoch, resumed.stopped) == (history.best_epoch, history.stopped)


def test_every_checkpoint_leads_to_the_same_end(X, tmp_path):
    model = make()
    train(model, X, tmp_path / "all", keep=EPOCHS, validation_fraction=0.25)
    for epoch in range(1, EPOCHS + 1):
        folder = tmp_path / f"{epoch}"
        folder.mkdir()
        shutil.copy(tmp_path / "all" / f"epoch-{epoch:06d}.safetensors", folder)
        again = make()
        assert len(train(again, X, folder, resume=True, validation_fraction=0.25)) == EPOCHS
        np.testing.assert_array_equal(again.parameters.values, model.parameters.values)


def test_a_checkpoint_is_a_model_that_training_would_have_left(X, tmp_path):
    """With a validation share it is that of the best epoch so far."""
    for settings in SETTINGS[:2]:
        folder = tmp_path / f"{len(settings)}"
        train(make(), X, folder, keep=EPOCHS, **settings)
        for epoch in (1, 4):
            model = make()
            train(model, X, epochs=epoch, **settings)
            stored = pyvae.load(folder / f"epoch-{epoch:06d}.safetensors")
            np.testing.assert_array_equal(stored.parameters.values, model.parameters.values)


def test_a_checkpoint_knows_the_l2_of_its_training(X, tmp_path):
    def go(resume, **options):
        model = make()
        optimizer = pyvae.Adam(model.parameters, **options)
        return train(model, X, tmp_path, epochs=2 + resume, optimizer=optimizer, resume=resume)

    go(False, l2=0.5)
    with pytest.raises(ValueError, match="with l2 0.5, not 0.0"):
        go(True)
    assert len(go(True, l2=0.5)) == 3


def test_resuming_adds_epochs(X, tmp_path):
    model = make()
    train(model, X, epochs=5)
    again = make()
    train(again, X, tmp_path, epochs=2)
    assert len(train(again, X, tmp_path, resume=True, epochs=5)) == 5
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    assert len(train(again, X, tmp_path, resume=True, epochs=3)) == 5  # which are done already


def test_ends_are_remembered(X, tmp_path):
    """After patience or a callback has ended it, a resumed training ends there too, and trains no epoch more."""
    settings = {"validation_fraction": 0.25, "patience": 1, "learning_rate": 0.5}
    history = train(make(), X, tmp_path / "patience", epochs=30, **settings)
    assert history.stopped == "patience"
    resumed = train(make(), X, tmp_path / "patience", resume=True, epochs=30, **settings)
    assert (len(resumed), resumed.stopped) == (len(history), "patience")
    more = train(make(), X, tmp_path / "patience", resume=True, epochs=len(history) + 1, **settings | {"patience": 9})
    assert len(more) == len(history) + 1

    train(make(), X, tmp_path / "callback", callbacks=[lambda history: len(history) == 3])
    resumed = train(make(), X, tmp_path / "callback", resume=True)
    assert (len(resumed), resumed.stopped) == (3, "callback")


@pytest.mark.parametrize("settings", SETTINGS[:2])
def test_ctrl_c_in_the_middle_of_an_epoch(settings, X, tmp_path):
    """The model keeps what the last steps brought; training goes on from the last whole epoch."""
    model = make()
    history = train(model, X, **settings)

    def interrupt(epoch):  # a learning rate, asked for at every step
        if len(steps) == 3 * 3 + 1:
            signal.raise_signal(signal.SIGINT)
        steps.append(epoch)
        return 0.01

    steps, interrupted = [], make()
    early = train(interrupted, X[: len(X)], tmp_path, seconds=1000, **settings | {"learning_rate": interrupt})
    assert early.stopped == "interrupted" and pyvae.Checkpoints(tmp_path).epochs() == [len(early)]
    if not settings:
        last = pyvae.load(tmp_path / f"epoch-{len(early):06d}.safetensors")
        assert (interrupted.parameters.values != last.parameters.values).any()
    steps = [None] * 1000
    again = make()
    resumed = train(again, X, tmp_path, resume=True, **settings | {"learning_rate": interrupt})
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    assert str(without_seconds(resumed)) == str(without_seconds(history))


def test_nothing_to_resume_is_a_beginning(X, tmp_path):
    model, again = make(), make()
    train(model, X)
    train(again, X, tmp_path / "new", resume=True)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    with pytest.raises(ValueError, match="resume needs checkpoints"):
        train(make(), X, resume=True)


def test_the_last_ones_stay(X, tmp_path):
    train(make(), X, tmp_path, keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"epoch-{n:06d}.safetensors" for n in (4, 5, 6)]


def test_one_is_written_when_its_time_has_come(X, tmp_path, monkeypatch):
    """After the first epoch that ends at least so many seconds after the last one, and at the end."""
    clock = iter(np.arange(0.0, 100.0, 3.0))  # begin, then one look for each epoch, and one for each that is written
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    train(make(), X, tmp_path, keep=EPOCHS, seconds=7)
    assert pyvae.Checkpoints(tmp_path).epochs() == [3, 6]


def test_checkpoints_of_another_training_stay(X, tmp_path):
    train(make(), X, tmp_path, epochs=4)
    with pytest.raises(FileExistsError, match="holds checkpoints already: resume that training, or choose"):
        train(make(), X, tmp_path)
    assert pyvae.Checkpoints(tmp_path).epochs() == [3, 4]
    pyvae.train(make(), X, epochs=1, progress=False, checkpoints=pyvae.Checkpoints(tmp_path, overwrite=True))
    assert pyvae.Checkpoints(tmp_path).epochs() == [1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"batch_size": 17}, "with batch_size 16, not 17"),
        ({"learning_rate": 0.02}, "with a learning_rate of 0.01 in epoch 1, not 0.02"),
        ({"learning_rate": pyvae.ExponentialDecay(0.01, 0.9)}, "with a learning_rate of 0.01 in epoch 1, not 0.009"),
        ({"seed": 3}, "with seed 2, not 3"),
        ({"beta": 2.0}, r"with the objective ELBO\(beta=1.0, .* in epoch 1, not ELBO\(beta=2.0"),
        ({"kl_warmup": 1}, r"with the objective ELBO\(beta=1.0, .* in epoch 1, not ELBO\(beta=0.75"),
        ({"clip_norm": 1.0}, "with clip_norm None, not 1.0"),
        ({"weight_decay": 0.1}, "with weight_decay 0.0, not 0.1"),
        ({"n_samples": 2}, "with the objective ELBO.* n_samples=1, .* not ELBO.* n_samples=2"),
        ({"validation_fraction": 0.5}, "with validation_fraction 0.0, not 0.5"),
    ],
)
def test_other_settings_are_refused(changed, words, X, tmp_path):
    train(make(), X, tmp_path, epochs=2)
    model = make()
    before = model.parameters.values.copy()
    with pytest.raises(ValueError, match=f"epoch-000002.safetensors was trained {words}.*: resume it as it began"):
        train(model, X, tmp_path, resume=True, **changed)
    np.testing.assert_array_equal(model.parameters.values, before)


def test_other_data_models_and_precisions_are_refused(X, tmp_path):
    train(make(), X, tmp_path, epochs=2)
    other = X.copy()
    other[17, 3] += 1
    with pytest.raises(ValueError, match="was trained on other rows: resume"):
        train(make(), other, tmp_path, resume=True)
    with pytest.raises(ValueError, match="was trained on other rows: resume"):
        train(make(), X[:50], tmp_path, resume=True)
    with pytest.raises(ValueError, match="was trained on other rows"):
        train(make(), X, tmp_path, resume=True, X_val=X)
    with pytest.raises(ValueError, match="is a checkpoint of another model"):
        train(pyvae.VAE.mlp(5, hidden=(4,), likelihood="gaussian"), X, tmp_path, resume=True)
    with pytest.raises(ValueError, match="is a checkpoint of another model"):
        train(make(np.float64), X, tmp_path, resume=True)
    with pyvae.set_matmul_precision("medium"), pytest.raises(ValueError, match="with precision highest, not medium"):
        train(make(), X, tmp_path, resume=True)


def test_a_damaged_one_is_passed_over(X, tmp_path):
    model = make()
    train(model, X, tmp_path)
    newest = tmp_path / f"epoch-{EPOCHS:06d}.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    again = make()
    with pytest.warns(pyvae.CheckpointWarning, match=r"epoch-000006.* is damaged.*; the one of epoch 5 is used"):
        train(again, X, tmp_path, resume=True)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)

    for path in tmp_path.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="epoch-000006.safetensors is not a pyvae model file"):
        train(make(), X, tmp_path, resume=True)


def test_a_model_file_is_no_checkpoint(X, tmp_path):
    pyvae.save(make(), tmp_path / "epoch-000001.safetensors")
    with pytest.raises(ValueError, match="is a model, not a checkpoint"):
        train(make(), X, tmp_path, resume=True)


@pytest.mark.parametrize("field", ["pyvae", "instruction_set"])
def test_what_wrote_it_is_compared(field, X, tmp_path, monkeypatch):
    describe = pyvae.Checkpoints._describe
    monkeypatch.setattr(pyvae.Checkpoints, "_describe", lambda *a: describe(*a) | {field: "elsewhere"})
    train(make(), X, tmp_path, epochs=2)
    with pytest.warns(pyvae.CheckpointWarning, match="was written by pyvae .*elsewhere.*the last bits may differ"):
        train(make(), X, tmp_path, resume=True, epochs=2)


def test_it_says_what_it_holds(X, tmp_path):
    history = train(make(), X, tmp_path, validation_fraction=0.25)
    with ModelFile(tmp_path / f"epoch-{EPOCHS:06d}.safetensors") as file:
        training = file.description["training"]
    assert training["epoch"] == EPOCHS and training["step"] == EPOCHS * 3  # of 45 rows in batches of 16
    assert training["best_epoch"] == history.best_epoch and training["best_loss"] == min(history["val_loss"])
    assert training["precision"] == "highest" and training["pyvae"] == pyvae.__version__
    assert training["settings"]["batch_size"] == 16 and len(training["history"]) == EPOCHS
    assert json.loads(json.dumps(training)) == training


CALLS = [(os, "fdopen"), (os, "fsync"), (os, "replace"), (os, "open"), (Path, "mkdir"), (persistence, "tensor_bytes")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_disk_that_fails_takes_no_checkpoint_away(owner, name, number, X, tmp_path, monkeypatch):
    """Whichever call of whichever epoch fails: training goes on, says so, and what is there can be gone on with."""
    model = make()
    train(model, X)
    folder = tmp_path / "c"
    original, failing = getattr(owner, name), []

    def fail(*arguments, **options):
        if failing:
            raise OSError(number, os.strerror(number))
        return original(*arguments, **options)

    def break_disk(history):
        if len(history) == 3:
            failing.append(True)

    monkeypatch.setattr(owner, name, fail)
    with pytest.warns(
        pyvae.CheckpointWarning, match=f"could not be written to .*: {os.strerror(number)}; those before"
    ):
        train(broken := make(), X, folder, callbacks=[break_disk])
    np.testing.assert_array_equal(broken.parameters.values, model.parameters.values)
    failing.clear()
    names = {path.name for path in folder.iterdir()}
    assert {"epoch-000001.safetensors", "epoch-000002.safetensors"} <= names or name in ("open", "fsync")
    assert not any(name.startswith(".") for name in names)
    for path in folder.iterdir():
        pyvae.load(path)
    again = make()
    train(again, X, folder, resume=True)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)


def test_half_written_ones_are_cleared_away(X, tmp_path):
    (tmp_path / ".epoch-000001.safetensors.abc").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    train(make(), X, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "notes.txt", "epoch-000005.safetensors", "epoch-000006.safetensors"
    }  # fmt: skip


def test_a_folder_that_vanishes(X, tmp_path):
    """It is made again for the next checkpoint."""

    def remove(history):
        if len(history) == 4:
            shutil.rmtree(tmp_path / "c")

    train(make(), X, tmp_path / "c", callbacks=[remove])
    assert pyvae.Checkpoints(tmp_path / "c").epochs() == [5, 6] or pyvae.Checkpoints(tmp_path / "c").epochs() == [
        4,
        5,
        6,
    ]


@pytest.mark.parametrize("arguments", [{"seconds": -1}, {"seconds": "x"}, {"keep": 0}, {"keep": 1.5}])
def test_wrong_arguments(arguments, tmp_path):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))} must be a"):
        pyvae.Checkpoints(tmp_path, **arguments)


def test_one_object_for_two_trainings(X, tmp_path):
    both = pyvae.Checkpoints(tmp_path, seconds=0, overwrite=True)
    for seed in (1, 2):
        model = make()
        pyvae.train(model, X, epochs=3, seed=seed, progress=False, checkpoints=both)
        stored = pyvae.load(tmp_path / "epoch-000003.safetensors")
        np.testing.assert_array_equal(stored.parameters.values, model.parameters.values)


def test_two_trainings_cannot_write_to_one_folder(X, tmp_path):
    def again(history):
        with pytest.raises(BlockingIOError, match="another training writes its checkpoints there"):
            train(make(), X, tmp_path, resume=True)

    train(make(), X, tmp_path, epochs=1)
    train(make(), X, tmp_path, resume=True, epochs=2, callbacks=[again])
    train(make(), X, tmp_path, resume=True, epochs=3)  # the lock is gone


def test_a_schedule_is_known_by_its_rates(X, tmp_path):
    train(make(), X, tmp_path, epochs=2, learning_rate=lambda epoch: 0.01)
    with pytest.raises(ValueError, match="with a learning_rate of 0.01 in epoch 1, not 0.5"):
        train(make(), X, tmp_path, resume=True, learning_rate=lambda epoch: 0.5)
    assert len(train(make(), X, tmp_path, resume=True, learning_rate=pyvae.StepDecay(0.01, 0.1, (2, 3)))) == EPOCHS


def test_every_row_and_every_digit_counts(tmp_path, rng):
    X = rng.standard_normal((3000, 5))
    model = make(np.float64)
    train(model, X, tmp_path, epochs=1, batch_size=1000)
    for other in (X * (1 + 1e-12), np.where(np.arange(3000)[:, None] == 1234, 0, X)):
        with pytest.raises(ValueError, match="on other rows"):
            train(make(np.float64), other, tmp_path, resume=True, batch_size=1000)


def test_what_cannot_be_saved_is_refused_before_training(X, tmp_path):
    model = make()
    before = model.parameters.values.copy()
    model.metadata = {"scale": np.float32(1)}
    with pytest.raises(TypeError, match="not JSON serializable"):
        train(model, X, tmp_path / "c")
    model.metadata = {}
    with pytest.raises(TypeError, match="not JSON serializable"):
        pyvae.train(model, X, checkpoints=pyvae.Checkpoints(tmp_path / "c", configuration={"p": tmp_path}))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file is a file; checkpoints need a folder"):
        train(model, X, tmp_path / "file")
    np.testing.assert_array_equal(model.parameters.values, before)


def test_a_training_that_fails_leaves_its_good_epochs(X, tmp_path):
    """However it ends, and though no checkpoint was due."""
    with pytest.raises(Killed):
        train(make(), X, tmp_path / "callback", seconds=1000, callbacks=[killed_after(3)])
    assert pyvae.Checkpoints(tmp_path / "callback").epochs() == [3]
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        train(make(), X, tmp_path / "rate", seconds=1000, learning_rate=lambda epoch: 0.01 if epoch < 4 else 1e38)
    assert pyvae.Checkpoints(tmp_path / "rate").epochs()[-1] >= 4
    model, again = make(), make()
    train(model, X)
    train(again, X, tmp_path / "rate", resume=True)
    if pyvae.Checkpoints(tmp_path / "rate").epochs()[0] == 4:
        np.testing.assert_array_equal(again.parameters.values, model.parameters.values)


def test_things_that_are_no_checkpoints_are_passed_over(X, tmp_path):
    model, again = make(), make()
    train(model, X, tmp_path, epochs=2)
    (tmp_path / "epoch-000099.safetensors").mkdir()
    (tmp_path / "epoch-7.safetensors").write_bytes(b"")
    assert len(train(again, X, tmp_path, resume=True, epochs=2)) == 2
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
