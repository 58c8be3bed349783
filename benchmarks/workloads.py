"""The workloads and the competitors of frameworks.py: the same training step, written as each library's users would.

A step picks the next minibatch from rows in memory, computes the loss (Bernoulli likelihood on gray values plus KL, one
sample), its gradients, and an Adam update. Every competitor is a function that returns ``run(n)``, which does n steps
and returns the mean loss of the last of them in nats, so that what is timed is also seen to learn.
"""

from itertools import pairwise

import numpy as np

N_ROWS = 10_000
LEARNING_RATE = 1e-3

# name: (features, hidden sizes, latent dimensions, activation, batch size)
WORKLOADS = {
    "A": (784, (400,), 20, "relu", 128),
    "B": (784, (400,), 20, "relu", 32),
    "C": (784, (400,), 20, "relu", 512),
    "D": (784, (200, 200), 50, "tanh", 20),
    "E": (784, (1024, 1024), 64, "relu", 256),
    "F": (30, (64, 32), 8, "relu", 256),
}


def rows(n_features):
    """Rows like small pictures: smooth, mostly black, uint8."""
    rng = np.random.default_rng(0)
    factors = np.maximum(rng.standard_normal((N_ROWS, 10)), 0)
    values = factors @ np.maximum(rng.standard_normal((10, n_features)) - 0.5, 0)
    return np.minimum(values * 80, 255).astype(np.uint8)


def sizes(workload):
    """Layer sizes of the encoder and of the decoder."""
    n_features, hidden, latent, _, _ = WORKLOADS[workload]
    return [n_features, *hidden, 2 * latent], [latent, *reversed(hidden), n_features]


def batches(batch_size):
    """Row numbers of one minibatch after another, each epoch in a new order, whole batches only."""
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(N_ROWS)
        for start in range(0, N_ROWS - batch_size + 1, batch_size):
            yield order[start : start + batch_size]


def first_weights(workload):
    """The same uniform first weights for everybody, a list of (W, b) for encoder and decoder."""
    rng = np.random.default_rng(2)
    return [
        [
            (rng.uniform(-1, 1, (a, b)).astype(np.float32) / np.float32(np.sqrt(a)), np.zeros(b, np.float32))
            for a, b in pairwise(part)
        ]
        for part in sizes(workload)
    ]


def pyvae_(workload, precision="highest"):
    import pyvae
    from pyvae.training.step import Step

    pyvae.set_matmul_precision(precision)
    n_features, hidden, latent, activation, batch_size = WORKLOADS[workload]
    model = pyvae.VAE.mlp(n_features, latent, hidden, activation)
    for part, layers in zip(("encoder", "decoder"), first_weights(workload), strict=True):
        for i, (W, b) in enumerate(layers):
            model.parameters[f"{part}.{i}.W"][...] = W
            model.parameters[f"{part}.{i}.b"][...] = b
    source = pyvae.ArraySource(rows(n_features), 1 / 255)
    step, optimizer = Step(model, pyvae.ELBO()), pyvae.Adam(model.parameters, LEARNING_RATE)
    picks = batches(batch_size)
    steps = iter(range(10**9))

    def run(n):
        for _ in range(n):
            with step.team:
                _, _, loss = step(source, next(picks), pyvae.Noise(0, next(steps)))
                optimizer.step()
        return loss

    return run


def numpy_(workload):
    n_features, _, latent, activation, batch_size = WORKLOADS[workload]
    X = rows(n_features).astype(np.float32) / 255
    encoder, decoder = first_weights(workload)
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in (*encoder, *decoder)]
    rng, picks, steps = np.random.default_rng(3), batches(batch_size), iter(range(1, 10**9))
    f = np.tanh if activation == "tanh" else lambda a: np.maximum(a, 0)
    derivative = (lambda y: 1 - y * y) if activation == "tanh" else lambda y: y > 0

    def forward(layers, x):
        ys = [x]
        for i, (W, b) in enumerate(layers):
            a = ys[-1] @ W + b
            ys.append(f(a) if i < len(layers) - 1 else a)
        return ys

    def backward(layers, ys, dy):
        gradients = []
        for i in reversed(range(len(layers))):
            da = dy * derivative(ys[i + 1]) if i < len(layers) - 1 else dy
            gradients.append((ys[i].T @ da, da.sum(axis=0)))
            dy = da @ layers[i][0].T
        return dy, gradients[::-1]

    def run(n):
        for _ in range(n):
            x = X[next(picks)]
            encoded = forward(encoder, x)
            mu, logvar = encoded[-1][:, :latent], encoded[-1][:, latent:]
            std = np.exp(logvar / 2)
            eps = rng.standard_normal(mu.shape, dtype=np.float32)
            decoded = forward(decoder, mu + std * eps)
            logits = decoded[-1]
            e = np.exp(-np.abs(logits))
            kl = 0.5 * (mu**2 + std**2 - 1 - logvar).sum()
            loss = ((np.maximum(logits, 0) + np.log1p(e) - x * logits).sum() + kl) / batch_size
            dlogits = (np.where(logits < 0, e, 1) / (1 + e) - x) / batch_size
            dz, decoder_gradients = backward(decoder, decoded, dlogits)
            dmu, dlogvar = dz + mu / batch_size, dz * eps * std / 2 + (std**2 - 1) / (2 * batch_size)
            _, encoder_gradients = backward(encoder, encoded, np.hstack([dmu, dlogvar]))
            t = next(steps)
            rate, correction = LEARNING_RATE / (1 - 0.9**t), np.float32(np.sqrt(1 - 0.999**t))
            layers, gradients = (*encoder, *decoder), (*encoder_gradients, *decoder_gradients)
            for layer, gradient, moment in zip(layers, gradients, moments, strict=True):
                for p, g, (m, v) in zip(layer, gradient, moment, strict=True):
                    m *= 0.9
                    m += 0.1 * g
                    v *= 0.999
                    v += 0.001 * g * g
                    p -= np.float32(rate) * m / (np.sqrt(v) / correction + 1e-8)
        return float(loss)

    return run


