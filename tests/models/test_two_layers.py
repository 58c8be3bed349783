"""TwoLayerVAE: x <- z1 <- z2, and SecondLayer, the prior of z1 that z2 makes."""

import pickle

import numpy as np
import pytest
from scipy import stats

import pyvae
from pyvae import Batch, Noise, _kernels, metrics
from pyvae.command.main import main
from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import Rows
from pyvae.latent.full_gaussian import FullGaussian
from pyvae.prior_plots import prior_and_posterior
from pyvae.training.step import Step

D, Z1, Z2, N = 7, 4, 3, 60


@pytest.fixture
def X(rng):
    return (rng.random((N, D)) < 0.4).astype(np.float32)


def small(**arguments):
    return pyvae.TwoLayerVAE.mlp(D, (Z1, Z2), ((6,), (5,)), **arguments)


def of_many_parts():
    """With dropout in both layers, a prior of z2 that learns, and bounds of logvar."""
    dense, dropout = pyvae.Dense, pyvae.Dropout
    encoder = pyvae.Sequential(dense(D, 6, "tanh"), dropout(0.2), dense(6, 2 * Z1))
    upwards = pyvae.Sequential(dense(Z1, 5, "tanh"), dropout(0.2, number=1), dense(5, 2 * Z2))
    second = pyvae.SecondLayer(upwards, dense(Z2, 2 * Z1), pyvae.Mixture(Z2, 2), pyvae.DiagonalGaussian((-5, 5)))
    return pyvae.TwoLayerVAE(encoder, dense(Z1, D), pyvae.Bernoulli(D), second)


every_model = pytest.mark.parametrize("make", [small, of_many_parts])


def linear_gaussian(rng, kind, std=0.5, spread=0.8):
    """x = W z1 + b + std noise, z1 = V z2 + c + spread noise, z2 ~ N(0, 1), with the exact q(z1|x) and q(z2|z1); and
    log p(x) of rows. kind: of q(z1|x). The exact q(z2|z1) is diagonal where the columns of V are orthogonal, q(z1|x)
    where those of W and the rows of V are."""
    W, b, c = rng.standard_normal((D, Z1)), rng.standard_normal(D), rng.standard_normal(Z1)
    V = np.linalg.qr(rng.standard_normal((Z1, Z2)))[0] * [0.6, 1.0, 1.7]
    if kind == "diagonal":
        W = np.linalg.qr(W)[0] * np.linspace(0.5, 2, Z1)
        V = np.zeros((Z1, Z2))
        V[2, 0], V[0, 1], V[3, 2] = 0.6, -1.0, 1.7  # z1's dimension 1 depends on no z2
    of_z1 = V @ V.T + spread**2 * np.eye(Z1)
    covariance = np.linalg.inv(np.linalg.inv(of_z1) + W.T @ W / std**2)  # of q(z1|x)
    M = np.diag(V.T @ V) + spread**2

    posterior = pyvae.DiagonalGaussian() if kind == "diagonal" else FullGaussian()
    second = pyvae.SecondLayer(pyvae.Dense(Z1, 2 * Z2), pyvae.Dense(Z2, 2 * Z1))
    encoder = pyvae.Dense(D, posterior.n_outputs(Z1))
    likelihood = pyvae.Gaussian(D, std=std)
    model = pyvae.TwoLayerVAE(encoder, pyvae.Dense(Z1, D), likelihood, second, posterior, dtype=np.float64)
    encoder.W[...] = 0
    encoder.W[:, :Z1] = W @ covariance / std**2
    encoder.b[:Z1] = covariance @ (np.linalg.solve(of_z1, c) - W.T @ b / std**2)
    L = np.linalg.cholesky(covariance)
    if kind == "diagonal":
        encoder.b[Z1:] = 2 * np.log(np.diag(L))
    else:
        encoder.b[Z1:] = np.concatenate([np.log(np.diag(L)), L[np.tril_indices(Z1, -1)]])
    model.decoder.W[...], model.decoder.b[...] = W.T, b
    second.encoder.W[...] = np.hstack([V / M, np.zeros((Z1, Z2))])
    second.encoder.b[...] = np.concatenate([-c @ V / M, np.log(spread**2 / M)])
    second.decoder.W[...] = np.hstack([V.T, np.zeros((Z2, Z1))])
    second.decoder.b[...] = np.concatenate([c, np.full(Z1, 2 * np.log(spread))])
    exact = stats.multivariate_normal(W @ c + b, W @ of_z1 @ W.T + std**2 * np.eye(D))
    return model, exact


