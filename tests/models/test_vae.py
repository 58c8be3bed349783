"""Whole models: what a gradient check cannot see."""

import copy

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import pyvae
from pyvae.data.batch import Batch
from pyvae.layers.dense import Dense
from pyvae.models.build import mlp
from pyvae.objectives.terms import Terms


def ppca_model(rng, n_features=7, latent_dim=3, std=0.4):
    """Probabilistic PCA as a linear VAE with the exact diagonal posterior, and the marginal N(b, W W' + std^2 I).

    p(x|z) = N(W z + b, std^2 I) with orthogonal columns of W, so that the posterior N(M^-1 W'(x - b), std^2 M^-1),
    M = W'W + std^2 I, is diagonal (Tipping and Bishop 1999; Lucas et al. 2019).
    """
    orthonormal, _ = np.linalg.qr(rng.standard_normal((n_features, latent_dim)))
    W = orthonormal * np.linspace(0.5, 2, latent_dim)  # (D, Z)
    b = rng.standard_normal(n_features)
    M = np.diag(W.T @ W) + std**2  # (Z,)
    model = pyvae.VAE(
        Dense(n_features, 2 * latent_dim), Dense(latent_dim, n_features), pyvae.Gaussian(n_features, std=std),
        dtype=np.float64,
    )  # fmt: skip
    model.encoder.W[:, :latent_dim] = W / M
    model.encoder.b[:latent_dim] = -b @ W / M
    model.encoder.W[:, latent_dim:] = 0
    model.encoder.b[latent_dim:] = np.log(std**2 / M)
    model.decoder.W[...] = W.T
    model.decoder.b[...] = b
    return model, multivariate_normal(b, W @ W.T + std**2 * np.eye(n_features))


def test_ppca_identity_holds_for_every_z(rng):
    """log p(x|z) + log p(z) - log q(z|x) = log p(x) for EVERY z when q is the exact posterior."""
    model, marginal = ppca_model(rng)
    x = marginal.rvs(6, random_state=1)
    eps = 3 * rng.standard_normal((6 * 50, model.latent_dim))  # far into the tails
    terms, _ = model.forward(Batch(x), pyvae.Noise.frozen(z=eps), k=50)
    log_ratio = (terms.log_px + terms.log_pz - terms.log_qz).reshape(6, 50)
    error = np.abs(log_ratio - marginal.logpdf(x)[:, None]).max()
    print(f"pPCA identity: largest error {error:.1e}")
    assert error < 1e-10


def test_importance_bound_rises_to_the_exact_marginal(rng):
    """With a posterior that is too wide, the bound rises with the number of samples towards log p(x)."""
    model, marginal = ppca_model(rng)
    model.encoder.b[model.latent_dim :] += 0.7
    x = marginal.rvs(200, random_state=1)
    exact = marginal.logpdf(x).mean()
    bounds = [model.log_likelihood(x, n_samples=k).mean() for k in (1, 10, 100, 2000)]
    assert bounds[0] < bounds[1] < bounds[2] < bounds[3] + 1e-3 < exact + 0.02
    assert abs(bounds[3] - exact) < 0.01
    assert bounds[0] == pytest.approx(model.elbo(x, n_samples=2000).mean(), abs=0.2)


def test_elbo_of_the_exact_posterior_is_the_marginal(rng):
    model, marginal = ppca_model(rng)
    x = marginal.rvs(300, random_state=1)
    np.testing.assert_allclose(model.elbo(x, n_samples=3000), marginal.logpdf(x), atol=0.2)


def test_samples_have_the_posterior_std(rng):
    """z has standard deviation exp(logvar / 2): not exp(logvar), which a gradient check would let pass."""
    model = pyvae.VAE.mlp(4, latent_dim=3, hidden=(5,))
    model.encoder.layers[-1].b[3:] = np.log(np.array([0.25, 1.0, 9.0])).astype(np.float32)
    model.encoder.layers[-1].W[...] = 0
    batch = Batch(rng.random((1, 4)).astype(np.float32))
    terms, _ = model.forward(batch, pyvae.Noise(0), k=200_000)
    np.testing.assert_allclose(terms.z.std(axis=0), [0.5, 1.0, 3.0], rtol=0.01)


