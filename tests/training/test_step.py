"""A step that is played from a tape gives the same bits as the lines of Python that it was recorded from."""

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.module import is_playable
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


def with_prior(prior):
    return pyvae.VAE(pyvae.Dense(37, 6), pyvae.Dense(3, 37), pyvae.Bernoulli(37), prior=prior)


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
    "mixture prior": (lambda: with_prior(pyvae.Mixture(3, 21)), GRAY),
    "VampPrior": (lambda: with_prior(pyvae.VampPrior(37, 21, (0, 1), 0.5, 0.5)), GRAY),
    "flow prior": (lambda: with_prior(pyvae.Flow(3)), GRAY),
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


MODELS["logvar with bounds"] = (
    lambda: pyvae.VAE(
        pyvae.Dense(37, 6), pyvae.Dense(3, 37), pyvae.Bernoulli(37), posterior=pyvae.DiagonalGaussian((-0.1, 0.1))
    ),
    GRAY,
)
MODELS["full covariance"] = (
    lambda: pyvae.VAE(pyvae.Dense(37, 9), pyvae.Dense(3, 37), pyvae.Bernoulli(37), posterior=pyvae.FullGaussian()),
    GRAY,
)
MODELS["planar flow"] = (
    lambda: pyvae.VAE(pyvae.Dense(37, 20), pyvae.Dense(3, 37), pyvae.Bernoulli(37), posterior=pyvae.PlanarFlow(2)),
    GRAY,
)
MODELS["blocks and dropout"] = (
    lambda: pyvae.VAE(
        pyvae.Sequential(
            pyvae.LayerNorm(37), pyvae.GatedDense(37, 16), pyvae.Dropout(0.3), pyvae.Residual(pyvae.Dense(16, 16)),
            pyvae.Dense(16, 6),
        ),
        pyvae.Sequential(pyvae.Dropout(0.1, number=1), pyvae.Dense(3, 37)),
        pyvae.Bernoulli(37),
    ),
    GRAY,
)  # fmt: skip


class Doubled(pyvae.Dense):
    """A part that is not the library's own: NumPy after the kernel."""

    def forward(self, x, noise=None, memory=pyvae.FRESH):
        y, cache = super().forward(x, noise, memory)
        y *= 2
        return y, cache

    def backward(self, dy, cache, need_dx=True):
        return super().backward(2 * dy, cache, need_dx)


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
    monkeypatch.setattr(step, "is_playable", lambda module: False)
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


def steps_of(model, X, objective=None, source=pyvae.ArraySource, n=4, **options):
    """A Step that has made so many steps on different rows, the weights moved between them; and their results."""
    take, results = Step(model, objective or pyvae.ELBO()), []
    source = source(X, **options)
    for i in range(n):
        _, terms, loss = take(source, np.arange(20 * i, 20 * i + 20), Noise(0, i))
        results.append((model.parameters.grads.tobytes(), loss, [term.copy() for term in terms if term is not None]))
        model.parameters.values -= np.float32(0.01) * model.parameters.grads
    return take, results


@native_only
def test_every_batch_size_is_recorded_once():
    model = MODELS["bernoulli"][0]()
    take, source = Step(model, pyvae.ELBO()), pyvae.ArraySource(GRAY)
    for i, rows in enumerate((np.arange(128), np.arange(128, 256), np.arange(44), np.arange(100, 144))):
        take(source, rows, Noise(0, i))
    assert sorted(take.recordings) == [(44, "highest"), (128, "highest")]


def test_a_part_of_ones_own_is_never_played():
    def make():
        return pyvae.VAE(pyvae.Dense(37, 6), pyvae.Sequential(Doubled(3, 8), pyvae.Dense(8, 37)), pyvae.Bernoulli(37))

    model = make()
    take = Step(model, pyvae.ELBO())
    take(pyvae.ArraySource(GRAY), np.arange(50), Noise(0))
    assert not take.recordings
    eps = Noise(0).normal("z", (50, 3), np.arange(50))
    other = make()
    other.loss_and_gradients(GRAY[:50], eps)
    assert np.array_equal(model.parameters.grads, other.parameters.grads)


def test_a_class_does_not_inherit_that_it_is_playable():
    assert is_playable(pyvae.Dense(3, 4)) and not is_playable(Doubled(3, 4))
    assert not is_playable(pyvae.Sequential(pyvae.Dense(3, 4), Doubled(4, 4)))


