"""Extreme numbers: results are finite, infinite only where the type has no number for the truth, never NaN unsaid."""

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.layers.activations import ACTIVATIONS

if _kernels.KERNELS == "reference":  # NumPy warns of what overflows, the native kernels do not
    pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

B, D = 5, 6
LIKELIHOODS = {
    "Bernoulli": lambda: pyvae.Bernoulli(D),
    "Gaussian": lambda: pyvae.Gaussian(D),
    "Gaussian, learned": lambda: pyvae.Gaussian(D, "learned"),
    "Gaussian, shared": lambda: pyvae.Gaussian(D, "shared"),
    "Gaussian, predicted": lambda: pyvae.Gaussian(D, "predicted"),
    "Categorical": lambda: pyvae.Categorical([D - 2, 2]),
    "Poisson": lambda: pyvae.Poisson(D),
    "Multinomial": lambda: pyvae.Multinomial(D),
    "NegativeBinomial": lambda: pyvae.NegativeBinomial(D),
    "Mixed": lambda: pyvae.Mixed([pyvae.Gaussian(3, "learned"), pyvae.Poisson(3)]),
}
both = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
every_likelihood = pytest.mark.parametrize("kind", LIKELIHOODS)


def rows_for(likelihood, rng, n, dtype=np.float64):
    """Zeros and ones that the likelihood takes."""
    x = (rng.random((n, D)) < 0.5).astype(dtype)
    if isinstance(likelihood, pyvae.Categorical):
        x = np.hstack([np.eye(size, dtype=dtype)[rng.integers(0, size, n)] for size in likelihood.sizes])
    return x


@both
@every_likelihood
@pytest.mark.parametrize("extreme", ["1e4", "-1e4", "both", "0", "1e-42"])
def test_extreme_outputs_of_a_decoder(kind, extreme, dtype, rng):
    """log p(x|z), its derivatives and E[x|z]; a Poisson's rate exp(1e4) is beyond float64, so its log p is -inf."""
    likelihood = LIKELIHOODS[kind]()
    model = pyvae.VAE(pyvae.Dense(D, 2), pyvae.Dense(1, likelihood.n_outputs), likelihood, dtype=dtype)
    shape = B, likelihood.n_outputs
    outputs = rng.choice([-1e4, 1e4], shape) if extreme == "both" else np.full(shape, float(extreme))
    x, outputs = rows_for(likelihood, rng, B, dtype), outputs.astype(dtype)
    log_px, cache = likelihood.log_density(x, outputs)
    doutputs = likelihood.log_density_backward(np.full(B, -1, dtype), cache)
    overflows = np.zeros(shape, bool)
    if kind in ("Poisson", "Mixed"):
        overflows[:, 0 if kind == "Poisson" else 3 :] = outputs[:, 0 if kind == "Poisson" else 3 :] > 1e3
    np.testing.assert_array_equal(log_px == -np.inf, overflows.any(axis=1))
    assert np.isfinite(log_px[~overflows.any(axis=1)]).all()
    np.testing.assert_array_equal(np.isfinite(doutputs), ~overflows)
    assert (doutputs[overflows] == np.inf).all() and np.isfinite(model.parameters.grads).all()
    mean = likelihood.mean(outputs)
    assert not np.isnan(mean).any() and (kind in ("Poisson", "Mixed", "NegativeBinomial") or np.isfinite(mean).all())


@both
def test_extreme_logits_have_exact_values(dtype):
    """log p is 0 for what is certain, and minus the logit for what was held to be impossible."""
    x = np.array([[1, 0, 1, 0]], dtype)
    logits = np.array([[1e4, -1e4, -1e4, 1e4]], dtype)
    log_px, cache = pyvae.Bernoulli(4).log_density(x, logits)
    np.testing.assert_array_equal(log_px, [-2e4])
    np.testing.assert_array_equal(pyvae.Bernoulli(4).log_density_backward(np.ones(1, dtype), cache), [[0, 0, 1, -1]])
    log_px, cache = pyvae.Categorical([2, 2]).log_density(np.array([[1, 0, 0, 1]], dtype), logits)
    np.testing.assert_array_equal(log_px, [0])
    log_px, cache = pyvae.Categorical([2, 2]).log_density(np.array([[0, 1, 1, 0]], dtype), logits)
    np.testing.assert_array_equal(log_px, [-4e4])
    dlogits = pyvae.Categorical([2, 2]).log_density_backward(np.ones(1, dtype), cache)
    np.testing.assert_array_equal(dlogits, [[-1, 1, 1, -1]])


