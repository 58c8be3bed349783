"""Three promises: the same bits on any number of threads, whatever rows share the batch, and on AVX2 as on AVX-512.

They hold for the native kernels, one by one below, and so for what is made of them: a model's answers and a training
from its first weights to its file. Results are compared as bytes.
"""

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import Rows
from pyvae.layers.activations import ACTIVATIONS

TWINS_RUN = _kernels.KERNELS != "native"
native_only = pytest.mark.skipif(TWINS_RUN, reason="the twins promise no bits: BLAS adds up in its own order")
LEVELS = ()
if _kernels.KERNELS == "native":
    from pyvae._kernels import cpu, runtime

    LEVELS = cpu.LEVELS[: cpu.LEVELS.index(cpu.HIGHEST_LEVEL) + 1]
HAS_BOTH = {"v3", "v4"} <= set(LEVELS)
two_levels = pytest.mark.skipif(not HAS_BOTH, reason=f"AVX2 and AVX-512 are wanted; here run {LEVELS or 'the twins'}")
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def one_thread_unless_the_test_says_more():
    threads = pyvae.get_num_threads()
    level = cpu.get_level() if LEVELS else None
    pyvae.set_num_threads(1)
    yield
    pyvae.set_num_threads(threads)
    if LEVELS:
        cpu.set_level(level)


