"""Schedules of the learning rate: their formulas, and that training goes by them."""

import dataclasses
import math

import numpy as np
import pytest

import pyvae
from pyvae.training.schedules import Constant, CosineDecay, ExponentialDecay, StepDecay, WarmUp, as_schedule


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (Constant(0.1), {0: 0.1, 7.3: 0.1}),
        (StepDecay(0.1, 0.5, at=(2, 3.5)), {0: 0.1, 1.999: 0.1, 2: 0.05, 3.499: 0.05, 3.5: 0.025, 100: 0.025}),
        (StepDecay(0.1, 0.1), {199.9: 0.1, 200: 0.01, 350: 0.001}),
        (ExponentialDecay(0.1, 0.25), {0: 0.1, 0.5: 0.05, 1: 0.025, 2: 0.00625}),
        (CosineDecay(0.1, 4), {0: 0.1, 1: 0.05 * (1 + math.sqrt(0.5)), 2: 0.05, 3: 0.05 * (1 - math.sqrt(0.5)), 4: 0}),
        (CosineDecay(0.1, 4, floor=0.02), {0: 0.1, 2: 0.06, 4: 0.02, 9: 0.02}),
        (WarmUp(Constant(0.1), 4), {0: 0.001, 0.01: 0.001, 1: 0.025, 3: 0.075, 4: 0.1, 9: 0.1}),
        (WarmUp(ExponentialDecay(0.1, 0.25), 2), {0.5: 0.05 / 4, 1: 0.025 / 2, 2: 0.00625}),
        (WarmUp(lambda epoch: 1 + epoch, 2), {1: 1.0, 3: 4.0}),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_formulas(schedule, rates):
    for epoch, rate in rates.items():
        assert schedule(float(epoch)) == pytest.approx(rate, rel=1e-14, abs=1e-18), epoch


def test_a_schedule_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Constant(0.1).rate = 0.2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "rate must be a number above 0, not 0"),
        (lambda: StepDecay(0.1, 1), "factor must be a number above 0 and below 1, not 1"),
        (lambda: StepDecay(0.1, 0.5, at=3), "at must be a list of epochs"),
        (lambda: StepDecay(0.1, 0.5, at=()), "at must be a list of epochs"),
        (lambda: StepDecay(0.1, 0.5, at=(5, 5)), "each epoch of at must be a number above 5, not 5"),
        (lambda: ExponentialDecay(-1, 0.5), "rate must be a number above 0"),
        (lambda: ExponentialDecay(0.1, 1.5), "factor must be"),
        (lambda: CosineDecay(0.1, 0), "epochs must be a number above 0"),
        (lambda: CosineDecay(0.1, 5, floor=0.1), "floor must be a number from 0 and below 0.1"),
        (lambda: WarmUp(0.1, 5), "schedule must be a schedule, such as"),
        (lambda: WarmUp(Constant(0.1), -1), "epochs must be a number above 0"),
        (lambda: as_schedule("fast"), "learning_rate must be a number above 0, not 'fast'"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def train(learning_rate, **options):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,))
    X = np.random.default_rng(0).random((50, 6))
    history = pyvae.train(model, X, batch_size=16, learning_rate=learning_rate, progress=False, **options)
    return model.parameters.values, history["learning_rate"]


def test_training_asks_at_every_step():
    asked = []

    def schedule(epoch):
        asked.append(epoch)
        return 0.01 / (1 + epoch)

    _, rates = train(schedule, epochs=3)
    assert asked == [0.0, *(epoch + i / 4 for epoch in range(3) for i in range(4))]  # once more before it begins
    assert rates == [schedule(0.75), schedule(1.75), schedule(2.75)]  # at the last step of each epoch


def test_a_constant_is_the_number_itself():
    (number, _), (constant, rates) = train(0.01, epochs=2), train(Constant(0.01), epochs=2)
    np.testing.assert_array_equal(number, constant)
    assert rates == [0.01, 0.01]


def test_a_rate_of_zero_moves_nothing():
    before = pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,)).parameters.values
    np.testing.assert_array_equal(train(lambda epoch: 0.0, epochs=1)[0], before)
    assert not np.array_equal(train(WarmUp(Constant(0.01), 5), epochs=1)[0], before)


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, None, "fast"])
def test_what_a_function_returns_is_checked(wrong):
    with pytest.raises(ValueError, match=r"learning_rate\(epoch\) must be a number from 0, not"):
        train(lambda epoch: wrong, epochs=1)
