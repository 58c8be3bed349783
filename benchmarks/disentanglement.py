"""Which objective gives each factor of the sprites a latent dimension of its own? Mutual information gaps.

    python benchmarks/disentanglement.py [--seeds 5] [--epochs 30] [--json FILE] [--png FILE]

The VAE, beta-VAE (beta on the whole KL) and beta-TC-VAE (beta on the total correlation alone), with the same betas and
seeds: 1024-256-256-10 ReLU, batches of 128 of the 36,000 sprites to train on, Adam at 5e-4. The gap (Chen et al. 2018)
is that of all 40,500 sprites, from 2,000 samples. Every result is written at once, and a run that is called again goes
on with those that are missing.
"""

import argparse
import json
import statistics
from pathlib import Path

import pyvae
from pyvae import metrics
from pyvae.data import datasets
from pyvae.data.sprites import draw_sprites
from pyvae.persistence import write_file

RESULTS = Path(__file__).parent / "results" / "disentanglement.json"
BETAS = (2.0, 4.0, 6.0, 8.0)


def objectives(n_rows):
    """Name: objective. At beta = 1 both are the VAE."""
    grid = {"VAE": pyvae.ELBO()}
    for beta in BETAS:
        grid[f"beta-VAE {beta:g}"] = pyvae.ELBO(beta)
        grid[f"beta-TC-VAE {beta:g}"] = pyvae.TotalCorrelation(beta, n_rows)
    return grid


def gap(objective, seed, epochs, data, pictures, factors):
    """The mutual information gap, and the ELBO of the test rows, of one training."""
    model = pyvae.VAE.mlp(data.train.n_features, latent_dim=10, hidden=(256, 256), seed=seed)
    pyvae.train(
        model, data.train, epochs=epochs, batch_size=128, learning_rate=5e-4, objective=objective, seed=seed,
        progress=False,
    )  # fmt: skip
    mu, logvar = metrics.gaussian_posteriors(model, pictures)
    found = metrics.mutual_information_gap(mu, logvar, factors, n_samples=2000)
    return {"gap": found.gap, "gaps": found.gaps.tolist(), "test_elbo": float(model.elbo(data.test).mean())}


def table(results, n_seeds):
    """Lines of the report: medians over seeds, and the best beta of each kind."""
    lines, best = [], {}
    for name, found in results.items():
        if name == "epochs":
            continue
        gaps = [found[str(seed)]["gap"] for seed in range(n_seeds)]
        median, elbo = statistics.median(gaps), statistics.median(found[str(s)]["test_elbo"] for s in range(n_seeds))
        shown = " ".join(f"{g:.3f}" for g in gaps)
        lines.append(f"{name:<14} gap {median:.3f}   ELBO {elbo:8.2f}   seeds {shown}")
        kind = name.split()[0]
        best[kind] = max(best.get(kind, (0.0, "")), (median, name))
    return [*lines, *(f"best {kind}: {name}, median gap {median:.3f}" for kind, (median, name) in best.items())]


def draw(results, n_seeds, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot()
    for kind, color in (("beta-VAE", "tab:blue"), ("beta-TC-VAE", "tab:orange")):
        names = ["VAE", *(f"{kind} {beta:g}" for beta in BETAS)]
        gaps = [[results[name][str(seed)]["gap"] for seed in range(n_seeds)] for name in names]
        betas = (1.0, *BETAS)
        axes.plot(betas, [statistics.median(g) for g in gaps], "o-", color=color, label=kind)
        for beta, values in zip(betas, gaps, strict=True):
            axes.plot([beta] * n_seeds, values, ".", color=color, alpha=0.5)
    axes.set(
        xlabel="beta (1: the VAE)", ylabel=f"mutual information gap, {n_seeds} seeds and their median", ylim=(0, None)
    )
    axes.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    data = datasets.load("sprites")
    pictures, factors = draw_sprites()
    results = json.loads(options.json.read_text()) if options.json.is_file() else {}
    if results.setdefault("epochs", options.epochs) != options.epochs:
        parser.error(f"{options.json} is of {results['epochs']} epochs: give another --json")
    for name, objective in objectives(len(data.train)).items():
        found = results.setdefault(name, {})
        for seed in range(options.seeds):
            if str(seed) not in found:
                found[str(seed)] = gap(objective, seed, options.epochs, data, pictures, factors)
                write_file(options.json, f"{json.dumps(results, indent=1)}\n".encode())
                print(f"{name}, seed {seed}: gap {found[str(seed)]['gap']:.3f}", flush=True)
    print("\n".join(table(results, options.seeds)))
    if options.png:
        draw(results, options.seeds, options.png)


if __name__ == "__main__":
    main()
