"""Diagnosis: faults that are planted are named, and the numbers that speak for them are right."""

import math

import numpy as np
import pytest

import pyvae
from pyvae import diagnosis_plots
from pyvae.diagnosis.case import DRAWS, MINIBATCHES, Case
from pyvae.diagnosis.diagnose import EXAMINATIONS, Diagnosis
from pyvae.diagnosis.latent_space import light_kl, prior_misses, weight_of_kl
from pyvae.diagnosis.networks import dead_units, gradients, noisy_gradient
from pyvae.diagnosis.rows import blur, likelihood, over_fitting
from pyvae.diagnosis.schedule import learning_rate, warm_up
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.models.joint import joint_likelihood, joint_parts, of_number

FAULTS = list(diagnosis_plots.DRAWN)


def table(n=1200, D=8, factors=3, seed=0):
    """Rows of a few factors and noise, as a linear Gaussian model makes them."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, factors)) @ rng.normal(size=(factors, D)) + 0.5 * rng.normal(size=(n, D))


def clusters(n=1500, D=6, K=8, seed=0):
    rng = np.random.default_rng(seed)
    return 8 * rng.normal(size=(K, D))[rng.integers(K, size=n)] + rng.normal(size=(n, D))


def trained(X, X_val=None, epochs=40, sizes=None, **arguments):
    """A model of these rows, and the History of its training."""
    model = pyvae.StandardizedVAE.mlp(X, **{"latent_dim": 3, "hidden": (32,)} | (sizes or {}))
    history = pyvae.train(model, X, X_val=X_val, epochs=epochs, batch_size=50, progress=False, **arguments)
    return model, history


def case_of(model, X, X_val=None, history=None, objective=None, batch_size=50):
    sources = (None if rows is None else model.source(rows, training=True) for rows in (X, X_val))
    return Case(model, *sources, history, objective, batch_size, seed=0)


@pytest.fixture(scope="module")
def healthy():
    X = table()
    return X, *trained(X[:1000], X[1000:])


def test_nothing_is_found_in_a_healthy_training(healthy):
    X, model, history = healthy
    before = model.parameters.values.copy(), model.parameters.grads.copy()
    diagnosis = pyvae.diagnose(model, X[:1000], X[1000:], history)
    assert diagnosis.found == () and diagnosis.fault is None and str(diagnosis) == "no fault was found"
    assert [sign.fault for sign in diagnosis.signs] == FAULTS and len(EXAMINATIONS) == len(FAULTS)
    assert all(sign.evidence for sign in diagnosis.signs)
    for now, then in zip((model.parameters.values, model.parameters.grads), before, strict=True):
        np.testing.assert_array_equal(now, then)
    again = pyvae.diagnose(model, X[:1000], X[1000:], history)
    assert [sign.numbers for sign in again.signs] == [sign.numbers for sign in diagnosis.signs]


@pytest.mark.parametrize(
    "fault, arguments",
    [
        ("posterior collapse", {"objective": pyvae.ELBO(30.0)}),
        ("KL too large", {"objective": pyvae.ELBO(0.0)}),
        ("learning rate too high", {"learning_rate": 0.1}),
        ("warm-up longer than the training", {"kl_warmup": 60}),
    ],
)  # fmt: skip
def test_what_the_training_was_told_is_found(fault, arguments):
    X = table()
    model, history = trained(X[:1000], X[1000:], **arguments)
    warm_up = arguments.get("kl_warmup")
    objective = pyvae.ELBO(pyvae.LinearWarmUp(1.0, warm_up)) if warm_up else arguments.get("objective")
    diagnosis = pyvae.diagnose(model, X[:1000], X[1000:], history, objective)
    assert diagnosis.fault == fault
    assert diagnosis.found[0].evidence in str(diagnosis) and diagnosis.found[0].remedies[0] in str(diagnosis)


def test_over_fitting_is_found_by_rows_that_were_not_trained_on():
    X = table(n=600)
    model, history = trained(X[:40], epochs=3000, sizes={"hidden": (64, 64)})
    assert pyvae.diagnose(model, X[:40], X[40:], history).fault == "over-fitting"
    assert pyvae.diagnose(model, X[:40], None, history).fault is None


def test_clusters_that_the_prior_misses_are_found_and_a_mixture_mends_them():
    X = clusters()
    model, history = trained(X, sizes={"latent_dim": 2})
    diagnosis = pyvae.diagnose(model, X, history=history)
    assert diagnosis.fault == "prior misses the rows"
    model, history = trained(X, epochs=80, sizes={"latent_dim": 2, "prior": pyvae.Mixture(2, 16)})
    mended = prior_misses(case_of(model, X, history=history)).numbers
    before = diagnosis.found[0].numbers
    assert mended["samples_outside"] < 0.5 * before["samples_outside"]
    assert mended["gain_by_another_prior"] < 0.5 * before["gain_by_another_prior"]


@pytest.mark.parametrize("make_rows", [lambda x: (x > 0) * 1.0, lambda x: np.floor(np.exp(0.7 * x))])
def test_zeros_and_ones_and_counts_under_a_gaussian_are_found(make_rows):
    X = make_rows(table())
    model, history = trained(X)
    assert pyvae.diagnose(model, X, history=history).fault == "likelihood does not fit"


def test_grays_under_a_bernoulli_are_found_to_spread_too_little(rng):
    X = (0.5 + 0.1 * np.tanh(table())).astype(np.float32)  # far from 0 and 1
    model = pyvae.VAE.mlp(8, latent_dim=2, hidden=(16,))
    history = pyvae.train(model, X, epochs=5, progress=False)
    assert likelihood(case_of(model, X, history=history)).numbers["spread"] == pytest.approx(0.01 / 0.24, rel=0.5)


# --- the numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0])
def test_the_weight_of_the_kl_is_measured(beta):
    X = table()
    model, _ = trained(X, epochs=60, objective=pyvae.ELBO(beta))
    assert weight_of_kl(case_of(model, X)) == pytest.approx(beta, rel=0.25)  # which the case is not told


def test_a_heavy_kl_is_found_where_z_still_says_something():
    X = np.repeat(table(factors=1, D=1), 8, axis=1) + 0.05 * table()
    model, history = trained(X, objective=pyvae.ELBO(6.0))
    diagnosis = pyvae.diagnose(model, X, history=history)
    assert diagnosis.fault == "KL too small" and diagnosis.found[0].numbers["information"] > 0.5


def test_the_weight_of_the_kl_cannot_be_told_for_other_priors():
    X = table()
    other = pyvae.VAE.mlp(8, 3, (4,), likelihood="gaussian", prior=pyvae.Mixture(3, 2))
    assert weight_of_kl(case_of(other, X)) is None
    assert "weight_of_kl" not in light_kl(case_of(other, X)).numbers


def test_what_z_says_of_a_linear_gaussian_model(rng):
    """I(x; z) = 1/2 log(1 + a^2 / s^2) of x = a z + s noise, at its exact posterior."""
    a, s = np.array([0.5, 1.2, 2.0]), 0.4
    model = pyvae.VAE(pyvae.Dense(3, 6), pyvae.Dense(3, 3), pyvae.Gaussian(3, std=s), dtype=np.float64)
    model.parameters.values[...] = 0
    model.encoder.W[:, :3] = np.diag(a / (a**2 + s**2))
    model.encoder.b[3:] = np.log(s**2 / (a**2 + s**2))
    model.decoder.W[...] = np.diag(a)
    X = rng.normal(size=(40_000, 3)) * a + s * rng.normal(size=(40_000, 3))
    case = case_of(model, X)
    np.testing.assert_allclose(case.information, 0.5 * np.log1p(a**2 / s**2), rtol=0.05)
    fit = likelihood(case)
    assert fit.numbers["spread"] == pytest.approx(1, rel=0.1)
    assert fit.numbers["beyond"] < 0.01
    assert prior_misses(case).numbers["gain_by_another_prior"] == pytest.approx(0, abs=0.1)


def test_the_gain_by_another_prior_is_a_lower_bound_on_the_kl():
    """q(z) of two far clusters of equal size, N(+-3, 0.1^2), against N(0, 1): KL = -H(q) - E log p, in closed form."""
    model = pyvae.VAE(pyvae.Dense(1, 2), pyvae.Dense(1, 1), pyvae.Gaussian(1, std=0.1), dtype=np.float64)
    model.parameters.values[...] = 0
    model.encoder.W[0, 0], model.encoder.b[1] = 1.0, math.log(0.01)
    X = np.repeat([[-3.0], [3.0]], 1000, axis=0)
    kl = -(math.log(2) + 0.5 * math.log(2 * math.pi * math.e * 0.01)) + 0.5 * (math.log(2 * math.pi) + 9.01)
    sign = prior_misses(case_of(model, X))
    assert sign.found and kl - 0.1 < sign.numbers["gain_by_another_prior"] < kl + 0.02
    assert sign.numbers["samples_outside"] > 0.98


def test_columns_that_an_encoder_chooses_are_no_units():
    """Beside a column of large numbers, columns of small ones are as if they were all the same."""
    likelihood = joint_likelihood(Gaussian(3, std="learned"), of_number(), 1.0)
    model = pyvae.VAE(*joint_parts(likelihood, 2, (8,), "tanh"))
    X = np.random.default_rng(0).normal(size=(50, 4)) * [1e6, 1, 1, 1]
    sign = dead_units(case_of(model, X))
    assert not sign.found and sorted(sign.numbers) == ["dead_decoder.0", "dead_encoder.1"]


def test_dead_units_are_counted(healthy):
    X, model, _ = healthy
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=3, hidden=(32, 16))
    model.parameters["encoder.2.b"][:12] = -1000
    sign = dead_units(case_of(model, X))
    assert sign.found and sign.numbers["dead_encoder.2"] == 0.75
    assert sign.evidence.startswith("75% of the units of encoder.2")
    model.parameters["encoder.2.b"][11] = 1
    assert not dead_units(case_of(model, X)).found


def test_units_that_a_heavy_kl_let_die_are_no_cause(healthy):
    X, model, _ = healthy
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=3, hidden=(32,))
    model.parameters["encoder.1.b"][:] = -1000  # so z says nothing
    assert pyvae.diagnose(model, X).fault == "dead units"
    assert pyvae.diagnose(model, X, objective=pyvae.ELBO(50.0)).fault == "posterior collapse"


def test_gradients_that_vanish_are_found(healthy):
    X, _, _ = healthy
    deep = pyvae.StandardizedVAE.mlp(X, latent_dim=3, hidden=(16,) * 8, activation="sigmoid")
    sign = gradients(case_of(deep, X))
    assert sign.found and "encoder.1.W" in sign.evidence
    flat = pyvae.StandardizedVAE.mlp(X, latent_dim=3, hidden=(16,) * 2)
    assert not gradients(case_of(flat, X)).found


def test_gradients_that_burst_are_found(healthy):
    X, model, history = healthy
    burst = pyvae.History()
    for epoch in history.epochs:
        burst.append(**epoch | ({"grad_norm": 1e6} if epoch["epoch"] == 5 else {}))
    assert gradients(case_of(model, X, history=burst)).found


def test_the_gradient_as_a_random_variable(healthy):
    """Its mean square and variance are those of many minibatches and draws, gathered at once."""
    X, model, _ = healthy
    case = case_of(model, X)
    found = case.gradients
    drawn = []
    for i in range(MINIBATCHES):
        picked = np.sort(case.noise(i).permutation("order", len(case.rows))[:50])
        batch = case.rows.minibatch(picked, case.noise(0), np.float32)
        drawn.append([case.gradient(pyvae.ELBO(), batch, 10 + DRAWS * i + j) for j in range(DRAWS)])
    drawn = np.array(drawn, np.float64)
    flat, means = drawn.reshape(-1, drawn.shape[-1]), drawn.mean(axis=1)
    of_z = drawn.var(axis=1, ddof=1).mean(axis=0).sum()
    pairs = [means[i] @ means[j] for i in range(MINIBATCHES) for j in range(i)]  # of independent gradients
    assert found.variance_of_z == pytest.approx(of_z, rel=1e-4)
    assert found.variance == pytest.approx(means.var(axis=0, ddof=1).sum() + of_z / 2, rel=1e-4)
    assert found.mean_square == pytest.approx(max(np.mean(pairs), 0), rel=1e-3)
    name = "decoder.1.W"
    squares = [np.mean(model.parameters.views(g)[name] ** 2) for g in flat]
    assert found.rms[name] == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)


def test_a_noisy_gradient_is_one_of_few_rows_whose_loss_stalls(healthy):
    X, model, history = healthy
    stalled = pyvae.History()
    for epoch in history.epochs:
        stalled.append(**epoch | {"train_loss": 5.0 + 0.1 * (epoch["epoch"] % 2)})
    assert noisy_gradient(case_of(model, X, history=stalled, batch_size=1)).found
    assert not noisy_gradient(case_of(model, X, history=history, batch_size=1)).found
    assert not noisy_gradient(case_of(model, X, history=stalled, batch_size=100)).found


def test_blur_is_lost_contrast(rng):
    images = (rng.random((200, 36)) < 0.5).astype(np.float32)
    model = pyvae.VAE.mlp(36, latent_dim=2, hidden=(8,))
    assert not blur(case_of(model, images)).found  # nobody says that they are pictures
    model.metadata["image_shape"] = [6, 6]
    sign = blur(case_of(model, images))
    assert sign.found and sign.numbers["contrast"] < 0.1  # first weights: gray everywhere


def test_without_a_history_little_is_said_of_the_schedule(healthy):
    X, model, _ = healthy
    case = case_of(model, X)
    assert not warm_up(case).found and "no history" in warm_up(case).evidence
    grown = learning_rate(case).numbers["growth_of_weights"]
    model = model.astype(np.float32)
    model.parameters.values[...] *= 20
    far = learning_rate(case_of(model, X))
    assert far.found and far.numbers["growth_of_weights"] == pytest.approx(20 * grown)


def test_no_far_row_makes_a_gap(healthy):
    """One row not trained on that is far away from all lowers the mean, and is no over-fitting."""
    X, model, history = healthy
    other = X[1000:].copy()
    other[0] += 30
    sign = over_fitting(case_of(model, X[:1000], other, history))
    assert sign.numbers["gap_over_information"] > 0.2 and not sign.found


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"prior": pyvae.VampPrior(8, 5)},
        lambda: {"prior": pyvae.Flow(3), "posterior": pyvae.FullGaussian()},
        lambda: {"posterior": pyvae.PlanarFlow(2)},
    ],
)
def test_any_prior_and_posterior_can_be_diagnosed(make):
    X = table(n=200).astype(np.float32)
    model = pyvae.VAE.mlp(8, 3, (16,), likelihood="gaussian", **make())
    history = pyvae.train(model, X, epochs=2, progress=False)
    assert isinstance(pyvae.diagnose(model, X, X, history), Diagnosis)


def test_missing_values_and_a_shared_total_can_be_diagnosed(rng):
    X = table(n=300)
    X[rng.random(X.shape) < 0.2] = np.nan
    source = pyvae.ArraySource(X, missing=True)
    model = pyvae.StandardizedVAE.mlp(source, latent_dim=3, hidden=(16,))
    pyvae.train(model, source, epochs=20, progress=False)
    fit = next(s for s in pyvae.diagnose(model, source).signs if s.fault == "likelihood does not fit")
    assert 0.8 < fit.numbers["spread"] < 1.25
    counts = rng.poisson(3.0, (100, 6)).astype(np.float32)
    model = pyvae.VAE.mlp(6, 2, (8,), likelihood="multinomial")
    assert not likelihood(case_of(model, counts)).found


def test_rows_that_are_all_the_same_are_no_fault():
    for X in (np.zeros((1, 4)), np.ones((50, 4))):
        model = pyvae.VAE.mlp(4, 2, (8,), likelihood="gaussian")
        assert pyvae.diagnose(model, X).found == ()


def test_of_few_rows_many_draws_lie_beyond_all():
    X = table(n=6, D=40)
    model = pyvae.VAE(pyvae.Dense(40, 2), pyvae.Dense(1, 40), pyvae.Gaussian(40, std=1.0), dtype=np.float64)
    model.parameters.values[...] = 0
    model.decoder.b[...] = X.mean(axis=0)
    sign = likelihood(case_of(model, X / X.std(axis=0)))
    assert 0.15 < sign.numbers["beyond"] < 0.45 and not sign.found


def test_rows_of_weight_0_are_left_out(healthy):
    X, model, history = healthy
    rows = np.concatenate([X[:300], np.random.default_rng(0).normal(size=(300, 8)) * 6])
    weighted = pyvae.ArraySource(rows, weight=np.repeat([1.0, 0.0], 300))
    assert pyvae.diagnose(model, rows, history=history).found
    assert pyvae.diagnose(model, weighted, history=history, batch_size=1).found == ()


@pytest.mark.parametrize("objective", [pyvae.Capacity(3.0), pyvae.ImportanceWeighted(20), pyvae.MMD()])
def test_other_objectives_come_to_rest_where_no_weight_of_the_kl_is_told(objective):
    X = table().astype(np.float32)
    model, history = trained(X, objective=objective)
    diagnosis = pyvae.diagnose(model, X, history=history, objective=objective)
    assert not any("weight_of_kl" in sign.numbers for sign in diagnosis.signs)
    assert diagnosis.fault in (None, "KL too large")  # z really is away from the prior, under a capacity


def test_refusals(healthy):
    X, model, _ = healthy
    with pytest.raises(ValueError, match="batch_size"):
        pyvae.diagnose(model, X, batch_size=0)
    with pytest.raises(ValueError, match="X_val must have 8 columns"):
        pyvae.diagnose(model, X, X[:, :3])
    bad, model = X.copy(), pyvae.VAE.mlp(8, 3, (4,), likelihood="gaussian")
    bad[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"X\[3, 2\]"):
        pyvae.diagnose(model, bad)
    model.parameters.values[5] = np.nan
    with pytest.raises(ValueError, match="weights that are not finite"):
        pyvae.diagnose(model, X)


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_every_sign_has_its_picture(healthy, matplotlib):
    X, model, history = healthy
    for sign in pyvae.diagnose(model, X[:1000], X[1000:], history).signs:
        figure = diagnosis_plots.picture(sign)
        assert (figure is None) == (sign.fault == "blur")  # the rows are no pictures
        if figure is not None:
            assert sign.evidence in figure.get_suptitle()
            figure.canvas.draw()


def test_the_picture_of_blur_and_of_one_dimension(rng, matplotlib):
    images = (rng.random((50, 36)) < 0.5).astype(np.float32)
    model = pyvae.VAE.mlp(36, latent_dim=1, hidden=(8,))
    model.metadata |= {"image_shape": [6, 6], "value_range": (0, 1)}
    signs = {sign.fault: sign for sign in pyvae.diagnose(model, images).signs}
    assert diagnosis_plots.picture(signs["blur"]) is not None
    assert len(diagnosis_plots.picture(signs["KL too large"]).axes) == 1
    assert diagnosis_plots.picture(signs["learning rate too high"]) is None  # no history


def test_bars_show_the_shares_of_dead_units(healthy, matplotlib):
    X, _, _ = healthy
    model = pyvae.StandardizedVAE.mlp(X, latent_dim=3, hidden=(32,))
    model.parameters["encoder.1.b"][:16] = -1000
    sign = dead_units(case_of(model, X))
    axes = diagnosis_plots.picture(sign).axes[0]
    assert [bar.get_width() for bar in axes.patches] == list(sign.details["shares"].values())
    assert [word.get_text() for word in axes.get_yticklabels()] == list(sign.details["shares"])
