"""Tables: every type of column becomes numbers and comes back as it was; what cannot be used is named."""

import json

import numpy as np
import pytest
from scipy.stats import norm

import pyvae
from pyvae import VAE

pd = pytest.importorskip("pandas", reason="tables are pandas', which is not installed")

from pyvae.data.columns import KINDS  # noqa: E402
from pyvae.data.tables import Table, TableSource  # noqa: E402
from pyvae.likelihoods.gaussian import Gaussian  # noqa: E402
from pyvae.likelihoods.mixed import Mixed  # noqa: E402

N = 12

# Name, how to make the column, its kind.
COLUMNS = [
    ("integers", lambda: np.arange(N), "count"),
    ("integers below 0", lambda: np.arange(N) - 3, "numeric"),
    ("integers beyond float32", lambda: np.arange(N) + 2**24, "numeric"),
    ("small integers", lambda: np.arange(N).astype("uint8"), "count"),
    ("nullable integers", lambda: pd.array([1, 2, None] * 4, dtype="Int64"), "count"),
    ("integers as objects", lambda: pd.Series([3, None, 5] * 4, dtype=object), "count"),
    ("integers as floats", lambda: [1.0, 2.0, np.nan] * 4, "numeric"),
    ("sparse integers", lambda: pd.arrays.SparseArray([0, 0, 1] * 4), "count"),
    ("floats", lambda: np.linspace(0, 1, N), "numeric"),
    ("short floats", lambda: np.linspace(0, 1, N).astype("f4"), "numeric"),
    ("nullable floats", lambda: pd.array([1.5, 2, None] * 4, dtype="Float64"), "numeric"),
    ("a constant", lambda: [0.1] * N, "numeric"),
    ("booleans", lambda: np.arange(N) % 2 == 0, "boolean"),
    ("nullable booleans", lambda: pd.array([True, None, False] * 4, dtype="boolean"), "boolean"),
    ("booleans as objects", lambda: np.array([True, None, False] * 4, dtype=object), "boolean"),
    ("text", lambda: ["x", "y", "z"] * 4, "categorical"),
    ("text as objects", lambda: pd.Series(["x", None, "z"] * 4, dtype=object), "categorical"),
    ("nullable text", lambda: pd.Series(["x", None, "z"] * 4, dtype="string"), "categorical"),
    ("objects of two types", lambda: pd.Series([1, "a", None] * 4, dtype=object), "categorical"),
    ("ordered", lambda: pd.Categorical(["lo", "hi", None] * 4, ["lo", "mid", "hi"], ordered=True), "categorical"),
    ("unused", lambda: pd.Categorical(["lo", "hi", None] * 4, ["never", "lo", "hi"]), "categorical"),
    ("of numbers", lambda: pd.Categorical([3, 1, None] * 4), "categorical"),
    ("of booleans", lambda: pd.Categorical([True, False, None] * 4), "categorical"),
    ("of objects", lambda: pd.Categorical(["b", "a"] * 6, pd.Index(["a", "b"], dtype=object)), "categorical"),
    ("intervals", lambda: pd.cut(np.arange(N), 3), "categorical"),
]
OTHER_KINDS = [
    ("integers", "numeric"), ("integers", "categorical"), ("nullable integers", "categorical"),
    ("nullable integers", "numeric"), ("integers as floats", "count"), ("integers as floats", "categorical"),
    ("booleans", "categorical"), ("booleans", "numeric"), ("booleans", "count"), ("nullable booleans", "numeric"),
    ("booleans as objects", "categorical"), ("nullable floats", "categorical"),
]  # fmt: skip
MAKE = {name: make for name, make, _ in COLUMNS}


def frame_of(name):
    """One column, and another beside it, for rows in which the one is missing."""
    return pd.DataFrame({name: MAKE[name](), "beside": np.arange(N) / 4})


def assert_comes_back(table, frame):
    """Known entries are decoded as they were given, and their column has its type."""
    x = table.encode(frame)
    known = frame.notna().all(axis=1).to_numpy()
    pd.testing.assert_frame_equal(
        table.decode(x[known]), frame[known].reset_index(drop=True), check_exact=False, rtol=1e-6
    )
    for column, place in zip(table.columns, table.places, strict=True):
        np.testing.assert_array_equal(np.isnan(x[:, place]).any(axis=1), frame[column.name].isna())


