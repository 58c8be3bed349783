"""Training: what a step does, what the history says, and that nothing is dropped, drawn twice or allocated."""

import csv
import io

import numpy as np
import pytest

import pyvae
from pyvae.data import datasets
from pyvae.data.sources import ArraySource
from pyvae.objectives.elbo import elbo
from pyvae.training import loop as training


def small_model(**options):
    return pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,), **options)


def test_loss_falls_and_history_is_consistent(rng):
    X = (rng.random((200, 6)) < [0.9, 0.1, 0.9, 0.1, 0.5, 0.5]).astype(np.float64)
    model = small_model()
    before = model.elbo(X, n_samples=20).mean()
    history = pyvae.train(model, X, epochs=30, batch_size=32, X_val=X[:50], progress=False)
    assert model.elbo(X, n_samples=20).mean() > before + 0.5
    assert len(history) == 30 and history["epoch"] == list(range(1, 31))
    assert history["train_loss"][-1] < history["train_loss"][0]
    for split in ("train", "val"):
        parts = np.add(history[f"{split}_reconstruction"], history[f"{split}_kl"])
        np.testing.assert_allclose(history[f"{split}_loss"], parts, rtol=1e-6)
    assert min(history["grad_norm"]) > 0 and min(history["train_kl"]) >= 0
    assert history["val_loss"][-1] == pytest.approx(-model.elbo(X[:50]).mean(), rel=1e-9)


def test_one_epoch_by_hand(rng):
    """train() does exactly: order, gather, forward, ELBO, backward, Adam, for every batch with the short one."""
    X = rng.random((50, 6))
    trained, model = small_model(), small_model()
    pyvae.train(trained, X, epochs=2, batch_size=16, learning_rate=1e-2, beta=0.5, n_samples=2, seed=3, progress=False)
    source, adam, step = ArraySource(X), pyvae.Adam(model.parameters, 1e-2), 0
    for epoch in range(2):
        order = pyvae.Noise(3, epoch).permutation("order", 50)
        assert sorted(order) == list(range(50))
        for start in range(0, 50, 16):
            noise = pyvae.Noise(3, step)
            terms, cache = model.forward(source.gather(order[start : start + 16], noise), noise, k=2)
            model.parameters.zero_grads()
            model.backward(cache, elbo(terms, beta=0.5)[1])
            adam.step()
            step += 1
    np.testing.assert_array_equal(model.parameters.values, trained.parameters.values)


def test_epochs_have_different_orders_and_steps_different_noise():
    orders = [tuple(pyvae.Noise(0, epoch).permutation("order", 100)) for epoch in range(5)]
    assert len(set(orders)) == 5
    draws = [pyvae.Noise(0, step).normal("z", (1, 4), [0]).tobytes() for step in range(5)]
    assert len(set(draws)) == 5


def test_beta_and_the_kl(rng):
    """A heavy KL weight collapses the posterior onto the prior; beta = 0 lets it go."""
    X = (rng.random((300, 6)) < 0.5).astype(np.float64)
    heavy, free = small_model(), small_model()
    heavy_history = pyvae.train(heavy, X, epochs=20, learning_rate=1e-2, beta=50, progress=False)
    free_history = pyvae.train(free, X, epochs=20, learning_rate=1e-2, beta=0, progress=False)
    assert heavy_history["train_kl"][-1] < 0.05 < 1 < free_history["train_kl"][-1]
    expected = np.add(heavy_history["train_reconstruction"], 50 * np.array(heavy_history["train_kl"]))
    np.testing.assert_allclose(heavy_history["train_loss"], expected)


def test_fewer_rows_than_a_batch_still_train(rng):
    model = small_model()
    before = model.parameters.values.copy()
    history = pyvae.train(model, rng.random((3, 6)), epochs=1, batch_size=128, progress=False)
    assert np.isfinite(history["train_loss"]).all() and not np.array_equal(before, model.parameters.values)


def test_memory_mapped_rows_train_as_arrays_do(rng, tmp_path):
    X = rng.integers(0, 256, (100, 6), dtype=np.uint8)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    a, b = small_model(), small_model()
    pyvae.train(a, ArraySource(X, 1 / 255), epochs=2, progress=False)
    pyvae.train(b, ArraySource(mapped, 1 / 255), epochs=2, progress=False)
    np.testing.assert_array_equal(a.parameters.values, b.parameters.values)


