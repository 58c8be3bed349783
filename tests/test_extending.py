"""docs/extending.md is right: its examples run, and parts from outside the package do all that the library's do."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.module import REGISTRY
from pyvae.training.step import Step

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
if not PAGE.is_file():
    pytest.skip(reason="needs the repository's docs, which are not here", allow_module_level=True)

X = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def examples():
    """The page's examples, run one after the other, as a module."""
    module = types.ModuleType("extending")
    sys.modules["extending"] = module
    before = dict(REGISTRY)
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), vars(module))
    yield module
    REGISTRY.clear()
    REGISTRY.update(before)
    del sys.modules["extending"]


def test_every_example_runs(examples):
    assert {"Sine", "Scale", "Laplace", "LaplacePrior", "FreeNats", "Mirrored"} <= set(vars(examples))


@pyvae.register
class Sheared(pyvae.Posterior):
    """q(z|x) = N(mu, L L.T) in two dimensions, L = [[exp(a), 0], [c, exp(b)]]: z = mu + L eps. Its KL is sampled."""

    def n_outputs(self, latent_dim):
        return 5

    def split(self, outputs, memory=pyvae.FRESH):
        return (outputs,)

    def split_backward(self, dq, outputs, memory=pyvae.FRESH):
        return dq[0]

    def sample(self, q, eps, memory=pyvae.FRESH):
        o = np.repeat(q[0], len(eps) // len(q[0]), axis=0)
        diagonal = np.exp(o[:, 2:4])
        z = o[:, :2] + diagonal * eps
        z[:, 1] += o[:, 4] * eps[:, 0]
        log_qz = -(eps**2 / 2 + np.log(2 * np.pi) / 2 + o[:, 2:4]).sum(axis=1)
        return z.astype(eps.dtype), log_qz.astype(eps.dtype), (q[0], eps, diagonal)

    def sample_backward(self, dz, dlog_qz, cache):
        outputs, eps, diagonal = cache
        d = np.concatenate([dz, dz * diagonal * eps, (dz[:, 1] * eps[:, 0])[:, None]], axis=1)
        if dlog_qz is not None:
            d[:, 2:4] -= dlog_qz[:, None]
        return (d.reshape(len(outputs), -1, 5).sum(axis=1).astype(outputs.dtype),)


def make(examples, part):
    """A model with one part from outside of the package, and rows for it."""
    layers = {"activation": examples.Sine(), "layer": examples.Scale(16)}
    encoder = pyvae.Sequential(pyvae.Dense(6, 16), layers.get(part, pyvae.Tanh()), pyvae.Dense(16, 4))
    likelihood = examples.Laplace(6) if part == "likelihood" else pyvae.Gaussian(6, "learned")
    if part == "posterior":
        return pyvae.VAE(pyvae.Dense(6, 5), pyvae.Dense(2, 6), likelihood, posterior=Sheared())
    prior = examples.LaplacePrior() if part == "prior" else None
    return pyvae.VAE(encoder, pyvae.Dense(2, 6), likelihood, prior=prior)


PARTS = ("activation", "layer", "likelihood", "prior", "posterior", "objective")


@pytest.mark.parametrize("part", PARTS)
def test_parts_from_outside_are_checked_trained_resumed_saved_and_loaded(examples, part, tmp_path):
    objective = examples.FreeNats(0.05) if part == "objective" else pyvae.ELBO(0.5, n_samples=2)
    pyvae.check_gradients(make(examples, part), X[:7], objective=objective)
    model, options = make(examples, part), {"objective": objective, "batch_size": 32, "progress": False}
    options["learning_rate"] = 0.01
    history = pyvae.train(model, X, epochs=4, **options)
    assert history["train_loss"][-1] < history["train_loss"][0]
    first, resumed = make(examples, part), make(examples, part)
    pyvae.train(first, X, epochs=2, checkpoints=tmp_path / "checkpoints", **options)
    pyvae.train(resumed, X, epochs=4, checkpoints=tmp_path / "checkpoints", resume=True, **options)
    np.testing.assert_array_equal(resumed.parameters.values, model.parameters.values)
    pyvae.save(model, tmp_path / "model.safetensors")
    loaded = pyvae.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.log_likelihood(X, n_samples=20), model.log_likelihood(X, n_samples=20))
    np.testing.assert_array_equal(loaded.sample(9, mean=False), model.sample(9, mean=False))
    assert loaded.describe() == model.describe()


def test_another_objective_refuses_a_checkpoint(examples, tmp_path):
    options = {"checkpoints": tmp_path, "batch_size": 32, "progress": False}
    pyvae.train(make(examples, "objective"), X, epochs=1, objective=examples.FreeNats(0.5), **options)
    words = r"with the objective FreeNats\(nats=0.5\) in epoch 1, not FreeNats\(nats=0.6\)"
    with pytest.raises(ValueError, match=words):
        pyvae.train(make(examples, "objective"), X, epochs=2, objective=examples.FreeNats(0.6), resume=True, **options)