@pytest.mark.parametrize("name, kind", [(name, kind) for name, _, kind in COLUMNS])
def test_columns_come_back(name, kind):
    frame = frame_of(name)
    table = Table.infer(frame)
    assert [column.kind for column in table.columns] == [kind, "numeric"]
    assert_comes_back(table, frame)


@pytest.mark.parametrize("name, kind", OTHER_KINDS)
def test_columns_of_another_kind_come_back(name, kind):
    frame = frame_of(name)
    table = Table.infer(frame, {name: kind})
    assert table.columns[0].kind == kind
    assert_comes_back(table, frame)


@pytest.mark.parametrize("name", [name for name, _, _ in COLUMNS if name != "intervals"])
def test_json_round_trip(name):
    frame = frame_of(name)
    table = Table.infer(frame)
    again = Table.from_config(json.loads(json.dumps(table.config())))
    assert again.config() == table.config() and again.describe() == table.describe()
    x = table.encode(frame)
    np.testing.assert_array_equal(again.encode(frame), x)
    known = x[~np.isnan(x).any(axis=1)]
    pd.testing.assert_frame_equal(again.decode(known), table.decode(known))


def test_json_holds_no_intervals():
    with pytest.raises(TypeError, match="column 'intervals' has categories of type Interval, .* make them text"):
        Table.infer(frame_of("intervals")).config()


def mixed_frame(n=200):
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "colour": pd.Categorical(rng.choice(["red", "green"], n), ["blue", "green", "red"]),
        "age": rng.integers(0, 90, n), "height": rng.normal(170, 10, n), "member": rng.random(n) < 0.3,
        "kind": rng.choice(["a", "b", "c"], n), "balance": rng.normal(0, 1000, n).astype("f4"),
    })  # fmt: skip


def test_numbers_of_a_kind_stand_together():
    table = Table.infer(mixed_frame())
    by_kind = sorted(zip(table.places, table.columns, strict=True), key=lambda pair: pair[0].start)
    assert [KINDS.index(column.kind) for _, column in by_kind] == sorted(KINDS.index(c.kind) for c in table.columns)
    assert table.n_features == table.likelihood().n_features == 2 + 1 + 1 + 3 + 3
    assert not table.likelihood().outside(table.encode(mixed_frame())).any()


def test_what_a_model_makes_is_a_table_of_the_same_types():
    frame = mixed_frame()
    table = Table.infer(frame)
    model = pyvae.VAE.mlp(table.n_features, 2, (8,), likelihood=table.likelihood())
    for made in (table.decode(model.sample(50)), table.decode(model.sample(50, mean=False))):
        pd.testing.assert_series_equal(made.dtypes, frame.dtypes)
        assert made["age"].between(frame["age"].min(), frame["age"].max()).all()


def test_log_scale_is_that_of_the_density():
    x = np.array([1.0, 4.0, 7.0, 20.0])
    table = Table.infer(pd.DataFrame({"x": x, "n": [1, 2, 3, 4]}))
    encoded = table.encode(pd.DataFrame({"x": x, "n": [1, 2, 3, 4]}))[:, 0]
    given = norm.logpdf(encoded) - table.log_scale()[0]  # of x, where the encoded is standard normal
    np.testing.assert_allclose(given, norm.logpdf(x, x.mean(), x.std()), rtol=1e-6)
    assert table.log_scale()[1] == 0


def test_weights_count_as_repeated_rows():
    frame = pd.DataFrame({"x": [1.0, 5.0, np.nan, 2.0]})
    weighted = Table.infer(frame, weight=np.array([2.0, 1.0, 3.0, 1.0])).columns[0]
    repeated = Table.infer(frame.iloc[[0, 0, 1, 2, 2, 2, 3]]).columns[0]
    np.testing.assert_allclose([weighted.mean, weighted.scale], [repeated.mean, repeated.scale], rtol=1e-14)


def test_integer_columns_that_pandas_made_floats_for_a_missing_entry():
    table = Table.infer(pd.DataFrame({"children": [0, 2, 1], "x": [0.0, 1.0, 2.0]}))
    assert table.columns[0].kind == "count"
    x = table.encode(pd.DataFrame({"children": [np.nan, 2.0], "x": [0.0, 1.0]}))
    np.testing.assert_array_equal(x[:, table.places[0]], [[np.nan], [2]])


