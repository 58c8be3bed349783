"""Full-covariance and planar-flow posteriors: what gradient checks (of ``pyvae check``) cannot see."""

import copy
import pickle

import numpy as np
import pytest

import pyvae
from pyvae.gradcheck import check_gradient
from pyvae.latent.interface import MOMENT_SAMPLES
from pyvae.training import step

POSTERIORS = {"full": pyvae.FullGaussian, "flow": lambda: pyvae.PlanarFlow(3)}
every_posterior = pytest.mark.parametrize("kind", POSTERIORS)
X = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


def make(kind, latent_dim=2, hidden=16, seed=0, dtype=np.float32):
    posterior = POSTERIORS[kind]()
    encoder = pyvae.Sequential(pyvae.Dense(6, hidden, "tanh"), pyvae.Dense(hidden, posterior.n_outputs(latent_dim)))
    decoder = pyvae.Sequential(pyvae.Dense(latent_dim, hidden, "tanh"), pyvae.Dense(hidden, 6))
    return pyvae.VAE(encoder, decoder, pyvae.Gaussian(6, "learned"), posterior=posterior, seed=seed, dtype=dtype)


def full_q(rows=3, Z=4, seed=0):
    """q, and L (rows, Z, Z)."""
    rng = np.random.default_rng(seed)
    q = pyvae.FullGaussian().split(rng.standard_normal((rows, pyvae.FullGaussian().n_outputs(Z))))
    L = np.zeros((rows, Z, Z))
    L[:, np.arange(Z), np.arange(Z)] = np.exp(q.log_diagonal)
    for row, lower in zip(L, q.lower, strict=True):
        row[np.tril_indices(Z, -1)] = lower
    return q, L


# --- Full covariance --------------------------------------------------------------------------------------------------


def test_log_q_is_the_density_of_the_multivariate_normal():
    from scipy.stats import multivariate_normal

    q, L = full_q()
    z, log_qz, _ = pyvae.FullGaussian().sample(q, np.random.default_rng(1).standard_normal((3 * 5, 4)))
    for row in range(3):
        exact = multivariate_normal(q.mu[row], L[row] @ L[row].T).logpdf(z[5 * row : 5 * row + 5])
        np.testing.assert_allclose(log_qz[5 * row : 5 * row + 5], exact, rtol=1e-12)


def test_samples_have_the_covariance():
    q, L = full_q()
    k = 200_000
    z, _, _ = pyvae.FullGaussian().sample(q, np.random.default_rng(2).standard_normal((3 * k, 4)))
    for row, samples in enumerate(z.reshape(3, k, 4)):
        covariance = L[row] @ L[row].T
        size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        assert np.abs(np.cov(samples.T) - covariance).max() < 0.02 * size.max()
        assert np.abs(samples.mean(axis=0) - q.mu[row]).max() < 0.01 * np.sqrt(np.diag(covariance)).max()


def test_the_kl_is_the_closed_form_of_two_gaussians_and_the_sampled_one_in_expectation():
    q, L = full_q()
    prior, posterior, k = pyvae.StandardNormal(), pyvae.FullGaussian(), 200_000
    kl, _ = prior.kl(posterior, q)
    for row in range(3):
        covariance = L[row] @ L[row].T
        log_det = np.linalg.slogdet(covariance)[1]
        exact = (np.trace(covariance) + q.mu[row] @ q.mu[row] - 4 - log_det) / 2
        assert kl[row] == pytest.approx(exact, rel=1e-12)
    z, log_qz, _ = posterior.sample(q, np.random.default_rng(3).standard_normal((3 * k, 4)))
    sampled = (log_qz - prior.log_density(z)[0]).reshape(3, k)
    assert np.all(np.abs(sampled.mean(axis=1) - kl) < 5 * sampled.std(axis=1) / np.sqrt(k))
    at_prior = posterior.split(np.zeros((2, posterior.n_outputs(4)), np.float32))
    assert prior.kl(posterior, at_prior)[0].tolist() == [0, 0]