@both
@pytest.mark.parametrize("logvar", [1e3, -1e3, 80.0, -80.0])
def test_extreme_logvar(logvar, dtype, rng):
    """sigma = exp(500) is beyond float32, and sigma^2 = exp(1000) beyond float64 too; exp(-500) is next to nothing."""
    mu, eps = (rng.standard_normal((B, 3)).astype(dtype) for _ in range(2))
    logvar = np.full((B, 3), logvar, dtype)
    posterior, prior, q = pyvae.DiagonalGaussian(), pyvae.StandardNormal(), pyvae.MuLogvar(mu, logvar)
    z, log_qz, cache = posterior.sample(q, eps)
    kl, kl_cache = prior.kl(posterior, q)
    dmu, dlogvar = posterior.sample_backward(np.ones_like(mu), None, cache)
    _, dlogvar_kl = prior.kl_backward(np.ones(B, dtype), kl_cache)
    with np.errstate(over="ignore"):
        sigma, variance = np.exp(logvar / 2), np.exp(logvar)
        true_z = mu + sigma * eps
    np.testing.assert_allclose(z, true_z, rtol=1e-5)
    np.testing.assert_array_equal(np.isinf(kl), np.isinf(variance).any(axis=1))
    np.testing.assert_array_equal(np.isinf(dlogvar), np.isinf(sigma))
    np.testing.assert_array_equal(np.isinf(dlogvar_kl), np.isinf(variance))
    assert not any(np.isnan(a).any() for a in (z, kl, dmu, dlogvar, dlogvar_kl))
    assert np.isfinite(log_qz).all() and (dmu == 1).all()
    assert (logvar[0, 0] != -1e3) or (z == mu).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@both
def test_extreme_inputs_of_activations(activation, dtype):
    """Finite everywhere, with the slope that the function has far out: 0 or 1 (0.01 for leaky_relu below zero)."""
    x = np.array([[1e4, -1e4, 1e38, -1e38, 3e38, -3e38, 104, -104, 1e-42, -1e-42, 0, -0.0]], dtype)
    y, dx = np.empty_like(x), np.empty_like(x)
    _kernels.activate(x, activation, y)
    _kernels.activate_backward(np.ones_like(x), x if activation in ("silu", "gelu") else y, activation, dx)
    assert np.isfinite(y).all() and np.isfinite(dx).all()
    if activation == "symlog":
        np.testing.assert_allclose(dx[0, :8], 1 / (1 + np.abs(x[0, :8].astype(np.float64))), rtol=2e-5, atol=1e-37)
    else:
        right = 0 if activation in ("tanh", "sigmoid") else 1
        np.testing.assert_allclose(dx[0, 0:8:2], right, atol=1e-30)
        np.testing.assert_allclose(dx[0, 1:8:2], 0.01 if activation == "leaky_relu" else 0, rtol=1e-6, atol=1e-30)


def all_results(model, X):
    return {
        "encode": lambda: model.encode(X),
        "elbo": lambda: model.elbo(X),
        "log_likelihood": lambda: model.log_likelihood(X, n_samples=4),
        "reconstruct": lambda: model.reconstruct(X),
        "sample": lambda: model.sample(4, mean=False),
    }


@every_likelihood
@pytest.mark.parametrize("rows", ["constant columns", "rows of zeros", "zeros", "subnormal"])
def test_tame_but_odd_rows(kind, rows, rng):
    """Training goes on, and every result is finite."""
    for activation in ACTIVATIONS:
        likelihood = LIKELIHOODS[kind]()
        X = rows_for(likelihood, rng, 20)
        if rows == "constant columns":
            X[:] = X[0]
        elif rows == "rows of zeros" and kind != "Categorical":
            X[::2] = 0
        elif rows == "zeros" and kind != "Categorical":
            X[:] = 0
        elif rows == "subnormal" and likelihood.support.startswith(("real", "numbers")):
            X *= 1e-42
        model = pyvae.VAE.mlp(D, 2, (8,), activation, likelihood)
        history = pyvae.train(model, X, epochs=2, batch_size=8, progress=False)
        assert np.isfinite(history["train_loss"]).all()
        for name, result in all_results(model, X).items():
            assert np.isfinite(result()).all(), (activation, name)


