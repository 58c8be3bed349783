"""What the estimators are given: tables, missing entries, sparse and memory-mapped rows; and what they refuse."""

import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from scipy import sparse  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402

import pyvae  # noqa: E402
from pyvae.likelihoods.words import make_likelihood  # noqa: E402
from pyvae.sklearn import VAEClassifier, VAEClusterer, VAEOutlierDetector, VAERegressor, VAETransformer  # noqa: E402
from pyvae.sklearn.columns import ArrayColumns, MappedSource  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of so short trainings

SMALL = {
    "n_components": 2, "hidden_layer_sizes": (12,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 40,
    "random_state": 0,
}  # fmt: skip
N = 60


def make(estimator=VAETransformer, **parameters):
    return estimator(**{**SMALL, **parameters})


def rows():
    rng = np.random.default_rng(0)
    return rng.normal(3, 2, (N, 1)) + rng.normal(0, 1, (N, 4))


def gaps(X):
    """Every fifth entry missing."""
    missing = np.arange(np.prod(X.shape)).reshape(X.shape) % 5 == 0
    return X.mask(missing) if hasattr(X, "mask") else np.where(missing, np.nan, X)


def table():
    """Every type of column, in no order, on an index of its own."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "text": pd.array(rng.choice(["a", "b"], N), dtype="string"),
        "float": rng.normal(5, 2, N),
        "level": pd.Categorical(rng.choice(["lo", "hi"], N), ["lo", "mid", "hi"], ordered=True),
        "count": pd.array(rng.poisson(4, N), dtype="Int64"),
        "short": rng.normal(0, 1, N).astype("f4"),
        "yes": pd.array(rng.random(N) < 0.5, dtype="boolean"),
        "word": rng.choice(["x", "y", "z"], N),
        "nullable": pd.array(rng.normal(0, 1, N), dtype="Float64"),
        "unused": pd.Categorical(rng.choice(["p", "q"], N), ["never", "p", "q"]),
    }, index=np.arange(N) * 3 + 100)  # fmt: skip


# --- Tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [table(), gaps(table()), table()[["float", "short", "nullable"]],
                                   gaps(table())[["float", "short", "nullable"]]],
                         ids=["all", "gaps", "floats", "floats with gaps"])  # fmt: skip
def test_a_table_in_and_a_table_of_the_same_types_out(frame):
    fitted = make().fit(frame)
    for made in (fitted.inverse_transform(fitted.transform(frame)), fitted.sample(7, random_state=1)):
        pd.testing.assert_series_equal(made.dtypes, frame.dtypes)
        assert not made.isna().any(axis=None)
    filled = fitted.impute(frame)
    pd.testing.assert_series_equal(filled.dtypes, frame.dtypes)
    assert filled.index.equals(frame.index) and not filled.isna().any(axis=None)
    for name in frame:
        known = frame[name].notna()
        pd.testing.assert_series_equal(filled.loc[known, name], frame.loc[known, name])
    made = fitted.sample(200, random_state=1)
    if "count" in frame:
        assert (made["count"] >= 0).all() and set(made["level"]) <= {"lo", "mid", "hi"}
    again = fitted.sample(200, random_state=1)
    pd.testing.assert_frame_equal(made, again)


def test_columns_of_the_types_that_missing_entries_leave():
    """Integers become floats, and True and False objects, where pandas has to keep a missing entry."""
    frame = pd.DataFrame({"children": [1, 2, 0] * 20, "member": [True, False, True] * 20, "x": np.arange(N) / N})
    fitted = make().fit(frame)
    with_gaps = pd.DataFrame({"children": [1, np.nan, 0], "member": [True, None, False], "x": [0.1, 0.2, np.nan]})
    filled = fitted.impute(with_gaps)
    assert filled.notna().all(axis=None)
    assert filled["children"][1] == np.rint(filled["children"][1]) and filled["member"][1] in (True, False)
    assert fitted.transform(with_gaps).shape == (3, 2)


def test_a_frame_of_numbers_with_kinds_is_a_table():
    frame = pd.DataFrame({"n": [0.0, 1, 2, np.nan] * 15, "x": rows()[:, 0]})
    fitted = make(kinds={"n": "count"}).fit(frame)
    assert [column.kind for column in fitted.columns_.table.columns] == ["count", "numeric"]
    made = fitted.sample(50, random_state=0)
    assert (made["n"] == np.rint(made["n"])).all()


def test_supervised_samples_are_tables():
    frame, y = table(), rows()[:, 0]
    made = make(VAERegressor).fit(frame, y).sample([1.0, 5.0], random_state=0)
    pd.testing.assert_series_equal(made.dtypes, frame.dtypes)
    made = make(VAEClassifier).fit(frame[["float", "short"]], y > 3).sample([True, False, True], random_state=0)
    pd.testing.assert_series_equal(made.dtypes, frame[["float", "short"]].dtypes)


def test_targets_of_many_types():
    frame, y = rows(), rows()[:, 0]
    plain = make(VAERegressor).fit(frame, y).predict(frame)
    for given in (list(y), pd.Series(y, index=np.arange(N) + 5), pd.Series(y, dtype="Float64")):
        np.testing.assert_array_equal(make(VAERegressor).fit(frame, given).predict(frame), plain)
    labels = np.where(y > 3, "high", "low")
    plain = make(VAEClassifier).fit(frame, labels).predict(frame)
    for given in (pd.Series(labels), pd.Series(labels, dtype="category"), pd.Series(labels, dtype="string")):
        np.testing.assert_array_equal(make(VAEClassifier).fit(frame, given).predict(frame), plain)


# --- Missing entries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["auto", "gaussian-shared", "bernoulli", "poisson"])
def test_what_is_missing_is_filled_and_the_rest_stays(likelihood):
    X = rows() if likelihood not in ("bernoulli", "poisson") else (rows() > 3).astype(float)
    with_gaps = gaps(X)
    fitted = make(likelihood=likelihood).fit(with_gaps)
    filled = fitted.impute(with_gaps)
    known = ~np.isnan(with_gaps)
    np.testing.assert_array_equal(filled[known], X[known])
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(fitted.impute(X), X)


def test_imputation_knows_more_than_the_mean():
    X = rows()
    with_gaps = gaps(X)
    filled = make(min_updates=800).fit(with_gaps).impute(with_gaps)
    missing = np.isnan(with_gaps)
    by_mean = (X - np.nanmean(with_gaps, axis=0))[missing]
    assert np.mean((filled - X)[missing] ** 2) < 0.6 * np.mean(by_mean**2)  # the columns have a common part


def test_what_is_missing_moves_nothing():
    """Means and scales are those of the known entries."""
    X = gaps(rows())
    columns = ArrayColumns(X, "gaussian")
    np.testing.assert_allclose(columns.standardization.mean, np.nanmean(X, axis=0))
    np.testing.assert_allclose(columns.standardization.scale, np.nanstd(X, axis=0))


# --- Constant columns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 + 0.1])
def test_constant_columns_are_not_scaled_up(kind, constant):
    X = np.repeat(rows(), 30, axis=0)
    X[:, 1] = constant
    weight = np.linspace(0.1, 7, len(X))
    columns = ArrayColumns(sparse.csr_array(X) if kind is sparse.csr_array else X, "gaussian", weight)
    assert columns.standardization.scale[1] == 1
    if constant < 1 or kind is not sparse.csr_array:  # the mean of sparse columns stays
        fitted = make(max_iter=1, likelihood="gaussian").fit(kind(X), sample_weight=weight)
        decoded = np.asarray(fitted.inverse_transform(fitted.transform(kind(X))))
        np.testing.assert_allclose(decoded[:, 1], constant, atol=0.5)


def test_a_constant_column_keeps_its_value_and_takes_no_part_in_training(rng):
    """Its residuals, over a std that goes to its floor, would count more than all other columns."""
    X = rng.normal(size=(300, 4))
    X[:, 2] = 1e9 / 3
    for given in (X, pd.DataFrame(X, columns=list("abcd"))):
        fitted = make(likelihood="auto", max_iter=50).fit(given)
        assert not fitted.model_.decoder.layers[-1].W[:, 2].any() and fitted.model_.decoder.layers[-1].b[2] == 0
        np.testing.assert_allclose(np.asarray(fitted.sample(50, random_state=0))[:, 2], X[0, 2], atol=1)
    X[0, 2] += 5
    assert fitted.score_samples(pd.DataFrame(X, columns=list("abcd"))).argmin() == 0


# --- Sparse rows -----------------------------------------------------------------------------------------------------


def counts():
    return np.random.default_rng(0).poisson(0.3, (N, 30)).astype(float)


@pytest.fixture
def no_dense_copy(monkeypatch):
    """Sparse matrices cannot become arrays as a whole."""

    def refused(*args, **keywords):
        raise AssertionError("a sparse matrix was made dense")

    for cls in (sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.csr_matrix, sparse.csc_matrix):
        for name in ("toarray", "todense"):
            monkeypatch.setattr(cls, name, refused)


@pytest.mark.parametrize("likelihood", ["auto", "multinomial", "gaussian", "gaussian-shared"])
def test_sparse_rows_stay_sparse(likelihood, no_dense_copy):
    X = sparse.csr_array(counts())
    given = X.copy()
    fitted = make(likelihood=likelihood).fit(X)
    Z, scores = fitted.transform(X), fitted.score_samples(X)
    for other in (X.tocsc(), X.tocoo(), sparse.csr_matrix(X)):
        again = make(likelihood=likelihood).fit(other)
        np.testing.assert_array_equal(again.transform(other), Z)
        np.testing.assert_array_equal(again.score_samples(other), scores)
    assert make(VAEOutlierDetector, likelihood=likelihood).fit(X).predict(X).shape == (N,)
    streamed = make(likelihood=likelihood).partial_fit(X[:30]).partial_fit(X[30:])
    assert streamed.transform(X).shape == (N, 2)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(X, part), getattr(given, part))  # and is left alone


@pytest.mark.parametrize("likelihood", ["negative-binomial", "poisson", "bernoulli"])
def test_sparse_rows_are_the_same_rows(likelihood):
    X = counts() if likelihood != "bernoulli" else np.minimum(counts(), 1)
    dense, thin = make(likelihood=likelihood).fit(X), make(likelihood=likelihood).fit(sparse.csr_array(X))
    np.testing.assert_allclose(thin.transform(sparse.csr_array(X)), dense.transform(X), rtol=1e-4, atol=1e-5)
    if pyvae._kernels.KERNELS == "native":  # to the bit; the twins' products are BLAS's
        np.testing.assert_array_equal(dense.transform(sparse.csr_array(X)), dense.transform(X))


@pytest.mark.parametrize("likelihood", ["auto", "multinomial", "gaussian"])
@pytest.mark.parametrize("estimator", [VAERegressor, VAEClassifier])
def test_sparse_rows_with_a_target(estimator, likelihood, no_dense_copy):
    X, y = sparse.csr_array(counts()), np.arange(N) % 3
    fitted = make(estimator, likelihood=likelihood).fit(X, y, sample_weight=1 + y)
    again = make(estimator, likelihood=likelihood).fit(X.tocsc(), y, sample_weight=1 + y)
    np.testing.assert_array_equal(again.predict(X.tocoo()), fitted.predict(X))
    assert fitted.sample(y[:4], random_state=0).shape == (4, 30)


@pytest.mark.parametrize("estimator", [VAERegressor, VAEClassifier])
def test_sparse_rows_with_a_target_are_the_same_rows(estimator):
    X, y = counts(), np.arange(N) % 3
    dense = make(estimator, likelihood="poisson").fit(X, y)
    thin = make(estimator, likelihood="poisson").fit(sparse.csr_array(X), y)
    predict = "predict" if estimator is VAERegressor else "predict_proba"
    np.testing.assert_allclose(
        getattr(thin, predict)(sparse.csr_array(X)), getattr(dense, predict)(X), rtol=1e-3, atol=1e-3
    )
    if pyvae._kernels.KERNELS == "native":
        np.testing.assert_array_equal(thin._encode(sparse.csr_array(X))[0], dense._encode(X.astype(float))[0])


@pytest.mark.parametrize("likelihood", ["negative-binomial", "poisson", "bernoulli"])
def test_new_models_begin_at_the_means_of_arrays_and_sparse_rows(likelihood):
    X = counts().astype(float) if likelihood != "bernoulli" else np.minimum(counts(), 1.0)
    options = {"likelihood": likelihood, "learning_rate_init": 1e-12, "min_updates": 1, "max_iter": 1}
    gaps = np.where(np.arange(30) % 7 == np.arange(N)[:, None] % 7, np.nan, X)
    for given in (X, sparse.csr_array(X), gaps):
        known = given.toarray() if hasattr(given, "tocsr") else given
        mean = (np.nansum(known, axis=0) + 0.5) / ((~np.isnan(known)).sum(axis=0) + 1)
        model = make(**options).fit(given).model_
        expected = np.log(mean) - (np.log1p(-mean) if likelihood == "bernoulli" else 0)
        np.testing.assert_allclose(model.decoder.layers[-1].b, expected, rtol=1e-4, atol=1e-5)
        again = make(**options | {"likelihood": make_likelihood(likelihood, 30)}).fit(given).model_
        np.testing.assert_array_equal(again.decoder.layers[-1].b, model.decoder.layers[-1].b)
        if likelihood == "negative-binomial":
            m, v = np.nanmean(known, axis=0), np.nanvar(known, axis=0)
            here = v > 1.2 * m
            np.testing.assert_allclose(np.exp(model.likelihood.log_r[here]), (mean**2 / (v - mean))[here], rtol=1e-3)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_new_models_begin_at_weighted_means(kind):
    X = np.random.default_rng(0).negative_binomial(1, 0.3, (N, 3))
    given = pd.DataFrame(X, columns=["a", "b", "c"]) if kind is pd.DataFrame else kind(X.astype(float))
    weight = np.linspace(0, 5, N) ** 2 + 0.1
    options = {"learning_rate_init": 1e-12, "min_updates": 1, "max_iter": 1}
    options |= {} if kind is pd.DataFrame else {"likelihood": "negative-binomial"}
    model = make(**options).fit(given, sample_weight=weight).model_
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    smoothed = (mean * weight.sum() + 0.5) / (weight.sum() + 1)
    np.testing.assert_allclose(model.decoder.layers[-1].b, np.log(smoothed), rtol=1e-4, atol=1e-5)
    log_r = next(model.parameters[name] for name in model.parameters.names if name.endswith("log_r"))
    np.testing.assert_allclose(log_r, np.log(smoothed**2 / (variance - smoothed)), rtol=1e-4)


def test_scales_of_sparse_columns():
    X = sparse.csr_array(counts() * np.arange(30))
    weight = np.linspace(0.1, 3, N)
    scale = ArrayColumns(X, "gaussian", weight).standardization.scale
    mean = np.average(X.toarray(), axis=0, weights=weight)
    variance = np.average((X.toarray() - mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(scale[1:], np.sqrt(variance)[1:])
    assert scale[0] == 1


def test_the_likelihood_of_sparse_entries():
    X = sparse.csr_array(counts())
    ones = X.copy()
    ones.data[:] = 1
    ones.data[::4] = 0  # stored, but zero
    for given, expected in ((X, "negative-binomial"), (ones, "bernoulli"), (X * 0.5, "gaussian")):
        assert make().fit(given).columns_.word == expected


# --- Memory-mapped rows ----------------------------------------------------------------------------------------------


def mapped(tmp_path, X):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f4", "u1", "i2"])
def test_mapped_rows_are_the_same_rows(dtype, tmp_path):
    X = (rows() + 10).astype(dtype)
    X = gaps(X).astype(dtype) if X.dtype.kind == "f" else X
    file = mapped(tmp_path, X)
    in_memory, on_disk = make().fit(X), make().fit(file)
    np.testing.assert_array_equal(on_disk.transform(file), in_memory.transform(X))
    np.testing.assert_array_equal(on_disk.score_samples(file), in_memory.score_samples(X))
    np.testing.assert_array_equal(on_disk.impute(file), in_memory.impute(X).astype(dtype))


@pytest.mark.parametrize("estimator", [VAETransformer, VAERegressor])
def test_mapped_rows_stay_on_disk(estimator, tmp_path):
    X = np.random.default_rng(0).normal(size=(40_000, 100)).astype(np.float32)
    file, y, size = mapped(tmp_path, X), X[:, 0].astype(float), X.nbytes
    del X
    fitted = make(estimator, max_iter=1, min_updates=1, batch_size=500, early_stopping=False)
    tracemalloc.start()
    try:
        fitted.fit(file, y, sample_weight=np.ones(40_000))
        if estimator is VAETransformer:
            assert isinstance(fitted.columns_.source(fitted._rows(file)), MappedSource)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * size


def test_messages_name_the_row_in_the_file(tmp_path):
    X = rows().repeat(50, axis=0)
    fitted = make(max_iter=1).fit(X)
    X[2345] = np.nan
    with pytest.raises(ValueError, match="row 2345 of X has no known value: drop it"):
        fitted.transform(mapped(tmp_path, X))


def test_masked_entries_are_missing_ones():
    X = rows()
    holes = np.arange(X.size).reshape(X.shape) % 5 == 0
    masked, gaps = np.ma.array(X, mask=holes), np.where(holes, np.nan, X)
    ours, theirs = (make(max_iter=1).fit(Z).transform(Z) for Z in (masked, gaps))
    np.testing.assert_array_equal(ours, theirs)


# --- What is refused -------------------------------------------------------------------------------------------------

X, FRAME = rows(), table()
HOLE = np.where(np.arange(N)[:, None] == 7, np.nan, X)
BAD_FITS = [
    ("a column without values", {}, np.where([True, False, False, False], np.nan, X),
     "column 0 of X has no known value: drop it"),
    ("a named one", {}, pd.DataFrame(X, columns=list("abcd")).assign(b=np.nan),
     "column 'b' of X has no known value: drop it"),
    ("a row without values", {}, HOLE, "row 7 of X has no known value: drop it"),
    ("too large", {}, X * 1e300, "column 0 of X holds numbers too large to be scaled: divide them before"),
    ("infinite", {}, np.where(X > 4, np.inf, X),
     "Input X contains infinity or a value too large for dtype('float64')."),
    ("an infinite column", {}, FRAME.assign(float=np.inf),
     "column 'float' holds finite numbers, but row 0 has inf"),
    ("one name twice", {}, pd.DataFrame(X, columns=list("abca")), "X has two columns named 'a': rename one"),
    ("one row", {}, FRAME[:1], "X has n_samples = 1, but at least 2 are required"),
    ("kinds of an array", {"kinds": {"a": "count"}}, X,
     "kinds are of the columns of a DataFrame, with likelihood='auto': drop them here"),
    ("kinds of no column", {"kinds": {"a": "count"}}, FRAME, "kinds names the column 'a', which the table has not"),
    ("text for a word", {"likelihood": "gaussian"}, FRAME,
     "X must hold numbers alone here, but its column 'text' holds text"),
    ("another width", {"likelihood": pyvae.Gaussian(3)}, X, "likelihood has 3 columns, but X has 4"),
    ("fractions as counts", {"likelihood": "poisson"}, np.abs(X), "X[0, 0] is "),
    ("negative counts", {"likelihood": "poisson"}, -np.ones((N, 2)),
     "X[0, 0] is -1, but the Poisson likelihood takes whole numbers from 0"),
    ("numbers as bits", {"likelihood": "bernoulli"}, X * 9, "X[0, 0] is "),
    ("sparse NaN", {}, sparse.csr_array(HOLE),
     "X must not hold NaN where it is sparse: only arrays and DataFrames may miss entries"),
]  # fmt: skip
BAD_PARAMETERS = [
    ("n_components", 0, "n_components must be a whole number of at least 1, not 0"),
    ("n_components", 2.0, "n_components must be a whole number of at least 1, not 2.0"),
    ("hidden_layer_sizes", (10, -1), "hidden_layer_sizes must be a whole number of at least 1, not -1"),
    ("hidden_layer_sizes", "wide", "hidden_layer_sizes must be a whole number of at least 1, not 'wide'"),
    ("hidden_layer_sizes", None, "hidden_layer_sizes must be a whole number of at least 1, not None"),
    ("activation", "rule", "activation must be "),
    ("activation", ["relu"], "activation must be "),
    ("likelihood", "normal", "likelihood must be auto, bernoulli, gaussian, "),
    ("likelihood", 3, "likelihood must be auto, bernoulli, gaussian, "),
    ("kinds", ["count"], "kinds must be a dict, {name of a column: kind}, not ['count']"),
    ("beta", -1, "beta must be a number from 0, not -1"),
    ("alpha", np.nan, "alpha must be a number from 0, not nan"),
    ("batch_size", 0, "batch_size must be a whole number of at least 1, not 0"),
    ("batch_size", "all", "batch_size must be a whole number of at least 1, not 'all'"),
    ("learning_rate_init", 0, "learning_rate_init must be a number above 0, not 0"),
    ("max_iter", 0, "max_iter must be a whole number of at least 1, not 0"),
    ("min_updates", -1, "min_updates must be a whole number of at least 0, not -1"),
    ("early_stopping", "yes", "early_stopping must be True or False, not 'yes'"),
    ("validation_fraction", 1.0, "validation_fraction must be a number above 0 and below 1, not 1.0"),
    ("n_iter_no_change", 0, "n_iter_no_change must be a whole number of at least 1, not 0"),
    ("tol", None, "tol must be a number from 0, not None"),
    ("warm_start", 1, "warm_start must be True or False, not 1"),
    ("random_state", "x", "random_state must be None, a whole number from 0 or a RandomState, not 'x'"),
    ("random_state", -1, "random_state must be None, a whole number from 0 or a RandomState, not -1"),
]  # fmt: skip
BAD_OWN_PARAMETERS = [
    (VAEOutlierDetector, "contamination", 0, "contamination must be a number above 0, not 0"),
    (VAEOutlierDetector, "contamination", 0.6, "contamination must be at most 0.5, not 0.6"),
    (VAEClusterer, "n_clusters", 0, "n_clusters must be a whole number of at least 1, not 0"),
    (VAEClusterer, "n_clusters", 61, "n_samples = 60 must be at least n_clusters = 61"),
    (VAERegressor, "target_weight", 0, "target_weight must be a number above 0, not 0"),
    (VAEClassifier, "target_weight", "x", "target_weight must be a number above 0, not 'x'"),
]
BAD_ROWS = [
    ("an array for a table", FRAME, X, "X must be a DataFrame like the one that was fitted, not of type ndarray"),
    ("unknown category", FRAME, FRAME.assign(word="w"),
     "column 'word' has the category 'w' in row 0, which no fitted row had: they had x, y, z"),
    ("negative count", FRAME, FRAME.assign(count=-1), "column 'count' holds whole numbers from 0, but row 0 has -1"),
    ("fraction", FRAME, FRAME.assign(count=0.5), "column 'count' holds whole numbers from 0, but row 0 has 0.5"),
    ("another type", FRAME, FRAME.assign(float="x"), "column 'float' is numeric, but holds text"),
    ("a column missing", FRAME, FRAME.drop(columns="yes"),
     "the table has no column 'yes', which the fitted rows had"),
    ("a column more", FRAME, FRAME.assign(more=1),
     "the table has a column 'more', which the fitted rows did not have"),
    ("another order", FRAME, FRAME[FRAME.columns[::-1]],
     "column 0 of the table is 'unused', but was 'text' in the fitted rows"),
    ("nothing known", FRAME, FRAME.mask(np.arange(N)[:, None] == np.full(9, 3)),
     "row 3 of the table has no known value: drop it"),
    ("no rows", FRAME, FRAME[:0], "X has 0 rows, but at least 1 is required"),
    ("lists", FRAME, FRAME.assign(text=[["a"]] * N), "column 'text' holds list, which is no kind of column: drop it"),
    ("text in a frame of numbers", X, pd.DataFrame(X).assign(text="x"),
     "X must hold numbers alone here, but its column 'text' holds text"),
    ("fewer columns", X, X[:, :3], "X has 3 features, but VAETransformer is expecting 4 features as input"),
]  # fmt: skip
BAD_TARGETS = [
    (VAERegressor, None, "VAERegressor requires y to be passed, but the target y is None"),
    (VAERegressor, X[:, 0][:5], "y must have one value for each of the 60 rows of X, not 5 in all"),
    (VAERegressor, np.where(X[:, 0] > 3, np.nan, 1), "Input y contains NaN."),
    (VAERegressor, pd.Series([1.0, None] * 30, dtype="Float64"), "Input y contains NaN."),
    (VAERegressor, np.full(N, np.inf), "Input y contains infinity or a value too large for dtype('float64')."),
    (VAERegressor, ["a"] * N, "y must hold real numbers alone"),
    (VAERegressor, X, "y should be a 1d array, got an array of shape (60, 4) instead."),
    (VAEClassifier, None, "VAEClassifier requires y to be passed, but the target y is None"),
    (VAEClassifier, [0, 1], "y must have one value for each of the 60 rows of X, not 2 in all"),
    (VAEClassifier, np.where(np.arange(N) > 3, np.nan, 1), "y is missing in row 4: drop it"),
    (VAEClassifier, pd.Series(["a", None] * 30), "y is missing in row 1: drop it"),
    (VAEClassifier, pd.array([1, None] * 30, dtype="Int64"), "y is missing in row 1: drop it"),
    (VAEClassifier, np.array(["a", None] * 30, dtype=object), "y is missing in row 1: drop it"),
    (VAEClassifier, X[:, 0], "Unknown label type: continuous."),
    (VAEClassifier, X, "y should be a 1d array, got an array of shape (60, 4) instead."),
]
BAD_WEIGHTS = [
    (np.zeros(N), ("Sample weights must contain at least one", "sample_weight leaves 0 row")),
    (-np.ones(N), "Negative values in data passed to `sample_weight`."),
    (np.ones(5), "sample_weight.shape == (5,), expected (60,)!"),
    (np.full(N, np.nan), "Input sample_weight contains NaN."),
    (np.arange(N) == 0, "sample_weight leaves 1 row, but at least 2 are required"),
]


def refused(words, function, *args, **keywords):
    with pytest.raises((TypeError, ValueError)) as raised:
        function(*args, **keywords)
    first = str(raised.value).split("\n")[0]  # what scikit-learn says may go on with advice
    assert first.startswith(words), first
    assert "\n" not in str(raised.value) or first.startswith(("Input", "Unknown label"))


@pytest.mark.parametrize("parameters, given, words", [case[1:] for case in BAD_FITS], ids=[c[0] for c in BAD_FITS])
def test_bad_rows_to_fit(parameters, given, words):
    refused(words, make(**parameters).fit, given)


@pytest.mark.parametrize("name, value, words", BAD_PARAMETERS)
def test_bad_parameters(name, value, words):
    for estimator in (VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier):
        refused(words, make(estimator, **{name: value}).fit, X, np.arange(N) % 2)


@pytest.mark.parametrize("estimator, name, value, words", BAD_OWN_PARAMETERS)
def test_bad_parameters_of_their_own(estimator, name, value, words):
    refused(words, make(estimator, **{name: value}).fit, X, np.arange(N) % 2)


@pytest.mark.parametrize("fitted, given, words", [case[1:] for case in BAD_ROWS], ids=[c[0] for c in BAD_ROWS])
def test_bad_rows_after_fit(fitted, given, words):
    estimator = make(max_iter=1, min_updates=1).fit(fitted)
    for method in (estimator.transform, estimator.score_samples, estimator.impute):
        refused(words, method, given)


@pytest.mark.parametrize("estimator, y, words", BAD_TARGETS)
def test_bad_targets(estimator, y, words):
    refused(words, make(estimator).fit, X, y)


@pytest.mark.parametrize("weight, words", BAD_WEIGHTS)
def test_bad_weights(weight, words):
    refused(words, make().fit, X, sample_weight=weight)
    refused(words, make().partial_fit, X, sample_weight=weight)


def test_sparse_rows_where_arrays_are_needed():
    refused("Sparse data was passed for X, but dense data is required.", make(VAEClusterer).fit, sparse.csr_array(X))


def test_bad_arguments_of_other_methods():
    fitted = make(max_iter=1, min_updates=1).fit(X)
    refused("X must have 2 columns, as transform makes, not 3", fitted.inverse_transform, X[:, :3])
    refused("n_samples must be a whole number of at least 1, not 0", fitted.sample, 0)
    refused("random_state must be None, a whole number from 0 or a RandomState, not 'x'", fitted.sample, 2, "x")
    thin = make(max_iter=1, min_updates=1, likelihood="gaussian").fit(sparse.csr_array(X))
    refused("X must be an array or a DataFrame: no entry of a sparse matrix is missing", thin.impute,
            sparse.csr_array(X))  # fmt: skip
    for estimator in (VAETransformer, VAEClusterer, VAERegressor, VAEClassifier, VAEOutlierDetector):
        for name in ("transform", "predict", "score_samples", "predict_proba", "contributions", "impute"):
            if hasattr(estimator, name):
                with pytest.raises(NotFittedError):
                    getattr(make(estimator), name)(X)
    regressor = make(VAERegressor).fit(X, X[:, 0])
    three = regressor.predict_quantiles(X)
    np.testing.assert_allclose(regressor.predict_quantiles(X, 0.5), three[:, 1], rtol=1e-9)
    assert np.all(np.diff(three, axis=1) > 0)
    refused("quantiles must be a number above 0 and below 1, not 1", regressor.predict_quantiles, X, [0.5, 1])
    refused("Input y contains NaN.", regressor.sample, [np.nan])
    classifier = make(VAEClassifier).fit(X, np.arange(N) % 2)
    refused("y has the class 2, which was not fitted", classifier.sample, [0, 2])
    refused("y has the class 'a', which was not fitted", classifier.sample, ["a"])