# --- What a gradient check cannot see ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_every_weight_is_the_exact_log_p_where_both_posteriors_are_exact(kind, rng):
    model, exact = linear_gaussian(rng, kind)
    x = model.sample(40, mean=False)
    np.testing.assert_allclose(model.elbo(x, seed=1), exact.logpdf(x), atol=1e-9)
    np.testing.assert_allclose(model.log_likelihood(x, 5), exact.logpdf(x), atol=1e-9)
    np.testing.assert_allclose(metrics.log_likelihood(model, x, 20).effective_sample_size, 20, rtol=1e-9)


def test_the_bounds_rise_to_the_exact_log_p(rng):
    """The second posterior is too wide, and off: that of the first is exact."""
    model, exact = linear_gaussian(rng, "diagonal")
    x = model.sample(20, mean=False)
    model.prior.encoder.b[...] += np.repeat([0.3, 0.5], Z2)
    right = exact.logpdf(x).mean()
    one, ten, many = model.elbo(x, 2000).mean(), model.log_likelihood(x, 10).mean(), model.log_likelihood(x).mean()
    assert one < right - 0.2 and one < ten < right + 0.1
    assert abs(many - right) < 0.02


def test_a_training_from_random_weights_finds_the_exact_log_p(rng):
    model, exact = linear_gaussian(rng, "diagonal")
    x, test = model.sample(4000, mean=False), model.sample(2000, seed=1, mean=False)
    second = pyvae.SecondLayer(pyvae.Dense(Z1, 2 * Z2), pyvae.Dense(Z2, 2 * Z1))
    model = pyvae.TwoLayerVAE(pyvae.Dense(D, 2 * Z1), pyvae.Dense(Z1, D), pyvae.Gaussian(D, std=0.5), second)
    for layer in (model.encoder, second.encoder, second.decoder):
        layer.W[:, layer.n_out // 2 :] = 0  # the same variance for all rows at first
    pyvae.train(model, x, epochs=25, batch_size=50, learning_rate=pyvae.CosineDecay(1e-2, 25), progress=False)
    right = exact.logpdf(test).mean()
    assert right - 0.05 < model.elbo(test, 10).mean() < right
    assert abs(model.log_likelihood(test, 200).mean() - right) < 0.02


def test_the_terms_are_those_of_the_densities(rng, X):
    model, k = small().astype(np.float64), 3
    model.parameters.values += 0.3 * rng.standard_normal(model.parameters.values.shape)
    eps = {"z": rng.standard_normal((N * k, Z1)), "z2": rng.standard_normal((N * k, Z2))}
    terms, _ = model.forward(Batch(X.astype(np.float64)), Noise.frozen(**eps), k)
    mu, log_variance = np.split(model.prior.encoder.forward(terms.z)[0], 2, axis=1)
    z2 = mu + np.exp(log_variance / 2) * eps["z2"]
    mean, of_z = np.split(model.prior.decoder.forward(z2)[0], 2, axis=1)
    log_p = stats.norm.logpdf(terms.z, mean, np.exp(of_z / 2)).sum(axis=1) + stats.norm.logpdf(z2).sum(axis=1)
    log_p -= stats.norm.logpdf(z2, mu, np.exp(log_variance / 2)).sum(axis=1)
    np.testing.assert_allclose(terms.log_pz, log_p.reshape(N, k), rtol=1e-10)
    assert terms.kl is None and terms.log_qz.shape == terms.log_px.shape == (N, k)
    of_both = model.loss_and_gradients(X, np.hstack([eps["z"], eps["z2"]]), 0.5)
    kl = (terms.log_qz - terms.log_pz).mean()
    assert of_both == pytest.approx(-terms.log_px.mean() + 0.5 * kl, rel=1e-12)


def test_new_rows_come_from_z2_by_way_of_z1(rng):
    model, exact = linear_gaussian(rng, "full")
    x = model.sample(100_000, mean=False)
    np.testing.assert_allclose(x.mean(axis=0), exact.mean, atol=0.05)
    np.testing.assert_allclose(np.cov(x.T), exact.cov, atol=0.02 * np.abs(exact.cov).max())
    np.testing.assert_array_equal(model.decode(model.sample_latent(9)), model.sample(9))
    last = model.prior.sample(3, Z1, Noise(0).from_row(6), np.float64)
    np.testing.assert_array_equal(model.decode(last), model.sample(9)[6:])
    assert model.sample(3, latent=model.aggregate_posterior(x[:50])).shape == (3, D)


def test_the_second_layer_encodes_the_mean_of_the_first(rng):
    model, exact = linear_gaussian(rng, "full")
    x = exact.rvs(50, random_state=0)
    mu, logvar = model.encode_second(x)
    z = model.encode(x)[0]
    np.testing.assert_allclose(np.hstack([mu, logvar]), z @ model.prior.encoder.W + model.prior.encoder.b, atol=1e-9)
    assert metrics.active_units(mu).shape == (Z2,)
    model.prior.encoder.b[...] = np.nan
    with pytest.raises(FloatingPointError, match=r"q\(z2\|z1\) of row 0"):
        model.encode_second(x)


# --- Gradients --------------------------------------------------------------------------------------------------------

OBJECTIVES = [
    pyvae.ELBO(0.3, 2), pyvae.ImportanceWeighted(5), pyvae.ImportanceWeighted(3, groups=2, mix=0.2),
    pyvae.TotalCorrelation(3.0, 8),
]  # fmt: skip


@every_model
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_gradients(make, objective, rng, X):
    pyvae.check_gradients(make(), ArraySource(X[:8], weight=rng.random(8)), objective=objective)


def test_gradients_of_a_conditional_model_with_two_layers(rng, X):
    second = pyvae.SecondLayer(pyvae.Dense(Z1, 2 * Z2), pyvae.Dense(Z2, 2 * Z1))
    model = pyvae.ConditionalVAE.mlp(D, 2, Z1, (9,), "tanh", prior=second)
    pyvae.check_gradients(model, ArraySource(X[:8], condition=rng.standard_normal((8, 2))), n_samples=2)


def of_encoder(model, x, objective, repeats):
    """The derivatives by the encoder's outputs (repeats, n_outputs) of one row, for each of many draws of the noise."""
    k, rng, caught = objective.n_samples, np.random.default_rng(0), []
    noise = Noise.frozen(z=rng.standard_normal((repeats * k, Z1)), z2=rng.standard_normal((repeats * k, Z2)))
    terms, cache = model.forward(Batch(np.repeat(x[None], repeats, axis=0)), noise, k)
    _, dterms = objective(terms)
    model.encoder.backward = lambda dy, cache, need_dx: caught.append(dy.copy() * repeats)
    try:
        model.backward(cache, dterms)
    finally:
        del model.encoder.backward
    return caught[0]


@pytest.mark.parametrize("k", [1, 5])
def test_the_doubly_reparameterized_gradient_has_the_mean_of_the_standard_one(k, rng):
    """The encoder's: that of the second layer is the standard one in all. Within 4 standard errors, over the noise of
    both layers; and exactly 0 where the posteriors are exact."""
    model, _ = linear_gaussian(rng, "diagonal")
    x = model.sample(1, mean=False)[0]
    doubly = pyvae.ImportanceWeighted(k, "doubly-reparameterized")
    np.testing.assert_allclose(of_encoder(model, x, doubly, 10), 0, atol=1e-9)
    model.encoder.b[...] += 0.4
    model.prior.encoder.b[...] += 0.4
    standard = of_encoder(model, x, pyvae.ImportanceWeighted(k), 50_000)
    difference = of_encoder(model, x, doubly, 50_000) - standard
    error = difference.std(axis=0) / np.sqrt(len(difference))
    assert np.abs(difference.mean(axis=0) / error).max() < 4
    assert np.abs(standard.mean(axis=0) / error).max() > 40  # of which a wrong sign would be noticed


# --- Noise, steps, files ----------------------------------------------------------------------------------------------


def test_both_layers_have_noise_of_their_own(monkeypatch):
    asked = []

    def normal(self, name, shape, rows, *others, **more):
        asked.append((name, self.first_sample, tuple(rows), shape))
        return original(self, name, shape, rows, *others, **more)

    original = Noise.normal
    monkeypatch.setattr(Noise, "normal", normal)
    monkeypatch.setattr("pyvae.models.importance_sampling.MOST_NUMBERS", 20)
    small().log_likelihood(np.zeros((2, D)), 5)
    assert asked == [
        (name, first, (0, 1), (2 * n, width))
        for first, n in ((0, 2), (2, 2), (4, 1))
        for name, width in (("z", Z1), ("z2", Z2))
    ]


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="the twins promise no bits")
@every_model
def test_a_row_has_the_same_numbers_whatever_rows_are_beside_it(make, X):
    model, source = make(), ArraySource(X)
    whole, likelihood = model.elbo(X, 3), model.log_likelihood(X, 7)
    for rows in ([0], [59, 4, 4], np.arange(20, 40)):
        some = Rows(source, np.asarray(rows))
        assert model.elbo(some, 3).tobytes() == whole[rows].tobytes()
        assert model.log_likelihood(some, 7).tobytes() == likelihood[rows].tobytes()


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="steps are played by native kernels alone")
@pytest.mark.parametrize("objective", [pyvae.ELBO(0.7, 2), pyvae.ImportanceWeighted(3)], ids=str)
@every_model
def test_steps_are_played(make, objective, X):
    def losses(playable):
        model = make()
        take = Step(model, objective)
        take.playable &= playable
        results = []
        for i in (0, 12, 24, 36):
            loss = take(ArraySource(X), np.arange(i, i + 12), Noise(0, i))[2]
            results.append((loss, model.parameters.grads.tobytes()))
            model.parameters.values -= 0.1 * model.parameters.grads
        return take, results

    take, played = losses(True)
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked
    assert played == losses(False)[1]


