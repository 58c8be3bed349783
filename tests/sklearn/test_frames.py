"""Frames of other libraries than pandas."""

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="needs pandas")
pytest.importorskip("sklearn", reason="needs scikit-learn")

import pyvae  # noqa: E402
from pyvae.data.frames import as_pandas  # noqa: E402
from pyvae.sklearn import VAEClassifier, VAEOutlierDetector, VAETransformer  # noqa: E402

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 1, "min_updates": 20, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def frame(rng):
    words = rng.choice(["x", "y", "z"], 60)
    return pd.DataFrame({"a": rng.normal(size=60), "n": rng.poisson(3, 60), "w": words})


def kinds(frame):
    """The same rows as other libraries hold them."""
    arrow, polars = (pytest.importorskip(name, reason=f"needs {name}") for name in ("pyarrow", "polars"))
    dictionary = pd.ArrowDtype(arrow.dictionary(arrow.int32(), arrow.string()))
    types = {"a": pd.ArrowDtype(arrow.float64()), "n": pd.ArrowDtype(arrow.int64())}
    return {
        "polars": polars.from_pandas(frame),
        "arrow": arrow.Table.from_pandas(frame),
        "large strings": frame.astype({**types, "w": pd.ArrowDtype(arrow.large_string())}),
        "a dictionary": frame.astype({**types, "w": dictionary}),
    }


@pytest.mark.parametrize("kind", ["polars", "arrow", "large strings", "a dictionary"])
def test_they_are_taken_as_the_same_table(kind, frame):
    other = kinds(frame)[kind]
    ours, theirs = (VAETransformer(2, **SMALL).fit(X) for X in (frame, other))
    assert [column.kind for column in theirs.columns_.table.columns] == ["numeric", "count", "categorical"]
    if kind != "a dictionary":  # which has an order of its own
        np.testing.assert_array_equal(ours.transform(frame), theirs.transform(other))
    assert set(theirs.sample(20)["w"]) <= {"x", "y", "z"}


def test_every_method_takes_them(frame):
    polars = kinds(frame)["polars"]
    detector = VAEOutlierDetector(2, **SMALL).fit(frame)
    pd.testing.assert_frame_equal(detector.contributions(polars), detector.contributions(frame))
    gaps = frame.assign(a=frame["a"].where(frame.index > 3))
    filled = VAETransformer(2, **SMALL).fit(frame).impute(kinds(gaps)["polars"])
    assert filled["a"].notna().all() and filled["a"][5] == frame["a"][5]
    assert set(VAEClassifier(2, **SMALL).fit(polars, polars["w"]).predict(polars)) <= {"x", "y", "z"}


def test_numbers_alone_are_an_array_of_any_model(frame):
    numbers = frame[["a", "n"]]
    model = pyvae.VAE.mlp(2, 1, hidden=(4,), likelihood="gaussian")
    for other in (kinds(frame)["polars"].select("a", "n"), kinds(frame)["arrow"].select(["a", "n"])):
        np.testing.assert_array_equal(model.elbo(other), model.elbo(numbers))


def test_without_what_the_conversion_needs_it_is_named():
    class Frame:
        def to_pandas(self):
            raise ImportError("pyarrow is required")

    with pytest.raises(TypeError, match=r"give X.to_pandas\(\), which needs more \(pyarrow is required\)"):
        as_pandas(Frame())
