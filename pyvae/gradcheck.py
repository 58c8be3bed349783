"""Gradient checks: every gradient is compared with finite differences of the forward pass, in NumPy alone.

For a function f of many numbers and one of them, w, the central difference

    (f(w + h) - f(w - h)) / 2 h  =  df/dw + O(h^2),      h = (2^-52)^(1/3) = 6e-6 in float64

needs only f. A gradient is compared with it in every coordinate of a small tensor, and in some coordinates and some
random directions of a large one. The error of a tensor is

    max |numerical - analytic| / max(max |numerical|, max |analytic|),

so that a tensor of small gradients is held to the same relative accuracy as one of large ones.

Kinks. ReLU has no derivative at 0. If there is a kink between w - h and w + h, the slopes to the left and to the right
differ. The central difference lies between them, and so does the analytic gradient. Such a coordinate proves nothing
and is skipped. At most 1% of the compared coordinates may be skipped. Of the usual 64 that is none: one kink fails the
check. The slopes of a smooth function differ too, by h f'' + O(h^3), but in proportion to h:
such a difference does not excuse a wrong gradient.

A gradient check cannot see a wrong forward pass with a backward pass that fits it, such as exp(logvar) taken for the
standard deviation; other tests check such things. This module imports nothing of pyvae, so that nothing it checks can
help it pass. tests/test_gradients.py plants wrong gradients, which the checks must notice: scaled by 1 + 1e-5, one sign
flipped, a bias forgotten. (tests/mutation/mutate.py changes a thousand lines of the library one by one: it measures all
tests of gradients together, not this module alone.)
"""

from typing import Any, NamedTuple

import numpy as np

STEP = 6e-6


class Check(NamedTuple):
    """The comparison of one tensor's gradient with finite differences."""

    name: str
    error: float  # maximum norm, relative to the larger of the two
    compared: int  # coordinates and directions
    skipped: int  # coordinates at a kink
    passed: bool

    def __str__(self):
        verdict = "ok" if self.passed else "WRONG"
        return f"{self.name:<44} {self.error:8.1e}  {self.compared:4d} compared {self.skipped:3d} skipped  {verdict}"


class GradientError(AssertionError):
    """A gradient that disagrees with finite differences."""


def check_gradient(f, w, gradient, name="w", *, tolerance=1e-6, step=STEP, coordinates=64, directions=8, seed=0):
    """Compare an analytic gradient with central differences of f; returns a Check.

    f: a function without arguments that evaluates at the present content of w, a float64 array, which is changed in
    place and put back. gradient: df/dw, of w's shape. coordinates: the most that are compared; if w has more, the seed
    chooses them. directions: the number of random unit directions compared besides, if w has more. Raises TypeError
    unless w is float64.
    """
    if w.dtype != np.float64:
        raise TypeError(f"{name} must be float64: differences of float32 have no digits to compare")
    rng = np.random.default_rng(seed)
    if w.size <= coordinates:
        directions_in_w = [_unit(w.shape, i) for i in range(w.size)]
    else:
        directions_in_w = [_unit(w.shape, i) for i in rng.choice(w.size, coordinates, replace=False)]
        directions_in_w += [d / np.linalg.norm(d) for d in rng.standard_normal((directions, *w.shape))]
    analytic = np.array([np.sum(direction * gradient) for direction in directions_in_w])
    slopes = np.array([_slopes(f, w, direction, step) for direction in directions_in_w])  # (directions, 2)
    numerical = slopes.mean(axis=1)
    scale = max(np.abs(analytic).max(), np.abs(numerical).max()) or 1.0
    errors = np.abs(numerical - analytic) / scale
    at_kink = np.zeros(len(errors), dtype=bool)
    for i in np.flatnonzero(errors > tolerance):
        between = slopes[i].min() - tolerance * scale <= analytic[i] <= slopes[i].max() + tolerance * scale
        at_kink[i] = between and _is_kink(f, w, directions_in_w[i], step)
    error = float(errors[~at_kink].max(initial=0))
    skipped = int(at_kink.sum())
    passed = error <= tolerance and skipped <= 0.01 * len(errors) and bool(np.isfinite(errors).all())
    return Check(name, error, len(errors) - skipped, skipped, passed)


def _unit(shape, i):
    direction = np.zeros(shape)
    direction.flat[i] = 1
    return direction


def _slopes(f, w, direction, step):
    """Difference quotients to the left and to the right along a direction; their mean is the central one."""
    kept = w.copy()
    try:
        here = f()
        w[...] = kept + step * direction
        right = f()
        w[...] = kept - step * direction
        left = f()
    finally:
        w[...] = kept
    return (here - left) / step, (right - here) / step


