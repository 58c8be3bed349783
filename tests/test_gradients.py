"""The gradients of every part of the library, and that the checker notices wrong ones."""

import numpy as np
import pytest

import pyvae
from pyvae.command import checkup
from pyvae.command.checks import common
from pyvae.gradcheck import GradientError, check_gradient, check_layer


@pytest.mark.parametrize("group", checkup.GROUPS)
def test_gradients(group):
    tolerance = 1e-4 if "float32" in group else 1e-6
    checks = checkup.GROUPS[group]()
    assert checks
    for check in checks:
        assert check.passed and check.error <= tolerance, str(check)


def test_every_layer_and_likelihood_is_checked():
    """A new class in the public interface must appear in the check-up."""
    names = " ".join(check.name for group in ("layers", "likelihoods") for check in checkup.GROUPS[group]())
    for name in pyvae.__all__:
        kind = getattr(pyvae, name)
        abstract = kind in (pyvae.Layer, pyvae.Likelihood)
        if isinstance(kind, type) and issubclass(kind, pyvae.Layer | pyvae.Likelihood) and not abstract:
            assert name in names


class WrongDense(pyvae.Dense):
    """A layer whose backward pass is wrong in a way that the test chooses."""

    def __init__(self, change):
        super().__init__(7, 5, "tanh")
        self.change = change

    def backward(self, dy, cache, need_dx=True):
        dx = super().backward(dy, cache)
        self.change(self, dx)
        return dx


def scale_dx(layer, dx):
    dx *= 1 + 1e-5


def flip_one_weight(layer, dx):
    layer.dW[2, 3] *= -1


def forget_bias(layer, dx):
    layer.db[...] = 0


@pytest.mark.parametrize("change", [scale_dx, flip_one_weight, forget_bias])
def test_planted_wrong_gradients_are_found(change):
    layer = WrongDense(change)
    with pytest.raises(GradientError, match="WRONG"):
        check_layer(layer, common.arena_of(layer), np.random.default_rng(0).standard_normal((6, 7)))


def test_a_first_layer_with_a_backward_of_its_own():
    class Scaled(pyvae.Dense):
        def forward(self, x, noise=None, memory=pyvae.FRESH):
            return super().forward(3 * x, noise, memory)

        def backward(self, dy, cache, need_dx=True):
            dx = super().backward(dy, cache, need_dx)
            return None if dx is None else 3 * dx

    pyvae.register(Scaled)
    X = np.random.default_rng(0).random((5, 6))
    for encoder in (Scaled(6, 4), pyvae.Sequential(Scaled(6, 5), pyvae.Dense(5, 4))):
        pyvae.check_gradients(pyvae.VAE(encoder, pyvae.Dense(2, 6), pyvae.Bernoulli(6)), X)


def test_wrong_model_gradient_names_the_tensor():
    class Wrong(pyvae.Dense):
        def backward(self, dy, cache, need_dx=True):
            dx = super().backward(dy, cache)
            self.db *= 2
            return dx

    pyvae.register(Wrong)
    encoder, decoder = Wrong(6, 4), pyvae.Dense(2, 6)
    model = pyvae.VAE(encoder, decoder, pyvae.Bernoulli(6))
    with pytest.raises(GradientError, match=r"encoder\.b .*WRONG") as caught:
        pyvae.check_gradients(model, np.random.default_rng(0).random((5, 6)))
    assert "decoder" not in str(caught.value)


def test_kinks_are_skipped_but_do_not_excuse_a_wrong_gradient():
    w = np.linspace(-2, 3, 102)
    w[7] = 0

    def f():
        return float(np.maximum(w, 0).sum() + (w**2).sum())

    right = (w > 0) + 2 * w
    check = check_gradient(f, w, right, coordinates=102)
    assert check.passed and check.skipped == 1 and check.compared == 101
    for place, error in ((20, 1e-3), (7, 1.5)):  # 1.5 lies outside the two slopes at the kink, 0 and 1
        wrong = right.copy()
        wrong[place] += error
        assert not check_gradient(f, w, wrong, coordinates=102).passed


def test_curvature_is_no_kink():
    """To the left and right of a strongly curved place slopes differ as well, and a wrong gradient can lie between."""
    w = np.array([0.0, 1.0])
    assert not check_gradient(lambda: float(500 * w[0] ** 2 + w[1]), w, np.array([0.002, 1.0])).passed
    assert check_gradient(lambda: float(500 * w[0] ** 2 + w[1]), w, np.array([0.0, 1.0])).passed


def test_too_many_kinks_fail():
    w = np.zeros(10)
    assert not check_gradient(lambda: float(np.maximum(w, 0).sum()), w, np.zeros(10)).passed


def test_checker_refuses_float32():
    w = np.zeros(3, dtype=np.float32)
    with pytest.raises(TypeError, match="float64"):
        check_gradient(lambda: 0.0, w, w)


def test_checker_puts_the_values_back():
    w = np.random.default_rng(0).standard_normal(300)
    before = w.copy()
    check_gradient(lambda: float(np.sin(w).sum()), w, np.cos(w))
    np.testing.assert_array_equal(w, before)


def test_gradcheck_imports_numpy_alone():
    import ast
    import inspect

    from pyvae import gradcheck

    tree = ast.parse(inspect.getsource(gradcheck))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"numpy", "typing"}
