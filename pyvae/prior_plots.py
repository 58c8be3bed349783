"""A picture of the prior beside the aggregate posterior. It is made as those of plots.py are."""

import numpy as np

from pyvae.noise import Noise
from pyvae.plots import make_figure
from pyvae.workspace import FRESH

SIDE = 120  # grid lines across and up
BELOW = (8, 4.5, 2, 0.5)  # nats below the highest log p(z): for a normal distribution 4, 3, 2 and 1 standard deviations


def prior_and_posterior(model, X, seed=0):
    """z ~ q(z|x), a point for each row of X (N, D), or for 5,000 of them, over contours of log p(z) of any prior.

    Contours without points are where the model makes rows that are like none it was trained on; points beyond all
    contours are rows that it never makes. Raises ValueError for another number of latent dimensions than two, and what
    ``model.elbo`` raises.
    """
    if model.latent_dim != 2:
        raise ValueError(f"model must have two latent dimensions to show their plane, not {model.latent_dim}")
    dtype, encode = model.parameters.dtype, model.encode_for_prior()
    z = model.posterior_samples(X, seed)
    seen = np.concatenate([z, model.prior.sample(1000, 2, Noise(seed), dtype, *encode)])
    low, high = seen.min(axis=0), seen.max(axis=0)
    margin = 0.1 * (high - low)
    across, up = np.linspace(low - margin, high + margin, SIDE).T
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(dtype)  # (SIDE^2, 2)
    log_pz = model.prior.log_density(grid, FRESH, *encode)[0].reshape(SIDE, SIDE)

    figure = make_figure(6.8, 6)
    axes = figure.subplots()
    axes.scatter(*z.T, s=8 if len(z) > 1000 else 18, linewidths=0, color="tab:blue", label="z ~ q(z|x)")
    levels = log_pz.max() - np.array(BELOW)
    contours = axes.contour(across, up, log_pz, levels, colors="black", linestyles="solid", linewidths=0.8)
    axes.clabel(contours, fmt=lambda level: f"{level:.1f}", fontsize=8)
    axes.plot([], [], color="black", label=f"log p(z) of the {type(model.prior).__name__}, nats")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_xlabel("z, dimension 1")
    axes.set_ylabel("z, dimension 2")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
