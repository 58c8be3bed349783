"""VAEClassifier(unlabeled=...): rows whose class is not known teach the model p(x), and nothing else."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pd = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")

from scipy.sparse import csr_array  # noqa: E402
from sklearn.base import clone  # noqa: E402

from pyvae import _kernels  # noqa: E402
from pyvae.data.sources import ArraySource, SparseSource, all_rows  # noqa: E402
from pyvae.data.wrapped import PartlyLabelled, Rows  # noqa: E402
from pyvae.sklearn import VAEClassifier, load, save  # noqa: E402
from pyvae.training.order import Order  # noqa: E402

pytestmark = [
    pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]

SMALL = {"n_components": 2, "hidden_layer_sizes": (12,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 60,
         "random_state": 0}  # fmt: skip


def make(unlabeled=-1, **parameters):
    return VAEClassifier(**{**SMALL, "unlabeled": unlabeled, **parameters})


def rows(n=120):
    """Two groups in five columns, and which of them each row is of."""
    y = np.arange(n) % 2
    return np.random.default_rng(0).normal(3 * y[:, None] * [1, -1, 1, 0, 0], 1, (n, 5)), y


def few(y, every=10):
    """y, with -1 in all but every tenth pair of rows."""
    return np.where(np.arange(len(y)) // 2 % every == 0, y, -1)


# --- What y may hold --------------------------------------------------------------------------------------------------


def test_without_such_rows_it_is_as_if_nothing_was_said():
    X, y = rows()
    said, unsaid = make(-1).fit(X, y), make(None).fit(X, y)
    assert said.loss_curve_ == unsaid.loss_curve_
    np.testing.assert_array_equal(said.predict_proba(X), unsaid.predict_proba(X))


def test_minus_1_is_a_class_where_nothing_is_said():
    X, y = rows()
    fitted = make(None).fit(X, 2 * y - 1)
    assert fitted.classes_.tolist() == [-1, 1] and fitted.score(X, 2 * y - 1) > 0.9


MARKS = {
    "a number": (7, lambda y: np.where(y < 0, 7, y), [0, 1]),
    "a word": ("?", lambda y: np.array(["zero", "one", "?"])[y], ["one", "zero"]),
    "NaN": (np.nan, lambda y: np.where(y < 0, np.nan, y), [0.0, 1.0]),
    "None": (np.nan, lambda y: np.array([None if k < 0 else int(k) for k in y], object), [0, 1]),
    "NA": (pd.NA, lambda y: pd.Series(np.array(["zero", "one", None], object)[y]), ["one", "zero"]),
    "of booleans": (-1, lambda y: np.array([k if k < 0 else k == 1 for k in y], object), [False, True]),
}


@pytest.mark.parametrize("name", MARKS)
def test_any_mark_is_the_same(name):
    X, y = rows()
    mark, written, classes = MARKS[name]
    fitted, usual = make(mark).fit(X, written(few(y))), make(-1).fit(X, few(y))
    assert fitted.classes_.tolist() == classes
    order = slice(None, None, -1) if classes == ["one", "zero"] else slice(None)
    likelier = fitted.predict_proba(X)[:, order].argmax(axis=1)
    assert np.mean(likelier == y) > 0.9 and np.mean(usual.predict(X) == y) > 0.9
    if classes != ["one", "zero"]:  # whose outputs have other places
        np.testing.assert_array_equal(fitted.predict_proba(X), usual.predict_proba(X))


def test_refusals():
    X, y = rows()
    with pytest.raises(ValueError, match="y has no class: every row is -1, which means unlabeled"):
        make().fit(X, np.full(120, -1))
    with pytest.raises(ValueError, match="y is missing in row 1: drop it, or say unlabeled=np.nan"):
        make(None).fit(X, np.where(np.arange(120) == 1, np.nan, y))
    with pytest.raises(ValueError, match="y is missing in row 1"):
        make(-1).fit(X, pd.Series([0, None, -1, 1] * 30, dtype="Int64"))
    with pytest.raises(ValueError, match=r"unlabeled must be one value, such as -1 or NaN, not \[-1\]"):
        make([-1]).fit(X, y)
    with pytest.raises(ValueError, match="Unknown label type"):
        make(-1).fit(X, np.where(y == 1, 0.5, -1))
    fitted = make().fit(X, few(y))
    with pytest.raises(ValueError, match="y has the class -1, which was not fitted"):
        fitted.sample([-1])
    weight = np.where(few(y) < 0, 1.0, 0.0)
    with pytest.raises(ValueError, match="sample_weight leaves no row whose y is known"):
        make().fit(X, few(y), sample_weight=weight)


# --- What they do -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_show_along_which_line_rows_differ(seed):
    """Two groups in 20 columns of noise. Four labels tell the line between their means badly."""
    rng, y = np.random.default_rng(seed), np.arange(600) % 2
    X = rng.normal((2 * y[:, None] - 1) * 0.5, 1, (600, 20))
    labels = np.where(np.arange(300) < 4, y[:300], -1)
    settings = {"hidden_layer_sizes": (20,), "min_updates": 400, "early_stopping": False, "random_state": seed,
                "likelihood": "gaussian-shared"}  # fmt: skip
    alone = make(None, **settings).fit(X[:4], y[:4]).score(X[300:], y[300:])
    assert make(-1, **settings).fit(X[:300], labels).score(X[300:], y[300:]) > max(0.93, alone + 0.05)


@pytest.mark.parametrize("kind", ["array", "gaps", "sparse", "memmap", "table"])
def test_every_kind_of_rows(kind, tmp_path):
    X, y = rows()
    if kind == "gaps":
        X[::7, 2] = np.nan
    elif kind == "sparse":
        X = csr_array(np.rint(np.abs(X)))
    elif kind == "memmap":
        np.save(tmp_path / "X.npy", X.astype(np.float32))
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    elif kind == "table":
        X = pd.DataFrame(X, columns=list("abcde")).assign(word=np.where(y == 1, "one", "zero"))
        X.loc[5, "word"] = None
    fitted = make().fit(X, few(y))
    assert fitted.score(X, y) > (0.7 if kind == "sparse" else 0.9)
    assert len(fitted.sample([0, 1, 1], 0)) == 3
    again = make().fit(X, few(y))
    np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize("sparse", [False, True])
def test_the_target_of_an_unlabelled_row_is_not_seen(sparse):
    """Neither its value nor its gradient: log p(x, y|z) of such a row is log p(x|z)."""
    X, y = rows(40)
    X = np.abs(X).astype(np.float32)
    fitted = make(min_updates=5, likelihood="gaussian-shared").fit(X, few(y))
    labelled = few(y) >= 0
    kind = (lambda Z: SparseSource(csr_array(Z))) if sparse else ArraySource
    given = [np.hstack([X, np.eye(2)[np.where(labelled, y, other)]]).astype(np.float32) for other in (0, 1)]
    results = []
    for Z in given:
        source = PartlyLabelled(kind(Z), 5, labelled)
        batch = all_rows(source, np.float32)
        assert (batch.x[~labelled, 5:] == 0).all() and (batch.x[labelled] == Z[labelled]).all()
        np.testing.assert_array_equal(batch.observed, np.where(labelled[:, None] | (np.arange(7) < 5), 1, 0))
        loss = fitted.model_.loss_and_gradients(source, np.zeros((40, 2)))
        results.append((loss, fitted.model_.parameters.grads.copy()))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_batches_have_equally_many_labels_also_of_some_rows():
    labelled = np.arange(100) % 10 == 0
    source = Rows(PartlyLabelled(ArraySource(np.zeros((100, 3))), 2, labelled), np.arange(100))
    order = Order(source, 20, 0, by_label=False)
    assert [int(labelled[order.rows(0, i, i + 20)].sum()) for i in range(0, 100, 20)] == [2] * 5


def test_held_out_rows_have_a_class(monkeypatch):
    X, y = rows()
    seen = {}

    def train(model, source, **settings):
        from pyvae.training.held_out import split
        from pyvae.training.loop import train

        trained, held_out = split(source, None, settings["validation_fraction"], settings["seed"])
        seen.update(trained=trained.numbers, held_out=held_out.numbers)
        return train(model, source, **settings)

    monkeypatch.setattr("pyvae.sklearn.base.train", train)
    labels = few(y, every=3)
    make().fit(X, labels)
    assert (labels[seen["held_out"]] >= 0).all() and len(seen["held_out"]) == 10  # a quarter of 40
    assert sorted([*seen["trained"], *seen["held_out"]]) == list(range(120))


def test_weights_of_classes_are_of_rows_with_a_class():
    X, y = rows()
    labels = np.where((few(y, 3) == 1) & (np.arange(120) % 4 == 1), -1, few(y, 3))  # fewer of class 1
    known = labels >= 0
    share = known.sum() / 2
    weight = np.ones(120)
    weight[known] = share / np.bincount(labels[known])[labels[known]]
    balanced = make(class_weight="balanced").fit(X, labels)
    by_rows = make().fit(X, labels, sample_weight=weight)
    np.testing.assert_array_equal(balanced.predict_proba(X), by_rows.predict_proba(X))
    by_class = make(class_weight={0: weight[labels == 0][0], 1: weight[labels == 1][0]}).fit(X, labels)
    np.testing.assert_array_equal(balanced.predict_proba(X), by_class.predict_proba(X))


def test_rows_of_weight_0_are_not_there():
    X, y = rows()
    labels, weight = few(y), (np.arange(120) % 3 != 0).astype(float)
    weighted = make().fit(X, labels, sample_weight=weight)
    removed = make().fit(X[weight > 0], labels[weight > 0])
    np.testing.assert_allclose(weighted.predict_proba(X), removed.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("mark", [-1, np.nan])
def test_files_and_clones_know_the_mark(tmp_path, mark):
    X, y = rows()
    fitted = make(mark).fit(X, np.where(few(y) < 0, mark, y))
    save(fitted, tmp_path / "classes")
    again = load(tmp_path / "classes")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(again.unlabeled, clone(fitted).unlabeled)
    warm = fitted.set_params(warm_start=True).fit(X, np.where(few(y, 5) < 0, mark, y))
    assert warm.score(X, y) > 0.9
