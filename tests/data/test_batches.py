"""Rows that are more than an array: with entries that are not observed, with weights, or sparse."""

import numpy as np
import pytest
from scipy import sparse, stats

import pyvae
from pyvae.data.batch import Batch
from pyvae.data.sources import SparseSource
from pyvae.gradcheck import check_gradient
from pyvae.models.expectations import expected
from pyvae.training.loop import evaluate


def some_missing(rng, shape=(40, 9)):
    X = rng.standard_normal(shape).astype(np.float32)
    return X, np.where(rng.random(shape) < 0.3, np.float32(np.nan), X)


def test_unobserved_entries_are_left_out(rng):
    """log p(x|z) is that of the observed columns alone, and what stands in the others is not looked at."""
    X, missing = some_missing(rng)
    likelihood = pyvae.Gaussian(9, std=0.7)
    outputs = rng.standard_normal((40, 9)).astype(np.float32)
    observed = ~np.isnan(missing)
    batch = Batch(missing, observed=observed)
    np.testing.assert_array_equal(batch.x, np.where(observed, X, 0))
    log_px, _ = likelihood.log_density(batch.x, outputs, observed=batch.observed)
    parts = stats.norm.logpdf(X, outputs, 0.7)
    np.testing.assert_allclose(log_px, np.where(observed, parts, 0).sum(axis=1), rtol=1e-5)


def test_gradients_with_unobserved_entries(rng):
    _, missing = some_missing(rng, (6, 9))
    model = pyvae.VAE.mlp(9, 2, (5,), "tanh", pyvae.Gaussian(9, "learned")).astype(np.float64)
    batch = Batch(missing.astype(np.float64), observed=~np.isnan(missing), weight=rng.random(6))
    noise = pyvae.Noise.frozen(z=rng.standard_normal((12, 2)))

    def loss():
        return pyvae.elbo(model.forward(batch, noise, k=2)[0], batch.weight)[0]

    terms, cache = model.forward(batch, noise, k=2)
    model.parameters.zero_grads()
    model.backward(cache, pyvae.elbo(terms, batch.weight)[1])
    gradients = {name: model.parameters.grad(name).copy() for name in model.parameters.names}
    for name in model.parameters.names:
        check = check_gradient(loss, model.parameters[name], gradients[name], name)
        assert check.passed, check


def test_a_source_with_missing_entries(rng):
    X, missing = some_missing(rng)
    model = pyvae.VAE.mlp(9, 2, (5,), likelihood="gaussian")
    with pytest.raises(ValueError, match=r"X\[\d+, \d+\] is nan"):
        model.elbo(missing)
    source = pyvae.ArraySource(missing, missing=True)
    filled = np.nan_to_num(missing)
    np.testing.assert_array_equal(model.encode(source)[0], model.encode(filled)[0])
    hidden = np.isnan(missing).any(axis=1)
    np.testing.assert_array_equal(model.elbo(source) > model.elbo(filled), hidden)  # of fewer columns
    none_missing = pyvae.ArraySource(X, missing=True)
    np.testing.assert_array_equal(model.elbo(none_missing), model.elbo(X))


def test_multinomial_rows_must_be_observed_whole(rng):
    X = rng.poisson(1.0, (5, 9)).astype(np.float32)
    X[2, 3] = np.nan
    with pytest.raises(ValueError, match="a multinomial takes rows that are observed whole"):
        pyvae.VAE.mlp(9, 2, (5,), likelihood="multinomial").elbo(pyvae.ArraySource(X, missing=True))


def test_rows_without_weight_are_as_good_as_left_out(rng):
    X = rng.random((30, 6)).astype(np.float32)
    weight = np.repeat([1.0, 0.0], 15)
    weighted, alone = (pyvae.VAE.mlp(6, 2, (5,)) for _ in range(2))
    pyvae.train(weighted, pyvae.ArraySource(X, weight=weight), epochs=2, batch_size=30, progress=False)
    pyvae.train(alone, X[:15], epochs=2, batch_size=30, progress=False)
    np.testing.assert_allclose(weighted.parameters.values, alone.parameters.values, rtol=2e-5, atol=1e-7)