def test_a_prior_that_is_not_the_standard_normal_is_not_ignored(examples):
    """The bound is the one of the prior at hand, and the KL of its samples is that of its density."""
    model = make(examples, "prior")
    terms, _ = model.forward(pyvae.Batch(X), pyvae.Noise(0), k=2000)
    assert terms.kl is None
    _, kl = model.elbo_terms(X, n_samples=2000)
    sampled = (terms.log_qz.astype(float) - terms.log_pz).mean(axis=1)
    np.testing.assert_allclose(kl, sampled, atol=1e-5)
    assert make(examples, "none").forward(pyvae.Batch(X), pyvae.Noise(0))[0].kl is not None


class Wide(pyvae.StandardNormal):
    """N(0, 4): a subclass with another density has no claim to the closed form of its parent."""

    def log_density(self, z, memory=pyvae.FRESH):
        log_pz, cache = super().log_density(z / 2, memory)
        return log_pz - z.dtype.type(z.shape[1] * np.log(2)), cache

    def log_density_backward(self, dlog_pz, cache):
        return super().log_density_backward(dlog_pz, cache) / 2


def test_a_subclass_of_the_standard_normal_has_its_kl_sampled():
    model = pyvae.VAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6), prior=Wide())
    assert model.forward(pyvae.Batch(X), pyvae.Noise(0))[0].kl is None
    pyvae.check_gradients(model, X[:5])


def test_the_sampled_kl_is_the_closed_one_in_expectation(examples):
    model = make(examples, "objective")
    terms, _ = model.forward(pyvae.Batch(X), pyvae.Noise(0), k=20_000)
    closed, sampled = pyvae.ELBO(n_samples=20_000)(terms)[0], pyvae.ELBO(n_samples=20_000, kl="sampled")(terms)[0]
    assert closed == pytest.approx(sampled, abs=0.01)


def test_an_objective_that_is_not_linear_is_played_between_two_tapes(examples):
    """With the bits of the same training that is not played."""

    def trained(playable):
        model = pyvae.VAE.mlp(6, 2, (16,), likelihood="gaussian")
        step = Step(model, examples.FreeNats(0.3))
        step.playable = step.playable and playable
        losses = []
        for i in range(6):
            _, _, loss = step(pyvae.ArraySource(X), np.arange(10 * i, 10 * i + 10), pyvae.Noise(0, i))
            model.parameters.values -= 0.1 * model.parameters.grads
            losses.append(loss)
        if playable and pyvae._kernels.KERNELS == "native":
            (recording,) = step.recordings.values()
            assert step.playable and recording.checked and recording.forward is not recording.backward
        return model.parameters.values.tobytes(), losses

    assert trained(True) == trained(False)


class OldLayer(pyvae.Layer):
    n_in = n_out = 6

    def forward(self, x, noise=None, memory=pyvae.FRESH):
        return x, None

    def backward(self, dy, cache):
        return dy


def test_parts_with_other_arguments_are_refused_when_the_model_is_made():
    words = r"OldLayer.backward takes \(self, dy, cache\), but is called with \(self, dy, cache, need_dx\)"
    with pytest.raises(ValueError, match=words):
        pyvae.VAE(pyvae.Sequential(OldLayer(), pyvae.Dense(6, 4)), pyvae.Dense(2, 6), pyvae.Gaussian(6))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"objective": 3}, TypeError, "objective must be an Objective, such as pyvae.ELBO"),
        ({"objective": pyvae.ELBO, "beta": 0.5}, TypeError, "objective must be an Objective"),
        ({"objective": pyvae.ELBO(), "beta": 0.5}, ValueError, "give an objective, or beta"),
        ({"objective": pyvae.ELBO(), "n_samples": 2}, ValueError, "give an objective, or beta"),
        ({"objective": pyvae.ELBO(), "kl_warmup": 2}, ValueError, "give an objective, or beta"),
    ],
)
def test_wrong_objectives_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        pyvae.train(pyvae.VAE.mlp(6, 2, (8,), likelihood="gaussian"), X, progress=False, **arguments)


def test_the_short_form_is_the_objective():
    """beta, n_samples and kl_warmup are those of ELBO, to the bit."""

    def trained(**arguments):
        model = pyvae.VAE.mlp(6, 2, (8,), likelihood="gaussian")
        history = pyvae.train(model, X, epochs=3, batch_size=32, progress=False, **arguments)
        return model.parameters.values.tobytes(), history["train_loss"]

    objective = pyvae.ELBO(pyvae.LinearWarmUp(0.7, 2), n_samples=3)
    assert trained(objective=objective) == trained(beta=0.7, kl_warmup=2, n_samples=3)


def test_a_posterior_without_closed_moments_is_encoded_from_samples(examples):
    """Its mean and log variances are known here; 1,000 samples estimate them, equally for a row wherever it stands."""
    model = make(examples, "posterior")
    outputs, _ = model.encoder.forward(X)
    mu, logvar = model.encode(X)
    np.testing.assert_allclose(mu, outputs[:, :2], atol=1e-5)  # samples come in pairs around the mean
    exact = np.stack([2 * outputs[:, 2], np.log(np.exp(2 * outputs[:, 3]) + outputs[:, 4] ** 2)], axis=1)
    assert 1e-4 < np.abs(logvar - exact).max() < 0.15
    for some in (X[5:6], X[::-1][:9]):
        rows = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in some]
        np.testing.assert_array_equal(np.hstack(model.encode(some)), np.hstack([mu, logvar])[rows])


