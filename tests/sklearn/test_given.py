"""VAETransformer.sample(given=...): rows with given values, of every kind of X, and what is refused."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from scipy.sparse import csr_array  # noqa: E402

import pyvae  # noqa: E402
from pyvae import _kernels  # noqa: E402
from pyvae.sklearn import VAETransformer  # noqa: E402

pytestmark = [
    pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]

SMALL = {"n_components": 2, "hidden_layer_sizes": (20,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 600,
         "random_state": 0}  # fmt: skip


def table(n=600):
    """Two towns, one of older people with higher incomes and more children; every tenth cell is missing."""
    rng = np.random.default_rng(0)
    in_ulm = rng.random(n) < 0.5
    frame = pd.DataFrame({
        "town": pd.Categorical(np.where(in_ulm, "Ulm", "Bonn"), ["Bonn", "Köln", "Ulm"]),
        "income": rng.normal(np.where(in_ulm, 6, -6), 1),
        "age": np.where(in_ulm, 60, 20) + rng.integers(0, 9, n) - 4,
        "owner": rng.random(n) < np.where(in_ulm, 0.9, 0.1),
        "year": rng.integers(-9, 9, n),
    })  # fmt: skip
    return frame.mask(rng.random(frame.shape) < 0.1).astype({"age": "Int64", "year": "Int64", "owner": "boolean"})


@pytest.fixture(scope="module")
def of_table():
    return VAETransformer(**SMALL).fit(table())


@pytest.fixture(scope="module")
def of_array():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 1))
    return VAETransformer(**SMALL).fit(100 + 10 * (z * [1, -1, 1, 0] + 0.3 * rng.normal(size=(600, 4))))


@pytest.mark.parametrize("latent", ["mixture", "prior"])
def test_the_other_columns_are_those_of_such_rows(of_table, latent):
    ulm, bonn = (of_table.sample(400, 0, latent, given={"town": town}) for town in ("Ulm", "Bonn"))
    assert (ulm["town"] == "Ulm").all() and (bonn["town"] == "Bonn").all()
    assert ulm["income"].mean() > 4.5 and bonn["income"].mean() < -4.5
    assert ulm["age"].mean() > 50 and bonn["age"].mean() < 30
    assert ulm["owner"].mean() > 0.75 and bonn["owner"].mean() < 0.25
    assert ulm["income"].std() > 0.5 and ulm["income"].nunique() > 300


@pytest.mark.parametrize("given, town", [({"age": 61}, "Ulm"), ({"age": 19, "owner": False}, "Bonn"),
                                         ({"owner": True, "income": 5.5}, "Ulm")])  # fmt: skip
def test_values_of_every_kind_are_given(of_table, given, town):
    made = of_table.sample(200, 0, given=given)
    assert (made[list(given)] == list(given.values())).all(axis=None)
    assert (made["town"] == town).mean() > 0.9
    assert dict(made.dtypes) == dict(table().dtypes) and list(made) == list(table())


def test_values_stand_as_they_were_given(of_table, of_array):
    """Not as the model's float32 holds them, nor within the fitted range."""
    assert (of_table.sample(5, 0, given={"income": 6.000000001})["income"] == 6.000000001).all()
    assert (of_table.sample(5, 0, given={"age": 77})["age"] == 77).all()
    assert (of_array.sample(5, 0, given={3: 101.000000001})[:, 3] == 101.000000001).all()


def test_columns_of_an_array_are_numbers(of_array):
    made = of_array.sample(500, 0, given={1: 85.0})
    assert made.shape == (500, 4) and (made[:, 1] == 85).all()
    expected = 100 + 15 / (1 + 0.3**2)  # of column 0, by regression
    assert made[:, 0].mean() == pytest.approx(expected, abs=2)
    assert made[:, 3].mean() == pytest.approx(100, abs=1) and 1.5 < made[:, 0].std() < 6
    np.testing.assert_array_equal(made[:9], of_array.sample(9, 0, given={np.int64(1): np.float32(85)}))


def test_a_value_that_few_rows_have(of_array):
    """Samples of the density of z alone would not suffice."""
    assert of_array.sample(300, 0, given={0: 130.0})[:, 1].mean() == pytest.approx(70, abs=5)


def test_a_frame_of_floats_has_names():
    X = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).astype({"b": "f4"})
    made = VAETransformer(**SMALL).fit(frame).sample(4, 0, given={"b": 0.5})
    assert list(made) == ["a", "b", "c"] and (made["b"] == 0.5).all() and made["b"].dtype == np.float32
    assert made["a"].nunique() == 4


