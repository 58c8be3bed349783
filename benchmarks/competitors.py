"""The competitors of frameworks.py: one training step of a workload, written as each library's users would.

Every competitor is a function that returns ``run(n)``, which does n steps and returns the mean loss of the last of them
in nats (without the constants of normal and multinomial distributions), so that what is timed is also seen to learn.
"""

import math
from itertools import pairwise

import numpy as np
from workloads import ADULT_NUMBERS, ADULT_SIZES, LEARNING_RATE, WORKLOADS, batches, first_weights, rows

GROUPS = np.cumsum([len(ADULT_NUMBERS), *ADULT_SIZES])  # the edges of the one-hot columns of a table


def float_rows(workload):
    """The rows as float32, pixels and numbers from 0 to 1; a CSR matrix of counts."""
    X, _ = rows(workload)
    return X.astype(np.float32) / np.float32(255) if X.dtype == np.uint8 else X.astype(np.float32)


def pyvae_(workload, precision="highest"):
    import pyvae
    from pyvae.training.step import Step

    if precision == "medium" and pyvae._kernels.info()["bf16"] is None:
        raise RuntimeError("this processor has no bf16: it would be the same as float32")
    pyvae.set_matmul_precision(precision)
    w = WORKLOADS[workload]
    likelihood = {
        "table": lambda: pyvae.Mixed([pyvae.Gaussian(len(ADULT_NUMBERS), std=1.0), pyvae.Categorical(ADULT_SIZES)]),
        "words": lambda: "multinomial",
    }.get(w.rows, lambda: "bernoulli")()
    model = pyvae.VAE.mlp(w.n_features, w.latent, w.hidden, w.activation, likelihood)
    for part, layers in zip((model.encoder, model.decoder), first_weights(workload), strict=True):
        dense = [layer for layer in part.layers if isinstance(layer, pyvae.Dense)]
        for layer, (W, b) in zip(dense, layers, strict=True):
            layer.W[...], layer.b[...] = W, b
    X, _ = rows(workload)
    if w.rows == "words":
        source = pyvae.SparseSource(X)
    else:
        scale = 1 / 255 if X.dtype == np.uint8 else 1.0
        source = pyvae.ArraySource(X, scale, binarize="draw" if w.rows == "binarised" else None)
    objective = pyvae.ELBO() if w.samples == 1 else pyvae.ImportanceWeighted(w.samples)
    step, optimizer = Step(model, objective), pyvae.Adam(model.parameters, LEARNING_RATE)
    picks = batches(w.batch_size)
    steps = iter(range(10**9))

    def run(n):
        for _ in range(n):
            with step.team:
                _, _, loss = step(source, next(picks), pyvae.Noise(0, next(steps)))
                optimizer.step()
        return loss

    return run