def test_monte_carlo_kl_meets_the_closed_form(rng):
    model = pyvae.VAE.mlp(5, latent_dim=4, hidden=(6,)).astype(np.float64)
    model.parameters.values += rng.standard_normal(model.parameters.values.shape) * 0.5
    terms, _ = model.forward(Batch(rng.random((3, 5))), pyvae.Noise(0), k=100_000)
    difference = (terms.log_qz - terms.log_pz).reshape(3, -1)
    standard_error = difference.std(axis=1) / np.sqrt(100_000)
    assert (np.abs(difference.mean(axis=1) - terms.kl) < 5 * standard_error).all()


def test_forward_by_hand(rng):
    """The whole forward pass and loss, written down once more in plain NumPy."""
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), activation="tanh").astype(np.float64)
    x, eps = rng.random((4, 6)), rng.standard_normal((8, 2))
    p = model.parameters
    h = np.tanh(x @ p["encoder.0.W"] + p["encoder.0.b"])
    mu, logvar = np.split(h @ p["encoder.1.W"] + p["encoder.1.b"], 2, axis=1)
    z = np.repeat(mu, 2, axis=0) + np.repeat(np.exp(logvar / 2), 2, axis=0) * eps
    logits = np.tanh(z @ p["decoder.0.W"] + p["decoder.0.b"]) @ p["decoder.1.W"] + p["decoder.1.b"]
    probability = 1 / (1 + np.exp(-logits))
    x2 = np.repeat(x, 2, axis=0)
    log_px = (x2 * np.log(probability) + (1 - x2) * np.log(1 - probability)).sum(axis=1)
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    expected = (-log_px.reshape(4, 2).mean(axis=1) + 0.3 * kl).mean()
    assert model.loss_and_gradients(x, eps, beta=0.3) == pytest.approx(expected, rel=1e-12)


def test_gradients_accumulate_and_zero_grads_is_explicit(rng):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    batch, noise = Batch(rng.random((4, 6)).astype(np.float32)), pyvae.Noise(1)
    grads = []
    for _ in range(2):
        terms, cache = model.forward(batch, noise)
        model.backward(cache, pyvae.elbo(terms)[1])
        grads.append(model.parameters.grads.copy())
    assert grads[0].any()
    np.testing.assert_allclose(grads[1], 2 * grads[0], rtol=1e-5, atol=1e-7)
    model.parameters.zero_grads()
    assert not model.parameters.grads.any()


def test_parts_of_a_batch_add_up_to_the_whole(rng):
    """Each with its share of the weights, the gradients of the parts sum to those of the whole."""
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)).astype(np.float64)
    x, weight = rng.random((7, 6)), rng.random(7)

    def gradients(rows):
        model.parameters.zero_grads()
        terms, cache = model.forward(Batch(x[rows], rows=rows), pyvae.Noise(3), k=2)
        loss, dterms = pyvae.elbo(terms, weight[rows])
        model.backward(cache, dterms)
        share = weight[rows].sum() / weight.sum()
        return share * loss, share * model.parameters.grads

    whole, first, second = gradients(np.arange(7)), gradients(np.arange(3)), gradients(np.arange(3, 7))
    assert whole[0] == pytest.approx(first[0] + second[0], rel=1e-12)
    np.testing.assert_allclose(whole[1], first[1] + second[1], rtol=1e-10, atol=1e-14)


def test_only_the_terms_with_a_derivative_are_followed(rng):
    """A loss that is the KL alone leaves the decoder untouched; one that is log p(x|z) alone does not."""
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    _, cache = model.forward(Batch(rng.random((4, 6)).astype(np.float32)), pyvae.Noise(0))
    model.backward(cache, Terms(kl=np.ones(4, np.float32)))
    assert model.parameters.grad("encoder.0.W").any() and not model.parameters.grad("decoder.0.W").any()
    model.backward(cache, Terms(log_px=np.ones((4, 1), np.float32)))
    assert model.parameters.grad("decoder.0.W").any()


