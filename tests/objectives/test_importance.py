"""Importance-weighted bounds: what a gradient check cannot see, and the gradients that are no derivative."""

from itertools import pairwise

import numpy as np
import pytest

import pyvae
from pyvae.data.batch import Batch
from pyvae.noise import Noise
from pyvae.objectives.weights import log_mean_and_shares, log_weights


def linear_gaussian(n_features=3, latent_dim=2, seed=0):
    """p(z) = N(0, 1), p(x|z) = N(z V + c, s^2), and an encoder that is somewhat wrong: everything is known."""
    encoder, decoder = pyvae.Dense(n_features, 2 * latent_dim), pyvae.Dense(latent_dim, n_features)
    likelihood = pyvae.Gaussian(n_features, std=0.8)
    model = pyvae.VAE(encoder, decoder, likelihood, seed=seed, dtype=np.float64)
    model.parameters.values += 0.3 * np.random.default_rng(seed).standard_normal(model.parameters.values.shape)
    return model


def log_evidence(model, x):
    """log N(x; c, V.T V + s^2), exactly."""
    from scipy.stats import multivariate_normal

    V, c = model.decoder.W, model.decoder.b
    return multivariate_normal(c, V.T @ V + 0.8**2 * np.eye(len(c))).logpdf(x)


def gradients(model, x, objective, eps):
    """The gradient of one loss, of all parameters, by name."""
    model.loss_and_gradients(x, eps, objective=objective)
    return {name: model.parameters.grad(name).copy() for name in model.parameters.names}


X = np.random.default_rng(5).standard_normal((4, 3))


def test_the_bound_rises_with_k_to_the_exact_value():
    model = linear_gaussian()
    x, exact = np.repeat(X, 1000, axis=0), log_evidence(model, X).mean()
    bounds = []
    for k in (1, 5, 50, 500):
        eps = np.random.default_rng(k).standard_normal((len(x) * k, 2))
        bounds.append(-model.loss_and_gradients(x, eps, objective=pyvae.ImportanceWeighted(k)))
    assert bounds[0] == pytest.approx(model.elbo(x, n_samples=20).mean(), abs=0.1)
    assert all(lower + 1e-3 < higher for lower, higher in pairwise(bounds)), bounds
    assert bounds[-1] < exact + 0.01 and bounds[-1] == pytest.approx(exact, abs=0.05)


def test_one_sample_is_the_elbo_with_the_sampled_kl():
    model, eps = linear_gaussian(), np.random.default_rng(0).standard_normal((4, 2))
    weighted, elbo = (gradients(model, X, o, eps) for o in (pyvae.ImportanceWeighted(1), pyvae.ELBO(kl="sampled")))
    for name in elbo:
        np.testing.assert_allclose(weighted[name], elbo[name], rtol=1e-12, atol=1e-14)


def test_groups_are_averaged_and_mix_goes_to_the_elbo():
    model, rng = linear_gaussian(), np.random.default_rng(1)
    eps = rng.standard_normal((4, 6, 2))
    loss = model.loss_and_gradients(X, eps.reshape(-1, 2), objective=pyvae.ImportanceWeighted(3, groups=2))
    halves = [
        model.loss_and_gradients(X, half.reshape(-1, 2), objective=pyvae.ImportanceWeighted(3))
        for half in (eps[:, :3], eps[:, 3:])
    ]
    assert loss == pytest.approx(np.mean(halves), rel=1e-12)
    eps = eps.reshape(-1, 2)
    elbo, bound = (model.loss_and_gradients(X, eps, objective=o) for o in (pyvae.ELBO(n_samples=6, kl="sampled"),
                                                                             pyvae.ImportanceWeighted(6)))  # fmt: skip
    mixed = model.loss_and_gradients(X, eps, objective=pyvae.ImportanceWeighted(6, mix=0.3))
    assert mixed == pytest.approx(0.3 * elbo + 0.7 * bound, rel=1e-12)
    elbo = model.loss_and_gradients(X, eps, objective=pyvae.ELBO(n_samples=6))
    mixed = model.loss_and_gradients(X, eps, objective=pyvae.ImportanceWeighted(6, mix=0.3, kl="closed"))
    assert mixed == pytest.approx(0.3 * elbo + 0.7 * bound, rel=1e-12)


def test_huge_and_vanishing_weights():
    """They stay in log space."""
    shift = np.array([[-1e5], [1e5], [-np.inf], [0.0]])
    log_w = np.array([[0.0, np.log(3.0)]]) + shift
    log_mean, share = log_mean_and_shares(log_w)
    np.testing.assert_allclose(log_mean, shift[:, 0] + np.log(2.0), rtol=1e-15)
    np.testing.assert_allclose(share, [[0.25, 0.75], [0.25, 0.75], [0, 0], [0.25, 0.75]], rtol=1e-9)


# --- Gradients that are no derivative of the loss ---------------------------------------------------------------------

REPEATS = 100_000


