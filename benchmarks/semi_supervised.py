"""Few labels on MNIST: the error of M1+M2 and of M2 alone, by the protocol of Kingma et al. 2014, table 1.

    PYVAE_DATA=... python benchmarks/semi_supervised.py m1              the VAE whose z is learned from without labels
    PYVAE_DATA=... python benchmarks/semi_supervised.py m1+m2 --labels 100 --draw 0
    PYVAE_DATA=... python benchmarks/semi_supervised.py m2 --labels 100
    python benchmarks/semi_supervised.py table

M1: 784-500-500-50 softplus, gray pixels as probabilities. M2 on it: 50-H-50 softplus with classes, Gaussian, H = 300
for 100 labels and 500 for more; it learns from z drawn afresh from q(z|x) of M1 at every step, and is tested at its
mean.
M2 alone: 784-500-50 softplus on pixels binarised afresh. As there, the first 50,000 rows are trained on, the same
number of each digit has its label, the classifier's loss weighs 0.1 N / N_labelled, and all weights have the prior
N(0, 1), whose share in the loss of a row is l2 = 1 / N. --passes: over the rows, at most 600 of each model are allowed
here (3,000 there), so the rate begins higher, and falls to a hundredth as a cosine. Every training has checkpoints in
--folder and goes on when it is called again; results are written to results/semi_supervised.json.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import pyvae
from pyvae.data import datasets
from pyvae.data.wrapped import Drawn
from pyvae.persistence import write_file
from pyvae.training.checkpoints import Checkpoints

RESULTS = Path(__file__).parent / "results" / "semi_supervised.json"
N, CLASSES = 50_000, 10
PUBLISHED = {("m1+m2", 100): 3.33, ("m1+m2", 1000): 2.40, ("m2", 100): 11.97, ("m2", 1000): 3.60}


def few_labels(y, n_labels, draw):
    """y with -1 for all rows but n_labels, of which each class has the same number, drawn at random."""
    rng, kept = np.random.default_rng(draw), np.full(len(y), -1)
    for c in range(CLASSES):
        rows = rng.permutation(np.flatnonzero(y == c))[: n_labels // CLASSES]
        kept[rows] = c
    return kept


def train(model, rows, name, options, batch_size, learning_rate):
    """Train, or go on training; seconds of all epochs."""
    history = pyvae.train(
        model, rows, epochs=options.passes, batch_size=batch_size, progress=False, seed=options.draw,
        learning_rate=pyvae.CosineDecay(learning_rate, options.passes, learning_rate / 100),
        optimizer=pyvae.Adam(model.parameters, l2=1 / N), resume=True,
        checkpoints=Checkpoints(options.folder / name, seconds=60),
    )  # fmt: skip
    if history.stopped != "epochs":
        raise SystemExit(f"{name}: {history.stopped} after epoch {len(history)}; call it again to go on")
    return sum(history["seconds"])


def train_m1(options, data):
    model = pyvae.VAE.mlp(784, latent_dim=50, hidden=(500, 500), activation="softplus", seed=0)
    seconds = train(model, pyvae.ArraySource(data.train.X[:N], scale=1 / 255), "m1", options, 200, 1e-3)
    pyvae.save(model, options.folder / "m1.safetensors")
    print(f"M1: {options.passes} passes, {seconds / 60:.0f} minutes")


def m2_on_m1(options, data, label):
    """M2 of z, what it trains on, and the test rows' z."""
    m1 = pyvae.load(options.folder / "m1.safetensors")
    mu, logvar = m1.encode(pyvae.ArraySource(data.train.X[:N], scale=1 / 255))
    hidden = 300 if options.labels <= 100 else 500
    model = pyvae.SemiSupervisedVAE.mlp(
        50, CLASSES, 50, (hidden,), "softplus", pyvae.Gaussian(50, "predicted"), 0.1 * N / options.labels, options.draw
    )
    test = m1.encode(pyvae.ArraySource(data.test.X, scale=1 / 255))[0]
    return model, Drawn(pyvae.ArraySource(mu, label=label), logvar), test


def m2_on_pixels(options, data, label):
    """M2 of pixels, what it trains on, and the test rows."""
    model = pyvae.SemiSupervisedVAE.mlp(
        784, CLASSES, 50, (500,), "softplus", alpha=0.1 * N / options.labels, seed=options.draw
    )
    rows = pyvae.ArraySource(data.train.X[:N], scale=1 / 255, binarize="draw", label=label)
    return model, rows, pyvae.ArraySource(data.test.X, scale=1 / 255)


def train_m2(options, data):
    label = few_labels(data.train_labels[:N], options.labels, options.draw)
    model, rows, test = (m2_on_m1 if options.model == "m1+m2" else m2_on_pixels)(options, data, label)
    name = f"{options.model}-{options.labels}-{options.draw}"
    started = time.perf_counter()
    seconds = train(model, rows, name, options, options.batch_size, options.learning_rate)
    error = float(np.mean(model.classify(test).argmax(axis=1) != data.test_labels))
    unlabelled = label < 0
    known = data.train_labels[:N][unlabelled]
    record = {
        "test_error": error,
        "error_of_unlabelled_rows": float(
            np.mean(model.classify(pyvae.data.Rows(rows, np.flatnonzero(unlabelled))).argmax(axis=1) != known)
        ),
        "passes": options.passes,
        "minutes": round(seconds / 60, 1),
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
    }
    print(f"{name}: {error:.2%} of the test rows, in {(time.perf_counter() - started) / 60:.0f} minutes", flush=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results.setdefault(f"{options.model}, {options.labels} labels", {})[str(options.draw)] = record
    write_file(RESULTS, f"{json.dumps(results, indent=1)}\n".encode())


def table():
    """Lines of the report."""
    for name, draws in json.loads(RESULTS.read_text()).items():
        errors = [100 * record["test_error"] for record in draws.values()]
        model, labels = name.split(", ")
        published = PUBLISHED[model, int(labels.split()[0])]
        each = ", ".join(f"{error:.2f}" for error in errors)
        passes = "/".join(sorted({str(record["passes"]) for record in draws.values()}))
        print(f"{name:<20} {np.mean(errors):5.2f}% (published {published:5.2f}%)   {passes} passes, draws: {each}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=["m1", "m1+m2", "m2", "table"])
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--draw", type=int, default=0, help="seed of the labels' draw, and of M2")
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--folder", type=Path, default=Path("runs/semi_supervised"), help="of checkpoints, and of M1")
    parser.add_argument("--threads", type=int, help="changes the time, and no bit")
    options = parser.parse_args()
    if options.threads:
        pyvae.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.model == "table":
        table()
    else:
        data = datasets.load("mnist")
        (train_m1 if options.model == "m1" else train_m2)(options, data)


if __name__ == "__main__":
    main()