def test_validation_fraction_holds_rows_out(rng):
    X = rng.random((100, 6))
    train, validation = training.split(pyvae.ArraySource(X), None, 0.2, 7)
    assert len(train) == 80 and len(validation) == 20
    assert sorted([*train.numbers, *validation.numbers]) == list(range(100))
    assert not np.array_equal(validation.numbers, training.split(pyvae.ArraySource(X), None, 0.2, 8)[1].numbers)
    np.testing.assert_array_equal(validation.gather(np.arange(3)).x, X[validation.numbers[:3]].astype(np.float32))


def test_binarisation_is_drawn_afresh_at_every_step():
    source = ArraySource(np.full((4, 6), 128, np.uint8), 1 / 255, binarize="draw")
    draws = [source.gather([0, 1, 2, 3], pyvae.Noise(0, step)).x for step in range(200)]
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert np.mean(draws) == pytest.approx(128 / 255, abs=0.03)
    np.testing.assert_array_equal(draws[5], source.gather([0, 1, 2, 3], pyvae.Noise(0, 5)).x)


def test_nothing_global_is_changed(rng):
    state, errors = np.random.get_state(), np.geterr()
    pyvae.train(small_model(), rng.random((50, 6)), epochs=2, progress=False)
    after = np.random.get_state()
    assert state[0] == after[0] and np.array_equal(state[1], after[1]) and state[2:] == after[2:]
    assert np.geterr() == errors
    assert np.float32(1e-40) * np.float32(0.5) > 0  # subnormals are not flushed outside the kernels


def test_a_loss_that_explodes_is_reported():
    X = np.array([[1e25, -1e25]] * 10)
    model = pyvae.VAE.mlp(2, latent_dim=2, hidden=(4,), likelihood="gaussian")
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="before any weight has moved: scale the data"),
    ):
        pyvae.train(model, X, epochs=3, progress=False)


def test_history_as_csv(rng):
    history = pyvae.train(small_model(), rng.random((20, 6)), epochs=3, progress=False)
    rows = list(csv.DictReader(io.StringIO(history.to_csv())))
    assert list(rows[0]) == [
        "epoch", "train_loss", "train_reconstruction", "train_kl", "val_loss", "val_reconstruction", "val_kl",
        "learning_rate", "grad_norm", "seconds",
    ]  # fmt: skip
    assert [float(row["train_loss"]) for row in rows] == history["train_loss"]
    assert rows[0]["val_loss"] == "nan"


def test_progress_bar_fits_80_columns(rng, capsys):
    pyvae.train(small_model(), rng.random((2000, 6)), epochs=3, batch_size=4)
    lines = capsys.readouterr().err.replace("\n", "\r").split("\r")
    assert any("ELBO" in line and "row/s" in line and "left" in line for line in lines)
    assert max(len(line) for line in lines) <= 80


def test_training_in_float64(rng):
    model = small_model().astype(np.float64)
    pyvae.train(model, rng.random((30, 6)), epochs=2, progress=False)
    assert model.parameters.values.dtype == np.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs must be"),
        ({"epochs": 1.5}, "epochs must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"n_samples": 0}, "n_samples must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"beta": -1}, "beta must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 0.5}, "seed must be"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a number from 0 and below 1"),
        ({"validation_fraction": 0.001}, "leaves no row to validate on"),
        ({"X_val": np.zeros((2, 5))}, "X_val must have 6 columns"),
        ({"X_val": np.full((2, 6), 7.0)}, r"X_val\[0, 0\] is 7"),
        ({"X_val": np.zeros((2, 6)), "validation_fraction": 0.5}, "not both"),
    ],
)
def test_wrong_arguments_change_nothing(options, message, rng):
    model = small_model()
    before = model.parameters.values.copy()
    with pytest.raises(ValueError, match=message):
        pyvae.train(model, rng.random((20, 6)), progress=False, **options)
    np.testing.assert_array_equal(model.parameters.values, before)


