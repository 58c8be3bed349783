"""Pictures of what ``pyvae.diagnose`` found, one for each fault. They are made as those of plots.py are."""

import numpy as np

from pyvae import plots
from pyvae.plots import make_figure

BINS = 30


def picture(sign):
    """The Figure of a Sign, from its details; None where there is nothing to draw, as of a history that is not there.

    The evidence stands above it. Raises ImportError without matplotlib.
    """
    figure = DRAWN[sign.fault](sign.details) if sign.details else None
    if figure is not None:
        figure.suptitle(f"{sign.fault}: {sign.evidence}", fontsize=9, wrap=True)
    return figure


def file_name(fault):
    """The name of the file for a fault, such as dead_units.png."""
    return f"{fault.lower().replace(' ', '_').replace('-', '_')}.png"


def _curves(details):
    """Loss, KL and the norm of the gradient over the epochs."""
    history = details["history"]
    if history is None or not len(history):
        return None
    figure, epochs = make_figure(10, 3.4), history["epoch"]
    marker = "." if len(epochs) <= 20 else None
    loss, kl, norm = figure.subplots(1, 3)
    for axes, split, colour in ((loss, "train", "tab:gray"), (loss, "val", "tab:blue")):
        if np.isfinite(history[f"{split}_loss"]).any():
            axes.plot(epochs, history[f"{split}_loss"], marker=marker, color=colour, label=split)
    loss.legend()
    loss.set_title("loss, nats", fontsize=9)
    kl.plot(epochs, history["train_kl"], marker=marker, color="tab:gray")
    kl.set_title("KL, nats", fontsize=9)
    for axes, values in ((loss, history["train_loss"] + history["val_loss"]), (kl, history["train_kl"])):
        low, high = np.quantile([value for value in values if np.isfinite(value)], [0, 0.95])
        margin = 0.1 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)  # the highest twentieth may lie above
    norm.plot(epochs, history["grad_norm"], marker=marker, color="tab:gray")
    norm.set_yscale("log")
    norm.set_title(f"norm of the gradient; learning rate {max(history['learning_rate']):g}", fontsize=9)
    for axes in (loss, kl, norm):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    return figure


def _gradients(details):
    """A bar for each matrix of weights."""
    return _bars(details["rms"], "root mean square of the gradient of a minibatch", log=True)


def _shares(details):
    return _bars(details["shares"], "share of the units that give the same for all rows", high=1)


def _information(details):
    information = np.sort(details["information"])[::-1][: plots.BARS]
    axes = (figure := make_figure(8, 3.4)).subplots()
    axes.bar(np.arange(1, len(information) + 1), information, color="tab:blue")
    axes.set_ylim(0, max(1.0, 1.05 * information.max()))
    axes.set(xlabel="latent dimension, by what it says", ylabel="nats about the row")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", alpha=0.3)
    return figure


def _bars(values, label, log=False, high=None):
    """A horizontal bar for each name, the first above."""
    figure = make_figure(8, 1.4 + 0.28 * len(values))
    axes = figure.subplots()
    axes.barh(list(values), list(values.values()), color="tab:blue")
    axes.invert_yaxis()
    if log and min(values.values(), default=0) > 0:
        axes.set_xscale("log")
    axes.set_xlim(None if log else 0, high)
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return figure


def _moments(details):
    """z of the rows and of the prior in the two dimensions whose moments differ most."""
    z, samples = details["z"], details["samples"]
    away = np.abs(z.mean(axis=0)) + np.abs(np.log(z.std(axis=0) / samples.std(axis=0)))
    return _beside(z, samples, np.argsort(-away, kind="stable")[:2])


def _clusters(details):
    """z of the rows and of the prior in the two dimensions that are least like a bell: of the lowest kurtosis."""
    z, samples = details["z"], details["samples"]
    white = (z - z.mean(axis=0)) / z.std(axis=0)
    return _beside(z, samples, np.argsort((white**4).mean(axis=0), kind="stable")[:2])


def _beside(z, samples, dimensions):
    """Two clouds in a plane, each in a panel of its own; histograms where there is one dimension."""
    figure = make_figure(9, 4.6)
    if len(dimensions) == 1:
        axes = figure.subplots()
        for values, colour, label in ((samples, "tab:gray", "z ~ p(z)"), (z, "tab:blue", "z ~ q(z|x)")):
            axes.hist(values[:, dimensions[0]], BINS, density=True, alpha=0.6, color=colour, label=label)
        axes.legend()
        return figure
    both = figure.subplots(1, 2, sharex=True, sharey=True)
    clouds = ((z, "tab:blue", "z ~ q(z|x), of rows"), (samples, "tab:orange", "z ~ p(z), of new rows"))
    for axes, (values, colour, label) in zip(both, clouds, strict=True):
        axes.scatter(*values[:, dimensions].T, s=5, linewidths=0, alpha=0.5, color=colour)
        axes.set_title(label, fontsize=9)
        axes.set_xlabel(f"z, dimension {dimensions[0] + 1}")
        axes.grid(alpha=0.3)
    both[0].set_ylabel(f"z, dimension {dimensions[1] + 1}")
    return figure


def _columns(details):
    """Histograms of the columns that differ most, of rows and of draws."""
    x, drawn = details["x"], details["drawn"]
    figure = make_figure(10, 4.6)
    for axes, j, name in zip(figure.subplots(2, 3).flat, range(x.shape[1]), details["columns"], strict=False):
        known = x[~np.isnan(x[:, j]), j]
        tails = [0.005, 0.995] if len(known) >= 200 else [0, 1]
        low, high = np.quantile(np.concatenate([known, drawn[:, j]]), tails)
        bins = np.linspace(low, high if high > low else low + 1, BINS + 1)
        axes.hist(known, bins, density=True, color="tab:blue", alpha=0.7, label="rows")
        axes.hist(drawn[:, j], bins, density=True, histtype="step", color="tab:red", label="draws")
        axes.set_title(f"column {name + 1}", fontsize=9)
        axes.set_yticks([])
        if j == 0:
            axes.legend(fontsize=8)
    for axes in figure.axes[x.shape[1] :]:
        axes.set_visible(False)
    return figure


def _gap(details):
    """The ELBO of rows trained on and of others."""
    axes = (figure := make_figure(8, 3.4)).subplots()
    low, high = np.quantile(np.concatenate([details["trained"], details["others"]]), [0.01, 0.99])
    bins = np.linspace(low, high, BINS + 1)
    for values, colour, label in (("trained", "tab:gray", "rows trained on"), ("others", "tab:blue", "others")):
        axes.hist(details[values], bins, density=True, alpha=0.6, color=colour, label=label)
        axes.axvline(np.mean(details[values]), color=colour)
    axes.set(xlabel="ELBO of a row, nats; lines: means", yticks=[])
    axes.legend()
    return figure


def _blur(details):
    return plots.reconstructions(details["x"], details["mean"], details["shape"], details["range"])


DRAWN = {
    "warm-up longer than the training": _curves,
    "learning rate too high": _curves,
    "vanishing or exploding gradients": _gradients,
    "dead units": _shares,
    "posterior collapse": _information,
    "likelihood does not fit": _columns,
    "KL too large": _moments,
    "KL too small": _information,
    "over-fitting": _gap,
    "prior misses the rows": _clusters,
    "blur": _blur,
    "noisy gradient": _curves,
}
