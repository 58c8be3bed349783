"""Single functions, such as exp and log-gamma, to a few units in the last place of float32."""

import numpy as np
import pytest
from kernel_cases import NATIVE
from scipy.special import gammaln, ndtr

pytestmark = pytest.mark.usefixtures("one_thread")


def sweep(low, high):
    """Numbers of float32 that lie evenly, and ones that come near zero in even steps of the exponent."""
    magnitudes = np.geomspace(1e-30, max(-low, high), 20011)
    x = np.concatenate([np.linspace(low, high, 40009), magnitudes, -magnitudes])
    return x[(x >= low) & (x <= high)].astype(np.float32)[None]


def expm1_minus(x):
    """exp(x) - 1 - x, by its series near zero."""
    series = x**2 / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))
    return np.where(np.abs(x) < 1e-3, series, np.expm1(x) - x)


def activate_by(activation):
    def f(x):
        y = np.empty_like(x)
        NATIVE["elementwise"].activate(x, activation, y)
        return y

    return f


def softplus_slope(x):
    dx = np.empty_like(x)
    NATIVE["elementwise"].activate_backward(np.ones_like(x), x, "softplus", dx)
    return dx


def exp_by_reparameterize(x):
    z = np.empty_like(x)
    NATIVE["latent"].reparameterize(np.zeros_like(x), 2 * x, np.ones_like(x), z, np.empty(1, x.dtype))
    return z


def expm1_by_kl_backward(x):
    dlogvar = np.empty_like(x)
    NATIVE["latent"].kl_backward(np.full(1, 2, x.dtype), x, x, np.empty_like(x), dlogvar)
    return dlogvar


def expm1_minus_by_kl(x):
    out = np.empty(x.size, x.dtype)
    NATIVE["latent"].kl(np.zeros_like(x).T, x.T, out)
    return 2 * out[None]


def surprise(x):
    """-log p of a black pixel with these logits."""
    out = np.empty(x.size, x.dtype)
    NATIVE["likelihood"].bernoulli(np.ones_like(x).T, x.T, out)
    return -out[None]


def log_factorial_by_poisson(x):
    """log x! + 1: the surprise of a count of rate 1."""
    out = np.empty(x.size, x.dtype)
    NATIVE["count_likelihood"].poisson(x.T, np.zeros_like(x).T, out)
    return -out[None]


# native function, the same in float64, lowest and highest x, bound in units in the last place
SINGLE_FUNCTIONS = {
    "tanh": (activate_by("tanh"), np.tanh, -100, 100, 4),
    "sigmoid": (activate_by("sigmoid"), lambda x: 1 / (1 + np.exp(-x)), -87, 100, 4),
    "softplus": (activate_by("softplus"), lambda x: np.logaddexp(0, x), -87, 100, 4),
    "elu": (activate_by("elu"), lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), -100, 100, 6),
    "silu": (activate_by("silu"), lambda x: x / (1 + np.exp(-x)), -80, 100, 6),
    "gelu": (activate_by("gelu"), lambda x: x * ndtr(x), -2, 100, 6),
    "softplus slope": (softplus_slope, lambda y: -np.expm1(-y), 0, 100, 6),
    "Bernoulli, x = 1": (surprise, lambda x: np.logaddexp(0, -x), -100, 87, 4),
    "exp": (exp_by_reparameterize, np.exp, -87, 88, 3),
    "expm1": (expm1_by_kl_backward, np.expm1, -100, 88, 6),
    "log-gamma": (log_factorial_by_poisson, lambda x: gammaln(x + 1) + 1, 2, 1e8, 1),
    "expm1 - x near zero": (expm1_minus_by_kl, expm1_minus, -0.33, 0.33, 6),
}


@pytest.mark.parametrize("name", SINGLE_FUNCTIONS)
def test_single_functions_in_float32(name, level):
    native, exact, low, high, ulps = SINGLE_FUNCTIONS[name]
    x = sweep(low, high)
    right = exact(x.astype(np.float64))
    normal = np.abs(right) >= 4 * np.finfo(np.float32).tiny
    error = np.abs(native(x) - right)[normal] / np.spacing(np.abs(right[normal]).astype(np.float32))
    assert error.max() <= ulps
