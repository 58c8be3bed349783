"""The promises of test_promises.py for every registered part of a model, forward and backward, and for two trainings.

The same bits on any number of threads, whatever rows share the batch, and on AVX2 as on AVX-512. The parts are those of
the registry, so that a new layer, likelihood, posterior or prior is asked for here.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import Noise, _kernels
from pyvae.arena import Arena
from pyvae.command.checks import common, likelihoods, models
from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import Rows
from pyvae.latent.encode import Encode
from pyvae.layers.activations import ACTIVATIONS
from pyvae.layers.layer import Layer
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.module import REGISTRY, build

if _kernels.KERNELS != "native":
    pytest.skip(reason="the twins promise no bits: BLAS adds up in its own order", allow_module_level=True)

from pyvae._kernels import cpu, runtime

LEVELS = cpu.LEVELS[: cpu.LEVELS.index(cpu.HIGHEST_LEVEL) + 1]
HAS_BOTH = {"v3", "v4"} <= set(LEVELS)
two_levels = pytest.mark.skipif(not HAS_BOTH, reason=f"AVX2 and AVX-512 are wanted; here run {LEVELS}")

N_ROWS, WIDTH, SAMPLES = 403, 85, 2  # work for several threads in every kernel, and no multiple of a block
PARTS = {
    "Dense": [pyvae.Dense(WIDTH, 67, activation) for activation in (None, *ACTIVATIONS)],
    "Sequential": [pyvae.Sequential(pyvae.Dense(WIDTH, 67, "tanh"), pyvae.LayerNorm(67), pyvae.Dense(67, 31))],
    **{kind.__name__: [kind()] for kind in ACTIVATIONS.values()},
    "Dropout": [pyvae.Dropout(0.3)],
    "FirstColumns": [pyvae.FirstColumns(WIDTH, 31)],
    "Clip": [pyvae.Clip(1.0), pyvae.Clip(1.0, 5)],
    "Conv2d": [
        pyvae.Conv2d(5, 7, 3, 37),
        pyvae.Conv2d(6, 5, 17, 2, 2, 1, "valid", "tanh"),
        pyvae.Conv2d(7, 7, 1, 19, 4, 3, (1, 2, 0, 3), "gelu"),
    ],
    "ConvTranspose2d": [
        pyvae.ConvTranspose2d(3, 4, 19, 35),
        pyvae.ConvTranspose2d(4, 4, 9, 1, 3, 1, "same", "relu"),
        pyvae.ConvTranspose2d(2, 3, 5, 17, 2, 3, "same", "silu"),
    ],
    "Upsample2d": [pyvae.Upsample2d(3, 2, 5)],
    "LayerNorm": [pyvae.LayerNorm(WIDTH)],
    "GatedDense": [pyvae.GatedDense(WIDTH, 67)],
    "Residual": [pyvae.Residual(pyvae.Dense(WIDTH, WIDTH, "silu"))],
    "DiagonalGaussian": [pyvae.DiagonalGaussian(), pyvae.DiagonalGaussian((-0.5, 0.8))],
    "FullGaussian": [pyvae.FullGaussian()],
    "PlanarFlow": [pyvae.PlanarFlow(2)],
    "StandardNormal": [pyvae.StandardNormal()],
    "Mixture": [pyvae.Mixture(WIDTH, 37)],
    "VampPrior": [pyvae.VampPrior(23, 150), pyvae.VampPrior(23, 37, (0, 1), 0.5, 0.5)],
    "Flow": [pyvae.Flow(WIDTH, 3, (67,))],
    "SecondLayer": [pyvae.SecondLayer(pyvae.Dense(WIDTH, 62), pyvae.Dense(31, 2 * WIDTH))],
    "Classes": [pyvae.Classes(WIDTH), pyvae.Classes(WIDTH, learned=True)],
}
for make in likelihoods.LIKELIHOODS.values():
    PARTS.setdefault(type(make()).__name__, []).append(make())
every_part = pytest.mark.parametrize(
    "part", [pytest.param(part, id=f"{name} {i}") for name, parts in PARTS.items() for i, part in enumerate(parts)]
)


@pytest.fixture(autouse=True)
def level_and_threads_are_put_back():
    level, threads = cpu.get_level(), pyvae.get_num_threads()
    pyvae.set_num_threads(1)
    yield
    cpu.set_level(level)
    pyvae.set_num_threads(threads)


def test_every_registered_part_is_here():
    own = {name: kind for name, kind in REGISTRY.items() if kind.__module__.startswith("pyvae.")}
    assert set(PARTS) == {name for name, kind in own.items() if not issubclass(kind, pyvae.VAE)}


# --- What a part computes --------------------------------------------------------------------------------------------


def normal(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def of_samples(a, rows):
    """The samples of these rows, of an array (N_ROWS * SAMPLES, ...)."""
    return np.concatenate([a[row * SAMPLES : (row + 1) * SAMPLES] for row in rows])


def of_layer(layer, rows):
    width = layer.n_in or WIDTH
    y, cache = layer.forward(normal(N_ROWS, width)[rows], Noise(3, step=4).at(rows))
    y = y.copy()
    return {"y": y, "dx": layer.backward(normal(N_ROWS, y.shape[1])[rows], cache)}


def of_likelihood(likelihood, rows):
    x = common.rows_for(likelihood, N_ROWS, np.random.default_rng(0)).astype(np.float32)
    outputs = of_samples(normal(N_ROWS * SAMPLES, likelihood.n_outputs), rows)
    log_px, cache = likelihood.log_density(x[rows], outputs)
    doutputs = likelihood.log_density_backward(of_samples(normal(N_ROWS * SAMPLES), rows), cache)
    return {"log_px": log_px, "doutputs": doutputs, "mean": likelihood.mean(outputs)}


def of_posterior(posterior, rows):
    outputs = normal(N_ROWS, posterior.n_outputs(WIDTH))[rows]
    eps = of_samples(normal(N_ROWS * SAMPLES, WIDTH), rows)
    q, prior = posterior.split(outputs), pyvae.StandardNormal()
    z, log_qz, sample_cache = posterior.sample(q, eps)
    kl, kl_cache = prior.kl(posterior, q)
    through_z = posterior.sample_backward(of_samples(2 * normal(N_ROWS * SAMPLES, WIDTH), rows), log_qz, sample_cache)
    results = {"z": z, "log_qz": log_qz, "doutputs through z": posterior.split_backward(through_z, outputs)}
    if kl is not None:
        through_kl = prior.kl_backward(normal(N_ROWS)[rows], kl_cache)
        results |= {"kl": kl, "doutputs through KL": posterior.split_backward(through_kl, outputs)}
    if posterior.pathwise:
        results["dz of the density"] = posterior.density_backward(log_qz, sample_cache)
        assert np.isfinite(results["dz of the density"]).all()
    return results


def of_prior(prior, rows, encoder):
    given = (Encode(encoder, pyvae.DiagonalGaussian()),) if prior.uses_encoder else ()
    given += (of_samples(normal(N_ROWS * SAMPLES, prior.noise_dim), rows),) if prior.noise_dim else ()
    z = of_samples(normal(N_ROWS * SAMPLES, WIDTH), rows)
    log_pz, cache = prior.log_density(z, pyvae.FRESH, *given)
    return {"log_pz": log_pz, "dz": prior.log_density_backward(of_samples(normal(N_ROWS * SAMPLES), rows), cache)}


def of_classes(classes, rows):
    """Of p(y), which knows no rows."""
    log_p, cache = classes.log_probabilities(np.float32)
    classes.log_probabilities_backward(normal(N_ROWS, WIDTH)[rows], cache)
    return {"log_p": np.repeat(log_p, len(rows), axis=0)}


def results_of(part, rows=None):
    """What the part computes for each of these rows (all), and the gradients of its parameters over all of them."""
    part, encoder = build(part.describe()), pyvae.Dense(23, 2 * WIDTH)
    arena = Arena({"part": part, "encoder": encoder}, np.float32, 0)
    arena.values += 0.1 * normal(arena.values.size)
    kinds = {Layer: of_layer, Likelihood: of_likelihood, pyvae.Posterior: of_posterior}
    kinds[pyvae.Classes] = of_classes
    last = partial(of_prior, encoder=encoder)
    of_part = next((function for kind, function in kinds.items() if isinstance(part, kind)), last)
    return of_part(part, np.arange(N_ROWS) if rows is None else rows), arena.grads


def as_bytes(results):
    by_row, grads = results
    return {name: a.tobytes() for name, a in by_row.items()} | {"gradients of parameters": grads.tobytes()}


@every_part
def test_a_part_on_any_number_of_threads(part):
    one = as_bytes(results_of(part))
    for threads in (2, 3, 4):
        with pyvae.threads(threads):
            assert as_bytes(results_of(part)) == one, threads


@every_part
@pytest.mark.parametrize("level", LEVELS)
def test_a_part_whatever_rows_share_the_batch(part, level):
    cpu.set_level(level)
    whole, _ = results_of(part)
    for rows in ([0], [N_ROWS - 1], np.arange(250, 267), [5, 402, 5, 3], np.random.default_rng(1).permutation(N_ROWS)):
        some, _ = results_of(part, np.asarray(rows))
        for name, result in some.items():
            right = whole[name][rows] if len(whole[name]) == N_ROWS else of_samples(whole[name], rows)
            assert result.tobytes() == right.tobytes(), name


@two_levels
@every_part
def test_a_part_on_avx2_and_avx512(part):
    cpu.set_level("v3")
    avx2 = as_bytes(results_of(part))
    cpu.set_level("v4")
    assert as_bytes(results_of(part)) == avx2


# --- Two whole trainings ---------------------------------------------------------------------------------------------

TRAININGS = """
import hashlib, sys
from pathlib import Path
import numpy as np
import pyvae
from pyvae import Dense, Dropout, GatedDense, LayerNorm, Residual, Sequential

