"""A step that is played from a tape gives the same bits as the lines of Python that it was recorded from."""

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.noise import Noise
from pyvae.training import step
from pyvae.training.step import Step

native_only = pytest.mark.skipif(not _kernels.BUILT or _kernels.KERNELS != "native", reason="twins are not recorded")

rng = np.random.default_rng(0)
GRAY = rng.random((300, 37)).astype(np.float32)
REAL = rng.standard_normal((300, 37)).astype(np.float32)
ONE_HOT = np.hstack([np.eye(size, dtype=np.float32)[rng.integers(size, size=300)] for size in (20, 3, 14)])
COUNTS = rng.poisson(1.5, (300, 37)).astype(np.float32)


def several_kinds():
    parts = [pyvae.Gaussian(14, "learned"), pyvae.Gaussian(9, "predicted"), pyvae.Categorical((14,))]
    return pyvae.Mixed([pyvae.Mixed(parts[:2]), parts[2]])


MODELS = {
    "bernoulli": (lambda: pyvae.VAE.mlp(37, 5, (64, 33)), GRAY),
    "tanh": (lambda: pyvae.VAE.mlp(37, 5, (64,), "tanh"), GRAY),
    "softplus, learned std": (lambda: pyvae.VAE.mlp(37, 5, (20,), "softplus", "gaussian"), REAL),
    "predicted std": (lambda: pyvae.VAE.mlp(37, 5, (20,), "sigmoid", "gaussian-predicted"), REAL),
    "fixed std": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood="gaussian-fixed"), REAL),
    "categorical": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood=pyvae.Categorical((20, 3, 14))), ONE_HOT),
    "shared std": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood="gaussian-shared"), REAL),
    "poisson": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood="poisson"), COUNTS),
    "multinomial": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood="multinomial"), COUNTS),
    "negative binomial": (lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood="negative-binomial"), COUNTS),
    "mixed": (
        lambda: pyvae.VAE.mlp(37, 5, (20,), likelihood=several_kinds()),
        np.hstack([REAL[:, :23], ONE_HOT[:, 23:]]),
    ),
    "activations as layers": (
        lambda: pyvae.VAE(
            pyvae.Sequential(pyvae.Dense(37, 8), pyvae.Tanh(), pyvae.Dense(8, 6)),
            pyvae.Dense(3, 37),
            pyvae.Bernoulli(37),
        ),
        GRAY,
    ),
}


def with_a_layer_used_twice():
    """Its gradient is overwritten by one product and added to by the other."""
    shared = pyvae.Dense(8, 8, "tanh")
    encoder = pyvae.Sequential(pyvae.Dense(37, 8), shared, shared, pyvae.Dense(8, 6))
    return pyvae.VAE(encoder, pyvae.Dense(3, 37), pyvae.Bernoulli(37))


MODELS["a layer used twice"] = (with_a_layer_used_twice, GRAY)


class Doubled(pyvae.Dense):
    """A part that is not the library's own: NumPy after the kernel."""

    def forward(self, x, noise=None, workspace=None):
        y, cache = super().forward(x, noise, workspace)
        y *= 2
        return y, cache

    def backward(self, dy, cache):
        return super().backward(2 * dy, cache)


pyvae.register(Doubled)


def trained(make, X, **arguments):
    model = make()
    history = pyvae.train(model, X, epochs=2, batch_size=128, progress=False, **arguments)
    return model.parameters.values.tobytes(), history["train_loss"], history["grad_norm"]


@native_only
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_played_steps_give_the_bits_of_those_that_are_not(name, n_samples, threads, monkeypatch):
    make, X = MODELS[name]
    with pyvae.threads(threads):
        played = trained(make, X, n_samples=n_samples, beta=0.7)
    monkeypatch.setattr(step, "kernels_alone", lambda module: False)
    assert trained(make, X, n_samples=n_samples, beta=0.7) == played


@native_only
@pytest.mark.parametrize("other", [None, "x", "logits"])
def test_the_two_passes_of_a_likelihood_are_played_as_one_where_they_belong_together(other, rng):
    x, logits = rng.random((2, 50, 37), dtype=np.float32), rng.standard_normal((2, 50, 37)).astype(np.float32)
    dlog_px = rng.standard_normal(50).astype(np.float32)
    log_px, dlogits = np.zeros(50, np.float32), np.zeros((50, 37), np.float32)
    tape = _kernels.Tape()
    with tape:
        _kernels.bernoulli(x[0], logits[0], log_px)
        _kernels.bernoulli_backward(dlog_px, x[int(other == "x")], logits[int(other == "logits")], dlogits)
    assert len(tape) == (1 if other is None else 2)
    right = log_px.copy(), dlogits.copy()
    for run in ("played", "as separate calls"):
        log_px[...], dlogits[...] = 0, 0
        if run == "played":
            tape.play()
        else:
            _kernels.bernoulli(x[0], logits[0], log_px)
            _kernels.bernoulli_backward(dlog_px, x[int(other == "x")], logits[int(other == "logits")], dlogits)
        np.testing.assert_array_equal(log_px, right[0], run)
        np.testing.assert_array_equal(dlogits, right[1], run)