class Halved(pyvae.ELBO):
    """An objective of one's own that keeps what ELBO has."""

    def __call__(self, terms, weight=None, memory=pyvae.FRESH):
        loss, dterms = super().__call__(terms, weight, memory)
        return loss / 2, pyvae.Terms(*(None if d is None else d / 2 for d in dterms))


def test_a_subclass_of_the_elbo_stays_one_in_a_warm_up():
    objective = Halved(pyvae.LinearWarmUp(1.0, 2))
    assert type(objective.at(0.5)) is Halved and objective.at(0.5).beta == 0.25
    assert repr(objective) == "Halved(beta=LinearWarmUp(1.0, 2.0), n_samples=1, kl='closed')"


def test_gradients_are_checked_where_an_objective_has_settled():
    """And not at the start of a warm-up, where the KL counts for nothing."""

    @pyvae.register
    class WrongKL(pyvae.StandardNormal):
        def kl_backward(self, dkl, cache):
            dq = super().kl_backward(dkl, cache)
            return pyvae.MuLogvar(2 * dq.mu, dq.logvar)

    model = pyvae.VAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6), prior=WrongKL())
    with pytest.raises(pyvae.GradientError):
        pyvae.check_gradients(model, X[:5], objective=pyvae.ELBO(pyvae.LinearWarmUp(1.0, 5)))
    del REGISTRY["WrongKL"]


def test_a_posterior_that_samples_otherwise_has_its_kl_sampled():
    class LaplacePosterior(pyvae.DiagonalGaussian):
        def sample(self, q, eps, memory=pyvae.FRESH):
            z, log_qz, cache = super().sample(q, np.sign(eps) * eps**2, memory)
            return z, log_qz, cache

    model = pyvae.VAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6), posterior=LaplacePosterior())
    assert model.forward(pyvae.Batch(X), pyvae.Noise(0))[0].kl is None


def test_a_schedule_of_the_kl_that_is_out_of_range_is_refused_before_anything_is_changed(tmp_path):
    model = pyvae.VAE.mlp(6, 2, (8,), likelihood="gaussian")
    with pytest.raises(ValueError, match=r"beta\(epoch\) must be a number from 0"):
        pyvae.train(model, X, objective=pyvae.ELBO(lambda epoch: -1), checkpoints=tmp_path, progress=False)
    pyvae.train(model, X, epochs=1, checkpoints=tmp_path, progress=False)  # nothing is locked


def test_hooks_count_wherever_rows_are_encoded_and_decoded():
    class Shifted(pyvae.VAE):
        def encoder_inputs(self, batch, memory=pyvae.FRESH):
            return batch.x + 1

        def decode_rows(self, z, batch, noise, memory=pyvae.FRESH):
            return self.decoder.forward(z + 1, noise, memory)

    model = Shifted(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6))
    plain = pyvae.VAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6))
    np.testing.assert_allclose(model.encode(X)[0], plain.encode(X + 1)[0], atol=1e-6)
    np.testing.assert_allclose(model.decode(X[:, :2]), plain.decode(X[:, :2] + 1), atol=1e-6)
    np.testing.assert_allclose(model.sample(5), plain.decode(plain.prior.sample(5, 2, pyvae.Noise(0)) + 1), atol=1e-6)


class WithMore(pyvae.Dense):
    """Right in all that counts: more arguments with defaults, a method of its own, a static constructor."""

    def forward(self, x, noise=None, memory=pyvae.FRESH, more=1):
        return super().forward(x, noise, memory)

    def extra(self, a, b):
        return a + b

    @staticmethod
    def from_config(config):
        return WithMore(**config)


class Swapped(pyvae.Dense):
    def forward(self, x, memory=pyvae.FRESH, noise=None):
        return super().forward(x, noise, memory)


class KeywordsAlone(pyvae.Dense):
    def forward(self, x, *, noise=None, memory=pyvae.FRESH):
        return super().forward(x, noise, memory)


def test_signatures_that_are_right_are_taken_and_others_refused():
    pyvae.VAE(WithMore(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6)).elbo(X)
    for layer in (Swapped(6, 4), KeywordsAlone(6, 4)):
        with pytest.raises(ValueError, match=r"forward takes .* but is called with \(self, x, noise, memory\)"):
            pyvae.VAE(layer, pyvae.Dense(2, 6), pyvae.Gaussian(6))


def test_a_start_with_too_many_or_too_few_means_is_refused():
    model = pyvae.VAE.mlp(6, 2, (8,), likelihood="poisson")
    for n in (1, 5, 7):
        with pytest.raises(ValueError, match=f"start needs a mean for each of the 6 columns, not {n}"):
            pyvae.start(model, np.ones(n), np.ones(n))