@pytest.mark.parametrize("kind", [kind for kind in LIKELIHOODS if kind not in ("Bernoulli", "Categorical")])
@pytest.mark.parametrize("reach", [1e10, 1e25, 3e38])
def test_huge_rows(kind, reach, rng):
    """Finite, -inf for a probability or inf for a mean, or one sentence that names a row; weights are never spoilt."""
    for activation in ACTIVATIONS:
        X = rows_for(LIKELIHOODS[kind](), rng, 20) * reach
        model = pyvae.VAE.mlp(D, 2, (8,), activation, LIKELIHOODS[kind]())
        before = model.parameters.values.copy()
        try:
            history = pyvae.train(model, X, epochs=1, batch_size=8, progress=False)
            assert np.isfinite(history["train_loss"]).all() and np.isfinite(model.parameters.values).all()
        except FloatingPointError as error:
            assert " is not finite in epoch 1, step " in str(error) and "\n" not in str(error)
            assert "the data, which reach " in str(error)
            np.testing.assert_array_equal(model.parameters.values, before)
        for name, result in all_results(model, X).items():
            try:
                numbers = np.hstack([np.ravel(part) for part in result()])
            except FloatingPointError as error:
                assert " cannot be computed, as numbers overflow on the way to it: scale X like the rows" in str(error)
            else:
                assert not np.isnan(numbers).any(), (activation, name)
                assert (numbers < np.inf).all() or name in ("reconstruct", "sample")


def test_a_row_that_overflows_is_named(rng):
    """By all that is computed of it; the rows before it are not to blame."""
    model = pyvae.VAE.mlp(D, 2, (8,), likelihood="gaussian")
    for part in ("encoder", "decoder"):
        model.parameters[f"{part}.0.W"][...] = 1  # so that hidden units become inf, and what follows inf - inf
    X = rng.standard_normal((9, D))
    X[7] = 3e38
    for call, what in ((model.encode, "q(z|x)"), (model.reconstruct, "q(z|x)"), (model.elbo, "the ELBO")):
        with pytest.raises(FloatingPointError) as raised:
            call(X)
        assert str(raised.value).startswith(f"{what} of row 7 cannot be computed, as numbers overflow on the way to it")
    with pytest.raises(FloatingPointError, match=r"^E\[x\|z\] of row 1 .* scale Z like the rows that were trained on"):
        model.decode([[0, 0], [3e38, 3e38]])
    model.parameters.values[...] = np.nan
    with pytest.raises(FloatingPointError, match="row 0 cannot be computed, as the model has weights that are not fin"):
        model.encode(X[:3])


def test_rows_of_no_probability_at_all():
    """log p(x) of a row that float32 gives no probability in any sample is -inf, without a warning."""
    model = pyvae.VAE.mlp(D, 2, (8,), "tanh", "gaussian-fixed")
    X = np.zeros((3, D))
    X[1] = 1e25
    log_px = model.log_likelihood(X, n_samples=5)
    assert log_px[1] == -np.inf and np.isfinite(log_px[[0, 2]]).all()
    np.testing.assert_array_equal(model.elbo(X) == -np.inf, [False, True, False])


@every_likelihood
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_learning_rate_that_blows_up(kind, activation, rng):
    """In the second epoch: the guard says what to change, and the weights are those of the end of the first."""

    def train(**options):
        model = pyvae.VAE.mlp(D, 2, (8,), activation, LIKELIHOODS[kind]())
        try:
            pyvae.train(model, X, batch_size=8, progress=False, **options)
        except FloatingPointError as error:
            return model.parameters.values, str(error)
        return model.parameters.values, None

    X = rows_for(LIKELIHOODS[kind](), rng, 20)
    before, _ = train(epochs=1)
    after, message = train(epochs=3, learning_rate=lambda epoch: 1e-3 if epoch < 1 else 1e30)
    assert " in epoch 2, step " in message and "try a smaller learning_rate than 1e+30, a clip_norm" in message
    assert message.endswith("the weights are again those of the end of epoch 1") and "\n" not in message
    np.testing.assert_array_equal(after, before)
