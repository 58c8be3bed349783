"""Sprites: pictures drawn from known factors, to see which of them a latent dimension has found.

A picture of 32 x 32 pixels, black and white, for every combination of

    shape       square, ellipse, heart; each touches the circle of its radius
    scale       6 radii, from 5.4 to 9 pixels
    rotation    10 angles, 0, 9, ..., 81 degrees, counter-clockwise
    x, y        15 places each of the centre, a pixel apart, from the left and from the top

which is 3 * 6 * 10 * 15 * 15 = 40,500 (dSprites, Matthey et al. 2017, is the model, with 64 x 64 and 737,280). A square
looks the same after a quarter turn and an ellipse after half a turn, so no angle reaches that far. The centre lies off
the pixels' corners, else mirror images of squares would fall together. So no two pictures are the same: two that stand
in the same place differ by at least 4 pixels.

A pixel is white where more than half of it, 8 x 8 points, lies inside of the shape. Nothing is read or stored.
"""

import math
from itertools import product

import numpy as np

from pyvae.data.dataset import Dataset
from pyvae.data.sources import ArraySource
from pyvae.noise import Noise

SIDE, PLACES = 32, 15
SHAPES = ("square", "ellipse", "heart")
RADII = tuple(9 * (0.6 + 0.08 * i) for i in range(6))  # pixels
ANGLES = tuple(math.radians(9 * i) for i in range(10))
FACTORS = {"shape": len(SHAPES), "scale": len(RADII), "rotation": len(ANGLES), "x": PLACES, "y": PLACES}
POINTS = 8  # of a pixel, each way
CANVAS = 20  # pixels a side, around a sprite
RIGHT, UP = 0.2, 0.35  # pixels, of the centre from the nearest corner
N_TEST = 4500


def sprites():
    """The Dataset: 36,000 pictures to train on and 4,500 to test, in one fixed random order. Labels are the words of
    the shapes; factors are whole numbers from 0 in the order of FACTORS."""
    X, factors = draw_sprites()
    order = Noise(0).permutation("split", len(X))
    train, test = order[N_TEST:], order[:N_TEST]
    words = np.array(SHAPES)[factors[:, 0]]
    return Dataset(
        "sprites", *(ArraySource(X[rows], name="sprites") for rows in (train, test)),
        train_labels=words[train], test_labels=words[test], image_shape=(SIDE, SIDE),
        train_factors=factors[train], test_factors=factors[test], factor_names=tuple(FACTORS),
    )  # fmt: skip


def draw_sprites():
    """All pictures (40500, 1024), uint8, 0 or 1, and their factors (40500, 5), whole numbers from 0: shape, scale,
    rotation, x, y, the last one changing fastest."""
    pictures = np.empty((*FACTORS.values(), SIDE, SIDE), np.uint8)
    margin = (SIDE + PLACES - 1 - CANVAS) // 2
    for (i, shape), (j, radius), (k, angle) in product(*map(enumerate, (SHAPES, RADII, ANGLES))):
        canvas = np.pad(sprite(shape, radius, angle), margin)  # (46, 46), the sprite in its middle
        windows = np.lib.stride_tricks.sliding_window_view(canvas, (SIDE, SIDE))  # (15, 15, 32, 32): from top, left
        pictures[i, j, k] = windows[::-1, ::-1].swapaxes(0, 1)  # a window from further left has it further right
    factors = np.stack(np.unravel_index(np.arange(math.prod(FACTORS.values())), tuple(FACTORS.values())), axis=1)
    return pictures.reshape(len(factors), SIDE * SIDE), factors


def sprite(shape, radius, angle):
    """One sprite (20, 20), uint8, 0 or 1."""
    place = (np.arange(CANVAS * POINTS) + 0.5) / POINTS - CANVAS / 2
    x, y = np.meshgrid(place - RIGHT, -place - UP)
    c, s = math.cos(angle) / radius, math.sin(angle) / radius
    inside = _is_inside(shape, c * x + s * y, c * y - s * x)
    return (inside.reshape(CANVAS, POINTS, CANVAS, POINTS).mean(axis=(1, 3)) > 0.5).astype(np.uint8)


def _is_inside(shape, x, y):
    """Whether the points lie in the shape of radius 1 around 0."""
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= math.sqrt(0.5)
    if shape == "ellipse":
        return x**2 + (y / 0.55) ** 2 <= 1
    u, v = 1.301 * x, 1.301 * y + 0.17  # the heart curve, moved and scaled into the circle
    return (u**2 + v**2 - 1) ** 3 <= u**2 * v**3
