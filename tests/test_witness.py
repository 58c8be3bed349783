"""An outside witness: losses, gradients and ten Adam steps of five models, as PyTorch's autograd computes them.

``witness/witness.npz`` was made by ``witness/make_witness.py``, which shares no code with pyvae; what the file holds
stands in its docstring. Everything here is float64, through whatever kernels are active.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.data.batch import Batch

with np.load(Path(__file__).parent / "witness" / "witness.npz") as file:
    WITNESS = dict(file)
CASES = json.loads(str(WITNESS["cases"]))


def assert_close(actual, expected, tolerance, name):
    """Equal to the tolerance, in the maximum norm relative to what is expected."""
    assert np.shape(actual) == np.shape(expected), name
    error = np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max()
    assert error <= tolerance, f"{name}: error {error:.1e}"


def network(part):
    sizes = zip(part["sizes"][:-1], part["sizes"][1:], part["activations"], strict=True)
    return pyvae.Sequential(*(pyvae.Dense(*layer) for layer in sizes))


def make_likelihood(config, n_features):
    match config:
        case {"kind": "bernoulli"}:
            return pyvae.Bernoulli(n_features)
        case {"kind": "categorical", "sizes": sizes}:
            return pyvae.Categorical(sizes)
        case {"kind": "gaussian", **options}:
            return pyvae.Gaussian(n_features, **options)


class Case:
    """A model with the witness's weights, and all that the witness says about it."""

    def __init__(self, name):
        self.config = CASES[name]
        self.said = {key.partition("/")[2]: value for key, value in WITNESS.items() if key.startswith(name + "/")}
        self.model = pyvae.VAE(
            network(self.config["encoder"]), network(self.config["decoder"]),
            make_likelihood(self.config["likelihood"], self.said["x"].shape[1]),
            posterior=pyvae.DiagonalGaussian(self.config.get("logvar_bounds")), dtype=np.float64,
        )  # fmt: skip
        arena = self.model.parameters
        assert set(arena.names) == set(self.said["names"])
        for parameter, value in self.tensors(self.said["parameters"]):
            arena[parameter][...] = value

    def tensors(self, vector):
        """Names and tensors, cut out of a vector of all parameters."""
        start = 0
        for name in self.said["names"]:
            shape = self.model.parameters[name].shape
            stop = start + int(np.prod(shape))
            yield name, vector[start:stop].reshape(shape)
            start = stop
        assert start == len(vector)

    def forward(self):
        batch, noise = Batch(self.said["x"]), pyvae.Noise.frozen(z=self.said["eps"])
        return self.model.forward(batch, noise, k=self.config["samples"])

    def objective(self, terms):
        weight = self.said["weight"] if self.config.get("weighted") else None
        return pyvae.elbo(terms, weight, beta=self.config["beta"])


@pytest.fixture(params=CASES)
def case(request):
    return Case(request.param)


def test_terms_and_loss(case):
    terms, _ = case.forward()
    for name, term in terms._asdict().items():
        if term is not None:
            assert_close(term, case.said[name].reshape(term.shape), 1e-9, name)
    loss, dterms = case.objective(terms)
    assert_close(loss, case.said["loss"], 1e-9, "loss")
    assert_close(dterms.log_px.ravel(), case.said["d_log_px"], 1e-9, "dlog_px")
    assert_close(dterms.kl, case.said["d_kl"], 1e-9, "dkl")


def test_gradients(case):
    terms, cache = case.forward()
    case.model.backward(cache, case.objective(terms)[1])
    for name, gradient in case.tensors(case.said["gradient"]):
        assert_close(case.model.parameters.grad(name), gradient, 1e-9, name)


@pytest.mark.parametrize("name", [name for name, config in CASES.items() if not config.get("weighted")])
def test_loss_and_gradients(name):
    """The short form, which knows no weights, gives the same in place of whatever gradients were there."""
    case = Case(name)
    case.model.parameters.grads[...] = 1e3
    loss = case.model.loss_and_gradients(case.said["x"], case.said["eps"], beta=case.config["beta"])
    assert_close(loss, case.said["loss"], 1e-9, "loss")
    for name, gradient in case.tensors(case.said["gradient"]):
        assert_close(case.model.parameters.grad(name), gradient, 1e-9, name)


def test_gradients_of_all_terms(case):
    """Not only of those that the ELBO is made of: the derivative of sum(direction * term) over every term."""
    terms, cache = case.forward()
    directions = {
        name: case.said[f"direction_{name}"].reshape(term.shape)
        for name, term in terms._asdict().items()
        if term is not None
    }
    case.model.backward(cache, pyvae.Terms(**directions))
    for name, gradient in case.tensors(case.said["gradient_of_terms"]):
        assert_close(case.model.parameters.grad(name), gradient, 1e-9, name)

    case.model.parameters.zero_grads()
    for name, direction in directions.items():  # each alone, one after the other: gradients add up
        case.model.backward(cache, pyvae.Terms(**{name: direction}))
    for name, gradient in case.tensors(case.said["gradient_of_terms"]):
        assert_close(case.model.parameters.grad(name), gradient, 1e-9, name)


def test_ten_steps_of_adam(case):
    arena = case.model.parameters
    arena.set_paces([])  # PyTorch's Adam moves all parameters alike
    optimizer = pyvae.Adam(arena, **case.config["adam"])
    for i, expected in enumerate(case.said["adam"], 1):
        arena.zero_grads()
        terms, cache = case.forward()
        case.model.backward(cache, case.objective(terms)[1])
        optimizer.step()
        for name, value in case.tensors(expected):
            assert_close(arena[name], value, 1e-8, f"{name} after step {i}")
