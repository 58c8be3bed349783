"""Does ``pyvae.diagnose`` name the fault? Eight faults are planted in trainings on data on which none of its thresholds
was set, twice each, beside four healthy trainings.

    PYVAE_DATA=... python benchmarks/diagnosis.py [--only WORD] [--all] [--pictures DIR]
    PYVAE_DATA=... python benchmarks/diagnosis.py --measures

The thresholds were set on MNIST and on Cardiotocography. Here the rows are sprites, and those of Fashion-MNIST, five
sets of ADBench, 20 Newsgroups and scikit-learn. A fault counts as named if it is the first that is found; --all prints
what else was found, and all of the evidence. --measures compares two of its numbers with the truth: the weight of the
KL with that of the training, and the gain by another prior with what one gains on rows not trained on.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from scipy.sparse import load_npz

import pyvae
from pyvae import diagnosis_plots
from pyvae.data import datasets

DATA = Path(os.environ.get("PYVAE_DATA", "."))
IMAGES = {"hidden": (300,), "latent_dim": 10}
NUMBERS = {"hidden": (100, 100), "latent_dim": 5}


def sprites(n=10_000):
    """Pictures to train on, and others."""
    data = datasets.load("sprites")
    return pyvae.ArraySource(data.train.X[:n], scale=data.train.scale), data.test


def fashion(classes=(1, 5, 8, 9), n=10_000):
    """Pictures of trousers, sandals, bags and boots, black and white, drawn afresh."""
    data = datasets.load("fashion-mnist")
    rows = np.flatnonzero(np.isin(data.train_labels, classes))
    return tuple(
        pyvae.ArraySource(data.train.X[some], scale=data.train.scale, binarize="draw")
        for some in (rows[:n], rows[-2000:])
    )


def adbench(name, n=None):
    """A table of numbers: rows to train on, and others."""
    with np.load(DATA / "adbench" / f"{name}.npz") as file:
        X = file["X"].astype(np.float64)
    X = X[np.random.default_rng(0).permutation(len(X))][:, X.std(axis=0) > 0]
    held_out = len(X) // 5
    return X[held_out:][:n], X[:held_out]


def newsgroups(n_words=200):
    """Counts of the most frequent words."""
    train, test = (load_npz(DATA / "20news" / f"{split}_counts.npz").tocsr() for split in ("train", "test"))
    frequent = np.argsort(-np.asarray(train.sum(axis=0))[0], kind="stable")[:n_words]
    return tuple(part[:, frequent].toarray().astype(np.float32) for part in (train, test))


def digits():
    data = datasets.load("digits")
    return data.train, data.test


def bernoulli(rows, **sizes):
    return pyvae.VAE.mlp(rows.n_features, likelihood="bernoulli", **IMAGES | sizes)


def gaussian(X, **sizes):
    return pyvae.StandardizedVAE.mlp(X, **NUMBERS | sizes)


def counts(X, likelihood, **sizes):
    return pyvae.VAE.mlp(X.shape[1], likelihood=likelihood, **NUMBERS | sizes)


def with_dead_units(model):
    """Nine tenths of the encoder's first hidden layer begin where no row reaches them."""
    layers = [name for name in model.parameters.names if name.startswith("encoder") and name.endswith(".b")]
    bias = model.parameters[layers[0]]
    bias[: int(0.9 * len(bias))] = -30
    return model


class Case:
    """A training: rows, a function that makes the model of them, and arguments of ``pyvae.train``."""

    def __init__(self, fault, name, rows, make_model, **arguments):
        self.fault, self.name, self.rows, self.make_model, self.arguments = fault, name, rows, make_model, arguments

    def diagnose(self):
        X, X_val = self.rows()
        model, objective, kept = self.make_model(X), self.arguments.get("objective"), []
        warm_up = self.arguments.get("kl_warmup")
        try:
            pyvae.train(
                model, X, X_val=X_val, progress=False, batch_size=100, callbacks=[kept.append], **self.arguments
            )
        except FloatingPointError as error:
            print(f"    {error}")
        if warm_up:
            objective = pyvae.ELBO(pyvae.LinearWarmUp(1.0, warm_up))
        return pyvae.diagnose(model, X, X_val, kept[-1], objective, batch_size=100)