def same_bits(a, b):
    """NaN and the sign of zero included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# --- Every kernel ----------------------------------------------------------------------------------------------------

# Capital letters are arrays of these sizes: B rows, K = 3 B rows of samples, S rows of a source, D and H columns, P = 2
# D columns, N numbers in an arena, T below the diagonal of H columns, F of a flow of H. There is work for several
# threads in each, and no size is a multiple of a block's.
SIZES = {
    "B": 300,
    "K": 900,
    "S": 311,
    "D": 131,
    "H": 67,
    "N": 40_001,
    "P": 262,
    "T": 67 * 66 // 2,
    "F": 2 * 67 + 1,
    "I": 15 * 17,  # pictures of 3 x 5 pixels of 17 channels
    "C": 17,
    "V": 9 * 17,  # what 3 x 3 taps see of them
    "O": 6 * 67,  # 2 x 3 places of H filters
    "Q": 8 * 3,  # 2 x 4 places of 3 filters
    "U": 4 * 17,
    "G": 3,
    "1": 1,
    "2": 2,
    "3": 3,
}
DRAW = {"key": (12, 34), "step": 5, "rows": "B"}
GATHER = {"source": "SD", "rows": "B", "scale": 0.7, "threshold": 0.4, "key": (12, 34), "step": 5}
CLASSES = {"log_q": "BD", "log_p": "1D", "label": "B", "alpha": 2.5}
LIKELIHOOD = {"x": "BD", "logits": "KD"}
CONV = {"W": "VH", "geometry": (3, 5, 17, 3, 2, 1, 1, 2, 3), "activation": "tanh"}
FEW_FILTERS = {"W": "UG", "geometry": (3, 5, 17, 2, 1, 0, 0, 2, 4), "activation": "relu"}
CHOLESKY = {"log_diagonal": "BH", "lower": "BT"}
DCHOLESKY = {"dmu": "BH", "dlog_diagonal": "BH", "dlower": "BT"}

# kernel, inputs and outputs; the outputs belong to the rows B and K of the inputs
BY_ROWS = [
    *(
        ("dense", {"x": "BD", "W": "DH", "b": "H", "activation": activation}, {"out": "BH"})
        for activation in (None, *ACTIVATIONS)
    ),
    ("dense_dx", {"dy": "BH", "W": "DH"}, {"out": "BD"}),
    *(("activate", {"x": "BD", "activation": activation}, {"out": "BD"}) for activation in ACTIVATIONS),
    *(
        ("activate_backward", {"dy": "BD", "y": "BD", "activation": activation}, {"dx": "BD"})
        for activation in ACTIVATIONS
    ),
    ("layer_norm", {"x": "BD", "gain": "D", "bias": "D", "epsilon": 0.1}, {"out": "BD", "u": "BD", "r": "B"}),
    ("reparameterize", {"mu": "BD", "logvar": "BD", "eps": "KD"}, {"z": "KD", "log_qz": "K"}),
    (
        "reparameterize_backward",
        {"dz": "KD", "logvar": "BD", "eps": "KD", "dlog_qz": "K"},
        {"dmu": "BD", "dlogvar": "BD"},
    ),
    ("gaussian_density_backward", {"dlog_qz": "K", "logvar": "BD", "eps": "KD"}, {"dz": "KD"}),
    ("full_gaussian", {"mu": "BH", **CHOLESKY, "eps": "KH"}, {"z": "KH", "log_qz": "K"}),
    ("full_gaussian_backward", {"dz": "KH", "log_diagonal": "BH", "eps": "KH", "dlog_qz": "K"}, DCHOLESKY),
    ("full_gaussian_density_backward", {"dlog_qz": "K", **CHOLESKY, "eps": "KH"}, {"dz": "KH"}),
    ("full_gaussian_kl", {"mu": "BH", **CHOLESKY}, {"out": "B"}),
    ("full_gaussian_kl_backward", {"dkl": "B", "mu": "BH", **CHOLESKY}, DCHOLESKY),
    ("planar", {"z": "KH", "flow": "BF"}, {"out": "KH", "log_qz": "K"}),
    ("planar_backward", {"dout": "KH", "z": "KH", "flow": "BF", "dlog_qz": "K"}, {"dz": "KH", "dflow": "BF"}),
    ("kl", {"mu": "BD", "logvar": "BD"}, {"out": "B"}),
    ("kl_backward", {"dkl": "B", "mu": "BD", "logvar": "BD"}, {"dmu": "BD", "dlogvar": "BD"}),
    ("standard_normal", {"z": "KD"}, {"log_pz": "K"}),
    ("standard_normal_backward", {"dlog_pz": "K", "z": "KD"}, {"dz": "KD"}),
    ("gaussian_components", {"z": "BD", "mu": "HD", "logvar": "HD"}, {"out": "BH"}),
    ("coupling", {"x": "BD", "outputs": "BP"}, {"y": "BD", "log_det": "B"}),
    ("coupling_inverse", {"y": "BD", "outputs": "BP"}, {"x": "BD"}),
    ("class_columns", {"label": "B"}, {"out": "K3"}),
    ("class_shares", CLASSES, {"share": "BD", "kl": "B", "extra": "B"}),
    (
        "class_shares_backward",
        {"dshare": "BD", "dkl": "B", "dextra": "B", **CLASSES, "share": "BD"},
        {"dlog_q": "BD", "dlog_p": "BD"},
    ),
    ("class_mean", {"x": "BP", "share": "BD"}, {"out": "B2"}),
    ("class_mean_backward", {"dout": "B2", "x": "BP", "share": "BD"}, {"dx": "BP", "dshare": "BD"}),
    (
        "coupling_backward",
        {"dy": "BD", "dlog_det": "B", "x": "BD", "outputs": "BP"},
        {"dx": "BD", "doutputs": "BP"},
    ),
    ("clip", {"x": "BD", "low": -0.5, "high": 0.8}, {"out": "BD"}),
    ("clip_backward", {"dy": "BD", "x": "BD", "low": -0.5, "high": 0.8}, {"dx": "BD"}),
    ("bernoulli", LIKELIHOOD, {"log_px": "K"}),
    ("bernoulli_backward", {"dlog_px": "K", **LIKELIHOOD}, {"dlogits": "KD"}),
    ("gaussian", {"x": "BD", "mean": "KD", "logvar": "KD"}, {"log_px": "K"}),
    (
        "gaussian_backward",
        {"dlog_px": "K", "x": "BD", "mean": "KD", "logvar": "KD"},
        {"dmean": "KD", "dlogvar": "KD"},
    ),
    ("categorical", {**LIKELIHOOD, "edges": (0, 1, 3, 20, 100, 131)}, {"log_px": "K"}),
    ("categorical_backward", {"dlog_px": "K", **LIKELIHOOD, "edges": (0, 1, 64, 131)}, {"dlogits": "KD"}),
    ("poisson", {"x": "BD", "log_rates": "KD"}, {"log_px": "K"}),
    ("poisson_backward", {"dlog_px": "K", "x": "BD", "log_rates": "KD"}, {"dlog_rates": "KD"}),
    ("multinomial", LIKELIHOOD, {"log_px": "K"}),
    ("multinomial_backward", {"dlog_px": "K", **LIKELIHOOD}, {"dlogits": "KD"}),
    ("discretized_logistic", {"x": "BD", "mean": "KD", "v": "KD", "half": 0.1}, {"log_px": "K"}),
    ("discretized_logistic", {"x": "BD", "mean": "KD", "v": "1D", "half": 0.1, "observed": "BD"}, {"log_px": "K"}),
    (
        "discretized_logistic_backward",
        {"dlog_px": "K", "x": "BD", "mean": "KD", "v": "KD", "half": 0.1},
        {"dmean": "KD", "dv": "KD"},
    ),
    ("negative_binomial", {"x": "BD", "log_means": "KD", "log_r": "KD"}, {"log_px": "K"}),
    (
        "negative_binomial_backward",
        {"dlog_px": "K", "x": "BD", "log_means": "KD", "log_r": "KD"},
        {"dlog_means": "KD", "dlog_r": "KD"},
    ),
    ("add", {"x": "BD", "y": "BD"}, {"out": "BD"}),
    ("multiply", {"x": "BD", "y": "BD"}, {"out": "BD"}),
    ("copy", {"x": "BD"}, {"out": "BD"}),
    ("exponential", {"x": "BD"}, {"out": "BD"}),
    ("repeat_rows", {"x": "BD"}, {"out": "KD"}),
    ("sum_groups", {"x": "KD"}, {"out": "BD"}),
    ("conv", {"x": "BI", "b": "H", **CONV}, {"out": "BO"}),
    ("conv", {"x": "BI", "b": "G", **FEW_FILTERS}, {"out": "BQ"}),
    ("conv_dx", {"dy": "BO", "b": "C", **CONV}, {"out": "BI"}),
    ("conv_dx", {"dy": "BQ", "b": "C", **FEW_FILTERS}, {"out": "BI"}),
    ("scale_rows", {"x": "BD", "factor": "B"}, {"out": "BD"}),
    ("softmax", {"x": "BD"}, {"out": "BD", "log_sum": "B"}),
    ("log_softmax", {"x": "BD"}, {"out": "BD"}),
    ("log_softmax_backward", {"dout": "BD", "out": "BD"}, {"dx": "BD"}),
    ("shift", {"x": "BD", "number": 0.3}, {"out": "BD"}),
    ("uniform", DRAW, {"out": "KD"}),
    ("normal", DRAW, {"out": "KD"}),
    ("normal", {**DRAW, "first_sample": 1000}, {"out": "KD"}),
    ("bernoulli_draw", {**DRAW, "probability": "KD"}, {"out": "KD"}),
    *(("gather", {**GATHER, "binarize": binarize}, {"out": "BD"}) for binarize in (None, "threshold", "draw")),
]
OVER_ROWS = [  # these add up over the rows, or know of none
    ("dense_dW", {"x": "BD", "dy": "BH"}, {"out": "DH", "db": "H"}),
    ("conv_dW", {"x": "BI", "dy": "BO", "geometry": CONV["geometry"]}, {"out": "VH", "db": "H"}),
    ("column_sums", {"x": "BD", "accumulate": False}, {"out": "D"}),
    ("total", {"x": "BD"}, {}),
    (
        "layer_norm_backward",
        {"dy": "BD", "u": "BD", "r": "B", "gain": "D"},
        {"dx": "BD", "dgain": "D", "dbias": "D"},
    ),
    (
        "gaussian_components_backward",
        {"dout": "BH", "z": "BD", "mu": "HD", "logvar": "HD"},
        {"dz": "BD", "dmu": "HD", "dlogvar": "HD"},
    ),
    (
        "adam",
        {"grads": "N", "learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "step": 2},
        {"values": "N", "m": "N", "v": "N"},
    ),
    ("natural_step", {"grads": "N"}, {"values": "N"}),
    ("sum_of_squares", {"x": "N"}, {}),
    ("clear", {}, {"x": "N"}),
    ("permutation", {"key": (12, 34), "epoch": 5, "n": 1000, "start": 7}, {"out": "B"}),
    ("philox4x32", {"counter": np.arange(400).reshape(100, 4), "key": (12, 34)}, {}),
]


def case_name(case):
    kernel, inputs, _ = case
    return " ".join(str(word) for word in (kernel, inputs.get("activation"), inputs.get("binarize")) if word)


def is_array(spec):
    return isinstance(spec, str) and spec.isupper()


def make(case, dtype, scale=1):
    """The arguments of a kernel; what an output holds at first counts for Adam and planar alone."""
    kernel, inputs, outputs = case
    rng = np.random.default_rng(0)
    arguments = {}
    for name, spec in {**inputs, **outputs}.items():
        shape = tuple(SIZES[letter] for letter in spec) if is_array(spec) else None
        if shape is None:
            arguments[name] = spec
        elif name == "rows":
            arguments[name] = rng.permutation(SIZES["S"])[: SIZES["B"]]
        elif kernel == "permutation":
            arguments[name] = np.empty(shape, np.int64)
        elif name == "x" and kernel.partition("_")[0] in ("poisson", "multinomial", "negative"):
            arguments[name] = rng.negative_binomial(0.3, 0.02, shape).astype(dtype)  # counts, small and large
        elif name == "label":
            arguments[name] = rng.integers(-1, SIZES["D"], shape)
        elif name in ("log_q", "log_p"):  # logarithms of shares
            arguments[name] = (-scale * rng.random(shape)).astype(dtype)
        elif name in ("log_diagonal", "lower"):  # of a factor that can be solved
            arguments[name] = (scale * (rng.random(shape) - 0.5) / 64).astype(dtype)
        elif name in ("x", "v", "y", "probability", "source", "share"):
            arguments[name] = rng.random(shape).astype(dtype)
        else:
            arguments[name] = (scale * rng.standard_normal(shape)).astype(dtype)
    return arguments


def run(case, arguments):
    """The kernel's outputs, in a list."""
    kernel, _, outputs = case
    arguments = arguments | {name: arguments[name].copy() for name in outputs}
    returned = getattr(_kernels, kernel)(**arguments)
    return [arguments[name] for name in outputs] if returned is None else [np.asarray(returned)]