def test_counts_are_whole_in_columns_of_floats_too():
    table = Table.infer(pd.DataFrame({"children": [0.0, 2, np.nan], "x": [0.0, 1, 2]}), {"children": "count"})
    x = np.zeros((1, 2))
    x[0, table.places[0]] = 1.3
    assert table.decode(x)["children"].tolist() == [1.0]


def test_names_that_are_numbers():
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=np.array([3, 8]))
    table = Table.from_config(json.loads(json.dumps(Table.infer(frame).config())))
    assert_comes_back(table, frame)


GOOD = mixed_frame(20)
BAD_TABLES = [
    ("all missing", GOOD.assign(age=None), None, ValueError, "column 'age' has no known value: drop it"),
    ("like an index", pd.DataFrame({"id": [f"n{i}" for i in range(1001)]}), None, ValueError,
     "column 'id' has 1001 different values, more than the 1000 that a categorical column may have: drop it, or make "
     "it a number"),
    ("dates", GOOD.assign(age=pd.Timestamp(0)), None, TypeError,
     "column 'age' holds datetime64[ns], which is no kind of column: drop or convert it"),
    ("complex", GOOD.assign(age=1j), None, TypeError,
     "column 'age' holds complex128, which is no kind of column: drop or convert it"),
    ("lists", GOOD.assign(age=[[1]] * 20), None, TypeError,
     "column 'age' holds list, which is no kind of column: drop it"),
    ("infinite", GOOD.assign(height=np.inf), None, ValueError,
     "column 'height' holds finite numbers, but row 0 has inf"),
    ("too large", GOOD.assign(height=np.arange(20) * 1e300), None, ValueError,
     "column 'height' holds numbers too large to be scaled: divide them before"),
    ("a kind of no column", GOOD, {"weight": "count"}, ValueError,
     "kinds names the column 'weight', which the table has not"),
    ("no kind", GOOD, {"age": "integer"}, ValueError,
     "kinds must be of numeric, count, boolean, categorical, not 'integer'"),
    ("text as a number", GOOD, {"kind": "numeric"}, TypeError, "column 'kind' is numeric, but holds text"),
    ("below 0 as counts", GOOD, {"balance": "count"}, ValueError,
     "column 'balance' holds whole numbers from 0, but row 0 has"),
    ("numbers as booleans", GOOD, {"age": "boolean"}, ValueError,
     "column 'age' holds True or False, but row 0 has"),
    ("twice", GOOD.iloc[:, [0, 1, 1]], None, ValueError, "the table has two columns named 'age': rename one"),
    ("no rows", GOOD.iloc[:0], None, ValueError, "the table must have at least one row and one column"),
    ("no columns", GOOD.iloc[:, :0], None, ValueError, "the table must have at least one row and one column"),
]  # fmt: skip
TABLE = Table.infer(GOOD)
BAD_ROWS = [
    ("unknown category", GOOD.assign(kind="d"), ValueError,
     "column 'kind' has the category 'd' in row 0, which no fitted row had: they had a, b, c"),
    ("numbers for text", GOOD.assign(kind=1), ValueError, "column 'kind' has the category 1 in row 0"),
    ("text for numbers", GOOD.assign(height="tall"), TypeError, "column 'height' is numeric, but holds text"),
    ("dates for numbers", GOOD.assign(height=pd.Timestamp(0)), TypeError,
     "column 'height' is numeric, but holds datetime64"),
    ("negative counts", GOOD.assign(age=-1), ValueError, "column 'age' holds whole numbers from 0, but row 0 has -1"),
    ("fractions", GOOD.assign(age=1.5), ValueError, "column 'age' holds whole numbers from 0, but row 0 has 1.5"),
    ("numbers for booleans", GOOD.assign(member=2), ValueError, "column 'member' holds True or False, but row 0 has 2"),
    ("infinite", GOOD.assign(height=-np.inf), ValueError, "column 'height' holds finite numbers, but row 0 has -inf"),
    ("another order", GOOD.iloc[:, [1, 0, 2, 3, 4, 5]], ValueError,
     "column 0 of the table is 'age', but was 'colour' in the fitted rows"),
    ("one fewer", GOOD.drop(columns="age"), ValueError,
     "the table has no column 'age', which the fitted rows had"),
    ("one more", GOOD.assign(weight=1), ValueError,
     "the table has a column 'weight', which the fitted rows did not have"),
    ("one twice", GOOD.iloc[:, [0, 1, 2, 3, 4, 5, 5]], ValueError, "the table has two columns named 'balance'"),
    ("nothing known", GOOD.astype(object).drop(index=7).reindex(GOOD.index), ValueError,
     "row 7 of the table has no known value: drop it"),
]  # fmt: skip


