"""The catalogue of kernels: every native kernel once, by the shapes and kinds of its arguments, beside its NumPy twin.

What is right is what the twin computes in float64. The native kernel and the twin in the type at hand must both come
within a bound that each case states: a small multiple of eps times the size of the numbers that were added up.
"""

import importlib
import inspect
from itertools import pairwise
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, gammaln

from pyvae import _kernels
from pyvae.layers.activations import ACTIVATIONS as TABLE

if not _kernels.BUILT:
    pytest.skip(reason="this installation was built without native kernels", allow_module_level=True)


FUNCTIONS = {module: names for module, names in _kernels.FUNCTIONS.items() if module != "tape"}
MODULE = {function: module for module, functions in FUNCTIONS.items() for function in functions}

NATIVE = {name: importlib.import_module(f"pyvae._kernels.{name}") for name in FUNCTIONS}
TWINS = {name: importlib.import_module(f"pyvae._kernels.{name}_ref") for name in FUNCTIONS}
cpu, runtime = (importlib.import_module(f"pyvae._kernels.{name}") for name in ("cpu", "runtime"))

LEVELS = cpu.LEVELS[: cpu.LEVELS.index(cpu.HIGHEST_LEVEL) + 1]
REALS = (np.float32, np.float64)
KEEP_INPUT = [word for word, layer in TABLE.items() if layer.keeps_input]  # whose backward is given x, not y
ACTIVATIONS = (None, *TABLE)
KEY = (0x12345678, 0xFEDCBA98)

# --- What the kernels take -------------------------------------------------------------------------------------------


class Array(NamedTuple):
    """An argument: its shape in letters (B rows, K = B k rows of samples, D and H columns, N = B D, P = 2 D, T = D (D -
    1) / 2 below a diagonal, F = 2 D + 1 of a flow; C = D + 1 channels of pictures of 3 x 5 pixels, I numbers in all, V
    that 3 x 3 taps see, O of 2 x 3 places of H filters, Q of 2 x 4 places of 2 filters) and its kind."""

    shape: str
    kind: str = "normal"
    dtype: type | None = None  # None: the float type at hand