def test_encode_decode_reconstruct_sample(rng):
    model = pyvae.VAE.mlp(12, latent_dim=3, hidden=(8,))
    X = rng.random((30, 12))
    mu, logvar = model.encode(X)
    assert mu.shape == logvar.shape == (30, 3) and mu.dtype == np.float32
    np.testing.assert_array_equal(model.reconstruct(X), model.decode(mu))
    means, draws = model.sample(500, seed=4), model.sample(500, seed=4, mean=False)
    assert means.shape == (500, 12) and ((means > 0) & (means < 1)).all()
    assert set(np.unique(draws)) == {0.0, 1.0}
    np.testing.assert_allclose(draws.mean(axis=0), means.mean(axis=0), atol=0.1)
    np.testing.assert_array_equal(means, model.sample(500, seed=4))
    assert not np.array_equal(means, model.sample(500, seed=5))


def test_logvar_bounds_are_what_encode_returns(rng):
    model = pyvae.VAE(mlp([6, 5, 4], "relu"), mlp([2, 5, 6], "relu"), pyvae.Bernoulli(6),
                      posterior=pyvae.DiagonalGaussian((-0.1, 0.1)))  # fmt: skip
    model.encoder.layers[-1].b[2:] = [5, -5]
    np.testing.assert_allclose(model.encode(rng.random((3, 6)))[1], [[0.1, -0.1]] * 3, rtol=1e-6)


def test_a_shared_layer_has_one_set_of_parameters():
    shared = Dense(6, 6, "tanh")
    model = pyvae.VAE(
        pyvae.Sequential(shared, shared, Dense(6, 4)), pyvae.Sequential(Dense(2, 6), shared), pyvae.Bernoulli(6)
    )
    assert sum(name.endswith(".W") for name in model.parameters.names) == 3


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (Dense(6, 3), Dense(2, 6)),
            "encoder makes 3 columns, but the DiagonalGaussian of .* takes 4",
        ),
        ((Dense(5, 4), Dense(2, 6)), "encoder takes 5 columns"),
        (
            (Dense(6, 4), Dense(3, 6)),
            "encoder makes 4 columns, but the DiagonalGaussian of .* takes 6",
        ),
        ((Dense(6, 4), Dense(2, 7)), "decoder makes 7 columns"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        pyvae.VAE(*parts, pyvae.Bernoulli(6))


def test_arena_is_aligned_and_its_views_are_the_layers(rng):
    model = pyvae.VAE.mlp(7, latent_dim=3, hidden=(5,))
    arena = model.parameters
    assert arena.values.ctypes.data % 64 == 0 and arena.grads.ctypes.data % 64 == 0
    for name in arena.names:
        assert arena[name].ctypes.data % 64 == 0
        assert np.shares_memory(arena[name], arena.values)
    model.encoder.layers[0].W[2, 1] = 42
    assert arena["encoder.0.W"][2, 1] == 42 and (arena.values == 42).sum() == 1
    assert arena.count == 7 * 5 + 5 + 5 * 6 + 6 + 3 * 5 + 5 + 5 * 7 + 7


def test_astype_copies(rng):
    model = pyvae.VAE.mlp(7, latent_dim=3, hidden=(5,), likelihood="gaussian")
    double = model.astype(np.float64)
    assert double.parameters.dtype == np.float64
    np.testing.assert_array_equal(double.parameters["encoder.0.W"], model.parameters["encoder.0.W"])
    double.parameters.values[...] = 0
    assert model.parameters.values.any()


@pytest.mark.parametrize(
    ("init", "std", "limit"),
    [
        ("uniform", 1 / np.sqrt(3 * 400), 1 / np.sqrt(400)),
        ("he", np.sqrt(2 / 400), np.inf),
        ("glorot", np.sqrt(2 / 700), np.sqrt(6 / 700)),
    ],
)
def test_first_weights(init, std, limit):
    layer = Dense(400, 300, "relu", init)
    pyvae.VAE(pyvae.Sequential(layer, Dense(300, 4)), Dense(2, 400), pyvae.Bernoulli(400), seed=5)
    assert layer.W.std() == pytest.approx(std, rel=0.01) and np.abs(layer.W).max() < limit
    assert layer.W.mean() == pytest.approx(0, abs=4 * std / np.sqrt(layer.W.size)) and not layer.b.any()
    assert np.abs(np.corrcoef(layer.W, rowvar=False) - np.eye(300)).max() < 0.3


def test_layers_and_seeds_have_different_first_weights():
    def weights(seed):
        return pyvae.VAE.mlp(5, latent_dim=5, hidden=(5,), seed=seed).parameters

    assert not np.array_equal(weights(0)["decoder.0.W"], weights(0)["decoder.1.W"])
    assert not np.array_equal(weights(0)["decoder.0.W"], weights(1)["decoder.0.W"])
    np.testing.assert_array_equal(weights(1).values, weights(1).values)


def test_a_stale_cache_is_noticed(rng):
    model, workspace = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), pyvae.Workspace()
    batch = Batch(rng.random((4, 6)).astype(np.float32))
    terms, cache = model.forward(batch, pyvae.Noise(0), memory=workspace.begin())
    _, dterms = pyvae.elbo(terms)
    workspace.begin()
    with pytest.raises(RuntimeError, match="begun another step since its forward pass"):
        model.backward(cache, dterms)