def some_rows(array, spec, rows):
    """These rows of an array, where it has a row for each of B or K."""
    if not is_array(spec) or spec[0] not in "BK":
        return array
    return array.reshape(SIZES["B"], -1, *array.shape[1:])[rows].reshape(-1, *array.shape[1:])


def test_every_exported_kernel_is_here():
    tested = {kernel for kernel, _, _ in BY_ROWS + OVER_ROWS}
    assert tested == {name for names in _kernels.FUNCTIONS.values() for name in names} - {"Tape"}


@native_only
@pytest.mark.parametrize("case", BY_ROWS + OVER_ROWS, ids=case_name)
@both_dtypes
def test_kernels_on_any_number_of_threads(case, dtype):
    arguments = make(case, dtype)
    with pyvae.threads(1):
        one = run(case, arguments)
    for threads in (2, 3, 7):
        with pyvae.threads(threads):
            assert all(map(same_bits, run(case, arguments), one)), threads


# The whole in another order; a slice across the border of a tile (256 rows); rows alone; a row twice.
PICKS = {
    "another order": np.random.default_rng(1).permutation(SIZES["B"]),
    "a slice": np.arange(250, 267),
    "the first row": [0],
    "a row alone": [137],
    "the last row": [299],
    "some rows, one twice": [8, 299, 3, 8, 44],
}