@native_only
def test_every_batch_size_is_recorded_once():
    model = MODELS["bernoulli"][0]()
    take, source = Step(model), pyvae.ArraySource(GRAY)
    for i, rows in enumerate((np.arange(128), np.arange(128, 256), np.arange(44), np.arange(100, 144))):
        take(source, rows, Noise(0, i))
    assert sorted(take.recordings) == [(44, "highest"), (128, "highest")]


def test_a_part_of_ones_own_is_never_played():
    def make():
        return pyvae.VAE(pyvae.Dense(37, 6), pyvae.Sequential(Doubled(3, 8), pyvae.Dense(8, 37)), pyvae.Bernoulli(37))

    model = make()
    take = Step(model)
    take(pyvae.ArraySource(GRAY), np.arange(50), Noise(0))
    assert not take.recordings
    eps = Noise(0).normal("z", (50, 3), np.arange(50))
    other = make()
    other.loss_and_gradients(GRAY[:50], eps)
    assert np.array_equal(model.parameters.grads, other.parameters.grads)


def test_a_method_put_on_an_instance_is_noticed():
    model = MODELS["bernoulli"][0]()
    model.decoder.layers[0].forward = model.decoder.layers[0].forward
    assert not step.kernels_alone(model)


@native_only
@pytest.mark.parametrize("name", MODELS)
def test_steps_of_the_librarys_own_parts_are_played(name):
    make, X = MODELS[name]
    take = Step(make())
    take(pyvae.ArraySource(X), np.arange(50), Noise(0))
    assert take.recordings


def test_bounds_of_logvar_are_never_played():
    model = pyvae.VAE(
        pyvae.Dense(37, 6), pyvae.Dense(3, 37), pyvae.Bernoulli(37), posterior=pyvae.DiagonalGaussian((-1, 1))
    )
    assert not step.kernels_alone(model)


class Weighted(pyvae.ArraySource):
    """Rows with weights."""

    def gather(self, rows, noise=None, out=None):
        batch = super().gather(rows, noise, out)
        batch.weight = np.linspace(1, 2, len(rows))
        return batch


def test_batches_with_weights_are_not_played():
    model, other = MODELS["bernoulli"][0](), MODELS["bernoulli"][0]()
    take, rows = Step(model), np.arange(60)
    take(pyvae.ArraySource(GRAY), rows, Noise(0))  # recorded where kernels are native
    batch, _ = take(Weighted(GRAY), rows, Noise(0, 1))
    terms, cache = other.forward(batch, Noise(0, 1))
    other.parameters.zero_grads()
    other.backward(cache, pyvae.elbo(terms, batch.weight)[1])
    assert np.array_equal(model.parameters.grads, other.parameters.grads)


@native_only
def test_what_cannot_be_repeated_makes_a_tape_unplayable():
    x, out = np.ones((4, 6), np.float32), np.empty((4, 6), np.float32)
    for call in (
        lambda: _kernels.normal((1, 2), 0, np.arange(4), out),
        lambda: _kernels.copy(np.asfortranarray(x), out),  # works on a copy of x
        lambda: _kernels.gather(x, np.arange(4), 1.0, None, 0.5, (1, 2), 0, out),
    ):
        tape = _kernels.Tape()
        with tape:
            _kernels.copy(x, out)
            call()
        assert not tape.playable
        with pytest.raises(RuntimeError, match="cannot be played"):
            tape.play()


@native_only
def test_a_tape_holds_the_calls_of_its_own_thread_alone():
    import threading

    x, out = np.ones((4, 6), np.float32), np.empty((4, 6), np.float32)
    tape = _kernels.Tape()
    with tape:
        other = threading.Thread(target=lambda: _kernels.copy(x, np.empty_like(x)))
        other.start()
        other.join()
        _kernels.copy(x, out)
        with pytest.raises(RuntimeError, match="recorded in this thread already"):
            _kernels.Tape().__enter__()
    _kernels.copy(x, out)
    assert len(tape) == 1
    x[...] = 5
    tape.play()
    assert (out == 5).all()


@native_only
def test_a_tape_leaves_out_what_is_not_observed(rng):
    """Both passes of the Bernoulli likelihood are one job on a tape only where all of x is observed."""
    x, logits = rng.integers(0, 2, (5, 9)).astype(np.float32), rng.standard_normal((5, 9), np.float32)
    observed, dlog_px = rng.integers(0, 2, (5, 9)).astype(np.float32), np.ones(5, np.float32)
    results = []
    for hidden in (None, observed):
        log_px, dlogits = np.empty(5, np.float32), np.empty((5, 9), np.float32)
        tape = _kernels.Tape()
        with tape:
            _kernels.bernoulli(x, logits, log_px, hidden)
            _kernels.bernoulli_backward(dlog_px, x, logits, dlogits, hidden)
        assert len(tape) == (1 if hidden is None else 2)
        kept = log_px.copy(), dlogits.copy()
        log_px[...], dlogits[...] = 0, 0
        tape.play()
        for played, right in zip((log_px, dlogits), kept, strict=True):
            np.testing.assert_array_equal(played, right)
        results.append(dlogits)
    np.testing.assert_array_equal(results[1], results[0] * observed)