def encoder_gradients_of_rows(model, x, k, gradient, repeats=REPEATS, seed=0, mix=0.0, groups=1):
    """The encoder's gradient for each of many draws of the noise, (repeats, number of its parameters), for one row."""
    objective = pyvae.ImportanceWeighted(k, gradient, groups=groups, mix=mix)
    K = objective.n_samples
    rows = np.repeat(x[None], repeats, axis=0)
    eps = np.random.default_rng(seed).standard_normal((repeats * K, model.latent_dim))
    terms, cache = model.forward(Batch(rows), Noise.frozen(z=eps), K)
    _, dterms = objective(terms)
    outputs = {}
    encoder = model.encoder

    class Caught:
        """In the encoder's place: keeps the derivatives by its outputs, a row for each draw."""

        def backward(self, dy, cache, need_dx=True):
            outputs["dy"] = dy.copy() * repeats

    model.encoder = Caught()
    try:
        model.parameters.zero_grads()
        model.backward(cache, dterms)
    finally:
        model.encoder = encoder
    return outputs["dy"], {n: model.parameters.grad(n).copy() for n in model.parameters.names if "decoder" in n}


def z_scores(difference):
    """The mean of each column in standard errors."""
    return difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(len(difference)))


@pytest.mark.parametrize(("k", "groups", "mix"), [(1, 1, 0.0), (8, 1, 0.0), (4, 2, 0.0), (5, 1, 0.3)])
def test_the_doubly_reparameterized_gradient_has_the_mean_of_the_standard_one(k, groups, mix):
    """Over the same 100,000 noises, within 4 standard errors of the difference."""
    model = linear_gaussian()
    standard, of_decoder = encoder_gradients_of_rows(model, X[0], k, "standard", groups=groups, mix=mix)
    doubly, same = encoder_gradients_of_rows(model, X[0], k, "doubly-reparameterized", groups=groups, mix=mix)
    assert np.abs(z_scores(doubly - standard)).max() < 4
    for name in of_decoder:
        np.testing.assert_array_equal(of_decoder[name], same[name])
    if k > 1 and not mix:
        assert doubly.var(axis=0).sum() < standard.var(axis=0).sum()


def test_the_path_gradient_is_right_for_one_sample_and_biased_beyond():
    model = linear_gaussian()
    standard, _ = encoder_gradients_of_rows(model, X[0], 1, "standard")
    path, _ = encoder_gradients_of_rows(model, X[0], 1, "path")
    assert np.abs(z_scores(path - standard)).max() < 4
    standard, _ = encoder_gradients_of_rows(model, X[0], 64, "standard", repeats=20_000)
    path, _ = encoder_gradients_of_rows(model, X[0], 64, "path", repeats=20_000)
    assert np.abs(z_scores(path - standard)).max() > 20


@pytest.mark.parametrize("gradient", ["standard", "doubly-reparameterized"])
def test_two_samples_in_one_dimension_against_quadrature(gradient):
    """E[d L_2 / d outputs] over both eps on a Gauss-Hermite grid, against differences of E[L_2] on the same grid."""
    model, x, step = linear_gaussian(2, 1, seed=3), np.array([0.7, -1.1]), 1e-5
    model.encoder.b[1] -= 2.0  # the tails of a wide q would need a finer grid
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    eps = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 1)  # (100 * 100 * 2, 1)
    probability = np.outer(weights, weights).ravel() / (2 * np.pi)
    rows = np.repeat(x[None], len(probability), axis=0)

    def mean_bound():
        terms, _ = model.forward(Batch(rows), Noise.frozen(z=eps), 2)
        return probability @ log_mean_and_shares(log_weights(terms))[0]

    objective = pyvae.ImportanceWeighted(2, gradient)
    terms, cache = model.forward(Batch(rows), Noise.frozen(z=eps), 2)
    _, dterms = objective(terms, probability)
    model.parameters.zero_grads()
    model.backward(cache, dterms)
    for name in ("encoder.b", "encoder.W"):
        values, grads = model.parameters[name], model.parameters.grad(name)
        for i in np.ndindex(values.shape):
            kept = values[i]
            values[i] = kept + step
            above = mean_bound()
            values[i] = kept - step
            below = mean_bound()
            values[i] = kept
            assert grads[i] == pytest.approx(-(above - below) / (2 * step), rel=1e-4, abs=1e-6), (name, i)


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"groups": 1.5}, "groups must be a whole number"),
        ({"mix": 1.0}, "mix must be a number from 0 and below 1"),
        ({"gradient": "dreg"}, "gradient must be one of standard, path, doubly-reparameterized"),
        ({"kl": "closed"}, "give mix, or leave it out"),
        ({"kl": "closed", "mix": 0.5, "gradient": "path"}, "has the standard gradient alone"),
        ({"kl": "exact"}, "kl must be 'sampled' or 'closed'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pyvae.ImportanceWeighted(**arguments)


def test_a_posterior_whose_density_cannot_be_differentiated_is_refused():
    class Other(pyvae.DiagonalGaussian):
        pathwise = False

    model = pyvae.VAE(pyvae.Dense(3, 4), pyvae.Dense(2, 3), pyvae.Gaussian(3), posterior=Other())
    objective = pyvae.ImportanceWeighted(3, "path")
    with pytest.raises(ValueError, match="the gradient 'path' differentiates .* which Other does not"):
        pyvae.train(model, X, objective=objective, progress=False)
    pyvae.train(model, X, objective=pyvae.ImportanceWeighted(3), epochs=1, progress=False)