def test_without_correlations_it_is_the_diagonal_gaussian():
    rng = np.random.default_rng(4)
    mu, log_diagonal, eps = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), rng.standard_normal((6, 4))
    full, diagonal = pyvae.FullGaussian(), pyvae.DiagonalGaussian()
    q = full.split(np.hstack([mu, log_diagonal, np.zeros((3, 6))]))
    other = pyvae.MuLogvar(mu, 2 * log_diagonal)
    for ours, theirs in zip(full.sample(q, eps)[:2], diagonal.sample(other, eps)[:2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    prior = pyvae.StandardNormal()
    np.testing.assert_allclose(prior.kl(full, q)[0], prior.kl(diagonal, other)[0], rtol=1e-12)


@pytest.mark.parametrize("Z", [1, 2, 3, 20])
def test_the_outputs_are_split_without_rest(Z):
    for posterior in (pyvae.FullGaussian(), pyvae.PlanarFlow(1), pyvae.PlanarFlow(4)):
        outputs = np.arange(2.0 * posterior.n_outputs(Z)).reshape(2, -1)
        q = posterior.split(outputs)
        assert q[0].shape == q[1].shape == (2, Z)
        np.testing.assert_array_equal(np.hstack(q), outputs)
        np.testing.assert_array_equal(posterior.split_backward(q, outputs), outputs)


# --- Planar flow ------------------------------------------------------------------------------------------------------


def planar_map(posterior, outputs, eps):
    return posterior.sample(posterior.split(outputs), eps)


@pytest.mark.parametrize("Z", [1, 2, 5])
def test_the_log_determinant_is_that_of_the_numerical_jacobian(Z):
    """log q(z) = log N(eps; 0, 1) - log |det dz/deps|, some of the maps with w.u far below -1."""
    posterior, rng, h = pyvae.PlanarFlow(3), np.random.default_rng(Z), 1e-6
    for _ in range(20):
        outputs, eps = 2 * rng.standard_normal((1, posterior.n_outputs(Z))), rng.standard_normal((1, Z))
        jacobian = np.empty((Z, Z))
        for j, step_ in enumerate(h * np.eye(Z)):
            above, below = (planar_map(posterior, outputs, eps + side * step_)[0] for side in (1, -1))
            jacobian[:, j] = (above - below)[0] / (2 * h)
        sign, log_det = np.linalg.slogdet(jacobian)
        log_q = -(eps @ eps.T).item() / 2 - Z / 2 * np.log(2 * np.pi) - log_det
        assert sign == 1 and planar_map(posterior, outputs, eps)[1].item() == pytest.approx(log_q, abs=1e-5)


def test_u_hat_meets_the_condition_exactly():
    """Far along w, h is 1, and the map adds u^: w.u^ = softplus(w.u) - 1, whatever the length of w."""
    rng = np.random.default_rng(6)
    for length in (1e-3, 0.1, 1.0, 30.0):
        u, w = rng.standard_normal((2, 50, 4)) * length
        z, log_qz = np.zeros((50, 4)), np.zeros(50)
        u_hat = np.empty_like(z)
        pyvae._kernels.planar(z, np.hstack([u, w, np.full((50, 1), 50.0)]), u_hat, log_qz)
        s = (w * u).sum(axis=1)
        np.testing.assert_allclose((w * u_hat).sum(axis=1), np.logaddexp(0, s) - 1, rtol=1e-9, atol=1e-9)
        across = u_hat - u  # along w alone
        np.testing.assert_allclose(across, (across * w).sum(1, keepdims=True) / (w * w).sum(1, keepdims=True) * w)
        np.testing.assert_allclose(log_qz, 0, atol=1e-12)


def test_the_density_of_a_flow_integrates_to_1():
    """E_q[1 / q(z); z in a box] is the area of the box: each z of it is met once, at its density."""
    posterior, k = pyvae.PlanarFlow(4), 200_000
    for seed in range(3):
        outputs = np.random.default_rng(seed).standard_normal((1, posterior.n_outputs(2)))
        z, log_qz, _ = planar_map(posterior, outputs, np.random.default_rng(7).standard_normal((k, 2)))
        low, high = np.quantile(z, [0.4, 0.6], axis=0)
        inside = ((z > low) & (z < high)).all(axis=1)
        values = np.exp(-log_qz) * inside
        assert np.abs(values.mean() - np.prod(high - low)) < 5 * values.std() / np.sqrt(k)
        assert values.std() / np.sqrt(k) < 0.02 * np.prod(high - low)


def test_a_flow_without_a_direction_moves_along_u():
    """w = 0: u^ = u, the determinant is 1, and the gradients are those of this map, by w too."""
    rng = np.random.default_rng(8)
    z, dout, dlog_qz = rng.standard_normal((6, 3)), rng.standard_normal((6, 3)), rng.standard_normal(6)
    flow = rng.standard_normal((2, 7))
    flow[:, 3:6] = 0
    out, log_qz = np.empty_like(z), np.zeros(6)

    def loss():
        log_qz[...] = 0
        pyvae._kernels.planar(z, flow, out, log_qz)
        return float((dout * out).sum() + dlog_qz @ log_qz)

    loss()
    np.testing.assert_allclose(out, z + np.repeat(flow[:, :3] * np.tanh(flow[:, 6:]), 3, axis=0), rtol=1e-12)
    np.testing.assert_allclose(log_qz, 0, atol=1e-15)
    dz, dflow = np.empty_like(z), np.empty_like(flow)
    pyvae._kernels.planar_backward(dout, z, flow, dz, dflow, dlog_qz)
    for array, gradient in ((z, dz), (flow, dflow)):
        check = check_gradient(loss, array, gradient, step=1e-7, tolerance=1e-5)
        assert check.passed, str(check)


# --- How close they come ----------------------------------------------------------------------------------------------


def linear_gaussian(posterior):
    """p(z) = N(0, 1), p(x|z) = N(z V + c, 0.5^2): p(z|x) is a Gaussian whose dimensions are correlated."""
    model = pyvae.VAE(pyvae.Dense(3, posterior.n_outputs(2)), pyvae.Dense(2, 3), pyvae.Gaussian(3, std=0.5),
                      posterior=posterior, dtype=np.float64)  # fmt: skip
    model.decoder.W[...], model.decoder.b[...] = [[1.0, 0.8, -0.4], [0.7, 0.9, 0.3]], [0.2, -0.1, 0.4]
    return model


def fit_encoder(model, x, objective, steps, k=1, learning_rate=0.02):
    """Train the encoder alone."""
    optimizer, arena = pyvae.Adam(model.parameters), model.parameters
    others = [name for name in arena.names if not name.startswith("encoder")]
    for i in range(steps):
        eps = np.random.default_rng(i).standard_normal((len(x) * k, model.latent_dim))
        model.loss_and_gradients(x, eps, objective=objective)
        for name in others:
            arena.grad(name)[...] = 0
        optimizer.learning_rate = learning_rate * min(1.0, 3 * (1 - i / steps))
        optimizer.step()


def test_a_linear_model_is_met_exactly_by_the_full_covariance_alone():
    from scipy.stats import multivariate_normal

    x = np.random.default_rng(9).standard_normal((8, 3))
    full, diagonal = linear_gaussian(pyvae.FullGaussian()), linear_gaussian(pyvae.DiagonalGaussian())
    V, c = full.decoder.W, full.decoder.b
    evidence = multivariate_normal(c, V.T @ V + 0.25 * np.eye(3)).logpdf(x)
    precision = np.eye(2) + V @ V.T / 0.25
    gap = (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2  # of the best diagonal q, nats
    assert gap > 0.2

    covariance = np.linalg.inv(precision)
    L = np.linalg.cholesky(covariance)
    full.encoder.W[...] = 0
    full.encoder.W[:, :2] = V.T @ covariance / 0.25
    full.encoder.b[...] = [*(-c @ full.encoder.W[:, :2]), *np.log(np.diag(L)), L[1, 0]]
    for seed in range(3):  # p(x, z) / q(z|x) = p(x) for every z
        np.testing.assert_allclose(full.log_likelihood(x, n_samples=1, seed=seed), evidence, rtol=1e-10)
    assert full.elbo(x, n_samples=20_000).mean() == pytest.approx(evidence.mean(), abs=0.02)

    full.encoder.W[...], full.encoder.b[...] = 0, 0
    for model in (full, diagonal):  # with a gradient that vanishes at an exact posterior
        fit_encoder(model, x, pyvae.ImportanceWeighted(1, "path"), 1500)
    assert full.log_likelihood(x, n_samples=1).mean() == pytest.approx(evidence.mean(), abs=1e-3)
    bound = np.mean([diagonal.elbo(x, n_samples=4000, seed=seed).mean() for seed in range(3)])
    assert bound == pytest.approx(evidence.mean() - gap, abs=0.02)


class Bent(pyvae.Layer):
    """x = z_2 + z_1^2: the z of one x lie along a parabola."""

    n_in, n_out = 2, 1

    def forward(self, x, noise=None, memory=pyvae.FRESH):
        return x[:, 1:] + x[:, :1] ** 2, x

    def backward(self, dy, cache, need_dx=True):
        return np.hstack([2 * cache[:, :1] * dy, dy])


def test_a_flow_comes_closer_to_a_bent_posterior_than_a_diagonal_gaussian():
    bounds, x = {}, np.array([[-0.5]])
    for name, posterior in (("diagonal", pyvae.DiagonalGaussian()), ("flow", pyvae.PlanarFlow(4))):
        encoder = pyvae.Dense(1, posterior.n_outputs(2))
        model = pyvae.VAE(encoder, Bent(), pyvae.Gaussian(1, std=0.3), posterior=posterior, dtype=np.float64, seed=2)
        fit_encoder(model, x, pyvae.ELBO(n_samples=30, kl="sampled"), 700, k=30)
        bounds[name] = model.elbo(x, n_samples=50_000).item()
        likelihood = model.log_likelihood(x, n_samples=50_000).item()
    grid = np.linspace(-6, 6, 1201)
    z1, z2 = np.meshgrid(grid, grid)
    log_joint = -((z1**2 + z2**2) / 2 + ((x.item() - z2 - z1**2) / 0.3) ** 2 / 2)
    evidence = np.log(np.exp(log_joint).sum() * 0.01**2) - 1.5 * np.log(2 * np.pi) - np.log(0.3)
    assert bounds["diagonal"] + 0.1 < bounds["flow"] < evidence + 0.01, (bounds, evidence)
    assert likelihood == pytest.approx(evidence, abs=0.03)


def test_the_doubly_reparameterized_gradient_of_a_full_covariance_has_the_mean_of_the_standard_one():
    """Over the same noises; the gradient is that of the mean over rows, each of which is a draw."""
    model, draws, k = linear_gaussian(pyvae.FullGaussian()), 100, 4
    x, means = np.repeat([[0.3, -1.0, 0.8]], 200, axis=0), {}
    for gradient in ("standard", "doubly-reparameterized"):
        of_draws = []
        for seed in range(draws):
            eps = np.random.default_rng(seed).standard_normal((len(x) * k, 2))
            model.loss_and_gradients(x, eps, objective=pyvae.ImportanceWeighted(k, gradient))
            of_draws.append(model.parameters.grad("encoder.b").copy())
        means[gradient] = np.array(of_draws)
    difference = means["standard"] - means["doubly-reparameterized"]
    assert np.abs(difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(draws))).max() < 4
    assert np.abs(means["standard"].mean(axis=0)).min() > 0.01
    assert means["doubly-reparameterized"].var(axis=0).sum() < means["standard"].var(axis=0).sum()


# --- encode -----------------------------------------------------------------------------------------------------------


@every_posterior
def test_encode_gives_means_and_log_variances_of_the_dimensions(kind):
    model = make(kind, latent_dim=3)
    model.parameters.values *= 2
    mu, logvar = model.encode(X[:20])
    terms, _ = model.forward(pyvae.Batch(model.rows(X[:20])), pyvae.Noise(5), k=20_000)
    assert terms.mu is None and terms.logvar is None and (terms.kl is None) == (kind == "flow")
    z = terms.z.reshape(20, -1, 3).astype(np.float64)
    std = z.std(axis=1)
    assert np.abs((mu - z.mean(axis=1)) / std).max() < (0.03 if kind == "full" else 5 / np.sqrt(MOMENT_SAMPLES / 2))
    assert np.abs(logvar - 2 * np.log(std)).max() < (0.06 if kind == "full" else 5 * np.sqrt(2 / MOMENT_SAMPLES))
    if kind == "full":
        q = model.posterior.split(model.encoder.forward(X[:20])[0].astype(np.float64))
        exact = np.log(np.exp(2 * q.log_diagonal[:, 2]) + q.lower[:, 1] ** 2 + q.lower[:, 2] ** 2)
        np.testing.assert_allclose(logvar[:, 2], exact, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(pyvae._kernels.KERNELS != "native", reason="the twins promise no bits")
@every_posterior
def test_encode_of_a_row_does_not_depend_on_the_others(kind):
    model = make(kind)
    mu, logvar = model.encode(X)
    for rows in ([7], [89, 3, 3], np.arange(90)[::-1]):
        some = model.encode(X[rows])
        assert some[0].tobytes() == mu[rows].tobytes() and some[1].tobytes() == logvar[rows].tobytes()
    np.testing.assert_array_equal(model.reconstruct(X), model.decode(mu))


def test_a_subclass_that_samples_otherwise_does_not_inherit_closed_forms():
    class Wider(pyvae.FullGaussian):
        def sample(self, q, eps, memory=pyvae.FRESH):
            z, log_qz, cache = super().sample(q, 2 * eps, memory)
            return z, log_qz, cache

    q, L = full_q()
    assert pyvae.StandardNormal().kl(Wider(), q) == (None, None)
    _, logvar = Wider().moments(q, 4)
    exact = np.log(4 * (L**2).sum(axis=2))
    assert np.abs(logvar - exact).max() < 5 * np.sqrt(2 / MOMENT_SAMPLES)


def test_moments_of_constants_and_of_far_numbers():
    """A variance that rounding leaves is small beside the mean, and no logarithm fails."""
    posterior = pyvae.PlanarFlow(1)
    outputs = np.zeros((1, posterior.n_outputs(2)), np.float32)
    outputs[0, :4] = [1e4, -3, -300, 0]  # mean 10,000 with a standard deviation below its rounding; -3 with one of 1
    mu, logvar = posterior.moments(posterior.split(outputs), 2)
    assert mu[0, 0] == 1e4 and -1000 < logvar[0, 0] < -200 and abs(logvar[0, 1]) < 0.2


# --- In models --------------------------------------------------------------------------------------------------------


@every_posterior
def test_gradients_of_a_whole_model(kind):
    for objective in (pyvae.ELBO(0.5, 2), pyvae.ELBO(kl="sampled"), pyvae.ImportanceWeighted(3)):
        pyvae.check_gradients(make(kind, hidden=5), X[:5], objective=objective)


@every_posterior
def test_files_pickles_copies_and_resumed_trainings_give_the_same_model(kind, tmp_path):
    options = {"objective": pyvae.ELBO(0.5, n_samples=2), "batch_size": 32, "progress": False, "learning_rate": 0.01}
    model, first, resumed = make(kind), make(kind), make(kind)
    history = pyvae.train(model, X, epochs=4, **options)
    assert history["train_loss"][-1] < history["train_loss"][0]
    pyvae.train(first, X, epochs=2, checkpoints=tmp_path / "checkpoints", **options)
    pyvae.train(resumed, X, epochs=4, checkpoints=tmp_path / "checkpoints", resume=True, **options)
    assert resumed.parameters.values.tobytes() == model.parameters.values.tobytes()
    pyvae.save(model, tmp_path / "model.safetensors")
    for other in (pyvae.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.describe() == model.describe()
        assert other.elbo(X).tobytes() == model.elbo(X).tobytes()
        assert np.hstack(other.encode(X)).tobytes() == np.hstack(model.encode(X)).tobytes()


@pytest.mark.skipif(pyvae._kernels.KERNELS != "native", reason="twins are not recorded")
@pytest.mark.parametrize("latent_dim", [1, 3])
@every_posterior
def test_played_steps_have_the_bits_of_plain_ones(kind, latent_dim, monkeypatch):
    objectives = [pyvae.ELBO(0.7, 2), pyvae.ImportanceWeighted(3)]
    if kind == "full":
        objectives += [pyvae.ImportanceWeighted(3, gradient) for gradient in ("path", "doubly-reparameterized")]

    def trained(objective):
        model = make(kind, latent_dim)
        history = pyvae.train(model, X, epochs=2, batch_size=20, objective=objective, progress=False)
        return model.parameters.values.tobytes(), history["train_loss"], history["grad_norm"]

    assert step.is_playable(make(kind, latent_dim))
    played = [trained(objective) for objective in objectives]
    monkeypatch.setattr(step, "is_playable", lambda module: False)
    assert [trained(objective) for objective in objectives] == played


def test_a_flow_refuses_gradients_by_z_alone():
    with pytest.raises(ValueError, match="differentiates .* which PlanarFlow does not: take the standard one"):
        pyvae.train(make("flow"), X, objective=pyvae.ImportanceWeighted(3, "path"), progress=False)


@every_posterior
def test_objectives_of_diagonal_gaussians_are_refused(kind):
    model = make(kind)
    for objective in (pyvae.FreeBits(0.1), pyvae.TotalCorrelation(2.0, n_rows=90)):
        with pytest.raises(ValueError, match=f"must be a DiagonalGaussian, not {type(model.posterior).__name__}"):
            pyvae.train(model, X, objective=objective, progress=False)


@pytest.mark.parametrize("n_flows", [0, 1.5, True])
def test_wrong_numbers_of_flows(n_flows):
    with pytest.raises(ValueError, match="n_flows must be a whole number of at least 1"):
        pyvae.PlanarFlow(n_flows)