def numpy_(workload):
    w = WORKLOADS[workload]
    if w.samples > 1:
        raise RuntimeError("this one is written for a single sample")
    latent, batch_size = w.latent, w.batch_size
    X = float_rows(workload)
    encoder, decoder = first_weights(workload)
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in (*encoder, *decoder)]
    rng, picks, steps = np.random.default_rng(3), batches(batch_size), iter(range(1, 10**9))
    f = np.tanh if w.activation == "tanh" else lambda a: np.maximum(a, 0)
    derivative = (lambda y: 1 - y * y) if w.activation == "tanh" else lambda y: y > 0

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

    def softmax_loss(x, outputs, doutputs):
        """-sum x log softmax(outputs), and its derivative, for rows of categories or counts."""
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        n = x.sum(axis=1, keepdims=True)
        doutputs[...] = n * (e / total) - x
        return (n * np.log(total)).sum() - (x * shifted).sum()

    def reconstruction(x, outputs):
        """-log p(x|z) of all rows, and its derivative by the outputs."""
        doutputs = np.empty_like(outputs)
        if w.rows == "words":
            return softmax_loss(x, outputs, doutputs), doutputs
        if w.rows == "table":
            n = GROUPS[0]
            doutputs[:, :n] = outputs[:, :n] - x[:, :n]
            loss = 0.5 * (doutputs[:, :n] ** 2).sum()
            for first, end in pairwise(GROUPS):
                loss += softmax_loss(x[:, first:end], outputs[:, first:end], doutputs[:, first:end])
            return loss, doutputs
        e = np.exp(-np.abs(outputs))
        np.subtract(np.where(outputs < 0, e, 1) / (1 + e), x, out=doutputs)
        return (np.maximum(outputs, 0) + np.log1p(e) - x * outputs).sum(), doutputs

    def run(n):
        for _ in range(n):
            x = X[next(picks)]
            if w.rows == "words":
                x = x.toarray()
            if w.rows == "binarised":
                x = (rng.random(x.shape, dtype=np.float32) < x).astype(np.float32)
            encoded = forward(encoder, np.log1p(x) if w.rows == "words" else x)
            mu, logvar = encoded[-1][:, :latent], encoded[-1][:, latent:]
            std = np.exp(logvar / 2)
            eps = rng.standard_normal(mu.shape, dtype=np.float32)
            decoded = forward(decoder, mu + std * eps)
            loss, doutputs = reconstruction(x, decoded[-1])
            loss = (loss + 0.5 * (mu**2 + std**2 - 1 - logvar).sum()) / batch_size
            dz, decoder_gradients = backward(decoder, decoded, doutputs / batch_size)
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

    w = WORKLOADS[workload]
    latent, batch_size = w.latent, w.batch_size
    X = float_rows(workload)
    X = X if w.rows == "words" else torch.from_numpy(X)
    parts = []
    for layers in first_weights(workload):
        modules = []
        for W, b in layers:
            linear = torch.nn.Linear(*W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T))
                linear.bias.copy_(torch.from_numpy(b))
            modules += [linear, torch.nn.Tanh() if w.activation == "tanh" else torch.nn.ReLU()]
        parts.append(torch.nn.Sequential(*modules[:-1]))
    encoder, decoder = parts
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], LEARNING_RATE, fused=True)
    picks = batches(batch_size)

    def reconstruction(x, outputs):
        if w.rows == "words":
            return -(x * functional.log_softmax(outputs, dim=1)).sum()
        if w.rows == "table":
            n = GROUPS[0]
            groups = zip(x[:, n:].split(ADULT_SIZES, 1), outputs[:, n:].split(ADULT_SIZES, 1), strict=True)
            squares = 0.5 * ((outputs[:, :n] - x[:, :n]) ** 2).sum()
            return squares - sum((a * functional.log_softmax(b, dim=1)).sum() for a, b in groups)
        return functional.binary_cross_entropy_with_logits(outputs, x, reduction="sum")

    def importance_weighted(x, mu, logvar):
        eps = torch.randn(len(x), w.samples, latent)
        z = mu + torch.exp(0.5 * logvar) * eps
        logits = decoder(z)
        pixels = x.unsqueeze(1).expand(-1, w.samples, -1)
        log_px = -functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(dim=2)
        log_w = log_px - 0.5 * (z**2 - eps**2 - logvar).sum(dim=2)
        return -(torch.logsumexp(log_w, dim=1) - math.log(w.samples)).mean()

    def objective(x):
        x = torch.bernoulli(x) if w.rows == "binarised" else x
        mu, logvar = encoder(torch.log1p(x) if w.rows == "words" else x).split(latent, dim=1)
        if w.samples > 1:
            return importance_weighted(x, mu.unsqueeze(1), logvar.unsqueeze(1))
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        kl = 0.5 * (mu.float() ** 2 + logvar.float().exp() - 1 - logvar.float()).sum()
        return (reconstruction(x, decoder(z).float()) + kl) / batch_size

    if compiled:
        objective = torch.compile(objective)

    def run(n):
        for _ in range(n):
            picked = next(picks)
            x = torch.from_numpy(X[picked].toarray()) if w.rows == "words" else X[torch.from_numpy(picked)]
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

    w = WORKLOADS[workload]
    X = float_rows(workload)
    X = jnp.asarray(X.toarray() if w.rows == "words" else X)
    f = jnp.tanh if w.activation == "tanh" else jax.nn.relu
    parameters = jax.tree.map(jnp.asarray, first_weights(workload))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    picks = batches(w.batch_size)

    def mlp(layers, x):
        for i, (W, b) in enumerate(layers):
            x = x @ W + b
            x = f(x) if i < len(layers) - 1 else x
        return x

    def reconstruction(x, outputs):
        if w.rows == "words":
            return -(x * jax.nn.log_softmax(outputs)).sum()
        if w.rows == "table":
            n = GROUPS[0]
            loss = 0.5 * ((outputs[:, :n] - x[:, :n]) ** 2).sum()
            for first, end in pairwise(GROUPS):
                loss -= (x[:, first:end] * jax.nn.log_softmax(outputs[:, first:end])).sum()
            return loss
        return (jnp.maximum(outputs, 0) - x * outputs + jnp.log1p(jnp.exp(-jnp.abs(outputs)))).sum()

    def importance_weighted(decoder, x, mu, logvar, key):
        eps = jax.random.normal(key, (len(x), w.samples, w.latent))
        z = mu + jnp.exp(0.5 * logvar) * eps
        outputs = mlp(decoder, z)
        terms = jnp.maximum(outputs, 0) - x[:, None] * outputs + jnp.log1p(jnp.exp(-jnp.abs(outputs)))
        log_w = -terms.sum(axis=2) - 0.5 * (z**2 - eps**2 - logvar).sum(axis=2)
        return -(jax.nn.logsumexp(log_w, axis=1) - math.log(w.samples)).mean()

    def objective(parameters, x, key):
        encoder, decoder = parameters
        mu, logvar = jnp.split(mlp(encoder, jnp.log1p(x) if w.rows == "words" else x), 2, axis=1)
        if w.samples > 1:
            return importance_weighted(decoder, x, mu[:, None], logvar[:, None], key)
        z = mu + jnp.exp(0.5 * logvar) * jax.random.normal(key, mu.shape)
        kl = 0.5 * (mu**2 + jnp.exp(logvar) - 1 - logvar).sum()
        return (reconstruction(x, mlp(decoder, z)) + kl) / w.batch_size

    def step(state, picked):
        parameters, m, v, t, key, X = state
        key, noise_key, pixel_key = jax.random.split(key, 3)
        x = X[picked]
        if w.rows == "binarised":
            x = jax.random.bernoulli(pixel_key, x).astype(jnp.float32)
        loss, g = jax.value_and_grad(objective)(parameters, x, noise_key)
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