def test_a_method_put_on_an_instance_is_noticed():
    model = MODELS["bernoulli"][0]()
    assert is_playable(model)
    model.decoder.layers[0].forward = model.decoder.layers[0].forward
    assert not is_playable(model)


@native_only
@pytest.mark.parametrize("name", MODELS)
def test_steps_of_the_librarys_own_parts_are_played(name):
    make, X = MODELS[name]
    take, _ = steps_of(make(), X, n=3)
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked


def with_scratch(memory, y, number):
    """y += number, by a kernel, from an array that NumPy wrote: what a tape does not do again."""
    scratch = memory.take(y.shape, y.dtype)
    scratch[...] = number
    _kernels.add(y, scratch, out=y)


@native_only
@pytest.mark.parametrize("on", ["data", "weights", "noise"])
def test_a_line_of_numpy_in_a_playable_part_is_noticed_at_the_second_batch(on, monkeypatch):
    """The steps are those of the same parts that are not played, and one warning says so."""
    forward, sample = pyvae.Dense.forward, pyvae.DiagonalGaussian.sample

    def planted_forward(self, x, noise=None, memory=pyvae.FRESH):
        y, cache = forward(self, x, noise, memory)
        with_scratch(memory, y, x[0, 0] / 8 if on == "data" else self.W[0, 0])
        return y, cache

    def planted_sample(self, q, eps, memory=pyvae.FRESH):
        z, log_qz, cache = sample(self, q, eps, memory)
        with_scratch(memory, z, eps[0, 0] / 8)
        return z, log_qz, cache

    if on == "noise":
        monkeypatch.setattr(pyvae.DiagonalGaussian, "sample", planted_sample)
    else:
        monkeypatch.setattr(pyvae.Dense, "forward", planted_forward)
    with pytest.warns(RuntimeWarning, match="says playable = True but does more than call kernels") as warned:
        take, results = steps_of(MODELS["tanh"][0](), GRAY)
    assert len(warned) == 1 and not take.playable
    monkeypatch.setattr(step, "is_playable", lambda module: False)
    _, expected = steps_of(MODELS["tanh"][0](), GRAY)
    for (grads, loss, terms), (right_grads, right_loss, right_terms) in zip(results, expected, strict=True):
        assert grads == right_grads and loss == right_loss
        for term, right in zip(terms, right_terms, strict=True):
            np.testing.assert_array_equal(term, right)


WEIGHT = np.linspace(1, 2, 300)
GAPS = np.where(rng.random((300, 37)) < 0.2, np.nan, GRAY).astype(np.float32)


@native_only
@pytest.mark.parametrize(
    ("X", "options"),
    [(GRAY, {"weight": WEIGHT}), (GAPS, {"missing": True}), (GAPS, {"missing": True, "weight": WEIGHT})],
    ids=["weights", "missing", "both"],
)
@pytest.mark.parametrize("objective", [pyvae.ELBO(0.7), pyvae.ELBO(0.7, 3, kl="sampled")], ids=str)
def test_weights_and_missing_entries_are_played(X, options, objective, monkeypatch):
    take, played = steps_of(MODELS["bernoulli"][0](), X, objective, **options)
    assert take.playable and all(recording.checked for recording in take.recordings.values())
    monkeypatch.setattr(step, "is_playable", lambda module: False)
    _, plain = steps_of(MODELS["bernoulli"][0](), X, objective, **options)
    for (grads, loss, _), (right, right_loss, _) in zip(played, plain, strict=True):
        assert grads == right and loss == right_loss


@native_only
def test_a_batch_of_another_kind_is_run_plainly():
    """Rows with weights do not fit a recording of rows without."""
    model, other = MODELS["bernoulli"][0](), MODELS["bernoulli"][0]()
    take, rows = Step(model, pyvae.ELBO()), np.arange(60)
    for i in range(3):
        take(pyvae.ArraySource(GRAY), rows, Noise(0, i))
    batch, _, loss = take(pyvae.ArraySource(GRAY, weight=WEIGHT), rows, Noise(0, 1))
    terms, cache = other.forward(batch, Noise(0, 1))
    expected, dterms = pyvae.elbo(terms, batch.weight)
    other.backward(cache, dterms)
    assert loss == expected
    assert np.array_equal(model.parameters.grads, other.parameters.grads)


