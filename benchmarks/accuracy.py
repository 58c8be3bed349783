"""The errors of the functions that the float32 kernels compute themselves, in units in the last place.

    python benchmarks/accuracy.py [--every 64]

Each function is computed for every 64th float32 of its domain (1: for all of them, which takes a few minutes), both
signs, and compared with NumPy or SciPy in float64. Results near the smallest normal number are left out, as the
kernels take what is below it for zero. The results are the same to the bit on AVX2 and AVX-512. exp and expm1 are seen
through the kernels that use them, standard_normal through the generator: log, root, sine and cosine of random words.
"""

import argparse

import numpy as np
from scipy.special import expit, gammaln, ndtr

from pyvae import _kernels

CHUNK = 1 << 22
SMALLEST = 4 * np.finfo(np.float32).tiny  # result that is looked at


def activation(name):
    def f(x):
        y = np.empty_like(x)
        _kernels.activate(x, name, y)
        return y

    return f


def exp(x):
    z = np.empty_like(x)
    _kernels.reparameterize(np.zeros_like(x), 2 * x, np.ones_like(x), z, np.empty(1, x.dtype))
    return z


def expm1(x):
    dlogvar = np.empty_like(x)
    _kernels.kl_backward(np.full(1, 2, x.dtype), x, x, np.empty_like(x), dlogvar)
    return dlogvar


def log_factorial(x):
    """log x! + 1: the surprise of a count of rate 1, computed in double and rounded."""
    log_px = np.empty(x.size, x.dtype)
    _kernels.poisson(x.T, np.zeros_like(x).T, log_px)
    return -log_px[None]


# the kernel's function, the same in float64, lowest and highest x
FUNCTIONS = {
    "exp": (exp, np.exp, -87.3, 88.7),
    "exp(x) - 1": (expm1, np.expm1, -100, 88.7),
    "tanh": (activation("tanh"), np.tanh, -100, 100),
    "sigmoid": (activation("sigmoid"), expit, -87, 100),
    "softplus": (activation("softplus"), lambda x: np.logaddexp(0, x), -87, 100),
    "silu": (activation("silu"), lambda x: x * expit(x), -80, 100),
    "log-gamma": (log_factorial, lambda x: gammaln(x + 1) + 1, 2, 1e8),
    "gelu, x above -1": (activation("gelu"), lambda x: x * ndtr(x), -1, 100),
    "gelu, x above -5": (activation("gelu"), lambda x: x * ndtr(x), -5, -1),
}


def errors(x, native, exact):
    """In units in the last place of the right result; 0 where that is too small."""
    right = exact(x.astype(np.float64))
    error = np.abs(native(x[None])[0] - right) / np.spacing(np.abs(right).astype(np.float32))
    return np.where(np.abs(right) >= SMALLEST, error, 0)


def numbers(low, high, every):
    """Every so many-th float32 from low to high, in pieces."""
    for sign in (1, -1):
        for first in range(0, 0x7F800000, CHUNK * every):
            x = np.arange(first, min(first + CHUNK * every, 0x7F800000), every, dtype=np.uint32).view(np.float32) * sign
            x = x[(x >= low) & (x <= high)]
            if len(x):
                yield x


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=64)
    every = parser.parse_args().every
    print(f"{'function':18} {'from':>7} {'to':>7} {'numbers':>12} {'largest error':>14} {'at':>15} {'mean':>6}")
    for name, (native, exact, low, high) in FUNCTIONS.items():
        count = total = largest = at = 0.0
        for x in numbers(low, high, every):
            error = errors(x, native, exact)
            if error.max() > largest:
                largest, at = error.max(), x[error.argmax()]
            count, total = count + error.size, total + error.sum()
        line = f"{name:18} {low:7g} {high:7g} {count:12,.0f} {largest:10.2f} ulp {at:15.8g} {total / count:6.2f}"
        print(line, flush=True)
    rows = np.arange(1_000_000)
    single, double = np.empty((len(rows), 16), np.float32), np.empty((len(rows), 16))
    _kernels.normal((1, 2), 0, rows, single)
    _kernels.normal((1, 2), 0, rows, double)
    error = np.abs(single - double) / np.spacing(np.abs(double).astype(np.float32))
    at = double.ravel()[error.argmax()]
    print(f"{'standard_normal':18} {'':15} {error.size:12,} {error.max():10.2f} ulp {at:15.8g} {error.mean():6.2f}")


if __name__ == "__main__":
    main()