COLLAPSE, RATE, DEAD, NO_KL = "posterior collapse", "learning rate too high", "dead units", "KL too large"
OVER, LIKELIHOOD, WARM_UP = "over-fitting", "likelihood does not fit", "warm-up longer than the training"
PRIOR = "prior misses the rows"
CASES = [
    Case(COLLAPSE, "sprites, beta 200", sprites, bernoulli, epochs=20, objective=pyvae.ELBO(200)),
    Case(COLLAPSE, "vowels, beta 30", lambda: adbench("40_vowels"), gaussian, epochs=100, objective=pyvae.ELBO(30)),
    Case(RATE, "sprites, rate 0.1", sprites, bernoulli, epochs=20, learning_rate=0.1),
    Case(RATE, "thyroid, rate 0.1", lambda: adbench("38_thyroid"), gaussian, epochs=50, learning_rate=0.1),
    Case(DEAD, "sprites, 9 of 10 units", sprites, lambda X: with_dead_units(bernoulli(X)), epochs=20),
    Case(DEAD, "annthyroid, 9 of 10 units", lambda: adbench("2_annthyroid"), lambda X: with_dead_units(gaussian(X)),
         epochs=50),
    Case(NO_KL, "sprites, beta 0", sprites, bernoulli, epochs=20, objective=pyvae.ELBO(0)),
    Case(NO_KL, "WDBC, beta 0", lambda: adbench("43_WDBC"), gaussian, epochs=300, objective=pyvae.ELBO(0)),
    Case(OVER, "sprites, 300 rows", lambda: sprites(300), bernoulli, epochs=400),
    Case(OVER, "WDBC, 100 rows", lambda: adbench("43_WDBC", 100), gaussian, epochs=2000),
    Case(LIKELIHOOD, "sprites, Gaussian", sprites, lambda rows: gaussian(rows, **IMAGES), epochs=20),
    Case(LIKELIHOOD, "20 Newsgroups, counts, Gaussian", newsgroups, gaussian, epochs=20),
    Case(WARM_UP, "sprites, 100 of 20 epochs", sprites, bernoulli, epochs=20, kl_warmup=100),
    Case(WARM_UP, "thyroid, 80 of 40 epochs", lambda: adbench("38_thyroid"), gaussian, epochs=40, kl_warmup=80),
    Case(PRIOR, "Fashion-MNIST, 4 kinds", fashion, lambda X: bernoulli(X, latent_dim=5), epochs=30),
    Case(PRIOR, "pendigits", lambda: adbench("28_pendigits"), gaussian, epochs=60),
    Case(None, "sprites, with a flow as prior", sprites, lambda rows: bernoulli(rows, prior=pyvae.Flow(10)), epochs=30),
    Case(None, "annthyroid", lambda: adbench("2_annthyroid"), gaussian, epochs=60),
    Case(None, "digits", digits, lambda rows: bernoulli(rows, hidden=(100,)), epochs=60),
    Case(None, "20 Newsgroups, multinomial", newsgroups, lambda X: counts(X, "multinomial"), epochs=30),
]  # fmt: skip


def measures():
    """Print the measured weights of the KL, and the gains by other priors."""
    X, _ = adbench("6_cardio")
    for beta in (0.01, 0.1, 0.3, 1.0, 3.0):
        model = gaussian(X, hidden=(200,), latent_dim=10)
        pyvae.train(model, X, epochs=100, batch_size=100, objective=pyvae.ELBO(beta), progress=False)
        light = next(sign for sign in pyvae.diagnose(model, X).signs if sign.fault == NO_KL)
        print(f"Cardiotocography, beta {beta:g}: measured {light.numbers['weight_of_kl']:.3f}", flush=True)
    for name, (X, X_val), make_model, epochs, prior in (
        ("pendigits", adbench("28_pendigits"), gaussian, 60, pyvae.Mixture(5, 20)),
        ("sprites", sprites(), bernoulli, 30, pyvae.Flow(10)),
    ):
        elbos, said = [], []
        for model in (make_model(X), make_model(X, prior=prior)):
            pyvae.train(model, X, epochs=epochs, batch_size=100, progress=False)
            elbos.append(model.elbo(X_val, 5).mean())
            said += [sign.numbers for sign in pyvae.diagnose(model, X).signs if sign.fault == PRIOR]
        print(
            f"{name}: said to gain {said[0]['gain_by_another_prior']:.2f} nats; {type(prior).__name__} gains "
            f"{elbos[1] - elbos[0]:.2f}, and is said to gain {said[1]['gain_by_another_prior']:.2f} by another",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases whose fault or name has this word")
    parser.add_argument("--all", action="store_true", help="all of the evidence")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of the first fault of each case")
    parser.add_argument("--measures", action="store_true", help="two of its numbers against the truth")
    options = parser.parse_args()
    if options.measures:
        measures()
        return
    right, n_faults, false_alarms, n_healthy = 0, 0, 0, 0
    for case in CASES:
        if options.only not in f"{case.fault} {case.name}":
            continue
        started = time.perf_counter()
        diagnosis = case.diagnose()
        is_right = diagnosis.fault == case.fault
        others = ", ".join(sign.fault for sign in diagnosis.found[1:])
        print(
            f"{'right' if is_right else 'WRONG'}  {case.name:<44} {diagnosis.fault or 'nothing found'}"
            + (f" (then {others})" if others else "")
            + ("" if is_right else f" for {case.fault or 'a healthy training'}")
            + f"  {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        if options.pictures and diagnosis.found:
            options.pictures.mkdir(parents=True, exist_ok=True)
            name = case.name.split(",")[0].replace(" ", "_")
            figure = diagnosis_plots.picture(diagnosis.found[0])
            figure.savefig(options.pictures / f"{name}_{diagnosis_plots.file_name(diagnosis.fault)}")
        if options.all:
            print("\n".join(f"    {'*' if s.found else ' '} {s.fault}: {s.evidence}" for s in diagnosis.signs))
        if case.fault:
            right, n_faults = right + is_right, n_faults + 1
        else:
            false_alarms, n_healthy = false_alarms + bool(diagnosis.found), n_healthy + 1
    print(f"named {right} of {n_faults} faults; found one in {false_alarms} of {n_healthy} healthy trainings")


if __name__ == "__main__":
    main()
