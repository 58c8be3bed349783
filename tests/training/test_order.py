"""The order of the rows in an epoch."""

import numpy as np
import pytest

import pyvae
from pyvae.data.wrapped import Rows
from pyvae.training.order import Order


def epoch_of(order, epoch, batch_size):
    """The rows of each step."""
    n = order.n_rows
    return [order.rows(epoch, i, min(i + batch_size, n)).copy() for i in range(0, n, batch_size)]


def source_of(label):
    return pyvae.ArraySource(np.zeros((len(label), 1)), label=label)


@pytest.mark.parametrize(
    ("n", "n_labelled", "batch_size"), [(50, 7, 8), (9001, 100, 20), (9001, 4000, 700), (10, 1, 10)]
)
def test_every_row_once_and_labels_in_equal_numbers(n, n_labelled, batch_size, rng):
    label = np.full(n, -1)
    label[rng.permutation(n)[:n_labelled]] = rng.integers(5, size=n_labelled)
    order = Order(source_of(label), batch_size, seed=3, by_label=True)
    first, second = (epoch_of(order, epoch, batch_size) for epoch in (0, 1))
    for batches in (first, second):
        np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n))
        counts = {int((label[rows] >= 0).sum()) for rows in batches if len(rows) == batch_size}
        assert max(counts) - min(counts) <= 1 and max(counts) - n_labelled * batch_size / n < 1
    assert n_labelled == 1 or not np.array_equal(np.concatenate(first), np.concatenate(second))


@pytest.mark.parametrize(
    "label", [None, np.full(60, -1), np.zeros(60, int)], ids=["no labels", "none known", "all known"]
)
def test_where_all_rows_are_alike_it_is_the_plain_order(label):
    source = pyvae.ArraySource(np.zeros((60, 1)), label=label)
    rows = np.concatenate(epoch_of(Order(source, 16, seed=5, by_label=True), 2, 16))
    np.testing.assert_array_equal(rows, pyvae.Noise(5, 2).permutation("order", 60))


def test_places_are_relative_to_the_rows_that_are_trained_on():
    label = np.tile([0, -1, -1, -1, -1], 40)
    source = Rows(source_of(label), np.arange(0, 200, 2))  # 20 of 100 have a label
    for rows in epoch_of(Order(source, 10, seed=0, by_label=True), 0, 10):
        assert (source.label[rows] >= 0).sum() == 2


def test_rows_of_two_kinds_do_not_meet_again():
    label = np.tile([0, -1], 50)
    order = Order(source_of(label), 2, seed=0, by_label=True)
    pairs = [{tuple(sorted(rows)) for rows in epoch_of(order, epoch, 2)} for epoch in (0, 1)]
    assert len(pairs[0] & pairs[1]) < 10
