"""Kernels: arrays in, arrays out. Only this file chooses between native kernels and their NumPy twins.

Every function in FUNCTIONS exists twice with the same arguments: in ``x.pyx`` (Cython, which calls ``simd/x.c``) and in
``x_ref.py`` (NumPy, the definition). settings.py says which of the two runs.
"""

import os
from importlib import import_module

from pyvae._kernels.settings import (
    BUILT,
    KERNELS,
    PRECISIONS,
    get_matmul_precision,
    get_num_threads,
    info,
    limit_instructions,
    refuse_amx_that_errs,
    set_matmul_precision,
    set_num_threads,
    team,
    threads,
)

FUNCTIONS = {
    "cholesky": (
        *("full_gaussian", "full_gaussian_backward", "full_gaussian_density_backward"),
        *("full_gaussian_kl", "full_gaussian_kl_backward"),
    ),
    "classes": ("class_columns", "class_mean", "class_mean_backward", "class_shares", "class_shares_backward"),
    "components": ("gaussian_components", "gaussian_components_backward"),
    "count_likelihood": (
        *("poisson", "poisson_backward", "multinomial", "multinomial_backward"),
        *("negative_binomial", "negative_binomial_backward"),
    ),
    "convolution": ("conv", "conv_dW", "conv_dx"),
    "couplings": ("coupling", "coupling_backward", "coupling_inverse"),
    "elementwise": (
        "activate",
        "activate_backward",
        "add",
        "clip",
        "clip_backward",
        "column_sums",
        "copy",
        "exponential",
        "multiply",
        "repeat_rows",
        "scale_rows",
        "shift",
        "sum_groups",
        "total",
    ),
    "latent": (
        "gaussian_density_backward",
        "kl",
        "kl_backward",
        "reparameterize",
        "reparameterize_backward",
        "standard_normal",
        "standard_normal_backward",
    ),
    "likelihood": (
        *("bernoulli", "bernoulli_backward", "gaussian", "gaussian_backward"),
        *("categorical", "categorical_backward", "discretized_logistic", "discretized_logistic_backward"),
    ),
    "log_space": ("log_softmax", "log_softmax_backward", "softmax"),
    "minibatch": ("gather",),
    "norm": ("layer_norm", "layer_norm_backward"),
    "optimizer": ("adam", "clear", "natural_step", "sum_of_squares"),
    "planar_flow": ("planar", "planar_backward"),
    "products": ("dense", "dense_dW", "dense_dx"),
    "random": ("bernoulli_draw", "normal", "permutation", "philox4x32", "uniform"),
    "tape": ("Tape",),
}

for _module, _names in FUNCTIONS.items():
    _source = import_module(f"pyvae._kernels.{_module}{'' if KERNELS == 'native' else '_ref'}")
    globals().update({name: getattr(_source, name) for name in _names})

if KERNELS == "native":
    if os.environ.get("PYVAE_MAX_ISA"):
        limit_instructions(os.environ["PYVAE_MAX_ISA"])
    refuse_amx_that_errs(globals()["dense"])

__all__ = [
    "BUILT",
    "FUNCTIONS",
    "KERNELS",
    "PRECISIONS",
    "get_matmul_precision",
    "get_num_threads",
    "info",
    "set_matmul_precision",
    "set_num_threads",
    "team",
    "threads",
    *(name for names in FUNCTIONS.values() for name in names),
]
