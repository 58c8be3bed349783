"""The public surface as a program with type hints uses it: for mypy, which checks this file; nothing runs it."""

from pathlib import Path
from typing import assert_type

import numpy as np

import pyvae

X = np.zeros((10, 4), np.float32)
model = pyvae.VAE.mlp(4, latent_dim=2, hidden=[8], likelihood=pyvae.Gaussian(4, "learned"), seed=1)
assert_type(model, pyvae.VAE)
other = pyvae.VAE(
    pyvae.Sequential(pyvae.Dense(4, 8, "tanh"), pyvae.Dense(8, 4)),
    pyvae.Dense(2, 4),
    pyvae.Bernoulli(4),
    dtype=np.float64,
)

objective = pyvae.ELBO(pyvae.LinearWarmUp(1.0, 5), n_samples=3)
history = pyvae.train(
    model, pyvae.ArraySource(X), epochs=3, objective=objective, learning_rate=lambda epoch: 0.01, X_val=X,
    callbacks=[lambda history: len(history) > 2], checkpoints=Path("checkpoints"),
)  # fmt: skip
assert_type(history, pyvae.History)

mu, logvar = model.encode(X.tolist())
assert_type(mu, np.ndarray)
assert_type(model.decode(mu), np.ndarray)
assert_type(model.sample(3, seed=1, mean=False), np.ndarray)
assert_type(model.elbo(X, n_samples=3), np.ndarray)
assert_type(model.log_likelihood(X), np.ndarray)
assert_type(model.loss_and_gradients(X, np.zeros((10, 2))), float)
assert_type(model.astype(np.float64), pyvae.VAE)

pyvae.save(model, "model.safetensors")
loaded: pyvae.VAE = pyvae.load(Path("model.safetensors"))
pyvae.check_gradients(loaded, X, objective=objective)
pyvae.start(loaded, X.mean(axis=0), X.var(axis=0))
with pyvae.threads(2), pyvae.set_matmul_precision("medium"):
    assert_type(pyvae.get_num_threads(), int)