def test_validation_counts_weights(rng):
    X = rng.random((30, 6)).astype(np.float32)
    model = pyvae.VAE.mlp(6, 2, (5,))
    loss = -model.elbo(X)
    weight = rng.random(30)
    reconstruction, kl = evaluate(model, pyvae.ArraySource(X, weight=weight), seed=0)
    assert reconstruction + kl == pytest.approx(weight @ loss / weight.sum())


@pytest.mark.parametrize("weight", [np.ones(5), np.zeros(30), np.full(30, -1.0), np.full(30, np.nan), ["a"] * 30])
def test_weights_of_rows_are_checked(weight, rng):
    with pytest.raises((TypeError, ValueError), match="weight"):
        pyvae.ArraySource(rng.random((30, 6)), weight=weight)


@pytest.mark.parametrize("likelihood", ["poisson", "multinomial", "gaussian"])
@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "csc_array", "coo_array"])
def test_sparse_rows_train_to_the_bits_of_dense_ones(likelihood, kind, rng):
    X = rng.poisson(0.1, (70, 50))
    models = [pyvae.VAE.mlp(50, 3, (11,), likelihood=likelihood) for _ in range(2)]
    histories = [
        pyvae.train(model, rows, epochs=2, batch_size=32, validation_fraction=0.2, progress=False)
        for model, rows in zip(models, (X.astype(np.float32), getattr(sparse, kind)(X)), strict=True)
    ]
    if pyvae._kernels.KERNELS == "native":
        np.testing.assert_array_equal(models[1].parameters.values, models[0].parameters.values)
    np.testing.assert_allclose(histories[1]["val_loss"], histories[0]["val_loss"], rtol=1e-6)
    rows = getattr(sparse, kind)(X)
    np.testing.assert_allclose(models[0].encode(rows)[0], models[0].encode(X)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(models[0].log_likelihood(rows, 20), models[0].log_likelihood(X, 20), rtol=1e-5)


def test_sparse_matrices_are_not_changed(rng):
    """Neither where their columns are in no order, nor where an entry is given in two parts."""
    X = sparse.csr_array((np.array([1.0, 2.0, 4.0, 8.0]), np.array([4, 1, 0, 0]), np.array([0, 2, 4])), shape=(2, 5))
    kept = [array.copy() for array in (X.data, X.indices, X.indptr)]
    source = SparseSource(X)
    np.testing.assert_array_equal(source.gather([1, 0]).x, [[12, 0, 0, 0, 0], [0, 2, 0, 0, 1]])
    for array, before in zip((X.data, X.indices, X.indptr), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    ordered = sparse.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(SparseSource(ordered).X.data, ordered.data)


def test_what_is_missing_cannot_be_binarised():
    with pytest.raises(ValueError, match="give binarize or missing, not both"):
        pyvae.ArraySource(np.ones((3, 2)), binarize="draw", missing=True)


def test_an_optimizer_of_another_model_is_refused(rng):
    model, other = (pyvae.VAE.mlp(6, 2, (5,)) for _ in range(2))
    for optimizer in (pyvae.Adam(other.parameters), "adam"):
        with pytest.raises(ValueError, match="optimizer must be an Adam of model.parameters"):
            pyvae.train(model, rng.random((8, 6)), epochs=1, optimizer=optimizer, progress=False)


def test_moments_go_on_with_an_optimizer(rng):
    """Two trainings of an epoch are one of two, but for the order and noise of the second epoch."""
    X = rng.random((8, 6)).astype(np.float32)
    model = pyvae.VAE.mlp(6, 2, (5,))
    optimizer = pyvae.Adam(model.parameters)
    for epochs in (1, 2):
        pyvae.train(model, X, epochs=1, batch_size=4, optimizer=optimizer, progress=False)
        assert optimizer.t == 2 * epochs


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_weights_that_overflow_name_the_row():
    model = pyvae.VAE.mlp(6, 2, (5,), likelihood="gaussian-fixed")
    X = np.zeros((3, 6), np.float32)
    X[1] = 1e30
    with pytest.raises(FloatingPointError, match="of row 1 cannot be computed"):
        expected(model, pyvae.ArraySource(X), 5)