@every_model
def test_files_copies_and_a_resume(make, X, tmp_path):
    model, whole = make(), make()
    pyvae.train(whole, X, epochs=4, batch_size=16, progress=False, objective=pyvae.ImportanceWeighted(2))
    for epochs in (2, 4):
        pyvae.train(model, X, epochs=epochs, batch_size=16, progress=False, objective=pyvae.ImportanceWeighted(2),
                    checkpoints=tmp_path / "c", resume=True)  # fmt: skip
        model = model if epochs == 4 else make()
    np.testing.assert_array_equal(model.parameters.values, whole.parameters.values)
    pyvae.save(model, tmp_path / "m.safetensors")
    loaded = pyvae.load(tmp_path / "m.safetensors")
    assert type(loaded) is pyvae.TwoLayerVAE and loaded.describe() == model.describe()
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.elbo(X), model.elbo(X))
        np.testing.assert_array_equal(other.sample(9), model.sample(9))
    np.testing.assert_allclose(model.astype(np.float64).elbo(X), model.elbo(X), rtol=1e-4)
    assert make().elbo(X).mean() < model.elbo(X).mean()


def test_the_command_line_checks_a_saved_model(tmp_path, capsys):
    pyvae.save(of_many_parts(), tmp_path / "model.safetensors")
    assert main(["check", str(tmp_path / "model.safetensors")]) == 0
    assert "every gradient agrees" in capsys.readouterr().out


