"""When the estimators' training ends."""

import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")

from pyvae.sklearn.base import Plateau


def epochs_until_it_ends(losses, least=1, n_epochs=3, tol=0.1, column="train_loss"):
    plateau = Plateau(column, n_epochs, tol, least)

    class History(list):
        def __getitem__(self, column):
            return [loss for loss in list.__iter__(self)]

    for n in range(1, len(losses) + 1):
        if plateau(History(losses[:n])):
            return n
    return None


def test_a_flat_loss_ends_it():
    assert epochs_until_it_ends([5.0] * 20) == 6
    assert epochs_until_it_ends([5.0] * 20, least=9) == 9


def test_a_loss_that_falls_by_less_than_tol_an_epoch_still_falls():
    assert epochs_until_it_ends([5 - 0.05 * i for i in range(100)]) is None


def test_noise_is_no_fall_and_no_plateau():
    saw = [0.0, 0.4, 0.2]
    assert epochs_until_it_ends([5 + saw[i % 3] for i in range(20)]) == 6
    assert epochs_until_it_ends([5 + saw[i % 3] - 0.1 * i for i in range(100)]) is None


def test_of_validation_losses_the_least_count():
    rises = [5.0, 4.0, 3.0, 2.5, 6.0, 6.0, 6.0, 6.0]
    assert epochs_until_it_ends(rises, column="val_loss") == 7  # three epochs after the best
    assert epochs_until_it_ends([5 - 0.05 * i for i in range(100)], column="val_loss") is None
