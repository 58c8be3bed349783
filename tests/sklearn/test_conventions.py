"""scikit-learn's own checks of its estimators, and what else it asks of an estimator than those look at."""

import warnings

import pytest

sklearn = pytest.importorskip("sklearn", reason="the estimators are scikit-learn's, which is not installed")
pytest.importorskip("pandas", reason="scikit-learn's checks use pandas, which is not installed")

from sklearn.utils.estimator_checks import check_estimator  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from pyvae import _kernels  # noqa: E402
from pyvae.sklearn import VAEClassifier, VAEClusterer, VAEOutlierDetector, VAERegressor, VAETransformer  # noqa: E402

on_twins = _kernels.KERNELS == "reference"
pytestmark = pytest.mark.skipif(on_twins, reason="takes the twins minutes; test_inputs.py runs on them")

SMALL = {
    "n_components": 4, "hidden_layer_sizes": (30,), "learning_rate_init": 1e-2, "max_iter": 2, "min_updates": 40,
    "random_state": 0,
}  # fmt: skip
ESTIMATORS = [VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier]
# Minibatches are drawn by row number, and so is the noise of each row: a row of weight 2 is one row with one noise,
# where the same row given twice is two. A weight of 0 is exactly a row that is not there: see below.
EQUIVALENCE = "a row of weight 2 has one place in the order of rows and one noise, a row given twice has two"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": EQUIVALENCE,
    "check_sample_weight_equivalence_on_sparse_data": EQUIVALENCE,
}


CASES = [(estimator, {}) for estimator in ESTIMATORS] + [(VAEClusterer, {"prior": "mixture"})]


@pytest.mark.parametrize(("estimator", "more"), CASES)
def test_check_estimator(estimator, more):
    with threadpool_limits(1), warnings.catch_warnings():  # of scikit-learn's mixtures: small products
        warnings.simplefilter("ignore")  # the checks provoke them; those that matter are looked for by the checks
        results = check_estimator(estimator(**SMALL, **more), expected_failed_checks=EXPECTED, on_fail=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    assert {result["check_name"] for result in results if result["status"] == "xfail"} <= set(EXPECTED)
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # which needs SCIPY_ARRAY_API
    assert len(results) > 50