@pytest.mark.parametrize(
    "frame, kinds, error, words", [case[1:] for case in BAD_TABLES], ids=[c[0] for c in BAD_TABLES]
)
def test_bad_tables(frame, kinds, error, words):
    with pytest.raises(error) as raised:
        Table.infer(frame, kinds)
    assert str(raised.value).startswith(words) and "\n" not in str(raised.value)


@pytest.mark.parametrize("frame, error, words", [case[1:] for case in BAD_ROWS], ids=[c[0] for c in BAD_ROWS])
def test_bad_rows(frame, error, words):
    with pytest.raises(error) as raised:
        TABLE.encode(frame)
    assert str(raised.value).startswith(words) and "\n" not in str(raised.value)


def test_a_new_model_begins_at_the_rows():
    """Means and dispersions of a table whose columns do not stand in the order of their kinds, with gaps, in a model
    with more outputs than the table's: drawn from it, whatever z is, they come out again."""
    rng = np.random.default_rng(0)
    n = 20_000
    frame = pd.DataFrame({
        "place": rng.choice(["sea", "hills"], n, p=[0.9, 0.1]), "hits": rng.negative_binomial(4, 4 / 54, n),
        "owner": rng.random(n) < 0.2, "height": rng.normal(170, 8, n), "calls": rng.poisson(3, n),
        "none": np.zeros(n, int),
    })  # fmt: skip
    frame = frame.astype({"hits": "Int64"})
    frame.loc[::3, "hits"] = None
    table = Table.infer(frame)
    joint = Mixed([table.likelihood(), Gaussian(1, std="learned")])
    model = VAE.mlp(joint.n_features, 2, (5,), likelihood=joint)
    before = model.decoder.layers[-1].b.copy()
    table.start(model, table.codes(frame))
    assert model.decoder.layers[-1].b[-1] == before[-1]
    model.decoder.layers[-1].W[...] = 0
    drawn = table.decode(model.sample(n, seed=1, mean=False)[:, : table.n_features])
    assert drawn["hits"].mean() == pytest.approx(50, rel=0.03)
    assert drawn["hits"].std() == pytest.approx(np.sqrt(50 + 50**2 / 4), rel=0.04)
    assert drawn["calls"].var() == pytest.approx(3, rel=0.04)
    assert drawn["none"].max() == 0
    assert (drawn["place"] == "sea").mean() == pytest.approx(0.9, abs=0.01)
    assert drawn["owner"].mean() == pytest.approx(0.2, abs=0.01)
    assert drawn["height"].mean() == pytest.approx(170, abs=0.2)


def test_one_hot_columns_are_written_out_a_minibatch_at_a_time():
    """The source hands on what ``encode`` makes of all rows, and holds a number for each cell."""
    frame = mixed_frame()
    table = Table.infer(frame)
    targets = np.arange(2 * len(frame)).reshape(-1, 2)
    source = TableSource(table, frame, weight=np.arange(len(frame)) + 1.0, targets=targets)
    rows = np.array([2, 0, 1, 2])
    batch, n = source.gather(rows), table.n_features
    expected = table.encode(frame)[rows]
    np.testing.assert_array_equal(batch.x[:, :n], np.nan_to_num(expected))
    np.testing.assert_array_equal(batch.x[:, n:], targets[rows])
    known = np.isfinite(expected)
    np.testing.assert_array_equal(np.ones((4, n)) if batch.observed is None else batch.observed[:, :n], known)
    np.testing.assert_array_equal(batch.weight, rows + 1)
    assert source.codes.shape == frame.shape
