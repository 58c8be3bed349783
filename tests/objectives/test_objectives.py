"""Free bits, capacity, total correlation, MMD and weights of the KL: what a gradient check cannot see."""

import numpy as np
import pytest

import pyvae
from pyvae import metrics
from pyvae.command.checks.objectives import OBJECTIVES
from pyvae.objectives.terms import Terms

X = (np.random.default_rng(0).random((60, 12)) < 0.4).astype(np.float32)


def small_model(**parts):
    encoder = pyvae.Sequential(pyvae.Dense(12, 16, "tanh"), pyvae.Dense(16, 8))
    decoder = pyvae.Sequential(pyvae.Dense(4, 16, "tanh"), pyvae.Dense(16, 12))
    return pyvae.VAE(encoder, decoder, pyvae.Bernoulli(12), **parts)


def random_terms(rows=6, k=1, dims=4, seed=0):
    rng = np.random.default_rng(seed)
    log_px, log_pz, log_qz = rng.standard_normal((3, rows, k))
    mu, logvar = rng.standard_normal((2, rows, dims))
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    return Terms(log_px, log_pz, log_qz, kl, rng.standard_normal((rows * k, dims)), mu, logvar)


# --- All of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES)
def test_whole_models_have_the_gradient_of_every_objective(name):
    pyvae.check_gradients(small_model(), X[:6], objective=OBJECTIVES[name]())


@pytest.mark.parametrize("name", [*OBJECTIVES, "path", "doubly-reparameterized"])
@pytest.mark.parametrize("weighted", [False, True])
def test_recorded_steps_have_the_bits_of_plain_ones(name, weighted, monkeypatch):
    def trained():
        objective = OBJECTIVES[name]() if name in OBJECTIVES else pyvae.ImportanceWeighted(5, name)
        if isinstance(objective, pyvae.TotalCorrelation):
            objective = pyvae.TotalCorrelation(4.0, len(X), objective.sampling)
        model, weight = small_model(), np.random.default_rng(1).random(len(X)) if weighted else None
        source = pyvae.ArraySource(X, weight=weight)
        pyvae.train(model, source, epochs=3, batch_size=25, objective=objective, progress=False)
        return model.parameters.values.tobytes()

    played = trained()
    monkeypatch.setattr("pyvae.training.step.is_playable", lambda model: False)
    assert trained() == played


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_values_that_a_checkpoint_knows_again(name):
    objective = OBJECTIVES[name]()
    assert repr(objective) == repr(OBJECTIVES[name]())
    assert eval(repr(objective), vars(pyvae)) is not None, "its repr is how it is made"


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if not name.startswith(("MMD", "TotalCorrelation"))])
def test_a_weight_of_two_counts_as_two_rows_and_of_zero_as_none(name):
    """The others tell pairs of rows from a row with itself."""
    objective = OBJECTIVES[name]()
    k, terms = objective.n_samples, random_terms(4, OBJECTIVES[name]().n_samples)
    rows = np.array([0, 1, 1, 3])
    twice = Terms(*(a[rows] for a in terms[:4]), terms.z.reshape(4, k, -1)[rows].reshape(4 * k, -1), *(
        a[rows] for a in terms[5:7]))  # fmt: skip
    loss, _ = objective(terms, np.array([1.0, 2.0, 0.0, 1.0]))
    assert loss == pytest.approx(objective(twice)[0], rel=1e-12)


# --- Free bits --------------------------------------------------------------------------------------------------------


def test_without_free_bits_it_is_the_elbo():
    terms = random_terms()
    assert pyvae.FreeBits(0.0)(terms)[0] == pytest.approx(pyvae.ELBO()(terms)[0], rel=1e-12)
    assert pyvae.FreeBits(0.0, over="batch")(terms)[0] == pytest.approx(pyvae.ELBO()(terms)[0], rel=1e-12)


@pytest.mark.parametrize("over", ["row", "batch"])
def test_free_bits_keep_dimensions_in_use(over):
    """Rows that are noise leave nothing to say; with free bits every dimension still says that much."""
    without, with_them = small_model(), small_model()
    rates = {"epochs": 60, "batch_size": 20, "learning_rate": 5e-3, "progress": False}
    pyvae.train(without, X, **rates, beta=4.0)
    pyvae.train(with_them, X, **rates, objective=pyvae.FreeBits(0.5, over=over))
    kl = [metrics.kl_per_dimension(*model.encode(X)) for model in (without, with_them)]
    assert kl[0].max() < 0.05 and kl[1].min() > 0.3


# --- Capacity and weights of the KL -----------------------------------------------------------------------------------


def test_the_capacity_holds_the_kl():
    model = small_model()
    objective = pyvae.Capacity(pyvae.LinearWarmUp(2.5, 50), gamma=20.0)
    history = pyvae.train(model, X, epochs=150, batch_size=20, learning_rate=3e-3, objective=objective, progress=False)
    assert history["train_kl"][24] == pytest.approx(1.25, abs=0.3)
    assert history["train_kl"][-1] == pytest.approx(2.5, abs=0.3)
    assert not objective.settled(49.9) and objective.settled(50)


