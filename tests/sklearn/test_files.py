"""Estimators in files: everything comes back, to the bit, and what is damaged is refused."""

import json
import zipfile

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="needs pandas")
pytest.importorskip("sklearn", reason="needs scikit-learn")
from scipy import sparse  # noqa: E402

import pyvae  # noqa: E402
from pyvae.sklearn import (  # noqa: E402
    VAEClassifier,
    VAEClusterer,
    VAEOutlierDetector,
    VAERegressor,
    VAETransformer,
    load,
    save,
)

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 2, "min_updates": 20, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(rng):
    return pd.DataFrame({
        "x": rng.normal(5, 2, 60), "n": rng.poisson(3, 60), "b": rng.random(60) < 0.5,
        "w": pd.Series(rng.choice(["u", "v"], 60)).astype("category"),
    })  # fmt: skip


METHODS = ("transform", "predict", "predict_proba", "score_samples", "contributions", "impute", "decision_function")


def assert_equal(one, other, X):
    for name in METHODS:
        if hasattr(one, name):
            ours, theirs = getattr(one, name)(X), getattr(other, name)(X)
            (pd.testing.assert_frame_equal if hasattr(ours, "iloc") else np.testing.assert_array_equal)(ours, theirs)
    assert repr(one) == repr(other)


@pytest.mark.parametrize("kind", ["array", "table", "frame of floats"])
@pytest.mark.parametrize("cls", [VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier])
def test_everything_comes_back_to_the_bit(cls, kind, rng, tmp_path):
    X = table(rng) if kind == "table" else rng.normal(size=(60, 3))
    X = pd.DataFrame(X, columns=["a", "b", "c"]) if kind == "frame of floats" else X
    y = np.array(["no", "yes"], object)[rng.integers(0, 2, 60)] if cls is VAEClassifier else rng.normal(size=60)
    fitted = cls(**SMALL).fit(X, y)
    save(fitted, tmp_path / "e.pyvae")
    again = load(tmp_path / "e.pyvae")
    assert_equal(fitted, again, X)
    if cls in (VAERegressor, VAEClassifier):
        ours, theirs = fitted.sample(y[:5], random_state=1), again.sample(y[:5], random_state=1)
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    save(again, tmp_path / "again.pyvae")
    assert (tmp_path / "again.pyvae").read_bytes() == (tmp_path / "e.pyvae").read_bytes()


def test_partial_fit_goes_on_with_the_same_bits(rng, tmp_path):
    X = rng.normal(size=(100, 3))
    fitted = VAETransformer(**SMALL).partial_fit(X)
    save(fitted, tmp_path / "e.pyvae")
    again = load(tmp_path / "e.pyvae")
    assert_equal(fitted.partial_fit(X), again.partial_fit(X), X)


def test_parameters_of_other_kinds(rng, tmp_path):
    X = sparse.csr_array(rng.poisson(1, (50, 4)))
    for parameters in ({"likelihood": pyvae.Poisson(4)}, {"random_state": np.random.RandomState(3)},
                       {"likelihood": "poisson", "tol": np.float32(0.5)}):  # fmt: skip
        fitted = VAETransformer(**{**SMALL, **parameters}).fit(X)
        save(fitted, tmp_path / "e.pyvae")
        again = load(tmp_path / "e.pyvae")
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        assert set(again.get_params()) == set(fitted.get_params())


def test_a_warm_start_goes_on_after_loading(rng, tmp_path):
    X = rng.normal(size=(40, 3))
    fitted = VAETransformer(**SMALL, warm_start=True, likelihood=pyvae.Gaussian(3, std="learned")).fit(X)
    save(fitted, tmp_path / "e.pyvae")
    np.testing.assert_array_equal(load(tmp_path / "e.pyvae").fit(X).transform(X), fitted.fit(X).transform(X))


def test_too_little_memory_is_not_taken_for_damage(rng, tmp_path, monkeypatch):
    save(VAETransformer(**SMALL).fit(rng.normal(size=(30, 2))), tmp_path / "e.pyvae")
    monkeypatch.setattr("pyvae.data.free_memory.free_memory", lambda: 999.0)
    with pytest.raises(ValueError, match="e.pyvae holds .* kB, but 999 bytes of memory are free: free some"):
        load(tmp_path / "e.pyvae")


def test_one_that_is_not_fitted(tmp_path):
    save(VAEClassifier(n_components=5, class_weight={0: 1.0, 1: 3.0}), tmp_path / "e.pyvae")
    again = load(tmp_path / "e.pyvae")
    assert again.get_params()["class_weight"] == {0: 1.0, 1: 3.0} and not hasattr(again, "model_")


def test_what_no_file_can_hold(rng, tmp_path):
    with pytest.raises(TypeError, match=r"estimator must be one of pyvae.sklearn, not of type int"):
        save(3, tmp_path / "e.pyvae")
    with pytest.raises(TypeError, match=r"VAETransformer.verbose is of type object, which a file without pickles"):
        save(VAETransformer(verbose=object()), tmp_path / "e.pyvae")
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_refused(rng, tmp_path):
    path = tmp_path / "e.pyvae"
    save(VAETransformer(**SMALL).fit(rng.normal(size=(30, 2))), path)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"PK",
        whole[:-30],
        whole[: len(whole) // 2],
        whole.replace(b"VAETransformer", b"VAETransporter"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no file of an estimator, or it is damaged"):
            load(path)
    for entry in (
        {"object": ["GaussianMixture", {}]},
        {"eval": "1"},
        {"_class__": "arrays"},
        {"_delattr__": "models"},
        {"model": 7},
        3,
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("estimator.json", json.dumps({"format": 1, "estimator": entry}))
            archive.writestr("arrays.npz", _no_arrays())
        with pytest.raises(ValueError, match="is no file of an estimator, or it is damaged"):
            load(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        load(tmp_path / "none.pyvae")


def _no_arrays():
    import io

    file = io.BytesIO()
    np.savez(file)
    return file.getvalue()