def _is_kink(f, w, direction, step):
    """True if the gap between the slopes is not in proportion to ``step``, as it is for a smooth function.

    With a kink at distance d the gap is in proportion to max(1 - |d| / step, 0). After one halving of ``step`` that can
    look like a smooth function's gap (|d| = step / 3), but not after two.
    """
    gap, half, quarter = (np.subtract(*_slopes(f, w, direction, step / n)) for n in (1, 2, 4))
    return abs(half - gap / 2) > 0.1 * abs(gap) or abs(quarter - gap / 4) > 0.1 * abs(gap)


def check_gradients(
    model: Any, X: Any, *, n_samples: int = 1, beta: float = 1.0, objective: Any = None, tolerance: float = 1e-6,
    seed: int = 0,
) -> list[Check]:  # fmt: skip
    """Check every parameter's gradient of a model's loss, in nats, on the rows X; returns the list of Checks.

    The model is copied to float64, and the copy's parameters are moved a little at random, as the zero biases of a new
    model can put ReLU units exactly on their kink; the noise is frozen. X: (B, D), within the likelihood's support; a
    handful of rows is enough. n_samples: samples of z a row. beta: weight of the KL. objective: in place of both, an
    Objective with its own number of samples. Raises GradientError, naming the tensors, where a gradient is wrong: by
    more than ``tolerance`` in the maximum norm per tensor, or with more than 1% of the compared coordinates at kinks;
    ValueError or TypeError for arguments that cannot be used, X as in ``model.elbo``.
    """
    _check_argument("n_samples", n_samples, int | np.integer, 1, "a whole number from 1")
    _check_argument("seed", seed, int | np.integer, 0, "a whole number from 0")
    _check_argument("tolerance", tolerance, float | int, 0, "a number from 0")
    if objective is not None and n_samples != 1:
        raise ValueError("give n_samples or an objective, which has its own, not both")
    n_samples = getattr(objective, "n_samples", n_samples)
    model = model.astype(np.float64)
    rng = np.random.default_rng(seed)
    eps = rng.standard_normal((len(model.rows(X)) * model.draws * n_samples, model.noise_dim))
    arena = model.parameters
    arena.values += 1e-3 * rng.standard_normal(arena.values.shape)
    model.loss_and_gradients(X, eps, beta, objective)
    gradients = {name: arena.grad(name).copy() for name in arena.names}

    def loss():
        return model.loss_and_gradients(X, eps, beta, objective)

    checks = [
        check_gradient(loss, arena[name], gradients[name], name, tolerance=tolerance, seed=seed) for name in arena.names
    ]
    return raise_if_wrong(checks)


def _check_argument(name, value, kind, least, expected):
    if isinstance(value, bool) or not isinstance(value, kind) or not value >= least:
        raise ValueError(f"{name} must be {expected}, not {value!r:.40}")


def check_layer(layer, arena, x, *, noise=None, name="layer", tolerance=1e-6, seed=0):
    """Check a layer's gradients by its input and by every parameter; returns the list of Checks.

    arena: holds the layer's parameters, float64. The loss is sum(weights * y) with random weights. It also checks that
    a zero dy gives exactly zero, and that a second backward pass agrees with the first to the bit and adds as much
    again. Raises GradientError where a gradient is wrong.
    """
    rng = np.random.default_rng(seed)
    y, cache = layer.forward(x, noise)
    weights = rng.standard_normal(y.shape)
    arena.zero_grads()
    dx = layer.backward(weights, cache).copy()
    gradients = {parameter: arena.grad(parameter).copy() for parameter in arena.names}

    def loss():
        return float(np.sum(weights * layer.forward(x, noise)[0]))

    checks = [check_gradient(loss, x, dx, f"{name}: dx", tolerance=tolerance, seed=seed)]
    for parameter, gradient in gradients.items():
        label = f"{name}: d{parameter.rpartition('.')[2]} of {parameter.rpartition('.')[0]}"
        checks.append(check_gradient(loss, arena[parameter], gradient, label, tolerance=tolerance, seed=seed))

    again = np.array_equal(layer.backward(weights, cache), dx)
    doubled = all(np.abs(arena.grad(n) - 2 * g).max() <= 1e-12 * np.abs(g).max() for n, g in gradients.items())
    checks.append(Check(f"{name}: backward twice", 0.0, 1, 0, again and doubled))
    arena.zero_grads()
    zero = not layer.backward(np.zeros_like(weights), cache).any() and not arena.grads.any()
    checks.append(Check(f"{name}: zero dy", 0.0, 1, 0, zero))
    return raise_if_wrong(checks)


def raise_if_wrong(checks):
    """Return the checks if all passed; else raise a GradientError that names the others."""
    wrong = [check for check in checks if not check.passed]
    if wrong:
        raise GradientError("wrong gradients:\n" + "\n".join(str(check) for check in wrong))
    return checks