def test_cycles_of_the_kl_weight():
    weight = pyvae.Cyclical(2.0, 40, cycles=4, rise=0.5)
    assert [weight(t) for t in (0, 2.5, 5, 9.9, 10, 12.5, 36)] == [0, 1, 2, 2, 0, 1, 2]
    assert weight(40) == weight(1000) == 2
    assert [weight.settled(t) for t in (9, 34.9, 35, 50)] == [False, False, True, True]
    once = pyvae.Cyclical(1.0, 10, cycles=1, rise=0.999999)
    assert [once(t) for t in (0, 5, 20)] == pytest.approx(
        [pyvae.LinearWarmUp(1.0, 10)(t) for t in (0, 5, 20)], rel=1e-5
    )


# --- Total correlation ------------------------------------------------------------------------------------------------


def same_posteriors(rows, dims, rng):
    """q(z|x) = N(0, 1) for every row: q(z) = N(0, 1), independent in every dimension, TC = 0."""
    z = rng.standard_normal((rows, dims))
    return z, np.zeros((rows, dims)), np.zeros((rows, dims))


def separate_posteriors(rows, dims, rng):
    """Every row has a place of its own in every dimension, far from all others."""
    mu = np.stack([rng.permutation(rows) for _ in range(dims)], axis=1) * 100.0
    return mu + rng.standard_normal((rows, dims)), mu, np.zeros((rows, dims))


def test_total_correlation_of_independent_latents_and_its_known_bias():
    rng, n_rows, rows, dims = np.random.default_rng(0), 5000, 64, 5
    stratified, weighted = (pyvae.TotalCorrelation(2.0, n_rows, word) for word in ("stratified", "weighted"))
    z, mu, logvar = same_posteriors(rows, dims, rng)
    assert stratified.total_correlation(z, mu, logvar)[0] == pytest.approx(0, abs=1e-10)
    assert weighted.total_correlation(z, mu, logvar)[0] == pytest.approx((dims - 1) * np.log(n_rows), rel=1e-12)
    z, mu, logvar = separate_posteriors(rows, dims, rng)
    exact = (dims - 1) * np.log(n_rows)  # q(z) and its marginals are all 1/N of the row's own q(z|x)
    assert stratified.total_correlation(z, mu, logvar)[0] == pytest.approx(exact, rel=1e-12)
    biased = weighted.total_correlation(z, mu, logvar)[0]
    assert biased - exact == pytest.approx((dims - 1) * np.log(rows), rel=1e-12)


def test_the_stratified_estimate_of_the_density_is_unbiased():
    """Over all minibatches that hold row 0, of all 6 rows: the mean of the estimates of q(z_0)."""
    from itertools import combinations

    rng, n_rows, rows = np.random.default_rng(1), 6, 3
    density = rng.random(n_rows)  # q(z_0|x_n)
    objective = pyvae.TotalCorrelation(2.0, n_rows)
    W = np.exp(objective.log_weights(rows))
    estimates = [W[0] @ density[[0, *others]] for others in combinations(range(1, n_rows), rows - 1)]
    assert np.mean(estimates) == pytest.approx(density.mean(), rel=1e-12)
    np.testing.assert_allclose(W.sum(axis=1), 1, rtol=1e-12)


def test_the_whole_data_set_as_one_batch_gives_the_definition():
    terms = random_terms(7, dims=3)
    objective = pyvae.TotalCorrelation(3.0, 7)
    log_q = -0.5 * ((terms.z[:, None] - terms.mu) ** 2 / np.exp(terms.logvar) + terms.logvar + np.log(2 * np.pi))
    joint = np.log(np.exp(log_q.sum(axis=2)).mean(axis=1))
    marginals = np.log(np.exp(log_q).mean(axis=1)).sum(axis=1)
    expected = pyvae.ELBO()(terms)[0] + 2 * (joint - marginals).mean()
    assert objective(terms)[0] == pytest.approx(expected, rel=1e-12)


def test_total_correlation_wants_the_number_of_rows():
    with pytest.raises(ValueError, match="the objective is for 10 rows, but there are 60 to train on"):
        pyvae.train(small_model(), X, objective=pyvae.TotalCorrelation(2.0, 10), progress=False)


# --- MMD --------------------------------------------------------------------------------------------------------------