@native_only
def test_derivatives_that_come_and_go_are_not_played(rng):
    """An objective that leaves out the KL at times has no fixed list of derivatives."""

    class Sometimes(pyvae.ELBO):
        calls = 0

        def __call__(self, terms, weight=None, memory=pyvae.FRESH):
            loss, dterms = super().__call__(terms, weight, memory)
            Sometimes.calls += 1
            return loss, dterms._replace(kl=None) if Sometimes.calls > 4 else dterms

    take, results = steps_of(MODELS["bernoulli"][0](), GRAY, Sometimes(), n=6)
    take.playable = False
    assert len({grads for grads, _, _ in results}) == 6
    Sometimes.calls = 5
    model = MODELS["bernoulli"][0]()
    take, results = steps_of(model, GRAY, Sometimes(), n=1)
    other = MODELS["bernoulli"][0]()
    terms, cache = other.forward(pyvae.Batch(GRAY[:20]), Noise(0, 0))
    other.backward(cache, pyvae.elbo(terms)[1]._replace(kl=None))
    assert results[0][0] == other.parameters.grads.tobytes()


class Threshold(pyvae.ELBO):
    """A subclass of a linear objective, which is not linear: rows of a small KL pay nothing for it."""

    def __call__(self, terms, weight=None, memory=pyvae.FRESH):
        loss, dterms = super().__call__(terms, weight, memory)
        dterms.kl[...] *= terms.kl > np.median(terms.kl)
        return loss, dterms


def test_a_subclass_of_a_linear_objective_is_not_taken_for_linear(monkeypatch):
    _, played = steps_of(MODELS["bernoulli"][0](), GRAY, Threshold(), n=6)
    monkeypatch.setattr(step, "is_playable", lambda module: False)
    _, plain = steps_of(MODELS["bernoulli"][0](), GRAY, Threshold(), n=6)
    assert [grads for grads, *_ in played] == [grads for grads, *_ in plain]


@pytest.mark.filterwarnings("ignore:a part of this VAE")
def test_an_objective_that_says_it_is_linear_but_is_not_is_noticed():
    class Liar(Threshold):
        linear = True

    if _kernels.KERNELS == "native":
        take, _ = steps_of(MODELS["bernoulli"][0](), GRAY, Liar())
        assert not take.playable


@pytest.mark.parametrize("read_only", [False, True])
def test_arrays_that_a_source_hands_out_stay_its_own(read_only):
    class Blocks(pyvae.DataSource):
        n_features = 37

        def __init__(self, X):
            self.X = X.copy()
            self.X.flags.writeable = not read_only

        def __len__(self):
            return len(self.X)

        def gather(self, rows, noise=None, out=None):
            return pyvae.Batch(self.X[rows[0] : rows[-1] + 1], rows=rows)

    source = Blocks(GRAY)
    take = Step(MODELS["bernoulli"][0](), pyvae.ELBO())
    for i in range(5):
        take(source, np.arange(20 * i, 20 * i + 20), Noise(0, i))
    np.testing.assert_array_equal(source.X, GRAY)


def test_a_number_that_a_callback_changes_counts_from_the_next_epoch(monkeypatch):
    """Played and plain steps give the same, for the rate of a dropout and a fixed std."""
    results = []
    for _ in ("played", "plain"):
        dropout, likelihood = pyvae.Dropout(0.1), pyvae.Gaussian(37, 1.0)
        model = pyvae.VAE(pyvae.Sequential(pyvae.Dense(37, 6), dropout), pyvae.Dense(3, 37), likelihood)

        def change(history, dropout=dropout, likelihood=likelihood):
            dropout.rate, likelihood.std = 0.5, 2.0

        history = pyvae.train(model, REAL, epochs=4, batch_size=50, progress=False, callbacks=[change])
        results.append((history["train_loss"], model.parameters.values.tobytes()))
        monkeypatch.setattr(step, "is_playable", lambda module: False)
    assert results[0] == results[1] and results[0][0][1] > results[0][0][0] + 5


def test_samples_may_change_with_the_epoch():
    class MoreAndMore(pyvae.ELBO):
        def at(self, epoch):
            return pyvae.ELBO(1.0, 1 if epoch < 1 else 4)

    history = pyvae.train(MODELS["bernoulli"][0](), GRAY, epochs=3, objective=MoreAndMore(), progress=False)
    parts = np.add(history["train_reconstruction"], history["train_kl"])
    np.testing.assert_allclose(history["train_loss"], parts, rtol=1e-6)


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