@native_only
@pytest.mark.parametrize("level", LEVELS or ("none",))
@pytest.mark.parametrize("case", BY_ROWS, ids=case_name)
@both_dtypes
def test_kernels_whatever_rows_share_the_batch(case, dtype, level):
    cpu.set_level(level)
    _, inputs, outputs = case
    arguments = make(case, dtype)
    whole = run(case, arguments)
    for pick, rows in PICKS.items():
        few = {name: some_rows(arguments[name], spec, rows) for name, spec in (inputs | outputs).items()}
        for result, name, right in zip(run(case, few), outputs, whole, strict=True):
            assert same_bits(result, some_rows(right, outputs[name], rows)), f"{pick}: {name}"


@two_levels
@pytest.mark.parametrize("case", BY_ROWS + OVER_ROWS, ids=case_name)
@pytest.mark.parametrize("scale", [1e-3, 1, 40])
@both_dtypes
def test_kernels_on_avx2_and_avx512(case, dtype, scale):
    """Numbers of several sizes, so that every piece of exp, tanh and their like is entered."""
    arguments = make(case, dtype, scale)
    cpu.set_level("v3")
    avx2 = run(case, arguments)
    cpu.set_level("v4")
    assert all(map(same_bits, run(case, arguments), avx2))


@two_levels
@pytest.mark.parametrize("level", ["v3", "v4"])
def test_products_are_one_chain_of_fused_multiply_adds(level):
    """k ascending over more than one block, then the bias. A float32 product is exact in float64."""
    rng = np.random.default_rng(0)
    x, W, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 300), (300, 45), (45,)))
    chain = np.zeros((9, 45), np.float32)
    for k in range(300):
        chain = (x[:, k, None].astype(np.float64) * W[k] + chain).astype(np.float32)
    out = np.empty_like(chain)
    cpu.set_level(level)
    _kernels.dense(x, W, b, None, out)
    assert same_bits(out, chain + b)


