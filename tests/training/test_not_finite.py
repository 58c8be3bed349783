"""Where numbers stop being finite: what is said, and that the last good weights are back."""

import numpy as np
import pytest

import pyvae
from pyvae.training import loop as training

X = np.random.default_rng(3).standard_normal((60, 5))
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the twins, which are NumPy


def make(**options):
    return pyvae.VAE.mlp(5, latent_dim=2, hidden=(8,), likelihood="gaussian", **options)


def train(model, X=X, **options):
    return pyvae.train(model, X, **{"batch_size": 20, "epochs": 5, "progress": False, **options})


def message_of(model, *args, **options):
    with pytest.raises(FloatingPointError) as raised:
        train(model, *args, **options)
    message = str(raised.value)
    assert "\n" not in message and not message.endswith(".")
    return message


def weights_after(epochs, **options):
    model = make()
    train(model, epochs=epochs, **options)
    return model.parameters.values


@pytest.mark.parametrize("options", [{}, {"validation_fraction": 0.1}], ids=str)
def test_a_huge_row_is_named(options):
    """By its number in X, also where some rows are held out."""
    rows = X.copy()
    train_rows, _ = training.split(pyvae.ArraySource(X), None, options.get("validation_fraction", 0), 0)
    wrong = pyvae.Noise(0, 0).permutation("order", len(train_rows))[25]  # in the second step
    wrong = train_rows.numbers[wrong] if options else wrong
    rows[wrong] = 1e25
    model = make()
    before = model.parameters.values.copy()
    message = message_of(model, rows, **options)
    assert f"is not finite in epoch 1, step 2 (row {wrong}): try a smaller learning_rate than 0.001" in message
    assert message.endswith("which reach 1e+25 there; the weights are again those that training began with")
    np.testing.assert_array_equal(model.parameters.values, before)


def test_many_rows_are_counted():
    message = message_of(make(), np.full((60, 5), 1e25))
    order = np.sort(pyvae.Noise(0, 0).permutation("order", 60)[:20])
    assert (
        f"(rows {', '.join(map(str, order[:5]))} and 15 more), before any weight has moved: scale the data" in message
    )


def test_a_learning_rate_that_blows_up():
    """The third epoch's is: the weights are those of the end of the second."""
    model = make()
    message = message_of(model, learning_rate=lambda epoch: 1e-3 if epoch < 2 else 1e30)
    assert "in epoch 3, step 2 (rows " in message and "smaller learning_rate than 1e+30" in message
    assert message.endswith("the weights are again those of the end of epoch 2")
    assert np.isfinite(model.parameters.values).all()
    np.testing.assert_array_equal(model.parameters.values, weights_after(2))


def test_weights_that_the_last_step_of_an_epoch_ruins():
    """No later step of the epoch notices; nor would one, in the last epoch."""
    model = make()
    message = message_of(model, epochs=2, learning_rate=lambda epoch: 1e-3 if epoch < 1.6 else 3e38, weight_decay=1e3)
    assert message.startswith("the weight encoder.0.W is not finite in epoch 2, step 3: try a smaller learning_rate")
    np.testing.assert_array_equal(model.parameters.values, weights_after(1, weight_decay=1e3))


def test_a_weight_that_is_nan_to_begin_with():
    model = make()
    model.parameters["decoder.0.W"][1, 3] = np.nan
    before = model.parameters.values.copy()
    message = message_of(model)
    assert message.startswith("the weight decoder.0.W is not finite in epoch 1, step 1, ")
    assert message.endswith("before any weight has moved: begin with weights that are finite")
    np.testing.assert_array_equal(model.parameters.values, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_spoilt_later(value):
    model = make()

    def spoil(history):
        if len(history) == 2:
            model.parameters["encoder.1.b"][0] = value

    assert message_of(model, callbacks=[spoil]).startswith("the weight encoder.1.b is not finite in epoch 3, step 1: ")
    np.testing.assert_array_equal(model.parameters.values, weights_after(1))  # those of epoch 2 are what failed


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 1], ids=["of a column of zeros", "of a column with entries"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_weight_behind_zeros(value, column, epoch):
    """Products that leave out zeros (native, of some size) do not meet it; those that multiply all (twins) do."""
    rows = np.zeros((128, 130), np.float32)
    rows[:, 1::9] = 1
    model = pyvae.VAE.mlp(130, latent_dim=2, hidden=(96,))

    def spoil(history):
        if len(history) == epoch - 1:
            model.parameters["encoder.0.W"][column] = value

    spoil([])
    before = zeros_left_out()
    message = message_of(model, rows, batch_size=128, callbacks=[spoil])
    assert message.startswith(f"the weight encoder.0.W is not finite in epoch {epoch}, step 1")
    assert "row" not in message.partition(" of epoch")[0]
    assert zeros_left_out() > before or pyvae._kernels.KERNELS != "native"


def zeros_left_out():
    return pyvae._kernels.zeros.products_done()[1] if pyvae._kernels.KERNELS == "native" else 0


def test_rows_whose_kl_alone_is_infinite():
    """mu = 1e20 has a square that overflows; a decoder that bounds what it passes on knows nothing of it."""
    model = pyvae.VAE.mlp(5, latent_dim=2, hidden=(8,), activation="tanh", likelihood="gaussian")
    model.parameters["encoder.1.b"][0] = 1e20
    message = message_of(model)
    assert message.startswith("the loss is not finite in epoch 1, step 1 (rows ") and " and 15 more), before" in message


@pyvae.register
class Steep(pyvae.Dense):
    """A wrong backward pass: the gradient of one weight is infinite in the fifth step."""

    calls = 0

    def backward(self, dy, cache, need_dx=True):
        dx = super().backward(dy, cache)
        type(self).calls += 1
        if self.calls == 5:
            self.dW[0, 0] = np.inf
        return dx


def test_a_gradient_is_named_and_does_not_reach_the_optimizer(monkeypatch):
    Steep.calls, optimizers = 0, []

    def adam(*args, **options):
        optimizers.append(pyvae.Adam(*args, **options))
        return optimizers[0]

    monkeypatch.setattr(training, "Adam", adam)
    model = pyvae.VAE(pyvae.Dense(5, 4), pyvae.Sequential(Steep(2, 7), pyvae.Dense(7, 5)), pyvae.Gaussian(5))
    message = message_of(model)
    assert message.startswith("the gradient of decoder.0.W is not finite in epoch 2, step 2: try")
    assert message.endswith("those of the end of epoch 1")
    (optimizer,) = optimizers
    assert optimizer.t == 3 and np.isfinite(optimizer.m).all() and np.isfinite(optimizer.v).all()


def test_a_loss_alone():
    """Its square overflows; its gradient, in a network that bounds what it passes on, does not."""
    model = pyvae.VAE.mlp(5, latent_dim=2, hidden=(8,), activation="tanh", likelihood="gaussian-fixed")
    rows = X.copy()
    rows[7, 2] = 1e20
    message = message_of(model, rows, batch_size=60)
    assert message.startswith("the loss is not finite in epoch 1, step 1 (row 7), before any weight has moved: ")
    assert message.endswith("scale the data, which reach 1e+20, as pyvae.StandardizedVAE does")
