"""How a training ends: after all epochs, by patience, by Ctrl-C or by a callback; and which weights it leaves."""

import math
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import pyvae
from pyvae.data.sources import ArraySource
from pyvae.training import loop as training

X = np.random.default_rng(2).random((48, 6))
NAN = math.nan


@pytest.fixture(autouse=True)
def handler():
    """Python's own handler of SIGINT, whatever pytest was started with; every test leaves it in place."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    after = signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler


def make():
    return pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,))


def train(model, X=X, **options):
    return pyvae.train(model, X, **{"batch_size": 16, "learning_rate": 0.01, "progress": False, **options})


def weights_after(epochs, **options):
    model = make()
    train(model, epochs=epochs, **options)
    return model.parameters.values


class Recorder:
    """A callback that keeps the weights of every epoch."""

    def __init__(self, model):
        self.model, self.weights, self.best = model, [], []

    def __call__(self, history):
        self.weights.append(self.model.parameters.values.copy())
        self.best.append(history.best_epoch)
        assert len(history) == len(self.weights) and history.stopped is None


def scripted(losses):
    """In place of ``training.evaluate``: these validation losses, one after the other."""
    coming = iter(losses)
    return lambda *args: (next(coming), 0.0)


# --- The best epoch, and patience ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "options", "best", "epochs", "stopped"),
    [
        ([5, 4, 3, 3.5, 3, 2], {}, 6, 6, "epochs"),
        ([5, 4, 3, 3.5, 3, 4], {}, 3, 6, "epochs"),  # of equal ones the first
        ([5, 4, 3, 3.5, 3, 2], {"patience": 2}, 3, 5, "patience"),
        ([5, 4, 3, 3.5, 2, 2, 2], {"patience": 2}, 5, 7, "patience"),
        ([1, 2, 3, 4, 5, 6, 7], {"patience": 3}, 1, 4, "patience"),
        ([1, 2, 3, 9, 5, 6, 7, 8], {"patience": 2, "kl_warmup": 3}, 5, 7, "patience"),  # 1, 2, 3 do not compete
        ([1, 2, 3, 9, 5, 6, 7, 8], {"patience": 1, "kl_warmup": 2.5}, 5, 6, "patience"),
        ([1, 2, 3, 9, 5, 6, 7, 8], {"kl_warmup": 3}, 5, 8, "epochs"),
        ([1, 2, 3], {"kl_warmup": 3}, 3, 3, "epochs"),  # none is after the warm-up: the last
        ([NAN, NAN, NAN, NAN, NAN], {"patience": 2, "kl_warmup": 1}, 3, 3, "patience"),
        ([NAN, 3, NAN, NAN, NAN], {"patience": 3}, 2, 5, "patience"),
        ([], {"patience": 3}, None, 0, "epochs"),
    ],
)
def test_which_epoch_is_kept_and_when_training_ends(losses, options, best, epochs, stopped, monkeypatch):
    monkeypatch.setattr(training, "evaluate", scripted(losses))
    model = make()
    recorder = Recorder(model)
    history = train(model, epochs=len(losses), validation_fraction=0.25, callbacks=[recorder], **options)
    assert (history.best_epoch, len(history), history.stopped) == (best, epochs, stopped)
    kept = make().parameters.values if best is None else recorder.weights[best - 1]
    np.testing.assert_array_equal(model.parameters.values, kept)
    if epochs > 5:
        assert recorder.best[-1] == best and len({weights.tobytes() for weights in recorder.weights}) == epochs


def test_the_kept_weights_have_the_best_validation_loss():
    model = make()
    history = train(model, epochs=400, learning_rate=0.05, validation_fraction=0.5, patience=5, seed=1)
    assert history.stopped == "patience" and len(history) == history.best_epoch + 5
    assert history["val_loss"][history.best_epoch - 1] == min(history["val_loss"]) < history["val_loss"][-1]
    _, validation = training.split(pyvae.ArraySource(X), None, 0.5, 1)
    assert sum(training.evaluate(model, validation, 1)) == min(history["val_loss"])


def test_rows_that_are_reported_on_decide_nothing():
    model = make()
    history = train(model, epochs=5, X_val=X[:9], kl_warmup=1)
    assert history.best_epoch is None and history.stopped == "epochs"
    np.testing.assert_array_equal(model.parameters.values, weights_after(5, kl_warmup=1))


# --- Callbacks -------------------------------------------------------------------------------------------------------


def test_a_callback_that_returns_true_ends_the_training():
    seen = []
    first, second = (lambda history: len(history) == 3), (lambda history: seen.append(history["epoch"][-1]))
    model = make()
    history = train(model, epochs=9, callbacks=(first, second))
    assert history.stopped == "callback" and len(history) == 3 and seen == [1, 2, 3]  # all are called
    np.testing.assert_array_equal(model.parameters.values, weights_after(3))


@pytest.mark.parametrize("value", [1, "stop", np.True_, [0], None])
def test_what_is_only_like_true_does_not(value):
    assert train(make(), epochs=3, callbacks=[lambda history: value]).stopped == "epochs"


@pytest.mark.parametrize("error", [KeyError, FloatingPointError, KeyboardInterrupt])
def test_an_exception_of_a_callback_passes_through(error):
    def callback(history):
        if len(history) == 2:
            raise error("mine")

    model = make()
    with pytest.raises(error, match="mine"):
        train(model, epochs=5, callbacks=[callback])
    np.testing.assert_array_equal(model.parameters.values, weights_after(2))


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


class Interrupting(ArraySource):
    """Rows that press Ctrl-C while the n-th minibatch is picked, and ``times`` times."""

    def __init__(self, X, n, times=1):
        super().__init__(X)
        self.n, self.times, self.count = n, times, 0

    def gather(self, rows, noise=None, out=None):
        if out is not None and noise is not None and len(rows) == 16:
            self.count += 1
            for _ in range(self.times if self.count == self.n else 0):
                signal.raise_signal(signal.SIGINT)
        return super().gather(rows, noise, out)


class Counting(ArraySource):
    """Rows that note the weights before the n-th minibatch."""

    def __init__(self, X, model, n):
        super().__init__(X)
        self.model, self.n, self.count, self.weights = model, n, 0, None

    def gather(self, rows, noise=None, out=None):
        if out is not None and noise is not None and len(rows) == 16:
            self.count += 1
            if self.count == self.n:
                self.weights = self.model.parameters.values.copy()
        return super().gather(rows, noise, out)


@pytest.mark.parametrize("callbacks", [(), (print,)])
def test_ctrl_c_ends_after_the_step_at_hand(callbacks):
    """In the fifth step, the second of the second epoch: five are made, and the history has one epoch."""
    whole, model = make(), make()
    source = Counting(X, whole, 6)
    train(whole, source, epochs=2)
    history = train(model, Interrupting(X, 5), epochs=9, callbacks=callbacks)
    assert history.stopped == "interrupted" and len(history) == 1
    np.testing.assert_array_equal(model.parameters.values, source.weights)


def test_ctrl_c_in_the_last_step_of_an_epoch_leaves_the_whole_epoch():
    model = make()
    history = train(model, Interrupting(X, 6), epochs=9)
    assert history.stopped == "interrupted" and len(history) == 2
    np.testing.assert_array_equal(model.parameters.values, weights_after(2))


def test_ctrl_c_between_epochs():
    model = make()

    def press(history):
        if len(history) == 2:
            signal.raise_signal(signal.SIGINT)

    history = train(model, epochs=9, callbacks=[press])
    assert history.stopped == "interrupted" and len(history) == 2
    np.testing.assert_array_equal(model.parameters.values, weights_after(2))


def test_ctrl_c_leaves_the_best_weights_where_there_are_some(monkeypatch):
    monkeypatch.setattr(training, "evaluate", scripted([3, 1, 2, 4]))
    model = make()
    recorder = Recorder(model)
    options = {"validation_fraction": 1 / 3, "callbacks": [recorder]}  # 32 rows to train on: two steps an epoch
    history = train(model, Interrupting(X, 7), epochs=9, **options)
    assert (history.stopped, len(history), history.best_epoch) == ("interrupted", 3, 2)
    np.testing.assert_array_equal(model.parameters.values, recorder.weights[1])


def test_ctrl_c_before_there_is_a_best_epoch_leaves_the_weights_as_they_are():
    model = make()
    recorder = Recorder(model)
    history = train(model, Interrupting(X, 5), epochs=9, validation_fraction=0.25, kl_warmup=4, callbacks=[recorder])
    assert (history.stopped, len(history), history.best_epoch) == ("interrupted", 2, None)
    assert not any(np.array_equal(model.parameters.values, weights) for weights in recorder.weights)


def test_a_second_ctrl_c_acts_at_once():
    with pytest.raises(KeyboardInterrupt):
        train(make(), Interrupting(X, 5, times=2), epochs=9)


def test_a_handler_of_ones_own_is_left_alone():
    pressed = []
    mine = lambda number, frame: pressed.append(number)  # noqa: E731
    signal.signal(signal.SIGINT, mine)
    try:
        history = train(make(), Interrupting(X, 5), epochs=3)
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert history.stopped == "epochs" and pressed == [signal.SIGINT]


def test_other_threads_change_no_handler():
    seen = []

    def run():
        train(make(), epochs=2, callbacks=[lambda history: seen.append(signal.getsignal(signal.SIGINT))])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler] * 2


PROGRAM = """
import signal, numpy as np, pyvae
signal.signal(signal.SIGINT, signal.default_int_handler)
model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,))
say = lambda history: print("epoch", flush=True) if len(history) == 1 else None
history = pyvae.train(model, np.full((64, 6), 0.5), epochs=10**7, progress=False, callbacks=[say])
print(history.stopped, len(history) > 0, np.isfinite(model.parameters.values).all())
"""


def test_a_program_goes_on_after_ctrl_c():
    with subprocess.Popen([sys.executable, "-P", "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "epoch\n"
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60)
    assert out == "interrupted True True\n" and program.returncode == 0