def test_workspace_gives_the_same_results(rng):
    model, workspace = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood="gaussian"), pyvae.Workspace()
    for n_rows in (4, 9, 2):
        batch = Batch(rng.random((n_rows, 6)).astype(np.float32))
        with_workspace, _ = model.forward(batch, pyvae.Noise(0), k=3, memory=workspace.begin())
        without, _ = model.forward(batch, pyvae.Noise(0), k=3)
        for a, b in zip(with_workspace, without, strict=True):
            np.testing.assert_array_equal(a, b)


def test_two_models_cannot_share_a_part():
    """A part that was bound to a second model would leave the first one with weights that are not its own."""
    likelihood = pyvae.Gaussian(6, std="learned")
    pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=likelihood)
    with pytest.raises(ValueError, match="likelihood is part of another model already: make a Gaussian anew"):
        pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=likelihood)


def test_copies_are_whole_and_apart(rng):
    shared = Dense(6, 6, "tanh")
    model = pyvae.VAE(
        pyvae.Sequential(shared, shared, Dense(6, 4)), pyvae.Sequential(Dense(2, 6), shared), pyvae.Bernoulli(6)
    )
    X = rng.random((5, 6))
    for twin in (copy.deepcopy(model), model.astype(np.float32)):
        assert twin.parameters.names == model.parameters.names
        np.testing.assert_array_equal(twin.elbo(X), model.elbo(X))
        assert twin.encoder.layers[0] is twin.decoder.layers[1]
        twin.parameters.values[...] = 0
        assert model.parameters.values.any() and not twin.encoder.layers[0].W.any()
    pyvae.check_gradients(model, X)


@pytest.mark.parametrize("mean", [True, False])
def test_samples_are_made_in_chunks_that_do_not_show(mean, monkeypatch):
    model = pyvae.VAE.mlp(4, 2, hidden=(8,), likelihood="poisson", seed=1)
    whole = model.sample(300, seed=5, mean=mean)
    monkeypatch.setattr("pyvae.data.sources.CHUNK_ROWS", 7)
    np.testing.assert_array_equal(model.sample(300, seed=5, mean=mean), whole)
    assert len(np.unique(whole.round(5), axis=0)) > 10, "not the same rows again in every chunk"
