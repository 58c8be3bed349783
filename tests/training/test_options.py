"""Weight decay, clipping and the warm-up of the KL: that training does with them what their formulas say."""

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.objectives.elbo import elbo
from pyvae.training import step
from pyvae.training.adam import clip_factor

X = np.random.default_rng(1).random((50, 6))
EPOCHS, BATCH = 3, 16


def model_of(dtype):
    return pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,)).astype(dtype)


def train(dtype=np.float32, **options):
    model = model_of(dtype)
    history = pyvae.train(model, X, epochs=EPOCHS, batch_size=BATCH, learning_rate=0.01, progress=False, **options)
    return model, history


def by_hand(beta_at=lambda time: 1.0, clip_norm=np.inf, weight_decay=0.0):
    """AdamW as in the paper, in float64, tensor by tensor; returns the model and each epoch's mean loss and norm."""
    model = model_of(np.float64)
    names, arena = model.parameters.names, model.parameters
    m, v = ({name: np.zeros(arena[name].shape) for name in names} for _ in range(2))
    t, losses, norms = 0, [], []
    for epoch in range(EPOCHS):
        order, loss, norm = pyvae.Noise(0, epoch).permutation("order", len(X)), 0.0, []
        for i, start in enumerate(range(0, len(X), BATCH)):
            noise, rows = pyvae.Noise(0, t), order[start : start + BATCH]
            out = np.empty((len(rows), 6))
            terms, cache = model.forward(pyvae.ArraySource(X).gather(rows, noise, out), noise)
            beta = beta_at(epoch + i / 4)
            arena.zero_grads()
            step_loss, dterms = elbo(terms, beta=beta)
            model.backward(cache, dterms)
            loss += len(rows) * step_loss
            norm.append(np.sqrt(sum(np.sum(arena.grad(name) ** 2) for name in names)))
            t += 1
            for name in names:
                g = arena.grad(name) * (clip_norm / norm[-1] if norm[-1] > clip_norm else 1)
                m[name] = 0.9 * m[name] + 0.1 * g
                v[name] = 0.999 * v[name] + 0.001 * g**2
                m_hat, v_hat = m[name] / (1 - 0.9**t), v[name] / (1 - 0.999**t)
                arena[name][...] -= 0.01 * (m_hat / (np.sqrt(v_hat) + 1e-8) + weight_decay * arena[name])
        losses.append(loss / len(X))
        norms.append(np.mean(norm))
    return model, losses, norms


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        ({}, {}),
        ({"weight_decay": 0.5}, {"weight_decay": 0.5}),
        ({"clip_norm": 0.1}, {"clip_norm": 0.1}),
        ({"kl_warmup": 2, "beta": 0.7}, {"beta_at": lambda time: 0.7 * min(1, time / 2)}),
        ({"kl_warmup": 1.6}, {"beta_at": lambda time: min(1, time / 1.6)}),
        (
            {"weight_decay": 0.1, "clip_norm": 0.35, "kl_warmup": 5},
            {"weight_decay": 0.1, "clip_norm": 0.35, "beta_at": lambda time: time / 5},
        ),
    ],
    ids=lambda value: str(list(value)),
)
def test_training_follows_the_formula(options, formula):
    model, history = train(np.float64, **options)
    expected, losses, norms = by_hand(**formula)
    for name in expected.parameters.names:
        np.testing.assert_allclose(model.parameters[name], expected.parameters[name], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(history["train_loss"], losses, rtol=1e-10)
    np.testing.assert_allclose(history["grad_norm"], norms, rtol=1e-8)  # before clipping
    assert formula.get("clip_norm", 0) < max(norms)  # or nothing would be clipped


def test_a_limit_that_is_not_reached_changes_no_bit():
    (free, history), (limited, _) = train(), train(clip_norm=1e6)
    assert max(history["grad_norm"]) < 1e6
    np.testing.assert_array_equal(free.parameters.values, limited.parameters.values)


def test_clip_factor():
    assert clip_factor(5.0, None) == clip_factor(5.0, 5.0) == clip_factor(0.0, 1.0) == 1
    assert clip_factor(5.0, 2.0) == 0.4


@pytest.mark.skipif(_kernels.KERNELS != "native", reason="twins are not recorded")
@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian-predicted"])
def test_played_steps_of_a_warm_up_give_the_bits_of_those_that_are_not(likelihood, n_samples, monkeypatch):
    """Short batches too, and after the warm-up; beta = 0.7 is no power of two."""
    results = []
    for _ in ("played", "not played"):
        model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(8,), likelihood=likelihood)
        history = pyvae.train(
            model, X, epochs=3, batch_size=16, beta=0.7, n_samples=n_samples, kl_warmup=1.6, progress=False
        )
        results.append((model.parameters.values.tobytes(), history["train_loss"], history["grad_norm"]))
        monkeypatch.setattr(step, "is_playable", lambda module: False)
    assert results[0] == results[1]


def test_the_first_step_of_a_warm_up_knows_no_kl():
    """Nor does it depend on beta."""
    models = [model_of(np.float32) for _ in range(2)]
    for model, options in zip(models, ({"beta": 0}, {"beta": 3, "kl_warmup": 1}), strict=True):
        pyvae.train(model, X, epochs=1, batch_size=len(X), progress=False, **options)
    np.testing.assert_array_equal(models[0].parameters.values, models[1].parameters.values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decay": -0.1}, "weight_decay must be a number from 0, not -0.1"),
        ({"clip_norm": 0}, "clip_norm must be a number above 0, not 0"),
        ({"clip_norm": "1"}, "clip_norm must be a number above 0, not '1'"),
        ({"kl_warmup": -1}, "kl_warmup must be a number from 0, not -1"),
        ({"kl_warmup": None}, "kl_warmup must be a number from 0, not None"),
        ({"patience": 0, "validation_fraction": 0.2}, "patience must be a whole number of at least 1, not 0"),
        ({"patience": 3}, "patience needs a validation_fraction"),
        ({"patience": 3, "X_val": X}, "patience needs a validation_fraction"),
        ({"callbacks": 3}, "callbacks must be a list of functions of the History, not 3"),
        ({"callbacks": print}, "callbacks must be a list of functions"),
        ({"callbacks": [print, None]}, "callbacks must be a list of functions"),
    ],
    ids=str,
)
def test_wrong_arguments_change_nothing(options, message):
    model = model_of(np.float32)
    before = model.parameters.values.copy()
    with pytest.raises(ValueError, match=message):
        pyvae.train(model, X, progress=False, **options)
    np.testing.assert_array_equal(model.parameters.values, before)