def test_mmd_against_samples_of_the_prior():
    """The closed form for the prior's part is what ever more samples of the prior come to."""
    from pyvae.objectives.mmd import WIDTHS

    rng, dims = np.random.default_rng(0), 3
    z, y = 0.5 + 1.3 * rng.standard_normal((40, dims)), rng.standard_normal((2000, dims))

    def kernel(a, b):
        distance = ((a[:, None] - b[None]) ** 2).sum(axis=2)
        return np.mean([np.exp(-distance / (2 * width * dims)) for width in WIDTHS], axis=0)

    within, own = kernel(z, z), kernel(y, y)
    within = (within.sum() - np.trace(within)) / (40 * 39)
    own = (own.sum() - np.trace(own)) / (2000 * 1999)
    sampled = within - 2 * kernel(z, y).mean() + own
    exact, _ = pyvae.MMD().discrepancy(z, np.full(40, 1 / 40))
    assert exact == pytest.approx(sampled, abs=5e-3)


def test_mmd_of_several_samples_a_row_has_no_bias(rng):
    """Samples of one row are no independent draws from q(z): counted as pairs, they would make it 0.017."""
    found = []
    for _ in range(200):
        centres = np.sqrt(0.95) * rng.standard_normal((20, 1, 2))  # so that all z together are N(0, 1)
        z = (centres + np.sqrt(0.05) * rng.standard_normal((20, 5, 2))).reshape(100, 2)
        found.append(pyvae.MMD().discrepancy(z, np.full(100, 0.01), k=5)[0])
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200) and np.std(found) < 0.03


def test_the_total_correlation_of_very_narrow_posteriors_is_a_number(rng):
    mu = rng.standard_normal((6, 2)).astype(np.float32)
    logvar = np.full((6, 2), -90, np.float32)  # 1 / sigma^2 is no float32
    found = pyvae.TotalCorrelation(4.0, 100).total_correlation(mu, mu, logvar)
    assert all(np.isfinite(part).all() for part in found)


def test_a_minibatch_has_its_loss_and_gradients(rng):
    model = pyvae.VAE.mlp(6, 2, (4,))
    loss = model.loss_and_gradients(rng.random((5, 6)), rng.standard_normal((5, 2)),
                                    objective=pyvae.TotalCorrelation(4.0, 300))  # fmt: skip
    assert np.isfinite(loss)


def test_mmd_is_nothing_for_the_prior_itself_and_large_elsewhere():
    rng = np.random.default_rng(1)
    shares, objective = np.full(2000, 1 / 2000), pyvae.MMD()
    assert abs(objective.discrepancy(rng.standard_normal((2000, 4)), shares)[0]) < 2e-3
    assert objective.discrepancy(3 + rng.standard_normal((2000, 4)), shares)[0] > 0.3
    assert objective.discrepancy(0.2 * rng.standard_normal((2000, 4)), shares)[0] > 0.1


def test_mmd_pulls_the_aggregate_to_the_prior_and_leaves_the_rows_their_place():
    model = small_model()
    pyvae.train(model, X, epochs=1000, batch_size=60, learning_rate=1e-2, objective=pyvae.MMD(100.0), progress=False)
    mu, logvar = model.encode(X)
    z = mu + np.exp(logvar / 2) * np.random.default_rng(0).standard_normal(mu.shape)
    assert np.abs(z.mean(axis=0)).max() < 0.4 and np.abs(z.std(axis=0) - 1).max() < 0.4
    assert metrics.kl_per_dimension(mu, logvar).sum() > 2


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pyvae.FreeBits(-1.0), "nats must be a number from 0"),
        (lambda: pyvae.FreeBits(1.0, over="rows"), "over must be 'row' or 'batch'"),
        (lambda: pyvae.FreeBits(1.0, groups=0), "groups must be a whole number"),
        (lambda: pyvae.Capacity(-1.0), "nats must be a number from 0"),
        (lambda: pyvae.Capacity(1.0, gamma=0), "gamma must be a number above 0"),
        (lambda: pyvae.TotalCorrelation(2.0, 0), "n_rows must be a whole number"),
        (lambda: pyvae.TotalCorrelation(2.0, 5, "other"), "sampling must be 'stratified' or 'weighted'"),
        (lambda: pyvae.MMD(-1), "weight must be a number from 0"),
        (lambda: pyvae.Cyclical(1.0, 0), "epochs must be a number above 0"),
        (lambda: pyvae.Cyclical(1.0, 10, rise=1.0), "rise must be a number above 0 and below 1"),
    ],
)
def test_wrong_numbers_and_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Other(pyvae.StandardNormal):
    """A prior of another density."""

    def log_density(self, z, memory=pyvae.FRESH):
        return super().log_density(z, memory)


@pytest.mark.parametrize("objective", [pyvae.FreeBits(0.1), pyvae.MMD()])
def test_another_prior_is_refused(objective):
    with pytest.raises(ValueError, match="for which the prior must be StandardNormal, not Other"):
        pyvae.train(small_model(prior=Other()), X, objective=objective, progress=False)


def test_groups_that_do_not_come_out_even_are_refused():
    with pytest.raises(ValueError, match="4 latent dimensions do not"):
        pyvae.train(small_model(), X, objective=pyvae.FreeBits(0.1, groups=3), progress=False)