def torch_(workload, compiled=False, bf16=False):
    import torch
    from torch.nn import functional

    n_features, _, latent, activation, batch_size = WORKLOADS[workload]
    X = torch.from_numpy(rows(n_features).astype(np.float32) / 255)
    parts = []
    for layers in first_weights(workload):
        modules = []
        for W, b in layers:
            linear = torch.nn.Linear(*W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T))
                linear.bias.copy_(torch.from_numpy(b))
            modules += [linear, torch.nn.Tanh() if activation == "tanh" else torch.nn.ReLU()]
        parts.append(torch.nn.Sequential(*modules[:-1]))
    encoder, decoder = parts
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], LEARNING_RATE, fused=True)
    picks = batches(batch_size)

    def objective(x):
        mu, logvar = encoder(x).split(latent, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        logits = decoder(z)
        reconstruction = functional.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum")
        kl = 0.5 * (mu.float() ** 2 + logvar.float().exp() - 1 - logvar.float()).sum()
        return (reconstruction + kl) / batch_size

    if compiled:
        objective = torch.compile(objective)

    def run(n):
        for _ in range(n):
            x = X[torch.from_numpy(next(picks))]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = objective(x)
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def jax_(workload, scan=False):
    import jax
    import jax.numpy as jnp

    n_features, _, _, activation, batch_size = WORKLOADS[workload]
    X = jnp.asarray(rows(n_features).astype(np.float32) / 255)
    f = jnp.tanh if activation == "tanh" else jax.nn.relu
    parameters = jax.tree.map(jnp.asarray, first_weights(workload))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    picks = batches(batch_size)

    def mlp(layers, x):
        for i, (W, b) in enumerate(layers):
            x = x @ W + b
            x = f(x) if i < len(layers) - 1 else x
        return x

    def objective(parameters, x, key):
        encoder, decoder = parameters
        mu, logvar = jnp.split(mlp(encoder, x), 2, axis=1)
        z = mu + jnp.exp(0.5 * logvar) * jax.random.normal(key, mu.shape)
        logits = mlp(decoder, z)
        reconstruction = (jnp.maximum(logits, 0) - x * logits + jnp.log1p(jnp.exp(-jnp.abs(logits)))).sum()
        kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar).sum()
        return (reconstruction + kl) / batch_size

    def step(state, picked):
        parameters, m, v, t, key, X = state
        key, noise_key = jax.random.split(key)
        loss, g = jax.value_and_grad(objective)(parameters, X[picked], noise_key)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate, correction = LEARNING_RATE / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / correction + 1e-8), parameters, m, v)
        return (parameters, m, v, t, key, X), loss

    steps = jax.jit(lambda state, picked: jax.lax.scan(step, state, picked), donate_argnums=0)
    one = jax.jit(step, donate_argnums=0)
    state = (parameters, zeros, jax.tree.map(jnp.zeros_like, zeros), jnp.float32(0), jax.random.key(0), X)

    def run(n):
        nonlocal state
        if scan:
            state, losses = steps(state, np.stack([next(picks) for _ in range(n)]))
            return float(losses[-1])
        for _ in range(n):
            state, loss = one(state, next(picks))
        return float(loss)

    return run


COMPETITORS = {
    "pyvae": pyvae_,
    "pyvae medium": lambda workload: pyvae_(workload, "medium"),
    "NumPy": numpy_,
    "PyTorch eager": torch_,
    "torch.compile": lambda workload: torch_(workload, compiled=True),
    "torch.compile bf16": lambda workload: torch_(workload, compiled=True, bf16=True),
    "JAX jit": jax_,
    "JAX lax.scan": lambda workload: jax_(workload, scan=True),
}
