"""Numbers far from all others: in a row that is asked about, and in rows that are trained on."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from sklearn.datasets import load_breast_cancer  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402

from pyvae import _kernels  # noqa: E402
from pyvae.sklearn import VAEClassifier, VAEClusterer, VAEOutlierDetector, VAERegressor, VAETransformer  # noqa: E402

pytestmark = [
    pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]

METHODS = ("transform", "score_samples", "predict", "predict_proba", "contributions", "impute")
ESTIMATORS = [VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier]
FAR = [-9999.0, 1000.0, 1e20, 1e39, -1e300]


@pytest.fixture(scope="module")
def cancer():
    data = load_breast_cancer()
    return data.data[::2], data.target[::2], data.data[1:41:2]


def outputs(fitted, X):
    return {name: np.asarray(getattr(fitted, name)(X)) for name in METHODS if hasattr(fitted, name)}


@pytest.fixture(scope="module", params=ESTIMATORS, ids=lambda kind: kind.__name__)
def fitted(request, cancer):
    X, y, _ = cancer
    more = {"n_clusters": 3} if request.param is VAEClusterer else {}
    return request.param(hidden_layer_sizes=(30,), max_iter=1, min_updates=400, random_state=0, **more).fit(X, y)


@pytest.mark.parametrize("as_frame", [False, True], ids=["array", "frame"])
@pytest.mark.parametrize("number", FAR)
def test_one_far_number_among_the_rows_asked_about(fitted, cancer, number, as_frame):
    """The row is the oddest, the number the reason; the other rows are what they were; nothing is NaN."""
    rows = cancer[2].copy()
    before = outputs(fitted, rows)
    rows[2, 3] = number
    X = pd.DataFrame(rows) if as_frame else rows
    for name, values in outputs(fitted, X).items():
        assert not np.isnan(values).any(), name
        np.testing.assert_array_equal(np.delete(values, 2, 0), np.delete(before[name], 2, 0), err_msg=name)
        if name == "score_samples" and number != 1000:  # which is one standard deviation off
            assert values.argmin() == 2
        elif name == "contributions":
            assert values[2].argmax() == 3
        elif name == "predict_proba":
            np.testing.assert_allclose(values.sum(axis=1), 1)
    if isinstance(fitted, VAERegressor):
        mean, std = fitted.predict(X, return_std=True)
        assert -2 < mean[2] < 3 and np.isfinite(std[2])


@pytest.mark.parametrize("as_frame", [False, True], ids=["array", "frame"])
def test_a_few_far_numbers_among_the_rows_trained_on(as_frame):
    """Ten times -9999 in a thousand rows: what breaks the relation of two columns is still found."""
    rng = np.random.default_rng(0)

    def related(n, noise):
        X = rng.normal(size=(n, 6))
        X[:, 1] = X[:, 0] + noise(n)
        return X

    train, normal = (related(n, lambda n: 0.1 * rng.normal(size=n)) for n in (1000, 300))
    odd = related(300, lambda n: rng.choice([-1, 1], n))
    train[rng.choice(1000, 10, replace=False), rng.integers(0, 6, 10)] = -9999
    frame = (lambda X: pd.DataFrame(X, columns=list("abcdef"))) if as_frame else (lambda X: X)
    name = "'[a-f]'" if as_frame else r"\d of X"
    detector = VAEOutlierDetector(hidden_layer_sizes=(50,), max_iter=1, min_updates=1500, random_state=0)
    with pytest.warns(UserWarning, match=f"count as missing in training .*: \\d of column {name}"):
        detector.fit(frame(train))
    scores = -detector.score_samples(frame(np.r_[normal, odd]))
    assert roc_auc_score(np.repeat([0, 1], 300), scores) > 0.97


def test_streams_and_files_take_them_too(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    X[5, 1] = 1e30
    path = tmp_path / "x.npy"
    np.save(path, X)
    with pytest.warns(UserWarning, match="1 of column 1 of X"):
        mapped = VAETransformer(2, max_iter=1, min_updates=50, random_state=0).fit(np.load(path, mmap_mode="r"))
    with pytest.warns(UserWarning, match="1 of column 1 of X"):
        given = VAETransformer(2, max_iter=1, min_updates=50, random_state=0).fit(X)
    np.testing.assert_array_equal(mapped.transform(X), given.transform(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given.partial_fit(X)
    assert np.isfinite(given.score(X[6:]))
