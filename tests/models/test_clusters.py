"""ClusterVAE: clusters of rows that nobody has labelled."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import bernoulli, norm

import pyvae
from pyvae import Noise, _kernels
from pyvae.command.main import main
from pyvae.data.batch import Batch
from pyvae.training.step import Step

D, K, Z = 9, 3, 2


@pytest.fixture
def X(rng):
    return rng.random((60, D)).round().astype(np.float32)


def small(seed=0, **arguments):
    """One whose components differ in everything."""
    model = pyvae.ClusterVAE.mlp(D, K, Z, (11,), "tanh", seed=seed, **arguments)
    model.prior.mu[...] = [[-1, 0], [1, 0.5], [0, 2]]
    model.prior.logvar[...] = [[0, -1], [-2, 0.5], [-0.5, -0.5]]
    model.prior.logits[...] = [0.5, 0, -1]
    return model


def log_joint(model, z):
    """log w_c + log N(z; mu_c, sigma_c^2), (N, K), in double, by scipy."""
    prior = model.prior
    mu, std = np.float64(prior.mu), np.exp(np.float64(prior.logvar) / 2)
    return np.log(softmax(np.float64(prior.logits))) + norm(mu, std).logpdf(np.float64(z)[:, None]).sum(axis=2)


def groups(rng, n=900):
    """Rows of black and white in three groups, and which group is whose."""
    group = rng.choice(K, n, p=[0.5, 0.3, 0.2])
    black = 0.04 + 0.92 * np.repeat(np.eye(K), D // K, axis=1)[group]
    return (rng.random((n, D)) < black).astype(np.float32), group


def trained(rng, epochs=30):
    """A model trained in its three parts; the rows, and their groups."""
    x, group = groups(rng)
    model = pyvae.ClusterVAE.mlp(D, K, Z, (16,), "tanh")
    pyvae.train(model, x, epochs=epochs, batch_size=50, learning_rate=5e-3, beta=0.1, progress=False)
    model.start_clusters(x)
    pyvae.train(model, x, epochs=epochs, batch_size=50, learning_rate=2e-3, progress=False, seed=1)
    return model, x, group


def test_gradients_of_the_whole_model(X):
    pyvae.check_gradients(small(), X[:8], n_samples=2)
    pyvae.check_gradients(small(), X[:8], objective=pyvae.ImportanceWeighted(3))
    pyvae.check_gradients(small(likelihood="gaussian"), pyvae.ArraySource(X[:8], weight=np.arange(8.0)), beta=0.3)


def test_the_bound_is_the_sum_over_components(X, rng):
    """sum_c q(c) (log p(x|z) + log w_c N_c(z) - log q(c)) - log q(z|x): the ELBO for the responsibilities q(c) =
    p(c|z), and less for others, such as the paper's q(c|x)."""
    model = small().astype(np.float64)
    x, eps = X[:10].astype(np.float64), rng.standard_normal((10, Z))
    mu, logvar = model.encode(x)
    z = mu + np.exp(logvar / 2) * eps
    log_px = bernoulli(model.decode(z)).logpmf(x).sum(axis=1)
    log_qz = norm(mu, np.exp(logvar / 2)).logpdf(z).sum(axis=1)

    def bound(q):
        return log_px + (q * (log_joint(model, z) - np.log(q))).sum(axis=1) - log_qz

    terms, _ = model.forward(Batch(x, rows=np.arange(10)), Noise.frozen(z=eps))
    mine = terms.log_px[:, 0] + terms.log_pz[:, 0] - terms.log_qz[:, 0]
    responsibilities = softmax(log_joint(model, z), axis=1)
    np.testing.assert_allclose(mine, bound(responsibilities), atol=1e-9)
    np.testing.assert_allclose(model.responsibilities(z), responsibilities, atol=1e-12)
    for q in (model.cluster(x), rng.dirichlet(np.ones(K), 10)):
        assert (mine > bound(q)).all()


def test_cluster_is_the_mean_over_its_samples(X):
    model = small().astype(np.float64)
    mu, logvar = model.encode(X)
    eps = Noise(0).normal("z", (5, Z), np.zeros(1, int), np.float64)
    z = mu[:, None] + np.exp(logvar / 2)[:, None] * eps
    expected = softmax(log_joint(model, z.reshape(-1, Z)), axis=1).reshape(60, 5, K).mean(axis=1)
    np.testing.assert_allclose(model.cluster(X, 5), expected, atol=1e-12)


def test_cluster_is_the_expectation_under_the_posterior(X, rng):
    model = small().astype(np.float64)
    mu, logvar = model.encode(X[:4])
    z = mu[:, None] + np.exp(logvar / 2)[:, None] * rng.standard_normal((200_000, Z))
    expected = [softmax(log_joint(model, of_row), axis=1).mean(axis=0) for of_row in z]
    np.testing.assert_allclose(model.cluster(X[:4], 20_000), expected, atol=0.01)
    np.testing.assert_allclose(model.cluster(X).sum(axis=1), 1, atol=1e-12)


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="the twins promise no bits")
def test_a_rows_clusters_do_not_depend_on_the_others(X):
    model = small()
    of_all = model.cluster(X)
    np.testing.assert_array_equal(model.cluster(X[7:8]), of_all[7:8])
    np.testing.assert_array_equal(model.cluster(X[::-1]), of_all[::-1])


