"""ConditionalVAE: rows in a given condition."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import pyvae
from pyvae import Noise, _kernels
from pyvae.data.wrapped import Rows
from pyvae.training.step import Step

D, C, Z = 7, 3, 2


@pytest.fixture
def X(rng):
    return rng.random((60, D)).astype(np.float32)


@pytest.fixture
def c(rng):
    return pyvae.one_hot(rng.integers(C, size=60), C)


def small(seed=0, **arguments):
    return pyvae.ConditionalVAE.mlp(D, C, Z, (9,), "tanh", seed=seed, **arguments)


def ppca_given(rng, std=0.4):
    """x = W z + V c + b + noise, with the exact posterior; W, V."""
    orthonormal, _ = np.linalg.qr(rng.standard_normal((D, Z)))
    W, V, b = orthonormal * np.linspace(0.5, 2, Z), rng.standard_normal((D, C)), rng.standard_normal(D)
    M = np.diag(W.T @ W) + std**2
    model = pyvae.ConditionalVAE(
        pyvae.Dense(D + C, 2 * Z), pyvae.Dense(Z + C, D), pyvae.Gaussian(D, std=std), C, dtype=np.float64
    )
    model.encoder.W[...] = np.hstack([np.vstack([W, -V.T @ W]) / M, np.zeros((D + C, Z))])
    model.encoder.b[...] = np.concatenate([-b @ W / M, np.log(std**2 / M)])
    model.decoder.W[...], model.decoder.b[...] = np.vstack([W.T, V.T]), b
    covariance = W @ W.T + std**2 * np.eye(D)
    return model, lambda x, c: np.array(
        [multivariate_normal.logpdf(row, V @ given + b, covariance) for row, given in zip(x, c, strict=True)]
    )


def test_a_linear_gaussian_model_has_the_exact_density_given_c(rng):
    model, log_p = ppca_given(rng)
    x, c = rng.standard_normal((20, D)), rng.standard_normal((20, C))
    exact = log_p(x, c)
    np.testing.assert_allclose(model.log_likelihood(x, 7, condition=c), exact, atol=1e-9)
    elbo = np.mean([model.elbo(x, 500, seed, c) for seed in range(4)], axis=0)
    np.testing.assert_allclose(elbo, exact, atol=0.2)  # the posterior is exact: the bound is log p(x|c)
    assert np.abs(model.log_likelihood(x, 7, condition=c[::-1]) - exact).max() > 1


def test_new_rows_are_those_of_their_condition(rng):
    """The moments of p(x|c), for a condition of all rows, and for one of each."""
    model, _ = ppca_given(rng)
    W, V, b = model.decoder.W[:Z].T, model.decoder.W[Z:].T, model.decoder.b
    given = np.array([1.0, -2.0, 0.5])
    drawn = model.sample(40_000, mean=False, condition=given)
    np.testing.assert_allclose(drawn.mean(axis=0), V @ given + b, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), W @ W.T + 0.16 * np.eye(D), atol=0.1)
    each = rng.standard_normal((50, C))
    np.testing.assert_allclose(
        model.sample(50, 3, condition=each) - model.sample(50, 3, condition=given), (each - given) @ V.T
    )
    np.testing.assert_array_equal(model.sample(50, 3, False, condition=each)[:20],
                                  model.sample(20, 3, False, condition=each[:20]))  # fmt: skip


def test_a_row_in_another_condition_keeps_its_z(rng):
    model, _ = ppca_given(rng)
    V = model.decoder.W[Z:].T
    x, c, target = rng.standard_normal((9, D)), rng.standard_normal((9, C)), np.array([0.0, 1.0, 0.0])
    moved = model.reconstruct(x, c, target) - model.reconstruct(x, c)
    np.testing.assert_allclose(moved, (target - c) @ V.T, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(x, c), model.decode(model.encode(x, c)[0], c))


def test_every_method_takes_a_source_or_x_and_c(X, c):
    model, source = small(), pyvae.ArraySource(X, condition=c)
    for ours, theirs in (
        (model.encode(X, c), model.encode(source)), (model.elbo(X, 2, 1, c), model.elbo(source, 2, 1)),
        (model.log_likelihood(X, 9, 1, c), model.log_likelihood(source, 9, 1)),
        (model.reconstruct(X, c), model.reconstruct(source)),
        (model.elbo(pyvae.ArraySource(X, condition=c[::-1]), condition=c), model.elbo(source)),
        (model.elbo(X, condition=c[0]), model.elbo(X, condition=np.tile(c[0], (60, 1)))),
        (model.elbo(pyvae.SparseSource(_sparse(X), condition=c)), model.elbo(source)),
        (model.elbo(Rows(source, [5, 2])), model.elbo(source, seed=0)[[5, 2]]),
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(model.elbo(X, condition=c) - model.elbo(X, condition=c[::-1])).max() > 0.01


def _sparse(X):
    from scipy.sparse import csr_array

    return csr_array(X)


def test_gradients_of_weighted_rows_in_their_conditions(rng, X, c):
    source = pyvae.ArraySource(X[:5], condition=c[:5], weight=[1, 0, 2, 0.5, 1])
    pyvae.check_gradients(small(posterior=pyvae.PlanarFlow(2)), source, n_samples=3)
    iwae = pyvae.ImportanceWeighted(4, gradient="doubly-reparameterized")
    model = small().astype(np.float64)
    eps = rng.standard_normal((20, Z))
    all_rows = model.loss_and_gradients(source, eps, objective=iwae)
    kept = pyvae.ArraySource(X[[0, 2, 3, 4]], condition=c[[0, 2, 3, 4]], weight=[1, 2, 0.5, 1])
    eps = eps.reshape(5, 4, Z)[[0, 2, 3, 4]].reshape(16, Z)
    assert model.loss_and_gradients(kept, eps, objective=iwae) == pytest.approx(all_rows, rel=1e-12)


def test_a_training_learns_from_the_condition_and_is_played(rng):
    """x is its condition and noise: one z would have to tell it without."""
    c = pyvae.one_hot(rng.integers(C, size=500), C)
    x = (rng.random((500, D)) < 0.05 + 0.9 * np.repeat(c, 3, axis=1)[:, :D]).astype(np.float32)
    model, source = small(), pyvae.ArraySource(x, condition=c)
    pyvae.train(model, source, epochs=40, batch_size=50, learning_rate=0.01, progress=False, validation_fraction=0.1)
    chance = 0.05 + 0.9 * np.repeat(np.eye(C), 3, axis=1)[:, :D]
    np.testing.assert_allclose(
        [model.sample(300, condition=given).mean(axis=0) for given in np.eye(C)], chance, atol=0.06
    )


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="steps are played by native kernels alone")
def test_steps_are_played_with_other_conditions(X, c):
    source, take = pyvae.ArraySource(X, condition=c), Step(small(), pyvae.ELBO(n_samples=3))
    losses = [take(source, np.arange(i, i + 10), Noise(0, i))[2] for i in (0, 10, 20, 30)]
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked
    plain = Step(small(), pyvae.ELBO(n_samples=3))
    plain.playable = False
    assert losses == [plain(source, np.arange(i, i + 10), Noise(0, i))[2] for i in (0, 10, 20, 30)]


def test_it_is_saved_and_a_resume_knows_its_conditions(X, c, tmp_path):
    source = pyvae.ArraySource(X, condition=c)
    model = small(prior=pyvae.Mixture(Z, 3))
    pyvae.train(model, source, epochs=2, progress=False, checkpoints=tmp_path / "c")
    pyvae.save(model, tmp_path / "m.safetensors")
    loaded = pyvae.load(tmp_path / "m.safetensors")
    assert loaded.n_condition == C
    np.testing.assert_array_equal(loaded.elbo(source), model.elbo(source))
    with pytest.raises(ValueError, match="on other rows"):
        pyvae.train(small(prior=pyvae.Mixture(Z, 3)), pyvae.ArraySource(X, condition=c[::-1]), epochs=3,
                    progress=False, checkpoints=tmp_path / "c", resume=True)  # fmt: skip


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda X, c: small().elbo(X), "X needs a condition of 3 columns, but has none"),
        (lambda X, c: pyvae.train(small(), X), "X needs a condition of 3 columns, but has none"),
        (lambda X, c: small().decode(X[:, :2]), "Z needs a condition of 3 columns, but has none"),
        (lambda X, c: small().elbo(X, condition=c[:, :2]), "needs a condition of 3 columns, but has one of 2 columns"),
        (lambda X, c: small().sample(3, condition=c), "condition must have a row for each of the 3 rows, not 60"),
        (lambda X, c: small().sample(3, condition=[0, np.nan, 1]), r"condition\[0, 1\] is nan, but it must be"),
        (lambda X, c: pyvae.ArraySource(X, condition=c[:-1]), "a row for each of the 60 rows, not 59"),
        (lambda X, c: small(prior=pyvae.VampPrior(D, 4)), "a VampPrior encodes rows without a condition"),
        (lambda X, c: pyvae.ConditionalVAE(pyvae.Dense(D + C, 4), pyvae.Dense(C, D), pyvae.Gaussian(D), C),
         "decoder takes 3 columns: beside the condition's 3 none is for z"),
        (lambda X, c: pyvae.ConditionalVAE(pyvae.Dense(D, 4), pyvae.Dense(2 + C, D), pyvae.Gaussian(D), C),
         "encoder takes 7 columns, but the likelihood has 7 and the condition 3"),
        (lambda X, c: pyvae.Batch(X, condition=c[:4]), "condition of a Batch must have a row for each of its 60"),
        (lambda X, c: pyvae.one_hot([0, 3], 3), r"labels\[1\] is 3, but labels are the numbers 0 .. 2"),
        (lambda X, c: pyvae.one_hot([[0, 1]]), "labels must be one-dimensional"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(X, c, use, message):
    with pytest.raises(ValueError, match=message):
        use(X, c)


def test_labels_are_whole_numbers():
    np.testing.assert_array_equal(pyvae.one_hot([2.0, 0.0]), [[0, 0, 1], [1, 0, 0]])
    for wrong in (["a"], [0.5], [np.nan]):
        with pytest.raises(TypeError, match="labels must be whole numbers"):
            pyvae.one_hot(wrong)
