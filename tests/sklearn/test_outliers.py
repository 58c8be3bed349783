"""The threshold of VAEOutlierDetector: for fresh rows, or for the fitted ones."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")

from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from pyvae import _kernels
from pyvae.sklearn import VAEOutlierDetector

pytestmark = [
    pytest.mark.skipif(_kernels.KERNELS == "reference", reason="takes the twins minutes"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # of so short trainings
]


def make(**parameters):
    quick = {"hidden_layer_sizes": (30,), "max_iter": 1, "min_updates": 600, "contamination": 0.05, "random_state": 0}
    return VAEOutlierDetector(4, **quick | parameters)


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def flagged(detector, X):
    return np.mean(detector.predict(X) == -1)


@pytest.mark.parametrize(("n", "d"), [(60, 10), (200, 30), (2500, 30)])
def test_of_fresh_rows_about_the_share_is_flagged(n, d):
    detector = make().fit(normal(n, d))
    assert len(detector.models_) == (5 if n < 2000 else 1)
    assert len(detector.held_out_scores_) == (n if n < 2000 else n / 10)
    assert 0.005 < flagged(detector, normal(3000, d, seed=1)) < 0.1


def test_without_novelty_exactly_the_share_of_the_fitted_rows_is_flagged():
    X = normal(200, 30)
    detector = make(novelty=False)
    assert np.mean(detector.fit_predict(X) == -1) == 0.05
    assert flagged(detector, normal(1000, 30, seed=1)) > 0.1  # which is why there is novelty
    assert not hasattr(make(), "fit_predict")


def test_auto_is_tukeys_fence():
    X = np.r_[normal(300, 3), 20 + normal(15, 3)]
    detector = make(contamination="auto").fit(X)
    q25, q75 = np.percentile(detector.held_out_scores_, [25, 75])
    assert detector.offset_ == pytest.approx(q25 - 1.5 * (q75 - q25))
    assert flagged(detector, normal(2000, 3, seed=1)) < 0.06
    assert flagged(detector, 40 + normal(50, 3)) == 1


def test_rows_of_a_group_stay_together():
    """Ten copies of each row: a model that has seen one finds the others likely."""
    X, groups = np.repeat(normal(30, 20), 10, axis=0), np.repeat([f"patient {i}" for i in range(30)], 10)
    together, apart = make().fit(X, groups=groups), make().fit(X)
    assert together.offset_ < apart.offset_ - 5
    fresh = normal(1000, 20, seed=1)
    assert flagged(together, fresh) < 0.25 < flagged(apart, fresh)
    for trained, scored in together._splits(np.unique(groups, return_inverse=True)[1]):
        assert not set(groups[trained]) & set(groups[scored])


def test_weights_count_in_the_threshold():
    """Half of the rows, of twice the spread, hardly count."""
    X = normal(400, 2) * np.repeat([1, 4], 200)[:, None]
    plain, weighted = make().fit(X), make().fit(X, sample_weight=np.repeat([1, 0.01], 200))
    wide = 4 * normal(2000, 2, seed=1)
    assert flagged(plain, wide) < 0.15 < 0.3 < flagged(weighted, wide)


def test_nine_rows_are_trained_on_all():
    detector = make().fit(normal(9, 2))
    assert len(detector.models_) == 1 and len(detector.held_out_scores_) == 9


def test_what_is_refused():
    X = normal(20, 2)
    for parameters, words in (
        ({"contamination": "much"}, "contamination must be a number or 'auto', not 'much'"),
        ({"novelty": 1}, "novelty must be True or False, not 1"),
    ):
        with pytest.raises(ValueError, match=words):
            make(**parameters).fit(X)
    with pytest.raises(ValueError, match="groups must be two at least"):
        make().fit(X, groups=np.zeros(20))
    with pytest.raises(ValueError, match="groups must have one word or number for each of the 20 rows"):
        make().fit(X, groups=np.zeros(19))


def test_a_warm_start_goes_on_with_each_model():
    X = normal(100, 5)
    detector = make(warm_start=True).fit(X)
    before = [model.parameters.values.copy() for model in detector.models_]
    detector.fit(X)
    assert all((model.parameters.values != old).any() for model, old in zip(detector.models_, before, strict=True))
    with pytest.raises(ValueError, match="a warm_start needs rows for 5 models, but these are for 1"):
        detector.fit(normal(2100, 5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["60x10", "200x30", "1000x30", "5000x30", "cancer", "wine", "digits"])
def test_of_fresh_rows_one_to_ten_per_cent_are_flagged(name):
    """Mean of five seeds with the defaults, at a contamination of 5%."""
    shares = []
    for seed in range(5):
        if "x" in name:
            n, d = map(int, name.split("x"))
            train, fresh = normal(n, d, seed), normal(2000, d, seed + 100)
        else:
            X = {"cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}[name]().data
            X = X[np.random.default_rng(seed).permutation(len(X))]
            train, fresh = X[: len(X) // 2], X[len(X) // 2 :]
        shares.append(flagged(VAEOutlierDetector(contamination=0.05, random_state=seed).fit(train), fresh))
    assert 0.01 <= np.mean(shares) <= 0.1, shares