@pytest.mark.parametrize("latent", ["mixture", "prior"])
def test_after_a_stream_and_of_sparse_rows(latent):
    X = csr_array(np.random.default_rng(0).poisson([1.0, 5.0, 2.0], (200, 3)))
    made = VAETransformer(**SMALL).partial_fit(X).sample(50, 0, latent, given={1: 4})
    assert made.shape == (50, 3) and (made[:, 1] == 4).all()


def test_one_hot_columns_are_given_together():
    codes = np.arange(300) % 3
    X = np.hstack([np.eye(3)[codes], (codes[:, None] - 1) * 5 + np.random.default_rng(0).normal(size=(300, 1))])
    likelihood = pyvae.Mixed([pyvae.Categorical([3]), pyvae.Gaussian(1, "learned")])
    fitted = VAETransformer(likelihood=likelihood, **SMALL).fit(X)
    made = fitted.sample(200, 0, given={0: 0, 1: 0, 2: 1})
    assert made[:, 3].mean() == pytest.approx(5, abs=1)
    with pytest.raises(ValueError, match="given must have all of the columns 0 to 2 or none: together they are one"):
        fitted.sample(1, given={1: 1})


def test_hardly_any_row_like_that_is_told(of_table, monkeypatch):
    monkeypatch.setattr("pyvae.models.latents_given.MOST_ROUNDS", 1)
    few = (
        r"of 4096 samples of z only \d+ \(their effective sample size\) suit given={'income': 25}: the rows are of few"
    )
    with pytest.warns(UserWarning, match=few):
        of_table.sample(3, 0, given={"income": 25})


WRONG = [
    (3, TypeError, "given must be a dict, {name of a column: value}, not 3"),
    ({}, ValueError, "given must name at least one column"),
    ({"twon": "Ulm"}, ValueError, "given names the column 'twon', which X had not: it had town, .*did you mean town?"),
    ({"town": "Paris"}, ValueError, "column 'town' has the category 'Paris' in given, which no fitted row had: they"),
    ({"town": None}, ValueError, "given has no value for column 'town': leave it out to have it drawn"),
    ({"age": pd.NA}, ValueError, "given has no value for column 'age'"),
    ({"age": "old"}, TypeError, "column 'age' is count, but holds text"),
    ({"age": -1}, ValueError, "column 'age' holds whole numbers from 0, but given has -1"),
    ({"age": 40.5}, ValueError, "column 'age' holds whole numbers from 0, but given has 40.5"),
    ({"year": 1.5}, ValueError, "column 'year' holds whole numbers, but given has 1.5"),
    ({"owner": 2}, ValueError, "column 'owner' holds True or False, but given has 2"),
    ({"income": np.inf}, ValueError, "column 'income' holds finite numbers, but given has inf"),
    ({"town": ["Ulm"]}, TypeError, "column 'town' holds list"),
    (
        {"town": "Ulm", "income": 1.0, "age": 4, "owner": True, "year": 1},
        ValueError,
        "given must leave some column out",
    ),
]


@pytest.mark.parametrize("given, error, words", WRONG, ids=[str(given) for given, _, _ in WRONG])
def test_refusals(of_table, given, error, words):
    with pytest.raises(error, match=words):
        of_table.sample(2, given=given)


def test_refusals_of_arrays(of_array):
    for key in (4, -1, "a"):
        with pytest.raises(ValueError, match=f"given names the column {key!r}, which X had not: it had 0 to 3"):
            of_array.sample(2, given={key: 1.0})
    for value in ("a", [1.0, 2.0], np.inf, 1j):
        with pytest.raises(TypeError, match="given must have a finite number for column 2, not "):
            of_array.sample(2, given={2: value})
    X = np.random.default_rng(0).poisson(2, (50, 4))
    counts = VAETransformer(likelihood="poisson", **SMALL | {"min_updates": 5}).fit(X)
    with pytest.raises(ValueError, match="given has -1 for column 2, which holds whole numbers from 0"):
        counts.sample(2, given={2: -1})
    words = VAETransformer(likelihood="multinomial", **SMALL | {"min_updates": 5}).fit(X)
    with pytest.raises(ValueError, match="a multinomial takes rows that are observed whole"):
        words.sample(2, given={2: 1})