@native_only
@pytest.mark.parametrize("level", LEVELS or ("none",))
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 45])
@both_dtypes
def test_row_sums_use_16_lanes_and_a_tree(columns, level, dtype):
    """Column j goes to lane j mod 16; then the lanes are added in halves. With logvar = 0 the KL is half of mu^2."""
    mu = np.random.default_rng(0).standard_normal((7, columns)).astype(dtype)
    lanes = np.zeros((7, 16), dtype)
    for j in range(columns):
        lanes[:, j % 16] += mu[:, j] * mu[:, j]
    for width in (8, 4, 2, 1):
        lanes = lanes[:, :width] + lanes[:, width:]
    out = np.empty(7, dtype)
    cpu.set_level(level)
    _kernels.kl(mu, np.zeros_like(mu), out)
    assert same_bits(out, lanes[:, 0] / 2)


# --- A model's answers -----------------------------------------------------------------------------------------------

N_FEATURES, LATENT_DIM = 40, 3
LIKELIHOODS = {
    "bernoulli": lambda: pyvae.Bernoulli(N_FEATURES),
    "gaussian, fixed std": lambda: pyvae.Gaussian(N_FEATURES, std=0.5),
    "gaussian, learned std": lambda: pyvae.Gaussian(N_FEATURES, std="learned"),
    "gaussian, predicted std": lambda: pyvae.Gaussian(N_FEATURES, std="predicted"),
    "gaussian, shared std": lambda: pyvae.Gaussian(N_FEATURES, std="shared"),
    "categorical": lambda: pyvae.Categorical([2, 17, 20, 1]),
    "poisson": lambda: pyvae.Poisson(N_FEATURES),
    "multinomial": lambda: pyvae.Multinomial(N_FEATURES),
    "negative binomial": lambda: pyvae.NegativeBinomial(N_FEATURES),
    "mixed": lambda: pyvae.Mixed(
        [pyvae.Bernoulli(7), pyvae.Gaussian(16, "learned"), pyvae.NegativeBinomial(16), pyvae.Poisson(1)]
    ),
}
COUNTS = ("poisson", "multinomial", "negative binomial")
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def data(likelihood, n_rows):
    """Rows that the likelihood can have made."""
    rng = np.random.default_rng(0)
    if likelihood == "categorical":
        groups = [np.eye(size)[rng.integers(size, size=n_rows)] for size in LIKELIHOODS[likelihood]().sizes]
        return np.hstack(groups).astype(np.float32)
    if likelihood in COUNTS:
        return rng.poisson(1.5, (n_rows, N_FEATURES)).astype(np.float32)
    if likelihood == "mixed":
        return rng.integers(0, 2, (n_rows, N_FEATURES)).astype(np.float32)
    return rng.random((n_rows, N_FEATURES), dtype=np.float32)


