"""How long the estimators take to fit 10,000 rows of 30 columns, against PyOD's VAE.

    python benchmarks/estimator_speed.py [--quick] [--rounds 3]

VAETransformer and VAEOutlierDetector have their defaults; PyOD's VAE the same layers, minibatches and learning rate, no
dropout and no weight decay, as we have none, and as many epochs as the detector took. They take turns, after a short
fit of each. The detector and PyOD's VAE also score the rows that they fit, to say from where on a row is an outlier.
That both have learned is seen from other rows, in half of which some columns come from yet other rows: the area under
the ROC curve of their scores. The columns' distributions are as before: only what belongs together tells rows apart.
Processor seconds are those of all threads, which other processes disturb less.
"""

import argparse
import os
import statistics
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from pyvae.sklearn import VAEOutlierDetector, VAETransformer

N_ROWS, N_TEST, N_FEATURES, N_FACTORS, N_MOVED = 10_000, 2_000, 30, 5, 5


def data():
    """Rows to fit, rows to test on, and which of those are odd."""
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((N_FACTORS, N_FEATURES))
    factors, noise = (rng.standard_normal((N_ROWS + N_TEST, n)) for n in (N_FACTORS, N_FEATURES))
    X = factors @ loadings + noise
    train, test = X[:N_ROWS], X[N_ROWS:].copy()
    odd = np.arange(N_TEST) < N_TEST // 2
    for i in np.flatnonzero(odd):
        columns = rng.choice(N_FEATURES, N_MOVED, replace=False)
        test[i, columns] = test[rng.integers(N_TEST // 2, N_TEST, N_MOVED), columns]
    return train, test, odd


def pyod_(epochs):
    from pyod.models.vae import VAE

    ours = VAEOutlierDetector()
    return VAE(
        epoch_num=epochs, batch_size=200, lr=ours.learning_rate_init, latent_dim=ours.n_components, dropout_rate=0,
        encoder_neuron_list=list(ours.hidden_layer_sizes), decoder_neuron_list=list(ours.hidden_layer_sizes[::-1]),
        optimizer_params={}, random_state=0, verbose=0,
    )  # fmt: skip


OURS = {"VAETransformer": VAETransformer, "VAEOutlierDetector": VAEOutlierDetector}
RIVAL = "PyOD's VAE"
FEW = {"max_iter": 2, "min_updates": 0}


def warm_up(X):
    """Fit everything a little, so that what is loaded at the first use is; returns why the rival is missing, or
    None."""
    for make in OURS.values():
        make(**FEW).fit(X[:400])
    try:
        pyod_(1).fit(X[:400])
    except ImportError as error:
        return str(error)


def timed(estimator, X):
    start, processor = time.perf_counter(), time.process_time()
    estimator.fit(X)
    return (time.perf_counter() - start, time.process_time() - processor), estimator


def oddness(estimator, X):
    """The higher, the odder."""
    if isinstance(estimator, VAETransformer | VAEOutlierDetector):
        return -estimator.score_samples(X)
    return estimator.decision_function(X)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,000 rows, 2 epochs, one round: only whether it runs")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()
    train, test, odd = data()
    settings, rounds = {}, options.rounds
    if options.quick:
        train, settings, rounds = train[:1000], FEW, 1
    missing = warm_up(train)
    times, fitted = {name: [] for name in (*OURS, RIVAL)}, {}
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for name, make in OURS.items():
            taken, fitted[name] = timed(make(random_state=0, **settings), train)
            times[name].append(taken)
        if missing is None:
            taken, fitted[RIVAL] = timed(pyod_(fitted["VAEOutlierDetector"].n_iter_), train)
            times[RIVAL].append(taken)
    processors = len(os.sched_getaffinity(0))
    print(f"{len(train)} x {N_FEATURES} rows, {processors} processors, best of {rounds}, load {load:.1f} before")
    print(f"{'':20} epochs  seconds  processor  ROC area  {RIVAL} takes, by rounds")
    for name, estimator in fitted.items():
        epochs = estimator.n_iter_ if name in OURS else estimator.epoch_num
        area = roc_auc_score(odd, oddness(estimator, test))
        seconds, processor = map(min, zip(*times[name], strict=True))
        ratios = [rival[0] / own[0] for rival, own in zip(times[RIVAL], times[name], strict=False)]
        ratio = f"{statistics.median(ratios):5.1f} times as long" if ratios else ""
        print(f"{name:20} {epochs:6} {seconds:8.2f} {processor:10.2f}    {area:.4f}  {ratio}")
    if missing:
        print(f"{RIVAL:20} missing: {missing}")


if __name__ == "__main__":
    main()
