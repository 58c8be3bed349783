"""Priors that learn: densities and samples, which a gradient check cannot see; and models and trainings with them."""

import copy
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import pyvae
from pyvae import _kernels
from pyvae.arena import Arena
from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import Rows
from pyvae.gradcheck import check_gradient
from pyvae.latent.encode import Encode
from pyvae.module import build
from pyvae.noise import Noise
from pyvae.training import step
from pyvae.training.step import Step

native_only = pytest.mark.skipif(_kernels.KERNELS != "native", reason="the twins promise no bits and are not recorded")

D, Z = 7, 2
PRIORS = {
    "Mixture": lambda: pyvae.Mixture(Z, 5),
    "VampPrior": lambda: pyvae.VampPrior(D, 4, mean=0.3, std=1.0),
    "VampPrior, clipped": lambda: pyvae.VampPrior(D, 4, (-0.5, 0.6), 0.1, 0.5),
    "Flow": lambda: pyvae.Flow(Z, 3, (6,)),
}
every_prior = pytest.mark.parametrize("name", PRIORS)
X = np.random.default_rng(3).standard_normal((60, D)).astype(np.float32)


def make_model(name, dtype=np.float32, seed=1):
    """With dropout in the encoder, and with parameters at no special values."""
    encoder = pyvae.Sequential(pyvae.Dense(D, 9, "tanh"), pyvae.Dropout(0.3), pyvae.Dense(9, 2 * Z))
    decoder = pyvae.Sequential(pyvae.Dense(Z, 8, "tanh"), pyvae.Dense(8, D))
    model = pyvae.VAE(encoder, decoder, pyvae.Gaussian(D, "learned"), prior=PRIORS[name](), seed=seed, dtype=dtype)
    values = model.parameters.values
    values += 0.2 * np.random.default_rng(0).standard_normal(values.shape).astype(dtype)
    return model


def log_density(model, z):
    return model.prior.log_density(z, pyvae.FRESH, *model.encode_for_prior())[0]


def bound(prior, seed=0):
    """The prior with parameters of its own, float64."""
    Arena({"prior": prior}, np.float64, seed)
    return prior


# --- Gradients --------------------------------------------------------------------------------------------------------


@every_prior
@pytest.mark.parametrize("objective", [pyvae.ELBO(0.7), pyvae.ImportanceWeighted(3)], ids=str)
def test_gradients_of_whole_models(name, objective):
    """Those of the encoder, too, which a VampPrior passes through twice."""
    pyvae.check_gradients(make_model(name), X[:6], objective=objective)


def test_gradients_of_more_rows_and_columns_than_the_kernel_keeps_at_a_time(rng):
    prior, z, dlog_pz = bound(pyvae.Mixture(70, 19)), 0.3 * rng.standard_normal((140, 70)), rng.standard_normal(140)
    prior.mu *= 0.3
    dz = prior.log_density_backward(dlog_pz, prior.log_density(z)[1])
    for name, w, gradient in (("z", z, dz), ("mu", prior.mu, prior.dmu), ("logvar", prior.logvar, prior.dlogvar)):
        check = check_gradient(lambda: float(dlog_pz @ prior.log_density(z)[0]), w, gradient, name, coordinates=16)
        assert check.passed, str(check)


def test_pseudo_inputs_beyond_the_bounds_have_no_gradient():
    model = make_model("VampPrior, clipped", np.float64)
    model.prior.U[0, :3] = -0.6, 0.7, 0.2
    model.loss_and_gradients(X[:6], np.random.default_rng(0).standard_normal((6, Z)), objective=pyvae.ELBO())
    assert not model.prior.dU[0, :2].any() and model.prior.dU[0, 2] != 0


# --- Densities --------------------------------------------------------------------------------------------------------


def test_the_mixtures_density_is_that_of_its_components(rng):
    prior = bound(pyvae.Mixture(3, 4))
    prior.logvar[...], prior.logits[...] = rng.standard_normal((4, 3)), rng.standard_normal(4)
    z = 2 * rng.standard_normal((50, 3))
    joint = stats.norm.logpdf(z[:, None], prior.mu, np.exp(prior.logvar / 2)).sum(axis=2) + np.log(prior.weights())
    assert prior.weights().sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(prior.log_density(z)[0], logsumexp(joint, axis=1), rtol=1e-12)


