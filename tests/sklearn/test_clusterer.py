"""VAEClusterer with the mixture as its prior."""

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="the estimators take DataFrames by pandas, which is not installed")
pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")

from sklearn.metrics import adjusted_rand_score  # noqa: E402

import pyvae  # noqa: E402
from pyvae import _kernels  # noqa: E402
from pyvae.sklearn import VAEClusterer, load, save  # noqa: E402

pytestmark = [
    pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]


def make(**parameters):
    small = {
        "n_clusters": 3, "n_components": 2, "hidden_layer_sizes": (16,), "learning_rate_init": 1e-2, "max_iter": 6,
        "min_updates": 300, "random_state": 0, "prior": "mixture",
    }  # fmt: skip
    return VAEClusterer(**(small | parameters))


def rows(n=240):
    """Three groups in five columns, and which of them each row is of."""
    rng, y = np.random.default_rng(0), np.arange(n) % 3
    centres = 4 * np.array([[1, -1, 1, 0, 0], [-1, 1, 0, 1, 0], [0, 0, -1, -1, 1]])
    return rng.normal(centres[y], 1), y


def test_it_finds_groups_by_the_responsibilities_of_its_model():
    X, y = rows()
    fitted = make().fit(X)
    assert isinstance(fitted.model_, pyvae.ClusterVAE) and not hasattr(fitted, "mixture_")
    assert adjusted_rand_score(y, fitted.labels_) > 0.95
    np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
    shares = fitted.model_.cluster(fitted.columns_.source(X))
    np.testing.assert_array_equal(fitted.predict_proba(X), shares)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.predict_proba(X[5:6]), shares[5:6])
    np.testing.assert_array_equal(make().fit(X).predict_proba(X), shares)


def test_missing_entries_and_tables():
    X, y = rows()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    assert adjusted_rand_score(y, make().fit_predict(X)) > 0.7
    table = pd.DataFrame(X[:, :3], columns=["a", "b", "c"]).assign(word=np.array(["u", "v", "w"])[y])
    assert adjusted_rand_score(y, make().fit_predict(table)) > 0.7


def test_pre_training_is_within_the_budget(monkeypatch):
    """A third of the epochs with a tenth of beta, then the start, once; a warm start has none of both."""
    calls = []
    original, start = pyvae.train, pyvae.ClusterVAE.start_clusters

    def train(model, source, **settings):
        calls.append((settings["epochs"], round(settings["beta"], 6)))
        return original(model, source, **settings)

    monkeypatch.setattr("pyvae.sklearn.base.train", train)
    monkeypatch.setattr(
        pyvae.ClusterVAE, "start_clusters", lambda *arguments: calls.append("start") or start(*arguments)
    )
    X, _ = rows()
    fitted = make(max_iter=12, min_updates=0, beta=0.5, warm_start=True, early_stopping=True).fit(X)
    assert calls == [(4, 0.05), "start", (8, 0.5)]
    fitted.fit(X)
    assert calls[3:] == [(12, 0.5)]
    for name, value in (("n_clusters", 4), ("prior", "normal")):
        with pytest.raises(ValueError, match=f"{name} must stay"):
            fitted.set_params(**{name: value}).fit(X)
        fitted.set_params(n_clusters=3, prior="mixture")


def test_files(tmp_path):
    X, _ = rows()
    fitted = make().fit(X)
    save(fitted, tmp_path / "e.pyvae")
    again = load(tmp_path / "e.pyvae")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert repr(again) == repr(fitted)
    again.set_params(warm_start=True)
    fitted.set_params(warm_start=True)
    np.testing.assert_array_equal(again.fit(X).labels_, fitted.fit(X).labels_)


def test_other_priors_are_refused():
    with pytest.raises(ValueError, match=r"prior must be normal or mixture, not 'flow'"):
        make(prior="flow").fit(rows()[0])
