"""Sprites: what is drawn where, and that every picture is another one."""

import hashlib

import numpy as np
import pytest

import pyvae
from pyvae import datasets
from pyvae.data import sprites
from pyvae.noise import Noise

SHAPE = tuple(sprites.FACTORS.values())


@pytest.fixture(scope="module")
def drawn():
    return sprites.draw_sprites()


@pytest.fixture(scope="module")
def pictures(drawn):
    """By shape, scale, rotation, x, y, line and column."""
    return drawn[0].reshape(*SHAPE, 32, 32)


def test_every_combination_of_factors_once(drawn):
    X, factors = drawn
    assert X.shape == (40_500, 1024) and X.dtype == np.uint8 and X.max() == 1
    assert len(np.unique(factors, axis=0)) == len(factors) == np.prod(SHAPE)
    np.testing.assert_array_equal(factors.max(axis=0) + 1, SHAPE)
    np.testing.assert_array_equal(np.ravel_multi_index(factors.T, SHAPE), np.arange(len(X)))


def test_no_two_pictures_are_the_same(drawn, pictures):
    assert len({row.tobytes() for row in drawn[0]}) == len(drawn[0])
    there = pictures[:, :, :, 7, 7].reshape(-1, 1024).astype(int)
    differ = np.abs(there[:, None] - there[None]).sum(axis=2) + 99 * np.eye(len(there), dtype=int)
    assert differ.min() == 4


def test_the_pixels_are_frozen(drawn):
    """Results that were ever computed with them are comparable; on every processor."""
    digest = hashlib.sha256(drawn[0].tobytes()).hexdigest()
    assert digest == "9194af1417079bcaafe5f9d30c53a658fdb2c886078e3f0e5d94c451484c405f"


def test_x_counts_from_the_left_and_y_from_the_top(pictures):
    """A step moves the whole sprite by a pixel, and nothing is cut off at the edges."""
    np.testing.assert_array_equal(pictures[:, :, :, 1:, :, :, 1:], pictures[:, :, :, :-1, :, :, :-1])
    np.testing.assert_array_equal(pictures[:, :, :, :, 1:, 1:], pictures[:, :, :, :, :-1, :-1])
    area = pictures.sum(axis=(5, 6), dtype=int).reshape(-1, 15 * 15)
    assert (area == area[:, :1]).all()


def test_areas_are_those_of_the_shapes(pictures):
    area = pictures[:, :, :, 0, 0].sum(axis=(3, 4), dtype=int)  # (shape, scale, rotation)
    radius = np.array(sprites.RADII)[:, None]
    np.testing.assert_allclose(area[0] / radius**2, 2, rtol=0.06)
    np.testing.assert_allclose(area[1] / radius**2, np.pi * 0.55, rtol=0.06)
    assert (np.diff(area, axis=1) > 0).all(), "a larger scale"


def test_angles_turn_counter_clockwise(pictures):
    """The long axis of the ellipse, by the second moments of its pixels."""
    line, column = np.mgrid[:32, :32]
    for number, picture in enumerate(pictures[1, 5, :, 7, 7]):
        x, y = column[picture > 0], -line[picture > 0]
        (xx, xy), (_, yy) = np.cov(x, y)
        assert np.degrees(np.arctan2(2 * xy, xx - yy)) / 2 == pytest.approx(9 * number, abs=2.5)


def test_the_heart_is_upright(pictures):
    lines = pictures[2, 5, 0, 7, 7].sum(axis=1, dtype=int)
    lines = lines[lines > 0]
    assert lines[-1] <= 4 < 12 < lines[2] and lines[: len(lines) // 2].sum() > lines[len(lines) // 2 :].sum()


def test_the_data_set(drawn):
    dataset = datasets.load("sprites")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (36_000, 4500, (32, 32))
    assert dataset.value_range() == (0, 1) and dataset.factor_names == ("shape", "scale", "rotation", "x", "y")
    for source, factors, labels in (
        (dataset.train, dataset.train_factors, dataset.train_labels),
        (dataset.test, dataset.test_factors, dataset.test_labels),
    ):
        np.testing.assert_array_equal(source.X, drawn[0][np.ravel_multi_index(factors.T, SHAPE)])
        np.testing.assert_array_equal(labels, np.array(["square", "ellipse", "heart"])[factors[:, 0]])
    rows = np.concatenate([dataset.test_factors, dataset.train_factors])
    np.testing.assert_array_equal(rows, drawn[1][Noise(0).permutation("split", len(rows))])


def test_training_on_sprites_by_name(tmp_path):
    from pyvae.command.main import main

    options = ["--epochs", "1", "--hidden", "8", "--latent", "2", "--batch-size", "2000", "--quiet"]
    assert main(["train", "sprites", *options, "--out", str(tmp_path / "run")]) == 0
    assert pyvae.load(tmp_path / "run" / "model.safetensors").n_features == 1024