def test_groups_are_found(rng):
    model, x, group = trained(rng)
    shares = model.cluster(x)
    counts = np.zeros((K, K))
    np.add.at(counts, (shares.argmax(axis=1), group), 1)
    assert counts.max(axis=1).sum() > 0.97 * len(x)  # each cluster is one group
    assert set(counts.argmax(axis=1)) == {0, 1, 2}
    np.testing.assert_allclose(model.prior.weights()[counts.argmax(axis=0)], [0.5, 0.3, 0.2], atol=0.06)
    for c in range(K):
        made = model.sample(300, seed=1, mean=False, cluster=c)
        assert np.mean(model.cluster(made).argmax(axis=1) == c) > 0.9


def test_a_start_is_a_mixture_of_the_posterior_means(rng):
    model, (x, _) = small(), groups(rng)
    before, mu = model.prior.mu.copy(), model.encode(x)[0]
    pyvae.train(model, x, epochs=20, beta=0.0, progress=False)
    np.testing.assert_array_equal(model.prior.mu, before)  # an autoencoder's prior learns nothing
    model.start_clusters(x)
    assert not np.array_equal(model.encode(x)[0], mu)
    mu, logvar = model.encode(x)
    log_density = logsumexp(log_joint(model, mu), axis=1).mean()
    one = norm(mu.mean(axis=0), mu.std(axis=0)).logpdf(mu).sum(axis=1).mean()
    assert log_density > one + 0.5
    np.testing.assert_allclose(model.prior.weights() @ model.prior.mu, mu.mean(axis=0), atol=1e-3)
    np.testing.assert_array_equal(logvar, logvar[:1].repeat(len(x), axis=0))
    assert (logvar[0] < model.prior.logvar.max(axis=0) - 1.9).all()
    assert (logvar[0] > model.prior.logvar.min(axis=0) - 2.1).all()


def test_new_rows_of_a_cluster_come_from_its_component():
    model = small()
    for c in range(K):
        z = model.prior.component(c).sample(4000, Z, Noise(2))
        np.testing.assert_allclose(z.mean(axis=0), model.prior.mu[c], atol=0.07)
        np.testing.assert_allclose(z.std(axis=0), np.exp(model.prior.logvar[c] / 2), rtol=0.05)
        np.testing.assert_array_equal(model.sample(30, 2, cluster=c), model.decode(z[:30]))
    assert model.sample(7).shape == (7, D)


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="steps are played by native kernels alone")
def test_steps_are_played(X):
    def losses(playable):
        model = small()
        take = Step(model, pyvae.ELBO(0.7, 2))
        take.playable &= playable
        results = [take(pyvae.ArraySource(X), np.arange(i, i + 12), Noise(0, i))[2] for i in (0, 12, 24, 36)]
        return take, (results, model.parameters.grads.tobytes())

    take, played = losses(True)
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked
    assert played == losses(False)[1]


def test_files_copies_and_the_command_line(X, tmp_path, capsys):
    model = small()
    pyvae.save(model, tmp_path / "model.safetensors")
    loaded = pyvae.load(tmp_path / "model.safetensors")
    assert type(loaded) is pyvae.ClusterVAE and loaded.n_clusters == K and loaded.describe() == model.describe()
    np.testing.assert_array_equal(loaded.cluster(X), model.cluster(X))
    assert main(["check", str(tmp_path / "model.safetensors")]) == 0
    assert "every gradient agrees" in capsys.readouterr().out


def parts():
    return pyvae.Dense(D, 2 * Z), pyvae.Dense(Z, D), pyvae.Bernoulli(D)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda X: pyvae.ClusterVAE(*parts(), pyvae.StandardNormal()), "the prior must be a Mixture, whose components"),
        (lambda X: pyvae.ClusterVAE(*parts(), pyvae.Mixture(Z + 1, K)), "the prior, a Mixture, has 3 latent dim"),
        (lambda X: pyvae.ClusterVAE(*parts(), pyvae.Mixture(Z, K), pyvae.FullGaussian()),
         "the posterior must be a DiagonalGaussian, not FullGaussian"),
        (lambda X: pyvae.ClusterVAE.mlp(D, 0), "n_clusters must be a whole number of at least 1, not 0"),
        (lambda X: small().sample(3, cluster=K), "component must be a whole number from 0 to 2, not 3"),
        (lambda X: small().sample(3, latent=pyvae.Mixture(Z, K), cluster=0), "give latent or cluster, not both"),
        (lambda X: small().cluster(X[:, 1:]), "X must have"),
        (lambda X: small().cluster(X, 0), "n_samples must be a whole number"),
        (lambda X: small().start_clusters(X + 2), "the Bernoulli likelihood takes"),
        (lambda X: pyvae.ClusterVAE(pyvae.Sequential(pyvae.Dense(D, 2 * Z), pyvae.Tanh()), *parts()[1:],
                                    pyvae.Mixture(Z, K)).start_clusters(X), "which must be Dense"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(X, use, message):
    with pytest.raises(ValueError, match=message):
        use(X)
