"""Twelve small trainings, and what a change that changes no number must leave as it is.

    python tests/training/recorded_trainings.py        records them anew, into tests/golden/trainings.json

Together they use every likelihood, activation and block, sparse, missing and weighted rows, and the options of
``train``. Rows are made by Philox (``Noise``) and by arithmetic that is rounded once, so that they are the same
everywhere.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

import pyvae

RECORD = Path(__file__).parents[1] / "golden" / "trainings.json"
N_ROWS = 150


def uniform(n_columns, number=0):
    return pyvae.Noise(7, number).uniform("x", (N_ROWS, n_columns), np.arange(N_ROWS))


def normal(n_columns):
    return pyvae.Noise(8).normal("x", (N_ROWS, n_columns), np.arange(N_ROWS))


def counts(n_columns):
    return np.floor(8 * uniform(n_columns) ** 4).astype(np.float32)


def one_hot(*sizes):
    groups = [(uniform(1, i) * size).astype(int) == np.arange(size) for i, size in enumerate(sizes)]
    return np.hstack(groups).astype(np.float32)


def weight():
    return np.floor(4 * uniform(1, 9)[:, 0]).astype(np.float64)


def with_gaps(X):
    return np.where(uniform(X.shape[1], 5) < 0.2, np.float32(np.nan), X)


def vae(*layers, likelihood, latent=3, decoder="tanh", **arguments):
    """An encoder of these layers and the last one, and a decoder with one hidden layer."""
    width = pyvae.Sequential(*layers).n_out
    encoder = pyvae.Sequential(*layers, pyvae.Dense(width, 2 * latent))
    decoder = pyvae.Sequential(pyvae.Dense(latent, 20, decoder), pyvae.Dense(20, likelihood.n_outputs))
    return pyvae.VAE(encoder, decoder, likelihood, seed=3, **arguments)


def bernoulli_drawn():
    source = pyvae.ArraySource(np.floor(256 * uniform(37)).astype(np.uint8), scale=1 / 255, binarize="draw")
    model = pyvae.VAE.mlp(37, 5, (64, 33), seed=1)
    return model, source, {"validation_fraction": 0.2, "patience": 2, "epochs": 4}


def bernoulli_three_samples():
    model = pyvae.VAE.mlp(37, 5, (40,), "tanh", seed=2)
    return model, uniform(37), {"n_samples": 3, "kl_warmup": 2, "beta": 0.7, "clip_norm": 0.5, "weight_decay": 0.01}


def gaussian_missing():
    model = pyvae.VAE.mlp(9, 2, (30,), "silu", "gaussian")
    rate = pyvae.CosineDecay(0.01, 3, 0.001)
    return model, pyvae.ArraySource(with_gaps(normal(9)), missing=True), {"learning_rate": rate}


def gaussian_predicted():
    hidden = pyvae.Sequential(pyvae.Dense(24, 24, "gelu", "glorot"), pyvae.LayerNorm(24))
    layers = pyvae.Dense(9, 24, "relu", "he"), pyvae.Residual(hidden)
    return vae(*layers, likelihood=pyvae.Gaussian(9, "predicted")), normal(9), {"clip_norm": 3.0}


def gaussian_shared():
    layers = pyvae.GatedDense(9, 16), pyvae.Dropout(0.3), pyvae.Dense(16, 12, "softplus"), pyvae.Dropout(0.2, 1)
    rate = pyvae.WarmUp(pyvae.StepDecay(0.01, 0.5, (1, 2)), 1)
    return vae(*layers, likelihood=pyvae.Gaussian(9, "shared", floor=0.05)), normal(9), {"learning_rate": rate}


def gaussian_fixed():
    posterior = pyvae.DiagonalGaussian((-0.3, 0.1))
    model = vae(pyvae.Dense(9, 16, "elu"), likelihood=pyvae.Gaussian(9, 0.5), posterior=posterior)
    return model, pyvae.ArraySource(normal(9), weight=weight()), {"n_samples": 2}


def categorical():
    model = vae(pyvae.LayerNorm(20), pyvae.Dense(20, 16, "leaky_relu"), likelihood=pyvae.Categorical((12, 3, 5)),
                dtype=np.float64)  # fmt: skip
    return model, one_hot(12, 3, 5), {"beta": 0.5}


def poisson_sparse():
    return pyvae.VAE.mlp(37, 4, (20,), likelihood="poisson"), csr_array(counts(37)), {"learning_rate": 0.01}


def multinomial_sparse():
    source = pyvae.SparseSource(csr_array(counts(37)), weight=weight())
    return pyvae.VAE.mlp(37, 4, (20,), likelihood="multinomial"), source, {"n_samples": 2}


def negative_binomial():
    model = pyvae.VAE.mlp(17, 4, (20,), likelihood="negative-binomial")
    return model, pyvae.ArraySource(with_gaps(counts(17)), missing=True), {"learning_rate": 0.01}


def mixed():
    words = pyvae.Weighted(pyvae.Categorical((4,)), 2.5)
    parts = [pyvae.Mixed([pyvae.Gaussian(3, "learned"), pyvae.Bernoulli(5)]), words, pyvae.Poisson(2)]
    X = np.hstack([normal(3), uniform(5), one_hot(4), counts(2)])
    layers = pyvae.FirstColumns(14, 12), pyvae.Dense(12, 20, "sigmoid"), pyvae.Tanh(), pyvae.Dense(20, 8), pyvae.ReLU()
    return vae(*layers, likelihood=pyvae.Mixed(parts)), X, {"validation_fraction": 0.1, "kl_warmup": 1}


def medium():
    """On processors without bf16 products it is as exact as "highest"."""
    return pyvae.VAE.mlp(300, 20, (200, 90), seed=1), uniform(300), {"batch_size": 50}


CASES = {f.__name__: f for f in (
    bernoulli_drawn, bernoulli_three_samples, gaussian_missing, gaussian_predicted, gaussian_shared, gaussian_fixed,
    categorical, poisson_sparse, multinomial_sparse, negative_binomial, mixed, medium,
)}  # fmt: skip


def sha256(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def run(name, threads):
    """What a case leaves: hashes of bits, and numbers that other NumPys may round otherwise."""
    model, X, arguments = CASES[name]()
    precision = "medium" if name == "medium" else "highest"
    with pyvae.threads(threads), pyvae.set_matmul_precision(precision), tempfile.TemporaryDirectory() as folder:
        arguments = {"epochs": 3, "batch_size": 32, "seed": 5, "progress": False, **arguments}
        if name == "bernoulli_three_samples":  # in two halves
            pyvae.train(model, X, **arguments | {"epochs": 1}, checkpoints=folder)
            model = CASES[name]()[0]
            arguments |= {"checkpoints": folder, "resume": True}
        history = pyvae.train(model, X, **arguments)
        pyvae.save(model, Path(folder) / "model.safetensors")
        source = X if isinstance(X, pyvae.DataSource) else pyvae.SparseSource(X) if hasattr(X, "tocsr") else (
            pyvae.ArraySource(X)
        )  # fmt: skip
        reconstruction, kl = model.elbo_terms(source, n_samples=3, seed=2)
        result = {
            "weights": sha256(*(model.parameters[name] for name in sorted(model.parameters.names))),
            "file": hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest(),
            "description": model.describe(),
            "history": [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history.epochs],
            "best_epoch": history.best_epoch,
            "reconstruction": reconstruction.tolist(),
            "kl": kl.tolist(),
            "mean of samples": float(model.sample(20, seed=4).mean(dtype=np.float64)),
            "mean of draws": float(model.sample(200, seed=4, mean=False).mean(dtype=np.float64)),
        }
        if name not in ("gaussian_missing", "negative_binomial"):  # others have rows that are whole
            rows = source.gather(np.arange(20)).x
            mu, logvar = model.encode(rows)
            result["posterior"] = sha256(mu, logvar)
            result["log_likelihood"] = model.log_likelihood(rows, n_samples=20, seed=1).tolist()
    return result


if __name__ == "__main__":
    RECORD.write_text(json.dumps({name: run(name, 2) for name in CASES}, indent=1))
