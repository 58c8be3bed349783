"""Mixtures of diagonal Gaussians for points in groups."""

import numpy as np
import pytest
from scipy.stats import norm

from pyvae.latent import mixture_fit
from pyvae.latent.gaussian import MuLogvar
from pyvae.latent.mixture import mixture_density
from pyvae.latent.mixture_fit import fit_mixture

K, Z = 6, 4


@pytest.fixture
def true(rng):
    """Weights, means and standard deviations of a mixture."""
    return np.linspace(1, 3, K) / np.linspace(1, 3, K).sum(), rng.normal(0, 4, (K, Z)), rng.uniform(0.3, 2, (K, Z))


def drawn(true, n, rng):
    weights, mu, std = true
    k = rng.choice(K, n, p=weights)
    return mu[k] + std[k] * rng.standard_normal((n, Z))


def score(z, mixture):
    return mixture_density(z, *mixture)[0].mean()


def test_it_is_as_likely_as_the_truth_and_has_its_numbers(true, rng):
    weights, mu, std = true
    z, other = drawn(true, 4000, rng), drawn(true, 4000, rng)
    fitted = fit_mixture(z, K)
    exact = mixture_fit.DiagonalMixture(MuLogvar(mu, 2 * np.log(std)), np.log(weights)[None])
    assert score(z, fitted) > score(z, exact) - 0.01
    assert score(other, fitted) > score(other, exact) - 0.02
    mine = ((fitted.q.mu[:, None] - mu) ** 2).sum(axis=2).argmin(axis=0)  # the component nearest to each true one
    assert len(set(mine)) == K
    np.testing.assert_allclose(np.exp(fitted.log_weights[0, mine]), weights, atol=0.02)
    np.testing.assert_allclose(fitted.q.mu[mine], mu, atol=0.25)
    np.testing.assert_allclose(np.exp(fitted.q.logvar[mine] / 2), std, rtol=0.12)


def test_an_m_step_of_known_shares_is_their_weighted_mean_and_variance(rng):
    z, share = rng.normal(3, 2, (50, Z)), rng.dirichlet(np.ones(K), 50)
    mixture = mixture_fit._of_shares(z, share)
    size = share.sum(axis=0)
    mean = share.T @ z / size[:, None]
    variance = np.einsum("ik,ikj->kj", share, (z[:, None] - mean) ** 2) / size[:, None]
    np.testing.assert_allclose(mixture.q.mu, mean, rtol=1e-4)
    np.testing.assert_allclose(np.exp(mixture.q.logvar), variance + 1e-4 * z.var(), rtol=1e-4)
    np.testing.assert_allclose(np.exp(mixture.log_weights[0]), size / 50, rtol=1e-4)


def test_groups_askew_to_the_axes_are_found(rng):
    """Two long groups side by side, at 45 degrees, of which diagonal Gaussians would make rounder ones."""
    along, across, side = rng.normal(0, 2, 2000), rng.normal(0, 0.3, 2000), rng.choice([-2.0, 2.0], 2000)
    z = np.stack([along + across + side, along - across - side], axis=1)
    mixture = fit_mixture(z, 2)
    means = mixture.q.mu[mixture.q.mu[:, 0].argsort()]
    np.testing.assert_allclose(means, [z[side < 0].mean(axis=0), z[side > 0].mean(axis=0)], atol=0.01)
    np.testing.assert_allclose(np.exp(mixture.q.logvar / 2), np.hypot(2, 0.3), rtol=0.1)


def test_of_several_starts_the_likeliest_is_kept(rng, monkeypatch):
    """Twenty groups, where a start often takes two for one and cuts another in two."""
    z = np.repeat(rng.normal(0, 12, (20, 2)), 40, axis=0) + rng.normal(0, 0.5, (800, 2))
    best = score(z, fit_mixture(z, 20))
    monkeypatch.setattr(mixture_fit, "CANDIDATES", 1)
    monkeypatch.setattr(mixture_fit, "STARTS", 1)
    single = [score(z, fit_mixture(z, 20, seed)) for seed in range(6)]
    assert np.ptp(single) > 0.05
    assert best > max(single) - 0.05


def test_one_component_is_the_normal_distribution_of_the_points(rng):
    z = rng.normal(5, 3, (400, 1))
    mixture = fit_mixture(z, 1)
    expected = norm(z.mean(), z.std()).logpdf(z[:, 0]).mean()
    assert score(z, mixture) == pytest.approx(expected, abs=1e-4)


def test_few_equal_and_large_points():
    for z in (np.zeros((1, 3)), np.ones((500, 3)), np.eye(3).repeat(50, axis=0), np.diag([1e6, 1e-6, 1.0])):
        mixture = fit_mixture(z.astype(np.float32), 5)
        assert all(np.isfinite(a).all() for a in (*mixture.q, mixture.log_weights))
        np.testing.assert_allclose(np.exp(mixture.log_weights).sum(), 1)
        assert np.isfinite(score(np.float64(z), mixture))


def test_the_seed_alone_decides(true, rng):
    z = drawn(true, 300, rng)
    for one, other in zip(fit_mixture(z, K, 3).q, fit_mixture(z.copy(), K, 3).q, strict=True):
        np.testing.assert_array_equal(one, other)