def make_model(likelihood, activation="relu", seed=0, hidden=96):
    return pyvae.VAE.mlp(N_FEATURES, LATENT_DIM, (hidden,), activation, LIKELIHOODS[likelihood](), seed)


METHODS = {
    "encode": lambda model, X, Z: np.hstack(model.encode(X)),
    "decode": lambda model, X, Z: model.decode(Z),
    "reconstruct": lambda model, X, Z: model.reconstruct(X),
    "elbo": lambda model, X, Z: model.elbo(X, seed=4),
    "elbo of 10 samples": lambda model, X, Z: model.elbo(X, n_samples=10, seed=4),
    "elbo of many samples": lambda model, X, Z: model.elbo(X, n_samples=300, seed=4),
    "log_likelihood": lambda model, X, Z: model.log_likelihood(X, n_samples=30, seed=4),
    "log_likelihood of many samples": lambda model, X, Z: model.log_likelihood(X, n_samples=3000, seed=4),
}


def answers(method, likelihood, dtype, rows):
    """Of the rows with these numbers, which keep their numbers and so their noise."""
    model = make_model(likelihood, hidden=33).astype(dtype)
    n_rows = 2100  # more than a model evaluates together
    X = Rows(ArraySource(data(likelihood, n_rows)), rows)
    Z = Rows(ArraySource(np.random.default_rng(1).standard_normal((n_rows, LATENT_DIM))), rows)
    return METHODS[method](model, X, Z)


