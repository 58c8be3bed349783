"""Means and standard deviations of columns, and the cells that have no part in them."""

import warnings

import numpy as np
import pytest

from pyvae.data.scaling import FARTHEST, is_far, moments, reach, scale_of, scaled, warn_of_far_cells

pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from pyvae.data.tables import Table  # noqa: E402


def moments_of(X, weight=None):
    return moments(X, np.ones(len(X)) if weight is None else weight, *reach(X))


def test_far_cells_have_no_part(rng):
    X = rng.normal(170, 8, (1000, 3))
    clean = X.copy()
    X[:10, 1] = -9999
    far = is_far(X, *reach(X))
    assert far.sum() == 10 and far[:10, 1].all()
    mean, std = moments_of(X)
    np.testing.assert_allclose(mean[[0, 2]], clean[:, [0, 2]].mean(axis=0))
    np.testing.assert_allclose([mean[1], std[1]], [clean[10:, 1].mean(), clean[10:, 1].std()])


@pytest.mark.parametrize("column", [
    lambda rng: np.exp(rng.normal(0, 1, 5000)), lambda rng: rng.standard_cauchy(300).clip(-50, 50),
    lambda rng: np.where(rng.random(5000) < 0.85, 0, rng.exponential(1000, 5000)), lambda rng: rng.integers(0, 2, 500),
    lambda rng: np.r_[np.zeros(999), 1e6], lambda rng: np.full(50, 3.0),
], ids=["log-normal", "heavy tails", "85% zeros", "bits", "one number but for one", "constant"])  # fmt: skip
def test_common_columns_have_no_far_cells(column, rng):
    X = column(rng).astype(float)[:, None]
    assert not is_far(X, *reach(X)).any()


def test_pixels_have_their_quantiles_in_common(rng):
    X = np.zeros((1000, 4))
    X[:, 1:] = rng.uniform(0, 255, (1000, 3))
    X[:20, 0] = rng.uniform(0, 5, 20)  # a pixel in a corner
    X[0, 0] = 255
    assert is_far(X, *reach(X)).any() and not is_far(X, *reach(X, together=True)).any()


@pytest.mark.parametrize(("mean", "std"), [(1.7e12, 2e4), (1e9, 50), (0, 1e-300), (1e-300, 1e-302), (0, 1e290)])
def test_columns_of_any_size(mean, std, rng):
    u = rng.normal(size=(500, 1))
    found_mean, found_std = moments_of(mean + std * u)
    np.testing.assert_allclose(found_std, std * u.std(), rtol=1e-3)
    np.testing.assert_allclose(found_mean, mean + std * u.mean(), rtol=1e-9)
    assert scale_of(found_std, found_mean) == found_std  # it is no constant column


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3, 1e-300, -1e290])
def test_a_constant_column_of_any_size_has_the_scale_one(value):
    mean, std = moments_of(np.full((700, 1), value))
    assert scale_of(std, mean) == 1 and mean == value and std == 0


def test_weights_and_gaps_count(rng):
    X, weight = rng.normal(size=(300, 2)), rng.integers(0, 4, 300)
    X[::7, 0] = np.nan
    mean, std = moments_of(X, weight.astype(float))
    repeated = np.repeat(X, weight, axis=0)
    np.testing.assert_allclose(mean, np.nanmean(repeated, axis=0))
    np.testing.assert_allclose(std, np.nanstd(repeated, axis=0))


def test_scaled_numbers_end_where_float32_still_has_their_squares():
    x = scaled(np.array([[1e300, -1e300, np.nan, 3.0]]), np.zeros(4), np.array([1e-300, 1, 1, 2]))
    np.testing.assert_array_equal(x, [[FARTHEST, -FARTHEST, np.nan, 1.5]])
    assert np.isfinite(np.float32(FARTHEST) ** 2 * np.float32(1e6))


def test_one_warning_names_the_columns():
    with pytest.warns(UserWarning, match="2 of a, 1 of c, 4 of d and of 1 more columns$"):
        warn_of_far_cells(["a", "b", "c", "d", "e"], np.array([2, 0, 1, 4, 9]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_far_cells(["a"], np.array([0]))


def test_tables_keep_their_reach_and_see_far_cells_but_in_training(rng):
    frame = pd.DataFrame({"height": rng.normal(170, 8, 500), "n": rng.integers(0, 9, 500)})
    frame.loc[3, "height"] = -9999
    with pytest.warns(UserWarning, match="1 of column 'height'"):
        table = Table.infer(frame)
    height = table.columns[0]
    assert 20 < height.low < 170 < height.high < 210  # what decode makes lies where the rows do
    table = Table.from_config(table.config())
    assert table.encode(frame)[3, 0] < -1000
    missing = np.isnan(table.encode(frame, training=True))
    assert missing[3, 0] and missing.sum() == 1
