"""Estimators in use: with scikit-learn's own tools, again and again to the same bits, on weighted rows and streams."""

import pickle
import signal
import warnings
from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from sklearn.base import clone  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from pyvae import _kernels  # noqa: E402
from pyvae.data.sources import ArraySource, SparseSource  # noqa: E402
from pyvae.data.wrapped import Dequantized, SameNoise  # noqa: E402
from pyvae.noise import Noise  # noqa: E402
from pyvae.sklearn import VAEClassifier, VAEClusterer, VAEOutlierDetector, VAERegressor, VAETransformer  # noqa: E402
from pyvae.sklearn.columns import ArrayColumns  # noqa: E402
from pyvae.sklearn.steps import smallest_step  # noqa: E402
from pyvae.training.loop import train  # noqa: E402

on_twins = _kernels.KERNELS == "reference"
pytestmark = [
    pytest.mark.skipif(on_twins, reason="takes the twins minutes; test_inputs.py runs on them"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]

SMALL = {
    "n_components": 2, "hidden_layer_sizes": (12,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 60,
    "random_state": 0,
}  # fmt: skip
ESTIMATORS = [VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier]


def make(estimator, **parameters):
    more = {"n_clusters": 2} if estimator is VAEClusterer else {}
    return estimator(**{**SMALL, **more, **parameters})


def rows(n=120):
    """Two groups in five columns, and which of them each row is of."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.normal(3 * y[:, None] * [1, -1, 1, 0, 0], 1, (n, 5)), y


def table(n=120):
    X, y = rows(n)
    return pd.DataFrame({
        "a": X[:, 0], "b": X[:, 1].astype("f4"), "n": np.floor(X[:, 2] ** 2).astype(int), "yes": X[:, 3] > 0,
        "word": np.where(y == 1, "one", "zero"),
    })  # fmt: skip


def outputs(estimator, X):
    """All that an estimator says of rows, one array after the other."""
    names = ("transform", "score_samples", "decision_function", "predict", "predict_proba", "impute", "contributions")
    return {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}


def assert_same(estimator, other, X):
    said = outputs(other, X)
    for name, values in outputs(estimator, X).items():
        np.testing.assert_array_equal(values, said[name], err_msg=name)


@pytest.fixture(autouse=True)
def one_blas_thread():
    """scikit-learn's mixtures make many small products."""
    with threadpool_limits(1):
        yield


# --- With scikit-learn's tools ---------------------------------------------------------------------------------------


def test_in_a_pipeline_and_a_search():
    X, y = rows()
    pipeline = make_pipeline(StandardScaler(), make(VAETransformer), LogisticRegression())
    sizes = {"vaetransformer__n_components": [1, 2]}
    search = GridSearchCV(pipeline, sizes, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    alone = GridSearchCV(pipeline, sizes, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )  # in two processes as in one


@pytest.mark.parametrize("estimator", [VAETransformer, VAERegressor, VAEClassifier])
def test_cross_validation(estimator):
    X, y = rows()
    scores = cross_val_score(make(estimator), X, y, cv=3, error_score="raise")
    if estimator is VAETransformer:  # in nats; those of one Gaussian for each column, to compare with
        alone = [-0.5 * np.log(2 * np.pi * np.e * X.var(axis=0)).sum()]
        assert scores.mean() > np.mean(alone) - 1
    else:
        assert scores.mean() > 0.8


def test_cross_validation_of_a_table():
    frame = table()
    y = frame.pop("word")
    assert cross_val_score(make(VAEClassifier), frame, y, cv=3, error_score="raise").mean() > 0.8


def test_in_a_column_transformer():
    frame = table()
    columns = ColumnTransformer([
        ("numbers", make(VAETransformer), ["a", "b", "n"]),
        ("words", OneHotEncoder(sparse_output=False), ["word"]),
    ]).set_output(transform="pandas")  # fmt: skip
    made = columns.fit_transform(frame)
    assert list(made) == ["numbers__vaetransformer0", "numbers__vaetransformer1", "words__word_one", "words__word_zero"]
    assert made.index.equals(frame.index)


def test_set_output_and_names():
    frame = table().set_index(pd.Index(np.arange(120) * 7))
    transformer = make(VAETransformer).set_output(transform="pandas")
    made = transformer.fit_transform(frame)
    assert list(made) == list(transformer.get_feature_names_out()) == ["vaetransformer0", "vaetransformer1"]
    assert made.index.equals(frame.index)
    np.testing.assert_array_equal(made, transformer.set_output(transform="default").transform(frame))
    assert transformer.feature_names_in_.tolist() == list(frame) and transformer.n_features_in_ == 5


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("given", [lambda: rows()[0], table], ids=["array", "table"])
def test_copies_say_the_same(estimator, given):
    X, y = given(), rows()[1]
    fitted = make(estimator).fit(X, y)
    for copy in (pickle.loads(pickle.dumps(fitted)), deepcopy(fitted), clone(fitted).fit(X, y)):
        assert_same(fitted, copy, X)
    other = clone(fitted).set_params(random_state=1).fit(X, y)
    assert other.loss_curve_ != fitted.loss_curve_


# --- Fitting again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_warm_start_goes_on(estimator):
    X, y = rows()
    fitted = make(estimator, warm_start=True).fit(X, y)
    weights, first = fitted.model_.parameters.values.copy(), fitted.loss_curve_
    columns = fitted.columns_
    fitted.fit(X + 1e-3, y)
    assert fitted.columns_ is columns and fitted.loss_curve_[0] < first[0]
    assert not np.array_equal(fitted.model_.parameters.values, weights)
    cold = make(estimator).fit(X, y).fit(X, y)
    assert cold.loss_curve_ == make(estimator).fit(X, y).loss_curve_


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_warm_start_of_another_model_is_refused_and_leaves_the_first(estimator):
    X, y = rows()
    fitted = make(estimator, warm_start=True).fit(X, y)
    before = outputs(fitted, X)
    with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 5 features as input"):
        fitted.fit(X[:, :4], y)
    with pytest.raises(ValueError, match="n_components must stay 2 for a warm_start, not become 3"):
        fitted.set_params(n_components=3).fit(X, y)
    for name, values in outputs(fitted.set_params(n_components=2), X).items():
        np.testing.assert_array_equal(values, before[name])


def test_warm_start_keeps_classes_and_the_units_of_y():
    X, y = rows()
    classifier = make(VAEClassifier, warm_start=True).fit(X, y)
    classifier.fit(X[y == 1], y[y == 1])
    assert classifier.classes_.tolist() == [0, 1] and classifier.predict_proba(X).shape == (120, 2)
    with pytest.raises(ValueError, match="y has the class 2, which was not fitted"):
        classifier.fit(X, y + 1)
    regressor = make(VAERegressor, warm_start=True).fit(X, y)
    units = regressor._y_mean, regressor._y_scale
    regressor.fit(X, y * 10.0)
    assert (regressor._y_mean, regressor._y_scale) == units


def test_partial_fit_learns_from_a_stream_and_survives_pickling():
    X, _ = rows(600)
    chunks = np.array_split(X, 6)
    streamed = make(VAETransformer)
    for chunk in chunks:
        streamed.partial_fit(chunk)
    first = streamed.score(X)
    mean = streamed.columns_.standardization.mean.copy()
    copy = pickle.loads(pickle.dumps(streamed))
    for _ in range(8):
        for chunk in chunks:
            streamed.partial_fit(chunk)
            copy.partial_fit(chunk)
    assert streamed.score(X) > first + 0.1
    np.testing.assert_array_equal(mean, chunks[0].mean(axis=0))  # the scales of the first chunk
    np.testing.assert_array_equal(streamed.columns_.standardization.mean, mean)
    assert streamed.n_iter_ == len(streamed.loss_curve_) == 54
    np.testing.assert_array_equal(streamed.transform(X), copy.transform(X))  # Adam's moments went along
    streamed.partial_fit(X[:1])  # a single row, too


def test_partial_fit_of_tables_has_the_categories_of_the_first():
    frame = table()
    streamed = make(VAETransformer).partial_fit(frame[:60])
    streamed.partial_fit(frame[60:])
    with pytest.raises(ValueError, match="column 'word' has the category 'two' in row 0, which no fitted row had"):
        streamed.partial_fit(frame.assign(word="two"))
    with pytest.raises(ValueError, match="the table has no column 'a', which the fitted rows had"):
        streamed.partial_fit(frame.drop(columns="a"))


def test_partial_fit_after_fit_goes_on():
    X, _ = rows()
    fitted = make(VAETransformer).fit(X)
    n, score = fitted.n_iter_, fitted.score(X)
    for _ in range(5):
        fitted.partial_fit(X)
    assert fitted.n_iter_ == n + 5 == len(fitted.loss_curve_)
    assert abs(fitted.score(X) - score) < 1  # from the weights of fit, not from new ones
    assert fitted.fit(X).n_iter_ == n  # and fit begins anew


def test_early_stopping_keeps_the_best_epoch():
    X, _ = rows(40)
    fitted = make(VAETransformer, early_stopping=True, validation_fraction=0.3, max_iter=300, n_iter_no_change=20)
    fitted.fit(X)
    best = int(np.argmax(fitted.validation_scores_))
    assert len(fitted.validation_scores_) == fitted.n_iter_ < 300 and best < fitted.n_iter_ - 20
    at_best = train_for(fitted, X, best + 1)  # the same epochs, and no more
    np.testing.assert_array_equal(at_best.transform(X), fitted.transform(X))
    assert make(VAETransformer).fit(X).validation_scores_ is None


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_ends_the_program_and_leaves_whole_epochs(early_stopping, monkeypatch):
    X, _ = rows()
    settings = {"min_updates": 0, "tol": 0.0, "batch_size": 7, "early_stopping": early_stopping}
    whole = make(VAETransformer, max_iter=3, **settings).fit(X)

    def interrupt(epoch):  # a learning rate, asked for at every step
        if epoch > 3.4:
            signal.raise_signal(signal.SIGINT)
        return SMALL["learning_rate_init"]

    with_rate = lambda *arguments, **more: train(*arguments, **more | {"learning_rate": interrupt})  # noqa: E731
    monkeypatch.setattr("pyvae.sklearn.base.train", with_rate)
    interrupted = make(VAETransformer, max_iter=50, **settings)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X)
    assert interrupted.n_iter_ == 3
    np.testing.assert_array_equal(interrupted.transform(X), whole.transform(X))


def train_for(estimator, X, epochs):
    return clone(estimator).set_params(max_iter=epochs, min_updates=0, n_iter_no_change=epochs).fit(X)


@pytest.mark.parametrize("estimator", [VAERegressor, VAEClassifier])
def test_early_stopping_holds_out_one_row_of_four(estimator):
    X, y = rows(4)
    assert len(make(estimator).fit(X, y).validation_scores_) > 0


def test_min_updates_are_made_on_few_rows():
    X, _ = rows(10)
    assert make(VAETransformer, max_iter=1, min_updates=77).fit(X).n_iter_ == 77
    stopping = make(VAETransformer, max_iter=1, min_updates=60, batch_size=9, early_stopping=True)
    assert stopping.fit(X).n_iter_ >= 60  # of 9 rows, one step each; 10 would be two
    assert make(VAETransformer, max_iter=9, min_updates=0, batch_size=5, tol=0).fit(X).n_iter_ == 9


# --- Weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("given", [lambda: rows()[0], table], ids=["array", "table"])
def test_weight_0_is_a_row_that_is_not_there(estimator, given):
    X, y = given(), rows()[1]
    kept = np.arange(120) % 3 != 0
    weight = np.where(kept, np.linspace(0.5, 2, 120), 0)
    # What is removed would be noticed: it is far away, and of a class of its own.
    if hasattr(X, "iloc"):
        X.loc[~kept, "a"], other = 1e6, X[kept]
        if estimator is not VAEClusterer:  # which gives it a label, all the same
            X.loc[~kept, "word"] = "removed"
    else:
        X[~kept] = 1e6
        other = X[kept]
    weighted = make(estimator).fit(X, np.where(kept, y, 2), sample_weight=weight)
    removed = make(estimator).fit(other, y[kept], sample_weight=weight[kept])
    assert weighted.loss_curve_ == removed.loss_curve_
    assert_same(weighted, removed, other)


def test_weight_0_in_a_stream():
    X, _ = rows()
    weight = np.ones(120)
    weight[60:] = 0
    weighted = make(VAETransformer).partial_fit(X, sample_weight=weight).partial_fit(X, sample_weight=weight)
    removed = make(VAETransformer).partial_fit(X[:60]).partial_fit(X[:60])
    np.testing.assert_array_equal(weighted.transform(X), removed.transform(X))


def test_one_class_left_by_the_weights():
    X, y = rows()
    classifier = make(VAEClassifier).fit(X, y, sample_weight=y)
    assert classifier.classes_.tolist() == [1] and (classifier.predict(X) == 1).all()


def test_weights_move_the_model():
    """Rows of weight 9 count as nine, in the means and scales, and in what is learned."""
    X = np.repeat([[0.0], [1.0]], 50, axis=0) + np.random.default_rng(0).normal(0, 0.1, (100, 1))
    weight = np.repeat([1.0, 9.0], 50)
    columns = make(VAETransformer).fit(X, sample_weight=weight).columns_
    np.testing.assert_allclose(columns.standardization.mean, np.average(X, weights=weight, axis=0))
    np.testing.assert_allclose(columns.standardization.scale**2, np.cov(X.T, aweights=weight, ddof=0))
    y = X[:, 0] * 4
    regressor = make(VAERegressor).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(regressor._y_mean, np.average(y, weights=weight))
    np.testing.assert_allclose(regressor._y_scale**2, np.cov(y, aweights=weight, ddof=0))


# --- Samples ---------------------------------------------------------------------------------------------------------


def test_samples_lie_where_the_rows_do():
    """Two groups, far apart: from the prior many rows lie between them, from the mixture hardly any."""
    rng = np.random.default_rng(0)
    X = np.repeat([-3.0, 3.0], 200)[:, None] + rng.normal(size=(400, 4))
    fitted = make(VAETransformer, min_updates=800).fit(X)
    between = {
        latent: np.mean(np.abs(fitted.sample(2000, 0, latent).mean(axis=1)) < 1.2) for latent in ("mixture", "prior")
    }
    assert between["mixture"] < 0.03 < between["prior"]
    with pytest.raises(ValueError, match="latent must be mixture or prior, not 'posterior'"):
        fitted.sample(3, latent="posterior")
    np.testing.assert_array_equal(fitted.sample(5, 0), fitted.sample(9, 0)[:5])
    stream = make(VAETransformer).partial_fit(X)
    np.testing.assert_array_equal(stream.sample(5, 0), stream.sample(5, 0, "prior"))


# --- Scores ----------------------------------------------------------------------------------------------------------


def with_gaps(X):
    """Every seventh entry missing, in the even rows."""
    gaps = (np.arange(np.prod(X.shape)).reshape(X.shape) % 7 == 0) & (np.arange(len(X))[:, None] % 2 == 0)
    return X.mask(gaps) if hasattr(X, "mask") else np.where(gaps, np.nan, X)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("given", [lambda: rows()[0], lambda: with_gaps(rows()[0]), lambda: with_gaps(table())],
                         ids=["array", "gaps", "table"])  # fmt: skip
def test_a_row_alone_is_a_row_among_others(estimator, given):
    X, y = given(), rows()[1]
    fitted = make(estimator).fit(X, y)
    among = outputs(fitted, X)
    for i in (0, 1, 77):
        row = X.iloc[i : i + 1] if hasattr(X, "iloc") else X[i : i + 1]
        for name, values in outputs(fitted, row).items():
            whole = among[name]
            expected = whole.iloc[i : i + 1] if hasattr(whole, "iloc") else whole[i : i + 1]
            np.testing.assert_array_equal(values, expected, err_msg=f"{name} of row {i}")


def test_clusters_are_those_of_scikit_learns_mixture():
    X, _ = rows()
    fitted = make(VAEClusterer, n_clusters=3).fit(X)
    z = fitted.model_.encode(fitted.columns_.source(fitted._rows(X)))[0].astype(float)
    np.testing.assert_allclose(fitted.predict_proba(X), fitted.mixture_.predict_proba(z), rtol=1e-10, atol=1e-300)
    np.testing.assert_array_equal(fitted.predict(X), fitted.mixture_.predict(z))
    np.testing.assert_array_equal(fitted.labels_, fitted.mixture_.predict(z))


def test_equal_rows_have_equal_scores():
    """One noise for all rows."""
    X, _ = rows()
    twice = np.vstack([X, X[::-1]])
    for estimator in (VAETransformer, VAEOutlierDetector):
        scores = make(estimator).fit(X).score_samples(twice)
        np.testing.assert_array_equal(scores[:120], scores[120:][::-1])
        assert len(np.unique(scores)) == 120


def test_same_noise_is_that_of_row_0():
    from scipy.sparse import csr_array

    X = np.eye(4, dtype=np.float32)
    for source in (ArraySource(X), SparseSource(csr_array(X)), ArraySource(X, missing=True)):
        alike = SameNoise(source)
        for batch in (alike.gather([3, 1]), alike.minibatch([3, 1], None, np.float32)):
            np.testing.assert_array_equal(batch.rows, [0, 0])
            np.testing.assert_array_equal(batch.x, X[[3, 1]])


@pytest.mark.parametrize("frame", [False, True], ids=["array", "table"])
def test_the_detector_takes_rounded_numbers_for_their_step(frame):
    """Of two columns, one of whole numbers and a constant one, the first is dequantized: trained on with standard
    deviation 1, and the step's place drawn."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(-2, 3, 400), np.full(400, 7), rng.normal(size=400)]).astype(float)
    X[5, 0] = np.nan
    given = pd.DataFrame(X, columns=["n", "seven", "x"]).assign(kind="a") if frame else X
    detector = make(VAEOutlierDetector).fit(given)
    source = detector._training_source(detector._rows(given))
    batch = source.gather(np.arange(400), Noise(1))
    moved = batch.x - detector.columns_.source(detector._rows(given)).gather(np.arange(400)).x
    step = 1 / np.sqrt(np.nanvar(X[:, 0]) + 1 / 12)
    assert moved[5, 0] == 0
    assert 0.45 * step < np.abs(moved[:, 0]).max() <= 0.5 * step
    assert abs(batch.x[:, 0].std() - 1) < 0.03
    assert not moved[:, 1].any()
    assert np.abs(moved[:, 2]).max() < 0.01
    assert not moved[:, 3:].any()
    plain = make(VAETransformer).fit(given)
    assert not isinstance(plain._training_source(plain._rows(given)), Dequantized)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([3, 1, np.nan, 7, 1], 2), ([0.1 * 3, 0.3, 0.5], 0.2), ([5, 5, np.nan], 0), ([1.7e9, 1.7e9 + 1, 1.8e9], 1),
        ([np.nan, np.nan], 0), ([0.5, 0.75, 1e8], 0.25),
    ],
)  # fmt: skip
def test_the_smallest_step_of_a_column(values, step):
    assert smallest_step(np.array(values)) == pytest.approx(step)


def test_steps_of_many_rows():
    """They are looked for in 10,000 rows at random: neither in every second one, nor in the first."""
    X = np.zeros((30_000, 3))
    X[:, 0], X[::2, 1], X[:, 2] = np.arange(30_000), np.nan, np.arange(30_000) % 2
    X[1::4, 1] = 3
    steps = ArrayColumns(X, "gaussian", dequantize=True).steps
    std = np.sqrt([(30_000**2 - 1) / 12 + 1 / 12, 9 / 4 + 9 / 12, 1 / 4 + 1 / 12])
    np.testing.assert_allclose(steps, [1, 3, 1] / std, rtol=1e-3)


@pytest.mark.parametrize("estimator", [VAERegressor, VAEClassifier])
def test_predictions_do_not_depend_on_the_rows_beside(estimator):
    """Those of hundreds are made some at a time, with the same noise for each row."""
    X, y = rows()
    fitted = make(estimator).fit(X, y)
    many = np.tile(X, (4, 1))
    for predict in ("predict", "predict_proba", "predict_quantiles"):
        if hasattr(fitted, predict):
            found = getattr(fitted, predict)(many)
            np.testing.assert_allclose(found, np.concatenate([getattr(fitted, predict)(X)] * 4), rtol=1e-12)
            np.testing.assert_allclose(found[:1], getattr(fitted, predict)(X[:1]), rtol=1e-12)


def test_weights_count_in_the_validation_of_dequantized_rows():
    """Rows of hardly any weight leave no trace in the validation scores of the detector."""
    X, _ = rows()
    weight = np.where(np.arange(len(X)) % 2, 1.0, 1e-9)
    far = np.where(weight[:, None] == 1, X, X + 3 * np.sign(X))
    options = {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 500}
    near, moved = (make(VAEOutlierDetector, **options).fit(Z, sample_weight=weight) for Z in (X, far))
    np.testing.assert_allclose(near.validation_scores_, moved.validation_scores_, rtol=0.05)


@pytest.mark.parametrize("frame", [False, True], ids=["array", "table"])
@pytest.mark.parametrize("gaps", [False, True], ids=["all known", "gaps"])
@pytest.mark.parametrize("estimator", [VAETransformer, VAEOutlierDetector])
def test_scores_are_densities_in_the_units_of_x(estimator, gaps, frame):
    """log p(x) of x in other units is less by the log of the factor, for each entry that is known, and so is each
    feature's part of it."""
    X = rows()[0][:, :3]
    X = with_gaps(X) if gaps else X
    factors = np.array([1.0, 2.0**10, 2.0**-4])  # powers of two round nothing
    known = ~np.isnan(X)

    def given(X):
        return pd.DataFrame(X, columns=["a", "b", "c"]).assign(n=np.arange(120) % 5) if frame else X

    fitted, other = make(estimator).fit(given(X)), make(estimator).fit(given(X * factors))
    less = np.where(known, np.log(factors), 0)
    np.testing.assert_allclose(
        other.score_samples(given(X * factors)), fitted.score_samples(given(X)) - less.sum(axis=1), rtol=1e-12
    )
    if estimator is VAEOutlierDetector:
        parts = [np.asarray(e.contributions(given(x)))[:, :3] for e, x in ((other, X * factors), (fitted, X))]
        np.testing.assert_allclose(parts[0], parts[1] + less, rtol=1e-9, atol=1e-12)
        assert (parts[0][~known] == 0).all()


def test_float32_in_float32_out():
    X = with_gaps(rows()[0].astype(np.float32))
    fitted = make(VAETransformer).fit(X)
    Z = fitted.transform(X)
    assert Z.dtype == fitted.inverse_transform(Z).dtype == fitted.impute(X).dtype == np.float32
    Z = fitted.transform(X.astype(float))
    assert Z.dtype == fitted.inverse_transform(Z).dtype == fitted.impute(X.astype(float)).dtype == np.float64


def test_two_rare_rows_are_found_again():
    """Both are validated on too: else the best epoch would be chosen without a look at them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 10)), np.zeros(1000, int)
    y[[10, 500]], X[[10, 500]] = 1, X[[10, 500]] + 4
    assert VAEClassifier(random_state=0).fit(X, y).predict(X)[y == 1].any()


def test_class_weights_are_weights_of_the_rows_of_a_class():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), np.repeat(["a", "b"], [60, 20])
    weighted = make(VAEClassifier, class_weight={"a": 1.0, "b": 3.0}).fit(X, y)
    by_rows = make(VAEClassifier).fit(X, y, sample_weight=np.where(y == "b", 3.0, 1.0))
    balanced = make(VAEClassifier, class_weight="balanced").fit(X, y, sample_weight=np.full(80, 1.5))
    np.testing.assert_array_equal(weighted.predict_proba(X), by_rows.predict_proba(X))
    assert balanced.predict_proba(X)[:, 1].mean() == pytest.approx(weighted.predict_proba(X)[:, 1].mean(), abs=0.02)
    for wrong in ("other", {"a": "b"}, {"a": -1}, 3):
        with pytest.raises(ValueError, match="class_weight"):
            make(VAEClassifier, class_weight=wrong).fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\), expected \(80,\)"):
        make(VAEClassifier, class_weight="balanced").fit(X, y, sample_weight=np.ones(3))


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 2.0}])
def test_rows_of_weight_0_have_no_part_in_the_weights_of_classes(class_weight):
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(80, 3)), np.repeat(["a", "b"], 40), rng.random(80)
    weight[:30] = 0
    one = make(VAEClassifier, class_weight=class_weight).fit(X, y, weight)
    other = make(VAEClassifier, class_weight=class_weight).fit(X[weight > 0], y[weight > 0], weight[weight > 0])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("beta", [4.0, 0.0])
def test_a_collapse_is_said(beta):
    """Where a KL that weighs much keeps nothing in z; with beta = 0 it says nothing."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make(VAETransformer, beta=beta, min_updates=400).fit(X)
    words = [str(warning.message) for warning in told if "posterior collapse" in str(warning.message)]
    assert len(words) == (beta > 0)