def test_far_from_all_means_the_density_is_small_and_not_zero():
    prior = bound(pyvae.Mixture(2, 3))
    log_pz, cache = prior.log_density(np.array([[1e3, 0.0], [-1e5, 1e5]]))
    assert np.isfinite(log_pz).all() and (log_pz < -1e5).all()
    assert np.isfinite(prior.log_density_backward(np.ones(2), cache)).all()


def test_the_entropy_of_a_mixture_in_one_dimension_against_quadrature():
    prior = bound(pyvae.Mixture(1, 3))
    prior.mu[...], prior.logvar[...] = [[-2.0], [0.5], [3.0]], [[-1.0], [0.0], [0.7]]
    prior.logits[...] = 0.0, 0.5, -0.3
    grid = np.linspace(-15, 18, 20_001)
    log_p, gap = prior.log_density(grid[:, None])[0], grid[1] - grid[0]
    assert np.exp(log_p).sum() * gap == pytest.approx(1, abs=1e-9)
    entropy = -(np.exp(log_p) * log_p).sum() * gap
    cost = -prior.log_density(prior.sample(100_000, 1, Noise(0), np.float64))[0]
    assert cost.mean() == pytest.approx(entropy, abs=4 * cost.std() / np.sqrt(len(cost)))


def grid_of(side=401, reach=12.0):
    """Points of a square (side^2, 2), and the area of each."""
    axis = np.linspace(-reach, reach, side)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), (axis[1] - axis[0]) ** 2


@every_prior
def test_the_density_integrates_to_one_and_its_moments_are_those_of_the_samples(name):
    """In two dimensions."""
    model = make_model(name, np.float64)
    grid, area = grid_of()
    p = np.exp(log_density(model, grid)) * area
    assert p.sum() == pytest.approx(1, abs=1e-4)
    z = model.prior.sample(40_000, Z, Noise(5), np.float64, *model.encode_for_prior())
    mean = p @ grid
    covariance = (p[:, None] * (grid - mean)).T @ (grid - mean)
    error = np.sqrt(np.diag(covariance) / len(z))
    assert np.abs((z.mean(axis=0) - mean) / error).max() < 4
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.04 * np.trace(covariance))
    right = ((grid[:, 0] > mean[0]) & (grid[:, 1] > mean[1]), (z[:, 0] > mean[0]) & (z[:, 1] > mean[1]))
    assert right[1].mean() == pytest.approx(p[right[0]].sum(), abs=0.02)  # the shape, too


def test_the_vamp_prior_is_the_mixture_of_the_posteriors_at_its_pseudo_inputs():
    for name in ("VampPrior", "VampPrior, clipped"):
        model = make_model(name, np.float64)
        u = model.prior.U if model.prior.clip is None else np.clip(model.prior.U, *model.prior.clip)
        mu, logvar = model.encode(u)  # without dropout
        z = np.random.default_rng(1).standard_normal((30, Z))
        joint = stats.norm.logpdf(z[:, None], mu, np.exp(logvar / 2)).sum(axis=2) - np.log(len(u))
        np.testing.assert_allclose(log_density(model, z), logsumexp(joint, axis=1), rtol=1e-12)


def test_pseudo_inputs_are_encoded_without_dropout_in_training():
    """The terms of a batch with masks hold the same log p(z) of the same z as without."""
    model = make_model("VampPrior", np.float64)
    batch = ArraySource(X).minibatch(np.arange(8), Noise(0), np.float64, pyvae.FRESH)
    terms, _ = model.forward(batch, Noise(4))
    np.testing.assert_array_equal(terms.log_pz[:, 0], log_density(model, terms.z))


# --- The flow ---------------------------------------------------------------------------------------------------------


def flow_of(latent_dim, n_layers):
    prior = pyvae.Flow(latent_dim, n_layers, (6,))
    arena = Arena({"prior": prior}, np.float64)
    arena.values += 0.5 * np.random.default_rng(2).standard_normal(arena.values.shape)
    return prior


@pytest.mark.parametrize(("latent_dim", "n_layers"), [(2, 1), (2, 4), (5, 3)])
def test_the_flows_determinant_is_that_of_its_numerical_jacobian(latent_dim, n_layers):
    prior, rng = flow_of(latent_dim, n_layers), np.random.default_rng(0)
    z = rng.standard_normal((6, latent_dim))
    log_pz, cache = prior.log_density(z)
    log_det = log_pz - stats.norm.logpdf(cache.u).sum(axis=1)
    assert np.abs(log_det).min() > 1e-3
    steps = 1e-5 * np.eye(latent_dim)
    columns = [(prior.log_density(z + h)[1].u - prior.log_density(z - h)[1].u) / 2e-5 for h in steps]
    jacobian = np.stack(columns, axis=2)
    np.testing.assert_allclose(log_det, np.log(np.linalg.det(jacobian)), atol=1e-8)