def deep():
    encoder = Sequential(Dense(40, 96, "gelu"), LayerNorm(96), Dropout(0.2), Residual(GatedDense(96, 96)), Dense(96, 6))
    decoder = Sequential(Dense(3, 96, "silu"), Dropout(0.1, number=1), GatedDense(96, 49))
    parts = [pyvae.Bernoulli(13), pyvae.Gaussian(9, "predicted"), pyvae.Gaussian(10, "learned"), pyvae.Poisson(8)]
    return pyvae.VAE(encoder, decoder, pyvae.Mixed(parts), posterior=pyvae.DiagonalGaussian((-8, 4)), seed=2)

X = np.random.default_rng(0).integers(0, 2, (400, 40)).astype(np.float32)
for model in (pyvae.VAE.mlp(40, latent_dim=3, hidden=(96,), seed=3), deep()):
    history = pyvae.train(
        model, X, epochs=3, batch_size=150, n_samples=2, seed=5, validation_fraction=0.1, clip_norm=1.0, kl_warmup=2,
        learning_rate=pyvae.CosineDecay(1e-2, 3), weight_decay=0.1, progress=False,
    )
    path = Path(sys.argv[1]) / "model.safetensors"
    pyvae.save(model, path)
    figures = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history.epochs]
    print(hashlib.sha256(path.read_bytes() + repr(figures).encode() + model.elbo(X).tobytes()).hexdigest())