class Sizes(NamedTuple):
    B: int
    k: int
    D: int
    H: int

    def shape(self, letters):
        sizes = {**self._asdict(), "K": self.B * self.k, "N": self.B * self.D, "P": 2 * self.D}
        sizes |= {"T": self.D * (self.D - 1) // 2, "F": 2 * self.D + 1}
        channels = self.D + 1
        sizes |= {"C": channels, "I": 15 * channels, "V": 9 * channels, "O": 6 * self.H, "Q": 16, "U": 4 * channels}
        return tuple(sizes[letter] if letter in sizes else int(letter) for letter in letters)


def edges_of(columns):
    """Groups of 1, 2, 17, 3 and 40 columns, again and again, that cover the columns."""
    edges = np.cumsum([0] + [1, 2, 17, 3, 40] * (columns // 63 + 1))
    return np.append(edges[edges < columns], columns)


def one_hot(rng, shape):
    x = np.zeros(shape)
    for first, end in pairwise(edges_of(shape[1])):
        x[np.arange(shape[0]), rng.integers(first, end, size=shape[0])] = 1
    return x


def values_of(array, shape, rng, real, activation=None):
    """An argument's values. What goes in must be exact in float32, so that all types are given the same numbers."""
    kinds = {
        "normal": lambda: rng.standard_normal(shape),
        "unit": lambda: rng.random(shape),
        "small": lambda: (rng.random(shape) - 0.5) / 64,
        "positive": lambda: rng.standard_normal(shape) ** 2,
        "one-hot": lambda: one_hot(rng, shape),
        "counts": lambda: rng.negative_binomial(0.2, 0.01, shape),
        "activated": lambda: activated(rng.standard_normal(shape), None if activation in KEEP_INPUT else activation),
        "bytes": lambda: rng.integers(0, 256, shape),
        "words": lambda: rng.integers(0, 2**32, shape),
        "negative": lambda: -np.abs(rng.standard_normal(shape)),
        "label": lambda: rng.integers(-1, 9, shape),
        "one of 9": lambda: rng.integers(0, 9, shape),
        "edges": lambda: edges_of(shape[0]),
        "zero or one": lambda: rng.integers(0, 2, shape),
        "empty": lambda: np.full(shape, -1 if array.dtype else np.nan),  # NaN would show if it were read
    }
    values = kinds[array.kind]()
    return values.astype(np.float32).astype(real) if array.dtype is None else values.astype(array.dtype)


def activated(x, activation):
    y = np.empty_like(x)
    TWINS["elementwise"].activate(x, activation, y)
    return y


class Case(NamedTuple):
    """A kernel and one way to call it."""

    kernel: str  # its name in pyvae._kernels
    inputs: dict  # argument: an Array, or the value
    outputs: dict  # argument: an Array
    size: object = None  # arguments in float64 -> what each output's error is a multiple of; None: exact
    factor: float = 4  # the multiple, times eps
    any_row_stride: bool = False  # an output's rows may be any distance apart; else it must be contiguous
    note: str = ""

    def function(self, modules):
        return getattr(modules[MODULE[self.kernel]], self.kernel)

    def make(self, sizes, real, seed=0):
        """Arguments: name -> value, the outputs' first contents included."""
        rng = np.random.default_rng(seed)
        arguments = {}
        for name, spec in {**self.inputs, **self.outputs}.items():
            if isinstance(spec, Array):
                spec = values_of(spec, sizes.shape(spec.shape), rng, real, self.inputs.get("activation"))
            elif callable(spec):
                spec = spec(sizes)
            arguments[name] = spec
        return arguments

    def floats(self, with_outputs=False):
        """Names of the arguments that are arrays of the float type at hand."""
        specs = {**self.inputs, **self.outputs} if with_outputs else self.inputs
        return [name for name, spec in specs.items() if isinstance(spec, Array) and spec.dtype is None]

    def __str__(self):
        return f"{self.kernel} {self.note}".strip()


# --- How large the numbers are that each kernel adds up --------------------------------------------------------------


def product_size(a, b):
    """The length of the sums times |a| |b|: the bound of a product, componentwise."""
    return max(a.shape[1], 1) * (np.abs(a) @ np.abs(b))


def row_sum(terms):
    """Sums over columns, of which 16 run side by side."""
    return (1 + terms.shape[1] / 64) * np.sum(np.abs(terms), axis=1)


def each_row(x, outputs):
    return np.repeat(x, len(outputs) // max(len(x), 1), axis=0)


def by_row(a, rows):
    """Sums over the k samples of each row."""
    return a.reshape(rows, len(a) // max(rows, 1), a.shape[1]).sum(axis=1)


def size_of_dense(a):
    size = product_size(a.x, a.W) + (0 if a.b is None else np.abs(a.b))
    return {"out": 1.13 * size + np.abs(activated(a.x @ a.W, a.activation))}  # no activation is steeper


def size_of_dW(a):
    return {"out": product_size(a.x.T, a.dy), "db": max(len(a.dy), 1) * np.sum(np.abs(a.dy), axis=0)}


def size_of_conv(a):
    """That of the same sums of what is added up, by the twin."""
    size = np.empty_like(a.out)
    TWINS["convolution"].conv(np.abs(a.x), np.abs(a.W), a.b if a.b is None else np.abs(a.b), a.geometry, None, size)
    value = np.empty_like(a.out)
    TWINS["convolution"].conv(a.x, a.W, a.b, a.geometry, a.activation, value)
    return {"out": 1.13 * len(a.W) * size + np.abs(value)}


def size_of_conv_dx(a):
    size, value = np.empty_like(a.out), np.empty_like(a.out)
    b = a.b if a.b is None else np.abs(a.b)
    TWINS["convolution"].conv_dx(np.abs(a.dy), np.abs(a.W), b, a.geometry, None, size)
    TWINS["convolution"].conv_dx(a.dy, a.W, a.b, a.geometry, a.activation, value)
    return {"out": 1.13 * (a.geometry[3] ** 2 * a.W.shape[1] + 1) * size + np.abs(value)}


def size_of_conv_dW(a):
    size, db = np.empty_like(a.out), np.zeros(a.out.shape[1])
    TWINS["convolution"].conv_dW(np.abs(a.x), np.abs(a.dy), a.geometry, size, db)
    places = max(len(a.x) * a.geometry[7] * a.geometry[8], 1)
    return {"out": places * size, "db": places * db}


def size_of_gelu(a):
    return {"out": np.abs(activated(a.x, "gelu")) * (1 + a.x**2)}  # exp(-x^2 / 2) magnifies the rounding of x^2


def size_of_column_sums(a):
    return {"out": max(len(a.x), 1) * np.sum(np.abs(a.x), axis=0)}


def size_of_activate_backward(a):
    dx = np.empty_like(a.dy)
    TWINS["elementwise"].activate_backward(a.dy, a.y, a.activation, dx)
    cancels = ("elu", "tanh", "silu", "gelu")  # in 1 - y^2 and the like
    error = 0 if a.activation in (None, "relu") else np.abs(a.dy) if a.activation in cancels else np.abs(dx)
    return {"dx": error}


def size_of_softmax(a):
    largest = a.x.max(axis=1, keepdims=True, initial=-np.inf) if a.x.size else np.zeros((len(a.x), 1))
    far = largest - a.x
    e = np.exp(-far)
    shares = e / e.sum(axis=1, keepdims=True)
    return {"out": shares * (2 + far + row_sum(far * shares)[:, None]), "log_sum": 2 + np.abs(largest[:, 0])}


def size_of_log_softmax(a):
    largest = a.x.max(axis=1, keepdims=True, initial=-np.inf) if a.x.size else np.zeros((len(a.x), 1))
    far = largest - a.x
    shares = np.exp(-far) / np.exp(-far).sum(axis=1, keepdims=True)
    return {"out": far + (2 + np.log(max(a.x.shape[1], 1)) + row_sum((1 + far) * shares)[:, None])}


def size_of_log_softmax_backward(a):
    return {"dx": np.abs(a.dout) + np.exp(a.out) * (2 + np.abs(a.out)) * row_sum(a.dout)[:, None]}


def size_of_layer_norm(a):
    largest = np.abs(a.x).max(axis=1, initial=0)
    r = 1 / np.sqrt(a.x.var(axis=1) + a.epsilon) if a.x.size else np.ones(len(a.x))
    r_size = r * (1 + r**2 * largest**2)
    u_size = 2 * (largest * r_size)[:, None] * np.ones_like(a.x)
    return {"out": np.abs(a.gain) * u_size + np.abs(a.bias), "u": u_size, "r": r_size}


def size_of_layer_norm_backward(a):
    du, over = np.abs(a.dy * a.gain), max(a.dy.shape[1], 1)
    inside = du + (row_sum(du)[:, None] + np.abs(a.u) * row_sum(du * np.abs(a.u))[:, None]) / over
    rows = max(len(a.dy), 1)
    return {
        "dx": np.abs(a.r)[:, None] * inside,
        "dgain": rows * (np.sum(np.abs(a.dy * a.u), axis=0) + np.abs(a.dgain)),
        "dbias": rows * (np.sum(np.abs(a.dy), axis=0) + np.abs(a.dbias)),
    }


def size_of_reparameterize(a):
    mu, logvar = each_row(a.mu, a.eps), each_row(a.logvar, a.eps)
    return {
        "z": np.abs(mu) + np.exp(logvar / 2) * np.abs(a.eps),
        "log_qz": row_sum(a.eps**2 + np.abs(logvar) + np.log(2 * np.pi)),
    }


def size_of_reparameterize_backward(a):
    k, rows = len(a.eps) // max(len(a.logvar), 1), len(a.logvar)
    dlog_qz = getattr(a, "dlog_qz", None)
    through_log_q = 0.0 if dlog_qz is None else by_row(np.abs(dlog_qz[:, None]), rows)
    return {
        "dmu": k * by_row(np.abs(a.dz), rows),
        "dlogvar": (k + 1) * by_row(np.abs(a.dz * a.eps), rows) * np.exp(a.logvar / 2) + k * through_log_q,
    }


def components_of(a):
    """|z - mu| and its product with the precision, as large as its error with that of the exponential, (B, H, D)."""
    distance = np.abs(a.z[:, None] - a.mu)
    return distance, distance * np.exp(-a.logvar) * (1 + np.abs(a.logvar))


def size_of_components(a):
    distance, scaled = components_of(a)
    terms = distance * scaled + np.abs(a.logvar) + np.log(2 * np.pi)
    return {"out": max(a.z.shape[1], 1) * np.sum(terms, axis=2)}


def size_of_components_backward(a):
    distance, scaled = components_of(a)
    dout, rows = np.abs(a.dout)[:, :, None], max(len(a.z), 1)
    return {
        "dz": max(len(a.mu), 1) * np.sum(dout * scaled, axis=1),
        "dmu": rows * np.sum(dout * scaled, axis=0),
        "dlogvar": rows * np.sum(dout * (scaled * distance + 1), axis=0),
    }


def coupling_of(a):
    """e^s, with its error as a multiple of eps, and shift."""
    raw, shift = np.split(a.outputs, 2, axis=1)
    return np.exp(np.tanh(raw)), np.abs(shift)


def size_of_coupling(a):
    scale, shift = coupling_of(a)
    return {"y": 2 * scale * np.abs(a.x) + shift, "log_det": row_sum(np.log(scale)) + np.abs(a.log_det)}


def size_of_coupling_inverse(a):
    scale, shift = coupling_of(a)
    return {"x": 2 * (np.abs(a.y) + shift) / scale}


def size_of_coupling_backward(a):
    scale, _ = coupling_of(a)
    dx = 2 * scale * np.abs(a.dy)
    return {"dx": dx, "doutputs": np.hstack([dx * np.abs(a.x) + np.abs(a.dlog_det)[:, None], np.abs(a.dy)])}


def size_of_full_gaussian(a):
    L = TWINS["cholesky"].factor_of(a.log_diagonal, np.abs(a.lower)) * (1 + a.mu.shape[1] / 64)
    z = np.einsum("bij,bkj->bki", L, TWINS["cholesky"].by_row(np.abs(a.eps), len(a.mu)))
    diagonal = each_row(np.exp(a.log_diagonal) * np.abs(a.log_diagonal), a.eps) * np.abs(a.eps)
    return {
        "z": each_row(np.abs(a.mu), a.eps) + z.reshape(a.eps.shape) + diagonal,
        "log_qz": row_sum(a.eps**2 + 2 * np.abs(each_row(a.log_diagonal, a.eps)) + np.log(2 * np.pi)),
    }


def size_of_full_gaussian_backward(a):
    absolute = {name: np.abs(getattr(a, name)) for name in ("dz", "eps")}
    size = {name: np.zeros_like(getattr(a, name)) for name in ("dmu", "dlog_diagonal", "dlower")}
    TWINS["cholesky"].full_gaussian_backward(**absolute, log_diagonal=a.log_diagonal, **size)
    size["dlog_diagonal"] *= 1 + np.abs(a.log_diagonal)
    k = len(a.eps) // max(len(a.log_diagonal), 1)
    if getattr(a, "dlog_qz", None) is not None:
        size["dlog_diagonal"] += by_row(np.abs(a.dlog_qz[:, None]), len(a.log_diagonal))
    return {name: (k + 1) * value for name, value in size.items()}


def size_of_full_gaussian_density_backward(a):
    """The same substitution in absolute numbers, in which nothing cancels."""
    dz = np.empty_like(a.dz)
    twin = TWINS["cholesky"].full_gaussian_density_backward
    twin(-np.abs(a.dlog_qz), a.log_diagonal, -np.abs(a.lower), np.abs(a.eps), dz)
    return {"dz": (1 + a.eps.shape[1] / 64) * dz}


def size_of_full_gaussian_kl(a):
    v = 2 * a.log_diagonal
    return {"out": row_sum(a.mu**2 + np.abs(np.expm1(v)) + np.abs(v)) + row_sum(a.lower**2)}


class PlanarSizes:
    """What a planar flow adds up, in absolute numbers: s = w.u, a = w.z + b, u^, D and what their rounding does."""

    def __init__(self, a):
        Z, rows = a.z.shape[1], len(a.flow)
        f, z = TWINS["planar_flow"].direction_of(a.flow), TWINS["planar_flow"].by_row(a.z, rows)
        self.h, self.g, self.D = TWINS["planar_flow"].bend_of(f, z)
        u, w = np.abs(a.flow[:, None, :Z]), np.abs(a.flow[:, None, Z : 2 * Z])
        long = 1 + Z / 64
        self.u, self.w, self.inverse = u, w, f.inverse
        self.s = long * (w * u).sum(axis=2)
        self.a = long * (w * np.abs(z)).sum(axis=2) + np.abs(f.b)
        self.c = (np.abs(f.rise) + 1 + self.s) * f.inverse
        self.u_hat = u + self.c[..., None] * w
        self.error_of_h = np.abs(self.h) + self.g * self.a
        of_rise = f.slope * self.s + np.abs(f.rise) + (f.inverse == 0)
        near_0 = np.where(self.D < 1e-6, self.a**2, 0)  # where h is so small that its rounding is all of it
        of_D = 2 * np.abs(self.h) * self.error_of_h * (1 + np.abs(f.rise)) + self.h**2 + self.g * of_rise + near_0
        self.error_of_log_D = of_D / self.D
        self.slope, self.rise, self.long = f.slope * (1 + self.s), np.abs(f.rise) + of_rise + 1, long


def size_of_planar(a):
    p = PlanarSizes(a)
    out = (p.u_hat * (np.abs(p.h) + p.error_of_h)[..., None]).reshape(a.z.shape)
    log_D = np.abs(np.log(p.D)) + p.error_of_log_D
    return {"out": np.abs(a.z) + out, "log_qz": np.abs(a.log_qz) + log_D.reshape(-1)}


def size_of_planar_backward(a):
    p, rows = PlanarSizes(a), len(a.flow)
    d, z = (TWINS["planar_flow"].by_row(np.abs(b), rows) for b in (a.dout, a.z))
    dlog_qz = getattr(a, "dlog_qz", None)
    dlog_D = 0 * p.h if dlog_qz is None else TWINS["planar_flow"].by_row(np.abs(dlog_qz), rows)
    along = p.long * (p.u_hat * d).sum(axis=2)
    through_D = dlog_D * p.rise / p.D * (1 + p.error_of_log_D)
    h, g = np.abs(p.h) + p.error_of_h, p.g * (1 + 2 * p.a) + 1e-30  # which float takes as 0 below 1e-38
    da = g * (along + 2 * through_D * h) + p.g * 2 * through_D * p.error_of_h
    k = 1 + z.shape[1]
    du_hat = (h[..., None] * d).sum(axis=1)
    through_w = p.long * (du_hat * p.w[:, 0]).sum(axis=1, keepdims=True)
    ds = through_w * (1 + p.slope) * p.inverse
    ds += (dlog_D * g * p.slope / p.D * (1 + p.error_of_log_D)).sum(axis=1, keepdims=True)
    u, w = p.u[:, 0], p.w[:, 0]
    dw = (da[..., None] * z).sum(axis=1) + p.c * du_hat + ds * u + 2 * through_w * p.c * p.inverse * w
    dflow = np.concatenate([du_hat + ds * w, dw, da.sum(axis=1, keepdims=True)], axis=1)
    return {"dz": (d + da[..., None] * p.w).reshape(a.z.shape), "dflow": k * dflow}


def size_of_bernoulli(a):
    return {"log_px": row_sum(np.abs(each_row(a.x, a.logits) * a.logits) + activated(a.logits, "softplus"))}


def size_of_bernoulli_backward(a):
    return {"dlogits": np.abs(a.dlog_px[:, None]) * (each_row(a.x, a.logits) + activated(a.logits, "sigmoid"))}


def size_of_gaussian(a):
    square = (each_row(a.x, a.mean) - a.mean) ** 2 * np.exp(-a.logvar)
    return {"log_px": row_sum(square + np.abs(a.logvar) + np.log(2 * np.pi))}


def size_of_gaussian_backward(a):
    scaled = (each_row(a.x, a.mean) - a.mean) * np.exp(-a.logvar / 2)
    scale = np.abs(a.dlog_px[:, None])
    return {"dmean": scale * np.abs(scaled) * np.exp(-a.logvar / 2), "dlogvar": scale * (scaled**2 + 1)}


def logistic_parts(a):
    """a, b and w of the kernel, and exp(-v)."""
    away, inverse = each_row(a.x, a.mean) - a.mean, np.exp(-a.v)
    return (away + a.half) * inverse, (away - a.half) * inverse, 2 * a.half * inverse, inverse


def size_of_logistic(a):
    """A rounding of a or of b moves log p by no more than it."""
    above, below, w, _ = logistic_parts(a)
    return {"log_px": row_sum(2 + np.abs(above) + np.abs(below) + np.abs(np.log(-np.expm1(-w))))}


def size_of_logistic_backward(a):
    above, below, _, inverse = logistic_parts(a)
    far = 1 + np.abs(above) + np.abs(below)
    scale = np.abs(a.dlog_px[:, None]) * far
    return {"dmean": scale * inverse, "dv": scale * far}


def softmax_of(a):
    """l - max l and softmax(l), group by group."""
    shifted, p = np.empty_like(a.logits), np.empty_like(a.logits)
    for first, end in pairwise(a.edges):
        group = a.logits[:, first:end]
        shifted[:, first:end] = group - group.max(axis=1, keepdims=True)
        e = np.exp(shifted[:, first:end])
        p[:, first:end] = e / e.sum(axis=1, keepdims=True)
    return shifted, p


def size_of_categorical(a):
    shifted, _ = softmax_of(a)
    return {"log_px": row_sum(each_row(a.x, a.logits) * (np.abs(shifted) + 5))}


def size_of_categorical_backward(a):
    shifted, p = softmax_of(a)
    return {"dlogits": np.abs(a.dlog_px[:, None]) * (each_row(a.x, a.logits) + p * (4 + np.abs(shifted)))}


def factorial_size(x):
    """Of the terms that log x! is computed from, which do not vanish where it does."""
    return np.abs(np.where(x < 2, 0, gammaln(x + 1))) + 25


def size_of_poisson(a):
    x = each_row(a.x, a.log_rates)
    return {"log_px": row_sum(np.abs(x * a.log_rates) + np.exp(a.log_rates) + factorial_size(x))}


def size_of_poisson_backward(a):
    scale = np.abs(a.dlog_px[:, None])
    return {"dlog_rates": scale * (each_row(a.x, a.log_rates) + np.exp(a.log_rates))}


def size_of_multinomial(a):
    x, shifted = each_row(a.x, a.logits), a.logits - a.logits.max(axis=1, initial=-np.inf, keepdims=True)
    return {"log_px": row_sum(x * (np.abs(shifted) + 10) + factorial_size(x)) + factorial_size(x.sum(axis=1))}


def size_of_multinomial_backward(a):
    x, shifted = each_row(a.x, a.logits), a.logits - a.logits.max(axis=1, initial=-np.inf, keepdims=True)
    e = np.exp(shifted)
    expected = x.sum(axis=1, keepdims=True) * e / e.sum(axis=1, keepdims=True)
    return {"dlogits": np.abs(a.dlog_px[:, None]) * (x + expected * (4 + np.abs(shifted) + x.shape[1] / 64))}


def size_of_negative_binomial(a):
    x, r, d = each_row(a.x, a.log_means), np.exp(a.log_r), a.log_means - a.log_r
    counted = factorial_size(x) + factorial_size(x + r) - factorial_size(r) + 25 + x * np.abs(a.log_means)
    return {"log_px": row_sum(counted + x * np.abs(a.log_r) + r * np.logaddexp(0, d))}


def size_of_negative_binomial_backward(a):
    x, r, d = each_row(a.x, a.log_means), np.exp(a.log_r), a.log_means - a.log_r
    scale = np.abs(a.dlog_px[:, None])
    dl = x * expit(-d) + r * expit(d)
    return {"dlog_means": scale * dl, "dlog_r": 4 * scale * (dl + 1 + r * (np.log1p(x / r) + np.logaddexp(0, d)))}


def size_of_adam(a):
    g = np.abs(a.scale * a.grads) + np.abs(a.l2 * a.values)
    m = np.abs(a.beta1 * a.m) + np.abs((1 - a.beta1) * g)
    v = a.beta2 * a.v + (1 - a.beta2) * g**2
    correction1, correction2 = 1 - a.beta1**a.step, np.sqrt(1 - a.beta2**a.step)
    move = a.learning_rate / correction1 * m / (np.sqrt(v) / correction2 + a.epsilon)
    return {"m": m, "v": v, "values": (1 + a.learning_rate * a.decay) * np.abs(a.values) + move}


def twin_size(name, function):
    """Where nothing cancels: an error of a few units in the last place of the value itself."""

    def size(a):
        out = np.empty_like(getattr(a, name))
        given = {
            argument: getattr(a, argument)
            for argument in inspect.signature(function).parameters
            if hasattr(a, argument)
        }
        function(**given | {name: out})
        return {name: np.abs(out)}

    return size


def plus_start(size):
    """The same, where outputs are added to: every row's addition rounds what was there as well."""
    return lambda a: {name: value + max(len(a.x), 1) * np.abs(getattr(a, name)) for name, value in size(a).items()}


def dense_cases():
    x, W, b, dy, dx = Array("BD"), Array("DH"), Array("H"), Array("BH"), Array("BD")
    empty = Array("BH", "empty")
    for activation in ACTIVATIONS:
        inputs = {"x": x, "W": W, "b": b, "activation": activation}
        yield Case("dense", inputs, {"out": empty}, size_of_dense, 2, True, str(activation))
    yield Case("dense", {"x": x, "W": W, "b": None, "activation": None}, {"out": empty}, size_of_dense, 2, True, "no b")
    dx_size = lambda a: {"out": product_size(a.dy, a.W.T)}  # noqa: E731
    yield Case("dense_dx", {"dy": dy, "W": W}, {"out": Array("BD", "empty")}, dx_size, 2, True)
    yield Case("dense_dW", {"x": x, "dy": dy}, {"out": Array("DH", "empty")}, size_of_dW, 2, True, "no db")
    outputs = {"out": Array("DH", "empty"), "db": Array("H", "empty")}
    yield Case("dense_dW", {"x": x, "dy": dy}, outputs, size_of_dW, 2, True)
    inputs, outputs = {"x": x, "dy": dy, "accumulate": True}, {"out": Array("DH"), "db": Array("H")}
    yield Case("dense_dW", inputs, outputs, plus_start(size_of_dW), 2, True, "accumulate")
    for activation in ACTIVATIONS:
        inputs, out = {"x": x, "activation": activation}, Array("BD", "empty")
        size = size_of_gelu if activation == "gelu" else twin_size("out", TWINS["elementwise"].activate)
        yield Case("activate", inputs, {"out": out}, size, 4, True, str(activation))
        inputs = {"dy": dx, "y": Array("BD", "activated"), "activation": activation}
        yield Case("activate_backward", inputs, {"dx": out}, size_of_activate_backward, 6, True, str(activation))
    sums = {"x": x, "accumulate": False}
    yield Case("copy", {"x": x}, {"out": out}, lambda a: {"out": np.abs(a.x)}, 1, True)
    yield Case("add", {"x": x, "y": x}, {"out": out}, lambda a: {"out": np.abs(a.x) + np.abs(a.y)}, 1, True)
    yield Case("multiply", {"x": x, "y": x}, {"out": out}, lambda a: {"out": np.abs(a.x * a.y)}, 1, True)
    yield Case("exponential", {"x": x}, {"out": out}, lambda a: {"out": np.exp(a.x)}, 4, True)
    inputs = {"x": x, "factor": Array("B")}
    yield Case("scale_rows", inputs, {"out": out}, lambda a: {"out": np.abs(a.x * a.factor[:, None])}, 1, True)
    size = lambda a: {"out": np.abs(np.repeat(a.x, len(a.out) // max(len(a.x), 1), axis=0))}  # noqa: E731
    yield Case("repeat_rows", {"x": x}, {"out": Array("KD", "empty")}, size, 1, True)
    groups = lambda a: {"out": 4 * by_row(np.abs(a.x), len(a.out))}  # noqa: E731
    yield Case("sum_groups", {"x": Array("KD")}, {"out": out}, groups, 1, True)
    yield Case("softmax", {"x": x}, {"out": out, "log_sum": Array("B", "empty")}, size_of_softmax, 4, True)
    yield Case("log_softmax", {"x": x}, {"out": out}, size_of_log_softmax, 4, True)
    inputs = {"dout": x, "out": x}
    yield Case("log_softmax_backward", inputs, {"dx": out}, size_of_log_softmax_backward, 4, True)
    yield Case("shift", {"x": x, "number": 0.3}, {"out": out}, lambda a: {"out": np.abs(a.x) + 0.3}, 1, True)
    size = lambda a: {"returned": len(a.x) * np.sum(np.abs(a.x))}  # noqa: E731
    yield Case("total", {"x": x}, {}, size)
    weight = Array("B", dtype=np.float64)
    size = lambda a: {"returned": len(a.x) * np.sum(np.abs(a.x * a.weight[:, None]))}  # noqa: E731
    yield Case("total", {"x": x, "weight": weight}, {}, size, note="weight")
    clip = {"low": -0.5, "high": 0.8}
    yield Case("clip", {"x": x, **clip}, {"out": out}, lambda a: {"out": np.abs(a.x)}, 1, True)
    yield Case("clip_backward", {"dy": x, "x": x, **clip}, {"dx": out}, lambda a: {"dx": np.abs(a.dy)}, 1, True)
    yield Case("column_sums", sums, {"out": Array("D", "empty")}, size_of_column_sums, 2, True)
    yield Case("column_sums", {"x": x}, {"out": Array("D")}, plus_start(size_of_column_sums), 2, True, "accumulate")


def geometry(sizes):
    """3 x 3 taps, 2 pixels apart, with a line of zeros all around."""
    return 3, 5, sizes.D + 1, 3, 2, 1, 1, 2, 3


def geometry_of_few(sizes):
    """2 x 2 taps at every pixel."""
    return 3, 5, sizes.D + 1, 2, 1, 0, 0, 2, 4


def conv_cases():
    x, W, b, dy, empty = Array("BI"), Array("VH"), Array("H"), Array("BO"), Array("BO", "empty")
    for activation in (None, "relu", "tanh"):
        inputs = {"x": x, "W": W, "b": b, "geometry": geometry, "activation": activation}
        yield Case("conv", inputs, {"out": empty}, size_of_conv, 2, False, str(activation))
        few = {"x": x, "W": Array("U2"), "b": Array("2"), "geometry": geometry_of_few, "activation": activation}
        yield Case("conv", few, {"out": Array("BQ", "empty")}, size_of_conv, 2, False, f"{activation}, few filters")
    inputs = {"x": x, "W": W, "b": None, "geometry": geometry, "activation": None}
    yield Case("conv", inputs, {"out": empty}, size_of_conv, 2, False, "no b")
    for activation, bias in ((None, None), ("relu", Array("C")), ("tanh", Array("C"))):
        inputs = {"dy": dy, "W": W, "b": bias, "geometry": geometry, "activation": activation}
        yield Case("conv_dx", inputs, {"out": Array("BI", "empty")}, size_of_conv_dx, 2, False, str(activation))
    few = {"dy": Array("BQ"), "W": Array("U2"), "b": Array("C"), "geometry": geometry_of_few, "activation": None}
    yield Case("conv_dx", few, {"out": Array("BI", "empty")}, size_of_conv_dx, 2, False, "every pixel")
    for note, accumulate, kind in (("", False, "empty"), ("accumulate", True, "normal")):
        inputs = {"x": x, "dy": dy, "geometry": geometry, "accumulate": accumulate}
        outputs = {"out": Array("VH", kind), "db": Array("H", kind)}
        size = plus_start(size_of_conv_dW) if accumulate else size_of_conv_dW
        yield Case("conv_dW", inputs, outputs, size, 2, True, note)
    few = {"x": x, "dy": Array("BQ"), "geometry": geometry_of_few}
    yield Case("conv_dW", few, {"out": Array("U2", "empty")}, size_of_conv_dW, 2, True, "no db")


def norm_cases():
    x, u, r, column, empty = Array("BD"), Array("BD"), Array("B", "positive"), Array("D"), Array("BD", "empty")
    inputs = {"x": x, "gain": column, "bias": column, "epsilon": 0.1}
    outputs = {"out": empty, "u": empty, "r": Array("B", "empty")}
    yield Case("layer_norm", inputs, outputs, size_of_layer_norm, 4, True)
    inputs, outputs = {"dy": x, "u": u, "r": r, "gain": column}, {"dx": empty, "dgain": column, "dbias": column}
    yield Case("layer_norm_backward", inputs, outputs, size_of_layer_norm_backward, 4, True)
    outputs = {"dgain": column, "dbias": column}
    yield Case("layer_norm_backward", {**inputs, "dx": None}, outputs, size_of_layer_norm_backward, 4, note="no dx")


def gaussian_cases():
    mu, logvar, eps, empty = Array("BD"), Array("BD"), Array("KD"), Array("BD", "empty")
    yield Case(
        "reparameterize",
        {"mu": mu, "logvar": logvar, "eps": eps},
        {"z": Array("KD", "empty"), "log_qz": Array("K", "empty")},
        size_of_reparameterize,
    )
    yield Case(
        "reparameterize_backward",
        {"dz": Array("KD"), "logvar": logvar, "eps": eps},
        {"dmu": empty, "dlogvar": empty},
        size_of_reparameterize_backward,
    )
    yield Case(
        "reparameterize_backward",
        {"dz": Array("KD"), "logvar": logvar, "eps": eps, "dlog_qz": Array("K")},
        {"dmu": empty, "dlogvar": empty},
        size_of_reparameterize_backward,
        note="dlog_qz",
    )
    yield Case(
        "gaussian_density_backward",
        {"dlog_qz": Array("K"), "logvar": logvar, "eps": eps},
        {"dz": Array("KD", "empty")},
        lambda a: {
            "dz": np.abs(a.dlog_qz[:, None] * a.eps) * each_row(np.exp(-a.logvar / 2) * (1 + np.abs(a.logvar)), a.eps)
        },
    )
    yield Case(
        "kl",
        {"mu": mu, "logvar": logvar},
        {"out": Array("B", "empty")},
        lambda a: {"out": row_sum(a.mu**2 + np.abs(np.expm1(a.logvar)) + np.abs(a.logvar))},
    )
    yield Case(
        "kl_backward",
        {"dkl": Array("B"), "mu": mu, "logvar": logvar},
        {"dmu": empty, "dlogvar": empty},
        lambda a: {name: np.abs(out) for name, out in run_twin(CASE["kl_backward"], vars(a), np.float64).items()},
        factor=8,
    )
    yield Case(
        "standard_normal",
        {"z": Array("KD")},
        {"log_pz": Array("K", "empty")},
        lambda a: {"log_pz": row_sum(a.z**2 + np.log(2 * np.pi))},
    )
    yield Case(
        "standard_normal_backward",
        {"dlog_pz": Array("K"), "z": Array("KD")},
        {"dz": Array("KD", "empty")},
        lambda a: {"dz": np.abs(a.dlog_pz[:, None] * a.z)},
        1,
    )


def prior_cases():
    z, component = Array("BD"), Array("HD")
    inputs = {"z": z, "mu": component, "logvar": component}
    yield Case("gaussian_components", inputs, {"out": Array("BH", "empty")}, size_of_components)
    empty = Array("HD", "empty")
    outputs = {"dz": Array("BD", "empty"), "dmu": empty, "dlogvar": empty}
    yield Case("gaussian_components_backward", {"dout": Array("BH"), **inputs}, outputs, size_of_components_backward)
    inputs, empty = {"x": z, "outputs": Array("BP")}, Array("BD", "empty")
    yield Case("coupling", inputs, {"y": empty, "log_det": Array("B")}, size_of_coupling, 4, True)
    inverse = {"y": z, "outputs": Array("BP")}
    yield Case("coupling_inverse", inverse, {"x": empty}, size_of_coupling_inverse, 4, True)
    inputs, outputs = {"dy": z, "dlog_det": Array("B"), **inputs}, {"dx": empty, "doutputs": Array("BP", "empty")}
    yield Case("coupling_backward", inputs, outputs, size_of_coupling_backward, 4, True)


def share_of(a):
    """The shares of the classes, (B, D)."""
    is_label = a.label[:, None] == np.arange(a.log_q.shape[1])
    return np.where(is_label.any(axis=1, keepdims=True), is_label, np.exp(a.log_q))


def size_of_class_shares(a):
    terms = (2 + a.log_q.shape[1]) * share_of(a) * (1 - a.log_q - a.log_p)
    return {"share": share_of(a), "kl": terms.sum(axis=1), "extra": 2.5 * np.abs(a.log_q).sum(axis=1)}


def size_of_class_shares_backward(a):
    through_share = np.abs(a.share) * (np.abs(a.dshare) + np.abs(a.dkl)[:, None] * (1 - a.log_q - a.log_p))
    return {
        "dlog_q": through_share + 2.5 * np.abs(a.dextra)[:, None], "dlog_p": np.abs(a.dkl)[:, None] * np.abs(a.share)
    }  # fmt: skip


def size_of_class_mean(a):
    x = np.abs(a.x).reshape(*a.share.shape, 2)
    return {"out": (1 + a.share.shape[1]) * (np.abs(a.share)[:, :, None] * x).sum(axis=1)}


def size_of_class_mean_backward(a):
    x, dout = np.abs(a.x).reshape(*a.share.shape, 2), np.abs(a.dout)[:, None]
    dx = (np.abs(a.share)[:, :, None] * dout).reshape(a.x.shape)
    return {"dx": dx, "dshare": np.abs(a.dshare) + (x * dout).sum(axis=2)}


def class_cases():
    """D classes with two samples each."""
    logs = {"log_q": Array("BD", "negative"), "log_p": Array("1D", "negative")}
    logs |= {"label": Array("B", "label", np.int64), "alpha": 2.5}
    share, empty, of_row = Array("BD", "unit"), Array("BD", "empty"), Array("B", "empty")
    yield Case("class_columns", {"label": logs["label"]}, {"out": Array("ND", "empty")}, None, 4, True)
    outputs = {"share": empty, "kl": of_row, "extra": of_row}
    yield Case("class_shares", logs, outputs, size_of_class_shares, 4, True)
    inputs = {"dshare": Array("BD"), "dkl": Array("B"), "dextra": Array("B"), **logs, "share": share}
    outputs = {"dlog_q": empty, "dlog_p": empty}
    yield Case("class_shares_backward", inputs, outputs, size_of_class_shares_backward, 4, True)
    inputs = {"x": Array("BP"), "share": share}
    yield Case("class_mean", inputs, {"out": Array("B2", "empty")}, size_of_class_mean, 4, True)
    inputs, outputs = {"dout": Array("B2"), **inputs}, {"dx": Array("BP", "empty"), "dshare": Array("BD")}
    yield Case("class_mean_backward", inputs, outputs, size_of_class_mean_backward, 4, True)


def full_gaussian_cases():
    mu, eps, dlog_qz = Array("BD"), Array("KD"), Array("K")
    q = {"log_diagonal": Array("BD"), "lower": Array("BT")}
    dq = {"dmu": Array("BD", "empty"), "dlog_diagonal": Array("BD", "empty"), "dlower": Array("BT", "empty")}
    z = {"z": Array("KD", "empty"), "log_qz": Array("K", "empty")}
    yield Case("full_gaussian", {"mu": mu, **q, "eps": eps}, z, size_of_full_gaussian)
    inputs = {"dz": Array("KD"), "log_diagonal": Array("BD"), "eps": eps}
    yield Case("full_gaussian_backward", inputs, dq, size_of_full_gaussian_backward)
    inputs = {**inputs, "dlog_qz": dlog_qz}
    yield Case("full_gaussian_backward", inputs, dq, size_of_full_gaussian_backward, note="dlog_qz")
    well_conditioned = {"log_diagonal": Array("BD", "small"), "lower": Array("BT", "small")}
    inputs = {"dlog_qz": dlog_qz, **well_conditioned, "eps": eps}
    dz = {"dz": Array("KD", "empty")}
    yield Case("full_gaussian_density_backward", inputs, dz, size_of_full_gaussian_density_backward, 8)
    yield Case("full_gaussian_kl", {"mu": mu, **q}, {"out": Array("B", "empty")}, size_of_full_gaussian_kl)
    yield Case(
        "full_gaussian_kl_backward",
        {"dkl": Array("B"), "mu": mu, **q},
        dq,
        lambda a: {
            name: np.abs(out) for name, out in run_twin(CASE["full_gaussian_kl_backward"], vars(a), np.float64).items()
        },
        factor=8,
    )


def planar_cases():
    inputs = {"z": Array("KD"), "flow": Array("BF")}
    outputs = {"out": Array("KD", "empty"), "log_qz": Array("K")}
    yield Case("planar", inputs, outputs, size_of_planar, 8, True)
    inputs, outputs = {"dout": Array("KD"), **inputs}, {"dz": Array("KD", "empty"), "dflow": Array("BF", "empty")}
    yield Case("planar_backward", inputs, outputs, size_of_planar_backward, 8, True)
    inputs = {**inputs, "dlog_qz": Array("K")}
    yield Case("planar_backward", inputs, outputs, size_of_planar_backward, 8, True, "dlog_qz")


def likelihood_cases():
    x, outputs, dlog_px = Array("BD", "unit"), Array("KD"), Array("K")
    log_px, gradient = {"log_px": Array("K", "empty")}, Array("KD", "empty")
    inputs = {"x": x, "logits": outputs}
    yield Case("bernoulli", inputs, log_px, size_of_bernoulli)
    inputs = {"dlog_px": dlog_px, **inputs}
    yield Case("bernoulli_backward", inputs, {"dlogits": gradient}, size_of_bernoulli_backward, any_row_stride=True)
    for note, logvar in (("logvar of each row", Array("KD")), ("one logvar", Array("1D"))):
        inputs = {"x": x, "mean": outputs, "logvar": logvar}
        yield Case("gaussian", inputs, log_px, size_of_gaussian, note=note)
        inputs = {"dlog_px": dlog_px, **inputs}
        both = {"dmean": gradient, "dlogvar": gradient}
        yield Case("gaussian_backward", inputs, both, size_of_gaussian_backward, 4, True, note)
    inputs = {**inputs, "dlogvar": None}
    yield Case("gaussian_backward", inputs, {"dmean": gradient}, size_of_gaussian_backward, 4, True, "no dlogvar")
    for note, v in (("scale of each row", Array("KD")), ("one scale", Array("1D"))):
        inputs = {"x": x, "mean": outputs, "v": v, "half": 0.1}
        yield Case("discretized_logistic", inputs, log_px, size_of_logistic, note=note)
        inputs = {"dlog_px": dlog_px, **inputs}
        both = {"dmean": gradient, "dv": gradient}
        yield Case("discretized_logistic_backward", inputs, both, size_of_logistic_backward, 4, True, note)
    inputs = {**inputs, "dv": None}
    yield Case(
        "discretized_logistic_backward", inputs, {"dmean": gradient}, size_of_logistic_backward, 4, True, "no dv"
    )
    inputs = {"x": Array("BD", "one-hot"), "logits": outputs, "edges": Array("D", "edges", np.int64)}
    yield Case("categorical", inputs, log_px, size_of_categorical)
    inputs = {"dlog_px": dlog_px, **inputs}
    yield Case("categorical_backward", inputs, {"dlogits": gradient}, size_of_categorical_backward, any_row_stride=True)


def with_unobserved(cases):
    """Each likelihood once more, with entries of x that are not observed."""
    for case in cases:
        if not case.kernel.startswith("multinomial") and "each row" not in case.note:
            inputs = {**case.inputs, "observed": Array("BD", "zero or one")}
            yield case._replace(inputs=inputs, note=f"{case.note} unobserved".strip())


def count_cases():
    x, outputs, dlog_px = Array("BD", "counts"), Array("KD"), Array("K")
    log_px, gradient = {"log_px": Array("K", "empty")}, Array("KD", "empty")
    inputs = {"x": x, "log_rates": outputs}
    yield Case("poisson", inputs, log_px, size_of_poisson)
    inputs = {"dlog_px": dlog_px, **inputs}
    yield Case("poisson_backward", inputs, {"dlog_rates": gradient}, size_of_poisson_backward, any_row_stride=True)
    inputs = {"x": x, "logits": outputs}
    yield Case("multinomial", inputs, log_px, size_of_multinomial)
    inputs = {"dlog_px": dlog_px, **inputs}
    yield Case("multinomial_backward", inputs, {"dlogits": gradient}, size_of_multinomial_backward, any_row_stride=True)
    for note, log_r in (("r of each row", Array("KD")), ("one r", Array("1D"))):
        inputs = {"x": x, "log_means": outputs, "log_r": log_r}
        yield Case("negative_binomial", inputs, log_px, size_of_negative_binomial, note=note)
        inputs = {"dlog_px": dlog_px, **inputs}
        both = {"dlog_means": gradient, "dlog_r": gradient}
        yield Case("negative_binomial_backward", inputs, both, size_of_negative_binomial_backward, 4, True, note)


def random_cases():
    rows, out = Array("B", "words", np.int64), {"out": Array("KD", "empty")}
    draw = {"key": KEY, "step": 2**32 - 1, "rows": rows}
    yield Case("uniform", draw, out)
    yield Case("bernoulli_draw", {**draw, "probability": Array("KD", "unit")}, out)
    yield Case("normal", draw, out, twin_size("out", TWINS["random"].normal), factor=8)
    yield Case("uniform", {**draw, "first_sample": 2**32 - 50}, out, note="later samples")
    yield Case("philox4x32", {"counter": Array("BD4", "words", np.uint32), "key": KEY}, {})
    out = {"out": Array("B", "empty", np.int64)}
    yield Case("permutation", {"key": KEY, "epoch": 3, "n": 1000, "start": 3}, out)


def gather_cases():
    rows, out = Array("B", "one of 9", np.int64), {"out": Array("BD", "empty")}
    for kind, dtype, scale in (("bytes", np.uint8, 1 / 255), ("unit", np.float32, 0.9), ("unit", np.float64, 0.9)):
        for binarize in (None, "threshold", "draw"):
            inputs = {"source": Array("9D", kind, dtype), "rows": rows, "scale": scale, "binarize": binarize}
            inputs |= {"threshold": 0.4, "key": KEY, "step": 7}
            yield Case("gather", inputs, out, note=f"{dtype.__name__} {binarize}")


def adam_cases():
    moments = {"values": Array("N"), "m": Array("N"), "v": Array("N", "positive")}
    numbers = {"learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "step": 3}
    others = {"scaled gradients": {"scale": 0.3}, "decay": {"decay": 5.0}, "l2": {"scale": 0.3, "l2": 0.7}}
    for note, given in {"": {}, **others}.items():
        inputs = {"grads": Array("N"), **numbers, "scale": 1.0, "decay": 0.0, "l2": 0.0, **given}
        yield Case("adam", inputs, moments, size_of_adam, factor=8, note=note)
    growth = lambda a: {"values": np.abs(a.values) + np.maximum(2, np.abs(a.grads))}  # noqa: E731
    yield Case("natural_step", {"grads": Array("N")}, {"values": Array("N")}, growth, factor=8)
    yield Case("clear", {}, {"x": Array("N")})
    # squares are added in double whatever the type of x; in a chunk, all numbers of a lane may be rounded the same way
    size = lambda a: {"returned": (1 + min(a.x.size, 16384) / 256) * np.sum(a.x**2)}  # noqa: E731
    yield Case("sum_of_squares", {"x": Array("N")}, {}, size, factor=16)


CASES = [
    *dense_cases(),
    *conv_cases(),
    *norm_cases(),
    *gaussian_cases(),
    *full_gaussian_cases(),
    *planar_cases(),
    *prior_cases(),
]
CASES += class_cases()
CASES += [*likelihood_cases(), *count_cases()]
CASES += with_unobserved([*likelihood_cases(), *count_cases()])
CASES += [*random_cases(), *gather_cases(), *adam_cases()]
CASE = {str(case): case for case in CASES}
every_case = pytest.mark.parametrize("case", CASES, ids=str)
both = pytest.mark.parametrize("modules", [NATIVE, TWINS], ids=["native", "twin"])


# --- How they are called ---------------------------------------------------------------------------------------------


class Guarded:
    """An output inside a larger array, of which nothing else may change.

    layout: "rows apart" or "upside down", for outputs whose rows may be any distance apart; or "contiguous".
    """

    CANARY = -12345.0

    def __init__(self, first, layout):
        if first.ndim == 2 and layout != "contiguous":
            self.base = np.full((len(first) + 2, first.shape[1] + 5), self.CANARY, dtype=first.dtype)
            inside = (slice(1, -1), slice(2, -3))
            self.array = self.base[inside][:: -1 if layout == "upside down" else 1]
        else:
            self.base = np.full(first.size + 70, self.CANARY, dtype=first.dtype)
            inside = slice(33, 33 + first.size)
            self.array = self.base[inside].reshape(first.shape)
        self.outside = np.ones(self.base.shape, dtype=bool)
        self.outside[inside] = False
        self.array[...] = first

    def check(self):
        assert np.all(self.base[self.outside] == self.CANARY), "wrote outside its output"


def run_native(case, arguments, layout=None):
    """Results by name, each output guarded."""
    layout = layout or ("rows apart" if case.any_row_stride else "contiguous")
    outputs = {name: Guarded(arguments[name], layout) for name in case.outputs}
    arrays = {name: output.array for name, output in outputs.items()}
    returned = case.function(NATIVE)(**{**arguments, **arrays})
    for output in outputs.values():
        output.check()
    return arrays if returned is None else {"returned": np.asarray(returned)}


def run_twin(case, arguments, real):
    """Results by name, of the twin in the float type ``real``."""
    floats = case.floats(with_outputs=True)
    arguments = {name: value.astype(real) if name in floats else value for name, value in arguments.items()}
    arguments |= {name: arguments[name].copy() for name in case.outputs}
    with np.errstate(all="ignore"):
        returned = case.function(TWINS)(**arguments)
    return {name: arguments[name] for name in case.outputs} if returned is None else {"returned": np.asarray(returned)}


def assert_within(case, arguments, results, real):
    """The results are those of the twin in float64, up to the case's bound; infinities and NaN in the same places."""
    if case.size is None:
        for name, right in run_twin(case, arguments, real).items():
            np.testing.assert_array_equal(results[name], right)
        return
    exact = run_twin(case, arguments, np.float64)
    eps = np.finfo(np.float64 if case.kernel in ("sum_of_squares", "total") else real).eps
    floats = case.floats(with_outputs=True)
    with np.errstate(all="ignore"):
        double = {name: v.astype(np.float64) if name in floats else v for name, v in arguments.items()}
        sizes = case.size(SimpleNamespace(**double))
        for name, right in exact.items():
            rounded = right.astype(results[name].dtype)
            finite = np.isfinite(rounded)
            np.testing.assert_array_equal(results[name][~finite], rounded[~finite])
            error = np.abs(results[name].astype(np.float64) - right)[finite]
            bound = case.factor * eps * np.broadcast_to(sizes[name], right.shape)[finite] + np.finfo(real).tiny
            assert np.all(error <= bound), f"{name}: {np.max(error / bound)} times the bound"


# One less and one more than every block size: rows in a patch (6, 14), lanes and rows per task (16), columns in a panel
# (4, 8, 16, 32), columns per task and cells (64), rows in a tile and length of a sum in a block (256). Three rotations
# of the list are put side by side, so that each size is met by rows, by columns and by lengths of sums.
EDGES = (1, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 513)
SIZES = [Sizes(B, 1 + i % 3, EDGES[i - 8], EDGES[i - 16]) for i, B in enumerate(EDGES)]
SIZES += [Sizes(0, 1, 5, 3), Sizes(3, 2, 0, 4), Sizes(3, 1, 4, 0), Sizes(0, 1, 0, 0), Sizes(1, 1, 1, 1)]
LARGE = Sizes(257, 2, 131, 67)  # enough work for several threads in every kernel, and no multiple of anything
SMALL = Sizes(19, 2, 37, 21)
