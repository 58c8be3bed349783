"""A training step of the two published VAEs of convolutions (papers/convolutions.py) against PyTorch and JAX.

    pip install torch jax
    PYVAE_DATA=... python benchmarks/convolution_steps.py [--rounds 7] [--seconds 2] [--models keras tensorflow]

Rows of MNIST, gray for Keras' example and cut at 0.5 for TensorFlow's tutorial, their batch sizes, Adam. PyTorch is
given what its users write for "same": padding=1 and output_padding=1, which is the same work and one pixel to the side;
also with channels last, and compiled. JAX has the pictures with the channels last, as this library has them. How they
are timed: frameworks.py. --check prints the first losses of all, with the same weights, rows and no noise, PyTorch's
with the paddings of the others.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from frameworks import machine, measure, print_row, worker
from workloads import batches, pictures

sys.path.append(str(Path(__file__).parent / "papers"))

KERAS = {"convolutions": (32, 64), "dense": (16, 4), "channels": (64, 32), "first": 64}
TENSORFLOW = {"convolutions": (32, 64), "dense": (4,), "channels": (64, 32), "first": 32, "padding": "valid"}
MODELS = {"keras": (KERAS, 128, 1e-3), "tensorflow": (TENSORFLOW, 32, 1e-4)}
LATENT = 2


def rows(name):
    """float32 (N, 784): gray, or black and white."""
    X = pictures()[0].astype(np.float32) / np.float32(255)
    return X if name == "keras" else (X > 0.5).astype(np.float32)


def first_model(name):
    """The model that all of them begin with."""
    from convolutions import network

    import pyvae

    return pyvae.VAE(*network(**MODELS[name][0]), pyvae.Bernoulli(784), seed=0)


def pyvae_(name, noise=True):
    import pyvae
    from pyvae.training.step import Step

    _, batch_size, rate = MODELS[name]
    model, source = first_model(name), pyvae.ArraySource(rows(name))
    step, optimizer = Step(model, pyvae.ELBO()), pyvae.Adam(model.parameters, rate)
    picks, steps = batches(batch_size), iter(range(10**9))

    class Zeros(pyvae.Noise):
        def normal(self, name, shape, rows, dtype=np.float32, out=None):
            out[...] = 0
            return out

    of_step = pyvae.Noise if noise else Zeros

    def run(n):
        for _ in range(n):
            with step.team:
                _, _, loss = step(source, next(picks), of_step(0, next(steps)))
                optimizer.step()
        return loss

    return run


def torch_(name, channels_last=False, compiled=False, noise=True):
    import torch
    from torch.nn import functional

    model, (_, batch_size, rate) = first_model(name), MODELS[name]
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    paddings = {"same": 1, "valid": 0}

    def part(layers):
        """Functions of a tensor, and their parameters."""
        functions, parameters, of_picture = [], [], None
        for layer in layers:
            kind, activation = type(layer).__name__, functional.relu if layer.activation else (lambda a: a)
            W, b = torch.from_numpy(layer.W.copy()), torch.from_numpy(layer.b.copy())
            if kind == "Dense":
                if of_picture:  # the numbers of a picture in the order of its layers
                    W, of_picture = W.reshape(*of_picture, -1).permute(2, 0, 1, 3).reshape(W.shape), None
                W = torch.nn.Parameter(W.T.contiguous())
                functions.append(lambda x, W=W, b=b, f=activation: f(functional.linear(x.flatten(1), W, b)))
            else:
                shape = (layer.kernel, layer.kernel, -1, layer.W.shape[1])
                W = W.reshape(shape).permute(3, 2, 0, 1).contiguous(memory_format=memory_format)
                W, of_picture = torch.nn.Parameter(W), (layer.out_height, layer.out_width, layer.c_out)
                functions.append(partial(picture_layer, layer, W, b, activation))
            b.requires_grad_(True)
            parameters += [W, b]
        return functions, parameters

    def picture_layer(layer, W, b, activation, x):
        s, pads = layer.stride, paddings[layer.padding]
        if type(layer).__name__ == "Conv2d":
            if not noise and pads:
                return activation(functional.conv2d(functional.pad(x, (0, 1, 0, 1)), W, b, s))
            return activation(functional.conv2d(x, W, b, s, pads))
        if x.ndim == 2:
            x = x.view(len(x), layer.height, layer.width, -1).permute(0, 3, 1, 2)
            x = x.contiguous(memory_format=memory_format)
        if not noise and s == 2:
            return activation(functional.conv_transpose2d(x, W, b, s)[:, :, :-1, :-1])
        return activation(functional.conv_transpose2d(x, W, b, s, pads or 1, s - 1))

    (encoder, of_encoder), (decoder, of_decoder) = part(model.encoder.layers), part(model.decoder.layers)
    optimizer = torch.optim.Adam([*of_encoder, *of_decoder], rate, fused=True)
    X, picks = torch.from_numpy(rows(name)), batches(batch_size)

    def objective(x, eps):
        outputs = x.view(-1, 1, 28, 28).contiguous(memory_format=memory_format)
        for function in encoder:
            outputs = function(outputs)
        mu, logvar = outputs.split(LATENT, dim=1)
        y = mu + torch.exp(0.5 * logvar) * eps
        for function in decoder:
            y = function(y)
        log_px = functional.binary_cross_entropy_with_logits(y.flatten(1), x, reduction="none").sum(dim=1)
        return (log_px + 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)).mean()

    if compiled:
        objective = torch.compile(objective)

    def run(n):
        for _ in range(n):
            x = X[torch.from_numpy(next(picks))]
            eps = torch.randn(len(x), LATENT) if noise else torch.zeros(len(x), LATENT)
            optimizer.zero_grad(set_to_none=True)
            loss = objective(x, eps)
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def jax_(name, noise=True):
    import jax
    import jax.numpy as jnp
    from jax import lax

    model, (_, batch_size, rate) = first_model(name), MODELS[name]
    layers = [[*model.encoder.layers], [*model.decoder.layers]]
    numbers = ("NHWC", "HWIO", "NHWC")

    def weights(layer):
        W = jnp.array(layer.W)
        if type(layer).__name__ != "Dense":
            W = W.reshape(layer.kernel, layer.kernel, -1, layer.W.shape[1])
        return W, jnp.array(layer.b)

    def apply(layer, parameters, x):
        W, b = parameters
        kind, s = type(layer).__name__, getattr(layer, "stride", None)
        if kind == "Dense":
            y = x.reshape(len(x), -1) @ W + b
        elif kind == "Conv2d":
            x = x.reshape(len(x), layer.height, layer.width, -1)
            y = lax.conv_general_dilated(x, W, (s, s), layer.padding.upper(), dimension_numbers=numbers) + b
        else:
            x = x.reshape(len(x), layer.height, layer.width, -1)
            y = lax.conv_transpose(x, W, (s, s), "SAME", dimension_numbers=numbers, transpose_kernel=True) + b
        return jax.nn.relu(y) if layer.activation else y

    def loss_of(parameters, x, eps):
        outputs = x
        for layer, p in zip(layers[0], parameters[0], strict=True):
            outputs = apply(layer, p, outputs)
        mu, logvar = jnp.split(outputs, 2, axis=1)
        y = mu + jnp.exp(0.5 * logvar) * eps
        for layer, p in zip(layers[1], parameters[1], strict=True):
            y = apply(layer, p, y)
        y = y.reshape(len(x), -1)
        log_px = jnp.sum(x * y - jax.nn.softplus(y), axis=1)
        return jnp.mean(0.5 * jnp.sum(mu**2 + jnp.exp(logvar) - 1 - logvar, axis=1) - log_px)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(parameters, m, v, t, rows, key):
        x = X[rows]
        eps = jax.random.normal(key, (len(x), LATENT)) if noise else jnp.zeros((len(x), LATENT))
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, eps)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), parameters, m, v
        )
        return parameters, m, v, loss

    X, picks = jnp.array(rows(name)), batches(batch_size)
    parameters = [[weights(layer) for layer in part] for part in layers]
    m, v = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    state, steps, key = (parameters, m, v), iter(range(1, 10**9)), jax.random.key(0)

    def run(n):
        nonlocal state
        for _ in range(n):
            t = next(steps)
            *state, loss = step(*state, float(t), next(picks), jax.random.fold_in(key, t))
        return float(loss)

    return run


COMPETITORS = {
    "pyvae": pyvae_,
    "PyTorch": torch_,
    "PyTorch, channels last": partial(torch_, channels_last=True),
    "torch.compile": partial(torch_, channels_last=True, compiled=True),
    "JAX": jax_,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--check", action="store_true", help="losses of the first steps alone")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, model = options.worker
        worker(COMPETITORS[name](model), 5)
        return 0
    if not options.check:
        print(machine())
    for model in options.models:
        if options.check:
            for name, make in COMPETITORS.items():
                run = make(model, noise=False)
                print(f"{model:<12}{name:<24}", *(f"{run(1):.5f}" for _ in range(5)), flush=True)
        else:
            result, apart = measure(model, list(COMPETITORS), options.rounds, options.seconds, __file__)
            print_row(f"{model}, batch {MODELS[model][1]}", result, apart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
