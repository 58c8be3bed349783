"""Sparse matrices of whole numbers, as texts come in, are fitted where they lie."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")

from scipy.sparse import csr_matrix

from pyvae.sklearn import VAETransformer

SETTINGS = {"n_components": 2, "hidden_layer_sizes": (5,), "max_iter": 2, "min_updates": 0, "random_state": 0}


def counts(dtype):
    X = np.random.default_rng(0).poisson(0.3, (40, 30))
    return csr_matrix(X.astype(dtype))


def test_whole_numbers_are_not_copied():
    X = counts(np.int32)
    estimator = VAETransformer(likelihood="multinomial", **SETTINGS).fit(X)
    source = estimator.columns_.source(estimator._validated(X, reset=False))
    assert np.shares_memory(source.X.data, X.data) and np.shares_memory(source.X.indices, X.indices)


@pytest.mark.parametrize("likelihood", ["multinomial", "negative-binomial", "gaussian", "auto"])
def test_the_type_of_the_numbers_makes_no_difference(likelihood):
    whole, real = (
        VAETransformer(likelihood=likelihood, **SETTINGS).fit(counts(dtype)) for dtype in (np.int16, np.float64)
    )
    np.testing.assert_array_equal(whole.model_.parameters.values, real.model_.parameters.values)
    np.testing.assert_array_equal(whole.score_samples(counts(np.int16)), real.score_samples(counts(np.float64)))


def test_large_whole_numbers_are_standardized_without_overflow():
    X = counts(np.int32) * 1_000_000
    scale = VAETransformer(likelihood="gaussian", **SETTINGS).fit(X).columns_.standardization.scale
    np.testing.assert_allclose(scale, X.toarray().astype(float).std(axis=0), rtol=1e-6)