@native_only
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian, predicted std", "categorical", "mixed"])
@pytest.mark.parametrize("method", METHODS)
@both_dtypes
def test_a_models_answers_whatever_rows_share_the_batch(method, likelihood, dtype):
    n_rows = 9 if "many" in method else 2100
    picks = [[0], [n_rows - 1], np.arange(n_rows // 2, n_rows // 2 + 3), [5, 2, 5, n_rows - 2]]
    if "many" not in method:
        picks.append(np.random.default_rng(2).permutation(n_rows))
    whole = answers(method, likelihood, dtype, np.arange(n_rows))
    for rows in picks:
        assert same_bits(answers(method, likelihood, dtype, rows), whole[rows])


@native_only
@pytest.mark.parametrize("method", [method for method in METHODS if "many" not in method])
def test_a_models_answers_on_any_number_of_threads(method):
    rows = np.arange(300)
    with pyvae.threads(1):
        one = answers(method, "bernoulli", np.float32, rows)
    for threads in (2, 3, 7):
        with pyvae.threads(threads):
            assert same_bits(answers(method, "bernoulli", np.float32, rows), one)


@native_only
def test_two_python_threads_may_use_one_model():
    model, X = make_model("bernoulli"), data("bernoulli", 600)
    right = model.elbo(X, n_samples=3)
    with pyvae.threads(2), concurrent.futures.ThreadPoolExecutor(2) as pool:
        for elbo in pool.map(lambda _: model.elbo(X, n_samples=3), range(6)):
            assert same_bits(elbo, right)


# --- Training --------------------------------------------------------------------------------------------------------


def trained(likelihood, folder, seed=0, model_seed=0, activation="relu"):
    """What a short training leaves: the bytes of the model's file, and the history but for its seconds.

    Minibatches of 150 rows are work for several threads; the last of each epoch is shorter.
    """
    model = make_model(likelihood, activation, model_seed)
    history = pyvae.train(
        model, data(likelihood, 400), epochs=2, batch_size=150, n_samples=2, seed=seed, validation_fraction=0.1,
        progress=False,
    )  # fmt: skip
    path = Path(folder) / "model.safetensors"
    pyvae.save(model, path)
    return path.read_bytes(), [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history.epochs]


@every_likelihood
def test_a_training_can_be_repeated(likelihood, tmp_path):
    assert trained(likelihood, tmp_path) == trained(likelihood, tmp_path)


@pytest.mark.parametrize("other", [{"seed": 1}, {"model_seed": 1}])
def test_another_seed_is_another_training(other, tmp_path):
    assert trained("bernoulli", tmp_path)[0] != trained("bernoulli", tmp_path, **other)[0]


@native_only
@every_likelihood
def test_training_on_any_number_of_threads(likelihood, tmp_path):
    with pyvae.threads(1):
        one = trained(likelihood, tmp_path)
    for threads in (2, 3, 7):
        with pyvae.threads(threads):
            assert trained(likelihood, tmp_path) == one


@two_levels
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus"])
@every_likelihood
def test_training_on_avx2_and_avx512(likelihood, activation, tmp_path):
    cpu.set_level("v3")
    avx2 = trained(likelihood, tmp_path, activation=activation)
    cpu.set_level("v4")
    assert trained(likelihood, tmp_path, activation=activation) == avx2


@two_levels
def test_a_models_answers_on_avx2_and_avx512():
    rows = np.arange(50)
    for method in METHODS:
        cpu.set_level("v3")
        avx2 = answers(method, "gaussian, predicted std", np.float32, rows)
        cpu.set_level("v4")
        assert same_bits(answers(method, "gaussian, predicted std", np.float32, rows), avx2), method


SCRIPT = """
import sys
import numpy as np
import pyvae

model = pyvae.VAE.mlp(40, latent_dim=3, hidden=(96,), seed=3)
X = np.random.default_rng(0).random((400, 40), dtype=np.float32)
pyvae.train(model, X, epochs=2, batch_size=150, seed=5, progress=False)
pyvae.save(model, sys.argv[1])
print(pyvae.get_num_threads())
"""


def run_script(script, *arguments, threads):
    """What the script prints, in a process of its own that finds pyvae where this one did."""
    found_here = str(Path(pyvae.__file__).resolve().parents[1])
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": found_here}
    command = [sys.executable, "-P", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@native_only
def test_processes_with_one_and_two_threads_write_the_same_file(tmp_path):
    files = []
    for threads in (1, 2):
        path = tmp_path / f"{threads}.safetensors"
        assert run_script(SCRIPT, path, threads=threads) == [str(threads if runtime.HAS_OPENMP else 1)]
        files.append(path.read_bytes())
    assert files[0] == files[1]


FORK = """
import os, signal
import numpy as np
import pyvae

X = np.random.default_rng(0).random((400, 40), dtype=np.float32)
model = pyvae.VAE.mlp(40, latent_dim=3, hidden=(96,))
right = model.elbo(X).tobytes()
if os.fork() == 0:
    signal.alarm(30)
    for n in (1, 2):
        pyvae.set_num_threads(n)
        assert model.elbo(X).tobytes() == right
    os._exit(0)
print(os.wait()[1])
"""


@native_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_the_same_bits_and_does_not_wait_for_threads_that_are_gone():
    assert run_script(FORK, threads=2) == ["0"]