# --- Refusals ---------------------------------------------------------------------------------------------------------

second = pyvae.SecondLayer
parts = pyvae.Dense(D, 2 * Z1), pyvae.Dense(Z1, D), pyvae.Bernoulli(D)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda X: second(pyvae.Dense(4, 5), pyvae.Dense(3, 8)),
         "second layer's encoder makes 5 columns, but the mean and the log variance of 3 dimensions are 6"),
        (lambda X: second(pyvae.Dense(4, 6), pyvae.Dense(3, 6)),
         "second layer's decoder makes 6 columns, but the mean and the log variance of 4 dimensions are 8"),
        (lambda X: second(pyvae.Dense(4, 9), pyvae.Dense(3, 8), posterior=FullGaussian()),
         "the second layer takes a DiagonalGaussian, not FullGaussian"),
        (lambda X: second(pyvae.Dense(4, 6), pyvae.Dense(3, 8), pyvae.VampPrior(4, 2)),
         r"p\(z2\) must have a density of its own, which a VampPrior has not"),
        (lambda X: second(pyvae.Dense(4, 6), pyvae.Dense(3, 8), small().prior),
         r"p\(z2\) must have a density of its own, which a SecondLayer has not"),
        (lambda X: second(pyvae.Dense(4, 6), pyvae.Dense(3, 8), pyvae.Mixture(4, 2)),
         "the prior, a Mixture, has 4 latent dimensions, but the decoder takes 3"),
        (lambda X: pyvae.TwoLayerVAE(*parts, second(pyvae.Dense(5, 6), pyvae.Dense(3, 10))),
         "the second layer is of 5 latent dimensions, but the decoder takes 4"),
        (lambda X: pyvae.TwoLayerVAE(*parts, pyvae.StandardNormal()), "be a SecondLayer, not StandardNormal"),
        (lambda X: pyvae.TwoLayerVAE.mlp(D, 5), "latent_dims must have two entries, of z1 and of z2, not 5"),
        (lambda X: pyvae.TwoLayerVAE.mlp(D, hidden=((5,),)), "hidden must have two entries"),
        (lambda X: pyvae.TwoLayerVAE.mlp(D, (4, 0)), "latent_dim must be a whole number of at least 1, not 0"),
        (lambda X: pyvae.train(small(), X, objective=pyvae.FreeBits(0.1), progress=False),
         "free bits need the KL of each dimension, for which the prior must be StandardNormal, not SecondLayer"),
        (lambda X: pyvae.train(small(), X, objective=pyvae.MMD(), progress=False), "StandardNormal, not SecondLayer"),
        (lambda X: metrics.gaussian_posteriors(small(), X), "the prior must be StandardNormal, not SecondLayer"),
        (lambda X: pyvae.diagnose(small(), X), r"needs log p\(z\), which a SecondLayer estimates alone"),
        (lambda X: prior_and_posterior(pyvae.TwoLayerVAE.mlp(D, (2, 2), ((), ())), X),
         r"log p\(z\) of a SecondLayer is not known"),
        (lambda X: small().loss_and_gradients(X, np.zeros((N, Z1))), "eps .* 7 columns"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(X, use, message):
    with pytest.raises((ValueError, TypeError), match=message):
        use(X)
