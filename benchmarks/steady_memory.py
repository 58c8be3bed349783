"""Whether memory grows in a long training: the process's own memory after 1,000 steps and after 200,000.

    python benchmarks/steady_memory.py [--epochs 200]

Small models, so that what a step forgets to free is many times its own size: 20 features, minibatches of 32, epochs of
1,000 steps. A training keeps its history, one entry an epoch; nothing else should stay. What is read is Anonymous of
/proc/self/smaps_rollup: memory that is in use and belongs to no file (Linux). Exits with 1 where it grew by 1 MB.
"""

import argparse
import gc
import sys
from pathlib import Path

import numpy as np

import pyvae
from pyvae import Dense, Dropout, GatedDense, LayerNorm, Sequential

BATCH_SIZE, STEPS_PER_EPOCH, N_FEATURES, LATENT_DIM = 32, 1000, 20, 2
MOST_GROWTH = 1000  # kB


def anonymous_memory():
    """In kB."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def small():
    return pyvae.VAE.mlp(N_FEATURES, LATENT_DIM, (16,))


def deep():
    """Dropout draws a mask in every step, and so every step is made call by call, none played from a tape."""
    encoder = Sequential(Dense(N_FEATURES, 16, "gelu"), LayerNorm(16), Dropout(0.1), GatedDense(16, 2 * LATENT_DIM))
    decoder = Sequential(Dense(LATENT_DIM, 16, "tanh"), Dense(16, N_FEATURES))
    return pyvae.VAE(encoder, decoder, pyvae.Gaussian(N_FEATURES, std="learned"))


TRAININGS = {
    "a plain training": (small, {}),
    "with validation, a schedule, warm-up, clipping, decay": (
        small,
        {"validation_fraction": 0.1, "learning_rate": pyvae.CosineDecay(1e-3, 200), "kl_warmup": 3, "clip_norm": 1.0}
        | {"weight_decay": 1e-3, "n_samples": 2},
    ),
    "of deeper parts": (deep, {"X_val": np.full((1000, N_FEATURES), 0.5)}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200, help="of 1,000 steps each (%(default)s)")
    epochs = parser.parse_args().epochs
    worst = 0
    for name, (make, options) in TRAININGS.items():
        n_rows = round(BATCH_SIZE * STEPS_PER_EPOCH / (1 - options.get("validation_fraction", 0)))
        X = np.random.default_rng(0).random((n_rows, N_FEATURES), dtype=np.float32)
        after = []

        def measure(history, after=after):
            after.append(anonymous_memory())

        pyvae.train(make(), X, epochs=epochs, batch_size=BATCH_SIZE, callbacks=[measure], progress=False, **options)
        growth, steps = after[-1] - after[0], STEPS_PER_EPOCH * epochs
        print(f"{name}: {after[0]:,} kB after {STEPS_PER_EPOCH:,} steps, {after[-1]:,} kB after {steps:,}: "
              f"{growth:+,} kB, at most {max(after) - after[0]:+,} kB", flush=True)  # fmt: skip
        worst = max(worst, growth)
    sys.exit(int(worst >= MOST_GROWTH))


if __name__ == "__main__":
    main()