@pytest.mark.data("mnist")
def test_mnist_first_epoch_is_no_worse_than_published(tmp_path):
    """After one epoch the published run (PyTorch's VAE example) has a test loss of 127.30."""
    dataset = datasets.load("mnist")
    model = pyvae.VAE.mlp(784, latent_dim=20, hidden=(400,))
    history = pyvae.train(model, dataset.train, epochs=1, X_val=dataset.test, progress=False)
    assert 110 < history["val_loss"][0] < 127.3 + 1.5


class Weighted(ArraySource):
    """Rows with weights: the row's number."""

    def gather(self, rows, noise=None, out=None):
        batch = super().gather(rows, noise, out)
        batch.weight = np.asarray(rows, dtype=np.float64)
        return batch


def test_weights_of_rows_count(rng):
    """A step on weighted rows is the step on the weighted mean of their losses."""
    X = rng.random((8, 6))
    trained, model = small_model(), small_model()
    history = pyvae.train(trained, Weighted(X), epochs=1, batch_size=8, progress=False)
    order = pyvae.Noise(0, 0).permutation("order", 8)
    terms, cache = model.forward(ArraySource(X).gather(order), pyvae.Noise(0, 0))
    loss, dterms = elbo(terms, weight=order)
    model.backward(cache, dterms)
    pyvae.Adam(model.parameters).step()
    np.testing.assert_array_equal(model.parameters.values, trained.parameters.values)
    assert history["train_loss"][0] == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_of_each_stratum_the_same_share_is_held_out(seed, rng):
    strata = np.repeat([0, 1, 2, 3], [60, 30, 8, 2])
    source = pyvae.ArraySource(rng.random((100, 2)))
    source.strata = rng.permutation(strata)
    train, validation = training.split(source, None, 0.25, seed)
    held_out = np.bincount(source.strata[validation.numbers], minlength=4)
    np.testing.assert_array_equal(held_out, [15, 8, 2, 2])
    both = np.intersect1d(train.numbers, validation.numbers)
    np.testing.assert_array_equal(source.strata[both], [3, 3])  # too few to be divided
    assert len(np.union1d(train.numbers, validation.numbers)) == 100


def test_rows_of_no_stratum_are_all_trained_on(rng):
    source = pyvae.ArraySource(rng.random((100, 2)))
    source.strata = rng.permutation(np.repeat([-1, 0, 1], [60, 36, 4]))
    train, validation = training.split(source, None, 0.25, 0)
    np.testing.assert_array_equal(np.bincount(source.strata[train.numbers] + 1), [60, 27, 4])
    np.testing.assert_array_equal(np.bincount(source.strata[validation.numbers] + 1), [0, 9, 4])


def test_many_small_strata_are_all_trained_on(rng):
    source = pyvae.ArraySource(rng.random((220, 2)))
    source.strata = np.repeat(np.arange(20), 11)
    train, validation = training.split(source, None, 0.25, 0)
    np.testing.assert_array_equal(np.bincount(source.strata[train.numbers]), np.full(20, 8))
    np.testing.assert_array_equal(np.bincount(source.strata[validation.numbers]), np.full(20, 3))


def test_the_history_says_what_spoils_most_trainings(rng):
    X = (rng.random((200, 4)) < 0.5).astype(np.float32)  # columns that are independent: z has nothing to carry

    def advice(**options):
        model = pyvae.VAE.mlp(4, latent_dim=2, hidden=(4,))
        return pyvae.train(model, X, batch_size=20, progress=False, **options).advice

    (collapse,) = advice(epochs=100, beta=50.0)
    assert "z carries nothing of the rows (posterior collapse): try more epochs, a kl_warmup" in collapse
    (warm_up,) = advice(epochs=3, objective=pyvae.Capacity(pyvae.LinearWarmUp(2.0, 3)))
    assert (
        warm_up == "the capacity never came to its last value: its warm-up is no shorter than the training, of 3 epochs"
    )
    (warm_up,) = advice(epochs=3, kl_warmup=3)
    assert warm_up == "the KL never had its full weight: its warm-up is no shorter than the training, of 3 epochs"
    assert advice(epochs=4, objective=pyvae.ELBO(pyvae.Cyclical(1.0, 6, 3))) == []  # it had in the first cycle
    assert advice(epochs=4, objective=pyvae.Capacity(pyvae.LinearWarmUp(2.0, 3))) == []