print(pyvae._kernels.info()['isa'], pyvae.get_num_threads(), file=sys.stderr)
"""


def trained(folder, level, threads):
    """A digest of each training: the model's file, the history but for its seconds, the ELBO of each row."""
    found_here = str(Path(pyvae.__file__).resolve().parents[1])
    switches = {"PYVAE_MAX_ISA": level, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": found_here}
    command = [sys.executable, "-P", "-c", TRAININGS, str(folder)]
    done = subprocess.run(command, env=os.environ | switches, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == [level, str(threads if runtime.HAS_OPENMP else 1)]
    return done.stdout.split()


def test_trainings_on_other_threads_and_instruction_sets(tmp_path):
    """In processes of their own, with the switches that users have."""
    levels = [level for level in LEVELS if level in ("v3", "v4", "generic")] or LEVELS[-1:]
    first = trained(tmp_path, levels[0], 1)
    assert len(first) == 2
    for level, threads in ((levels[-1], 1), (levels[0], 2), (levels[-1], 3), (levels[-1], 4)):
        assert trained(tmp_path, level, threads) == first, (level, threads)


def test_answers_of_a_deep_model_whatever_rows_share_the_batch():
    model = models.deep_model()
    X = np.random.default_rng(0).random((700, model.n_features))
    whole = model.elbo(X, n_samples=3)
    for rows in ([0], [699, 4, 4], np.arange(300, 320)):
        assert model.elbo(Rows(ArraySource(X), rows), n_samples=3).tobytes() == whole[rows].tobytes()
