"""SemiSupervisedVAE: rows of classes, of which few are labelled."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal

import pyvae
from pyvae import Noise, _kernels, metrics
from pyvae.command.main import main
from pyvae.models.build import mlp_parts
from pyvae.training.step import Step

D, C, Z, N = 7, 4, 3, 60


@pytest.fixture
def X(rng):
    return rng.random((N, D)).astype(np.float32)


@pytest.fixture
def y(rng):
    return rng.integers(-1, C, size=N)


def small(alpha=2.5, **arguments):
    return pyvae.SemiSupervisedVAE.mlp(D, C, Z, (9,), "tanh", alpha=alpha, **arguments)


def parts():
    """Encoder, decoder and likelihood like those of ``small``."""
    return mlp_parts(D, Z, (9,), "tanh", "bernoulli", n_condition=C)


def learned_classes():
    """One whose p(y) is learned, with a posterior of full covariance."""
    full = pyvae.FullGaussian()
    gaussian = mlp_parts(D, Z, (9,), "tanh", "gaussian", (), full, C)
    model = pyvae.SemiSupervisedVAE(*gaussian, pyvae.Dense(D, C), 1.5, pyvae.Classes(C, learned=True), posterior=full)
    model.classes.logits[...] = [0.3, -1, 0.5, 0]
    return model


def of_class(model, c):
    """The conditional VAE with the same encoder, decoder and likelihood, and its condition for class c."""
    conditional = pyvae.ConditionalVAE(*parts(), C, dtype=np.float64)
    for name in conditional.parameters.names:
        conditional.parameters[name][...] = model.parameters[name]
    return conditional, np.eye(C)[c]


@pytest.mark.parametrize("k", [1, 3])
def test_the_sum_over_classes_is_that_of_brute_force(k, rng, X, y):
    """Each class alone in a conditional VAE with the same noise, then eq. 6, 7 and 9 of the paper."""
    model = small().astype(np.float64)
    x, eps = X.astype(np.float64), rng.standard_normal((N, C, k, Z))
    bound = np.empty((N, C))
    for c in range(C):
        conditional, one_hot = of_class(model, c)
        batch = pyvae.Batch(x, condition=np.tile(one_hot, (N, 1)))
        terms, _ = conditional.forward(batch, Noise.frozen(z=eps[:, c].reshape(-1, Z)), k)
        bound[:, c] = terms.log_px.mean(axis=1) - terms.kl + np.log(1 / C)  # of log p(x, y = c)
    logits = model.classifier.forward(x)[0]
    q = softmax(logits, axis=1)
    unlabelled = (q * (bound - np.log(q))).sum(axis=1)
    known = y >= 0
    expected = np.where(known, bound[np.arange(N), y] + model.alpha * np.log(q[np.arange(N), y]), unlabelled)
    loss = model.loss_and_gradients(pyvae.ArraySource(x, label=y), eps.reshape(-1, Z))
    assert loss == pytest.approx(-expected.mean(), rel=1e-12)
    terms, _ = model.forward(pyvae.Batch(x, label=y), Noise.frozen(z=eps.reshape(-1, Z)), k)
    np.testing.assert_allclose(terms.log_px.mean(axis=1) - terms.kl, expected - terms.extra, rtol=1e-11)
    assert not terms.extra[~known].any()
    np.testing.assert_allclose(model.classify(x), q, rtol=1e-9)


@pytest.mark.parametrize("make", [small, learned_classes])
def test_gradients(make, rng, X, y):
    weight = rng.random(8)
    assert set(y[:8]) > {-1, 0}
    source = pyvae.ArraySource(X[:8], label=y[:8], weight=weight)
    pyvae.check_gradients(make(), source, objective=pyvae.ELBO(0.3, 2))
    pyvae.check_gradients(make(), X[:8], objective=pyvae.Capacity(0.5))


def linear_gaussian(rng, std=0.5):
    """x = W z + V y + b + noise, with exact q(z|x, y) and p(y) not uniform; log p(x, y) of rows (N, D), (N, C)."""
    orthonormal, _ = np.linalg.qr(rng.standard_normal((D, Z)))
    W, V, b = orthonormal * np.linspace(0.5, 2, Z), rng.standard_normal((D, C)), rng.standard_normal(D)
    M = np.diag(W.T @ W) + std**2
    model = pyvae.SemiSupervisedVAE(
        pyvae.Dense(D + C, 2 * Z), pyvae.Dense(Z + C, D), pyvae.Gaussian(D, std=std), pyvae.Dense(D, C),
        classes=pyvae.Classes(C, learned=True), dtype=np.float64,
    )  # fmt: skip
    model.encoder.W[...] = np.hstack([np.vstack([W, -V.T @ W]) / M, np.zeros((D + C, Z))])
    model.encoder.b[...] = np.concatenate([-b @ W / M, np.log(std**2 / M)])
    model.decoder.W[...], model.decoder.b[...] = np.vstack([W.T, V.T]), b
    model.classes.logits[...] = [1, 0, -1, 0.5]
    log_p = np.log(softmax(model.classes.logits[0]))
    covariance = W @ W.T + std**2 * np.eye(D)
    return model, lambda x: np.stack(
        [log_p[c] + multivariate_normal.logpdf(x, V[:, c] + b, covariance) for c in range(C)], axis=1
    )


def test_log_likelihood_is_exact_where_the_posterior_of_every_class_is(rng):
    model, log_pxy = linear_gaussian(rng)
    x, y = model.sample(40, mean=False), model.sample_labels(40)
    exact = log_pxy(x)
    np.testing.assert_allclose(model.log_likelihood(x, 5), logsumexp(exact, axis=1), atol=1e-9)
    labelled = pyvae.ArraySource(x, label=y)
    np.testing.assert_allclose(model.log_likelihood(labelled, 5), exact[np.arange(40), y], atol=1e-9)
    bound = np.mean([model.elbo(x, 300, seed) for seed in range(3)], axis=0)
    assert (bound < logsumexp(exact, axis=1) + 0.1).all()  # the classifier is not that of p(y|x)


def test_moments_of_z_are_those_of_the_mixture_over_classes(rng):
    model, _ = linear_gaussian(rng)
    x = model.sample(5, mean=False)
    mu, logvar = model.encode(x)
    drawn = np.stack([model.posterior_samples(x, seed) for seed in range(2000)])
    np.testing.assert_allclose(drawn.mean(axis=0), mu, atol=0.12)
    np.testing.assert_allclose(drawn.var(axis=0), np.exp(logvar), rtol=0.17)
    label = np.arange(5) % C
    of_label, _ = model.encode(pyvae.ArraySource(x, label=label))
    expected = (np.hstack([x, np.eye(C)[label]]) @ model.encoder.W + model.encoder.b)[:, :Z]
    np.testing.assert_allclose(of_label, expected, atol=1e-9)


def test_new_rows_are_of_their_class(rng):
    model, _ = linear_gaussian(rng)
    V, b = model.decoder.W[Z:], model.decoder.b
    for c in range(C):
        np.testing.assert_allclose(model.sample(20_000, label=c).mean(axis=0), V[c] + b, atol=0.06)
    share = np.bincount(model.sample_labels(20_000, seed=3)) / 20_000
    np.testing.assert_allclose(share, softmax(model.classes.logits[0]), atol=0.01)
    labels = model.sample_labels(30, seed=5)
    np.testing.assert_array_equal(model.sample(30, seed=5), model.sample(30, 5, label=labels))
    assert model.draw(np.zeros((3, Z)), label=[0, 1, 3]).shape == (3, D)


def test_few_labels_name_the_groups_that_many_rows_show(rng):
    """Three groups of rows, of which two rows each have a label."""
    centre = np.repeat(np.eye(3), 3, axis=1)[:, :D]
    group = rng.integers(3, size=600)
    x = (rng.random((600, D)) < 0.08 + 0.84 * centre[group]).astype(np.float32)
    label = np.full(600, -1)
    for c in range(3):
        label[np.flatnonzero(group == c)[:2]] = c
    model = pyvae.SemiSupervisedVAE.mlp(D, 3, 2, (16,), alpha=20.0)
    source = pyvae.ArraySource(x, label=label)
    pyvae.train(model, source, epochs=60, batch_size=50, learning_rate=5e-3, progress=False)
    assert np.mean(model.classify(x).argmax(axis=1) == group) > 0.9


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="steps are played by native kernels alone")
@pytest.mark.parametrize("objective", [pyvae.ELBO(0.7, 2), pyvae.Capacity(0.5)], ids=str)
@pytest.mark.parametrize("make", [small, learned_classes])
def test_steps_are_played_with_other_labels(make, objective, X, y):
    def losses(playable):
        model = make()
        take = Step(model, objective)
        take.playable &= playable
        results = [take(pyvae.ArraySource(X, label=y), np.arange(i, i + 12), Noise(0, i))[2] for i in (0, 12, 24, 36)]
        return take, (results, model.parameters.grads.tobytes())

    take, played = losses(True)
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked
    assert played == losses(False)[1]


def test_files_copies_and_a_resume_that_knows_its_labels(X, y, tmp_path):
    source = pyvae.ArraySource(X, label=y)
    model = learned_classes()
    pyvae.train(model, source, epochs=2, progress=False, checkpoints=tmp_path / "c")
    pyvae.save(model, tmp_path / "m.safetensors")
    loaded = pyvae.load(tmp_path / "m.safetensors")
    assert loaded.describe() == model.describe()
    np.testing.assert_array_equal(loaded.sample(9), model.sample(9))  # p(y) is learned, in float32
    assert np.isfinite(loaded.log_likelihood(X, 5)).all()
    np.testing.assert_array_equal(loaded.elbo(source), model.elbo(source))
    with pytest.raises(ValueError, match="on other rows"):
        pyvae.train(learned_classes(), pyvae.ArraySource(X, label=y[::-1]), epochs=3, progress=False,
                    checkpoints=tmp_path / "c", resume=True)  # fmt: skip


def test_what_a_model_adds_is_in_no_validation_loss(X, y):
    source = pyvae.ArraySource(X, label=np.abs(y))
    first, second = (
        pyvae.train(small(alpha), source, epochs=1, X_val=source, learning_rate=lambda _: 0.0, progress=False)
        for alpha in (0.0, 100.0)
    )
    assert first["val_loss"] == second["val_loss"]
    assert second["train_loss"][0] > first["train_loss"][0] + 50


@pytest.mark.parametrize(
    "objective",
    [pyvae.ImportanceWeighted(3), pyvae.ELBO(kl="sampled"), pyvae.FreeBits(0.1), pyvae.MMD(),
     pyvae.TotalCorrelation(2, N)],
    ids=str,
)  # fmt: skip
def test_objectives_of_single_samples_are_refused(objective, X):
    with pytest.raises(ValueError, match="of which these are sums over the classes"):
        pyvae.train(small(), X, objective=objective, progress=False)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda X, y: small().elbo(pyvae.ArraySource(X, label=y + 3)), r"but labels are the numbers 0 .. 3 of the"),
        (lambda X, y: pyvae.ArraySource(X, label=y[:-1]), "label must be one number for each of the 60 rows, not 59"),
        (lambda X, y: small().sample(3, label=[0, 1]), "a row for each of the 3 rows, not 2"),
        (lambda X, y: small().sample(3, label=C), r"labels\[0\] is 4"),
        (lambda X, y: pyvae.SemiSupervisedVAE(*parts(), pyvae.Dense(D + 1, C)), "classifier takes 8 columns"),
        (lambda X, y: pyvae.SemiSupervisedVAE(*parts(), pyvae.Dense(D, C), classes=pyvae.Classes(3)),
         "classifier tells 4 classes apart, but there are 3"),
        (lambda X, y: pyvae.SemiSupervisedVAE(*parts(), pyvae.Dense(D, C), prior=pyvae.Mixture(Z, 2)),
         "the KL of each class must have a closed form, which DiagonalGaussian and Mixture have not"),
        (lambda X, y: pyvae.Classes(1), "n_classes"),
        (lambda X, y: small(alpha=-1.0), "alpha"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(X, y, use, message):
    with pytest.raises(ValueError, match=message):
        use(X, y)


def test_the_standard_error_is_that_of_other_seeds(rng):
    """Of weights that are not equal: the posterior is too wide. In several chunks, whose noise must not meet again."""
    model, _ = linear_gaussian(rng)
    model.encoder.b[Z:] += 1.0
    x = model.sample(3, mean=False)
    runs = [metrics.log_likelihood(model, x, 60, seed) for seed in range(300)]
    spread = np.std([run.log_likelihood for run in runs], axis=0)
    np.testing.assert_allclose(np.mean([run.standard_error for run in runs], axis=0), spread, rtol=0.25)
    assert all((run.effective_sample_size <= 60 + 1e-9).all() for run in runs)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the twins, which are NumPy
def test_a_class_that_overflows_spoils_no_row_of_another_class(X):
    """Where the label is known, nothing is asked of other classes."""
    model = pyvae.SemiSupervisedVAE.mlp(D, C, Z, (9,), likelihood="gaussian")
    first, last = model.decoder.layers
    first.W[Z + 1], last.W[...] = 3e38, 10 * last.W  # class 1
    source = pyvae.ArraySource(X, label=np.where(np.arange(N) % 2, 0, 2))
    assert np.isfinite(model.elbo(source)).all() and np.isfinite(model.log_likelihood(source, 3)).all()
    assert np.isfinite(model.loss_and_gradients(source, np.zeros((N * C, Z))))
    assert np.isfinite(model.parameters.grads).all()
    model.loss_and_gradients(pyvae.ArraySource(X, label=np.full(N, 1)), np.zeros((N * C, Z)))
    assert np.isnan(model.parameters.grads).any()


def test_the_kl_of_the_classes_is_not_negative(X):
    model = small()  # whose classifier knows nothing
    model.classifier.layers[-1].W[...] = 0
    noise = Noise.frozen(z=np.zeros((N * C, Z), np.float32))
    model.encoder.layers[-1].W[...] = 0  # nor does q(z|x)
    terms, _ = model.forward(pyvae.data.Batch(X), noise)
    assert 0 <= terms.kl.min() and terms.kl.max() < 1e-6


def test_rows_are_held_out_from_each_label(X):
    y = np.where(np.arange(N) < 10, np.arange(N) % 2, -1)
    seen = []
    model = small()
    original = model.elbo_terms
    model.elbo_terms = lambda source, **options: seen.append(source.label) or original(source, **options)
    pyvae.train(model, pyvae.ArraySource(X, label=y), epochs=1, validation_fraction=0.4, progress=False)
    np.testing.assert_array_equal(np.bincount(seen[0] + 1), [20, 2, 2])


def test_a_model_that_reads_no_labels_takes_the_same_steps_beside_them(X, y):
    models = [pyvae.VAE.mlp(D, Z, (9,)) for _ in range(2)]
    for model, label in zip(models, (None, y), strict=True):
        source = pyvae.ArraySource(X, label=label)
        pyvae.train(model, source, epochs=2, batch_size=8, validation_fraction=0.2, progress=False)
    np.testing.assert_array_equal(models[0].parameters.values, models[1].parameters.values)


def test_the_classifier_of_counts_sees_them_as_the_encoder_does():
    model = pyvae.SemiSupervisedVAE.mlp(D, C, Z, (9,), likelihood="poisson", learned_classes=True)
    assert type(model.classifier.layers[0]).__name__ == type(model.encoder.layers[0]).__name__ == "Symlog"
    assert model.classes.learned


def test_chunks_have_noise_of_their_own(monkeypatch):
    asked = []

    def normal(self, name, shape, rows, *others, **more):
        asked.append(range(self.first_sample, self.first_sample + shape[0] // len(rows)))
        return original(self, name, shape, rows, *others, **more)

    original = Noise.normal
    monkeypatch.setattr(Noise, "normal", normal)
    monkeypatch.setattr("pyvae.models.importance_sampling.MOST_NUMBERS", 1)
    small().log_likelihood(np.zeros((1, D)), 5)
    assert [list(samples) for samples in asked] == [list(range(C * i, C * i + C)) for i in range(5)]


def test_y_does_not_follow_the_component_of_a_mixture_of_z():
    model = small()
    mixture = model.aggregate_posterior(np.random.default_rng(0).random((200, D)))
    component = Noise(0).uniform("component", (500, 1), np.arange(500), np.float64)[:, 0]
    y = model.sample_labels(500)
    assert abs(np.corrcoef(component, y)[0, 1]) < 0.15
    assert model.sample(5, latent=mixture).shape == (5, D)


def test_what_is_of_single_samples_is_refused_in_a_sentence(X, y):
    model = small()
    for use in (lambda: metrics.gaussian_posteriors(model, X), lambda: pyvae.diagnose(model, X),
                lambda: model.elbo(pyvae.ArraySource(X, condition=np.eye(C)[np.abs(y)]))):  # fmt: skip
        with pytest.raises(ValueError, match="SemiSupervisedVAE|has a condition, of which this model knows nothing"):
            use()
    assert model.reconstruct(X).shape == model.reconstruct(X, 2).shape == X.shape
    with pytest.raises(ValueError, match="Z needs a condition"):
        model.decode(np.zeros((2, Z)))


@pytest.mark.parametrize("model", [small(), pyvae.ConditionalVAE.mlp(D, C, Z, (9,), "tanh")], ids=["classes", "given"])
def test_the_command_line_checks_saved_models(model, tmp_path, capsys):
    pyvae.save(model, tmp_path / "model.safetensors")
    assert main(["check", str(tmp_path / "model.safetensors")]) == 0
    assert "every gradient agrees" in capsys.readouterr().out