def test_the_flow_moves_every_column_and_its_inverse_is_exact():
    prior = flow_of(5, 2)
    z = prior.sample(100, 5, Noise(7), np.float64)
    u = Noise(7).normal("prior", (100, 5), np.arange(100), np.float64)
    assert (np.abs(z - u).max(axis=0) > 0.1).all()
    np.testing.assert_allclose(prior.log_density(z)[1].u, u, atol=1e-13)


# --- Models with these priors -----------------------------------------------------------------------------------------


@every_prior
def test_a_model_samples_row_by_row(name):
    model = make_model(name)
    z = model.prior.sample(10, Z, Noise(3), np.float32, *model.encode_for_prior())
    last = model.prior.sample(3, Z, Noise(3).from_row(7), np.float32, *model.encode_for_prior())
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z[7:], last)
    np.testing.assert_array_equal(model.sample(10, seed=3), model.decode(z))
    assert model.sample(10, seed=3, mean=False).shape == (10, D)


@every_prior
def test_files_and_copies(name, tmp_path):
    model = make_model(name)
    pyvae.save(model, tmp_path / "model.safetensors")
    copies = [pyvae.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    right = model.elbo(X), model.sample(5, seed=1)
    for other in copies:
        for values, expected in zip((other.elbo(X), other.sample(5, seed=1)), right, strict=True):
            np.testing.assert_array_equal(values, expected)
        assert other.describe() == model.describe()
        other.parameters.values += 0.1  # of which the model and its encoder know nothing
        assert not np.array_equal(other.elbo(X), right[0])
    np.testing.assert_array_equal(model.elbo(X), right[0])


@native_only
@every_prior
@pytest.mark.parametrize("objective", [pyvae.ELBO(0.7, 2), pyvae.ImportanceWeighted(3)], ids=str)
def test_recorded_steps_are_those_of_python(name, objective, monkeypatch):
    def steps():
        model, results = make_model(name), []
        take = Step(model, objective)
        for i in range(5):
            _, _, loss = take(ArraySource(X), np.arange(10 * i, 10 * i + 10), Noise(0, i))
            results.append((model.parameters.grads.tobytes(), loss))
            model.parameters.values -= np.float32(0.1) * model.parameters.grads
        return take, results

    take, played = steps()
    (recording,) = take.recordings.values()
    assert take.playable and recording.playable and recording.checked
    monkeypatch.setattr(step, "is_playable", lambda module: False)
    assert steps()[1] == played


@every_prior
def test_a_resumed_training_has_the_same_bits(name, tmp_path):
    settings = {"batch_size": 16, "seed": 2, "progress": False, "learning_rate": 0.01}
    whole, half = make_model(name), make_model(name)
    pyvae.train(whole, X, epochs=4, **settings)
    pyvae.train(half, X, epochs=2, checkpoints=pyvae.Checkpoints(tmp_path), **settings)
    again = make_model(name)
    pyvae.train(again, X, epochs=4, checkpoints=pyvae.Checkpoints(tmp_path), resume=True, **settings)
    assert again.parameters.values.tobytes() == whole.parameters.values.tobytes()


@native_only
@every_prior
def test_answers_on_any_number_of_threads_and_whatever_rows_share_the_batch(name):
    model = make_model(name)
    with pyvae.threads(1):
        whole = model.elbo(X, n_samples=40)
    with pyvae.threads(3):
        assert model.elbo(X, n_samples=40).tobytes() == whole.tobytes()
    for rows in ([0], [59, 3, 3], np.arange(20, 37)):
        assert model.elbo(Rows(ArraySource(X), rows), n_samples=40).tobytes() == whole[rows].tobytes()


def clustered(n, seed):
    """Rows in four clusters, far from each other."""
    rng = np.random.default_rng(seed)
    centres = 3 * np.random.default_rng(0).standard_normal((4, D))
    return (centres[rng.integers(0, 4, n)] + 0.3 * rng.standard_normal((n, D))).astype(np.float32)


def test_each_prior_is_better_than_the_standard_normal_where_rows_lie_in_clusters():
    """The ELBO of test rows, after the same short training. A tenth of a nat would be chance."""
    train, test, means = clustered(400, 1), clustered(400, 2), {}
    priors = {
        "standard": pyvae.StandardNormal(),
        "mixture": pyvae.Mixture(Z, 8),
        "vamp": pyvae.VampPrior(D, 8, mean=0.0, std=2.0),
        "flow": pyvae.Flow(Z, 4, (32,)),
    }
    for name, prior in priors.items():
        encoder = pyvae.Sequential(pyvae.Dense(D, 32, "relu"), pyvae.Dense(32, 2 * Z))
        decoder = pyvae.Sequential(pyvae.Dense(Z, 32, "relu"), pyvae.Dense(32, D))
        model = pyvae.VAE(encoder, decoder, pyvae.Gaussian(D, "shared"), prior=prior)
        pyvae.train(model, train, epochs=120, batch_size=50, learning_rate=5e-3, progress=False)
        means[name] = model.elbo(test, n_samples=20).mean()
    assert all(means[name] > means["standard"] + 0.2 for name in ("mixture", "vamp", "flow")), means


# --- Beginnings and refusals ------------------------------------------------------------------------------------------


def test_first_values():
    mixture = bound(pyvae.Mixture(40, 200))
    assert not mixture.logvar.any() and np.allclose(mixture.weights(), 1 / 200)
    assert abs(mixture.mu.mean()) < 0.05 and mixture.mu.std() == pytest.approx(1, abs=0.05)
    vamp = bound(pyvae.VampPrior(400, 20, mean=-0.05, std=0.02))
    assert vamp.U.mean() == pytest.approx(-0.05, abs=1e-3) and vamp.U.std() == pytest.approx(0.02, abs=1e-3)
    assert not np.array_equal(bound(pyvae.Mixture(2, 3), seed=1).mu, bound(pyvae.Mixture(2, 3), seed=2).mu)


@every_prior
def test_descriptions_make_the_same_prior(name):
    prior = PRIORS[name]()
    assert build(prior.describe()).describe() == prior.describe()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pyvae.Mixture(0, 3), "latent_dim must be a whole number"),
        (lambda: pyvae.Mixture(2, 0), "K must be a whole number"),
        (lambda: pyvae.VampPrior(0, 3), "n_features must be a whole number"),
        (lambda: pyvae.VampPrior(3, 3, clip=(1, 0)), "clip must be None or .low, high. with low < high"),
        (lambda: pyvae.VampPrior(3, 3, std=-1), "std must be a number from 0"),
        (lambda: pyvae.Flow(1), "latent_dim must be a whole number of at least 2"),
        (lambda: pyvae.Flow(2, 0), "n_layers must be a whole number"),
        (lambda: pyvae.Flow(2, 1, (0,)), "each size of hidden must be a whole number"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Other(pyvae.DiagonalGaussian):
    def sample(self, q, eps, memory=pyvae.FRESH):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("prior", "posterior", "message"),
    [
        (pyvae.Mixture(3, 4), None, "a Mixture, has 3 latent dimensions, but the decoder takes 2"),
        (pyvae.Flow(3), None, "a Flow, has 3 latent dimensions, but the decoder takes 2"),
        (pyvae.VampPrior(5, 4), None, "pseudo-inputs have 5 columns, but the model's rows 7"),
        (pyvae.VampPrior(D, 4), Other(), "must be a DiagonalGaussian, not Other"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(prior, posterior, message):
    with pytest.raises(ValueError, match=message):
        pyvae.VAE(pyvae.Dense(D, 2 * Z), pyvae.Dense(Z, D), pyvae.Gaussian(D), prior=prior, posterior=posterior)


def test_a_wide_mixture_is_evaluated_in_small_chunks():
    """Its densities of all samples and components would be 2.4 GB."""
    model = pyvae.VAE(pyvae.Dense(3, 4), pyvae.Dense(2, 3), pyvae.Gaussian(3), prior=pyvae.Mixture(2, 1000))
    chunks = [len(batch.x) for _, batch, _ in model.chunks(ArraySource(X[:, :3]), 10_000, Noise(0))]
    assert chunks == [1] * len(X)


def test_encode_is_given_to_priors_that_use_it_alone():
    assert make_model("Mixture").encode_for_prior() == ()
    (encode,) = make_model("VampPrior").encode_for_prior()
    assert isinstance(encode, Encode)
