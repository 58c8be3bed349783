"""Pictures: learning curves, the use of the latent dimensions, and grids of rows that are images.

Each function returns a matplotlib Figure that no window shows; ``figure.savefig(path)`` writes it. Matplotlib is
imported when a picture is made (pip install "pyvae[plot]"), without touching its global state. Functions that take
image_shape, (height, width), draw rows of height * width columns and raise ValueError for others. value_range holds the
values of black and white; values beyond it are drawn as these. Arguments count latent dimensions from 0, as arrays do;
the words in the pictures count from 1, as the header of a .csv file of ``pyvae encode`` does.
"""

import math

import numpy as np

from pyvae.arguments import check_count
from pyvae.data.validation import check_array
from pyvae.latent.gaussian import is_standard_normal, refuse_other_gaussians
from pyvae.models.metrics import ACTIVE_VARIANCE
from pyvae.models.metrics import kl_per_dimension as measure_kl

DPI = 120
GRID_WIDTH = 960  # dots, at least
GRID_HEIGHT = 10_000  # dots, at most, unless a single dot for each pixel is more
GRID_GRAYS = 64  # more look the same, and make larger files
GRID_TINT = "#b9d9f2"  # between pictures and in empty places: light, and no gray that a value could have
BARS = 50  # of latent dimensions, at most

# Ten colours that remain different under the common colour vision deficiencies: those of Petroff (2021,
# arXiv:2107.02270), with black in place of the darker of his two grays, which small dots do not tell apart.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#000000", "#92dadd")


def make_figure(width, height, layout="constrained"):
    """A Figure of so many inches that no window shows."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "pyvae[plot]"') from None
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def learning_curves(history, validation="validation"):
    """Loss, reconstruction and KL over the epochs, in nats; dashed: training, solid: validation.

    validation: the legend's name for the rows of val_loss, such as "test" if they are the test split. The first epochs
    lie far above all others, and a curve is read where it flattens. So the frame fits the other epochs, and the words
    below it name the epochs outside.
    """
    figure = make_figure(10, 3.2)
    epochs = history["epoch"]
    marker = "." if len(epochs) <= 20 else None  # a single epoch would be no line
    titles = {"loss": "negative ELBO", "reconstruction": "reconstruction, -log p(x|z)", "kl": "KL(q(z|x) || p(z))"}
    for axes, (column, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        axes.plot(epochs, history[f"train_{column}"], "--", marker=marker, color="tab:gray", label="training")
        if np.isfinite(history[f"val_{column}"]).any():
            axes.plot(epochs, history[f"val_{column}"], marker=marker, color="tab:blue", label=validation)
        values = np.array([history[f"train_{column}"], history[f"val_{column}"]])  # (2, epochs)
        later = values[:, len(epochs) // 10 :]
        low, high = np.nanmin(later), np.nanmax(later)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        outside = np.flatnonzero(((values < low - margin) | (values > high + margin)).any(axis=0))
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(f"epoch{_outside_the_frame(epochs, outside)}")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ticks = axes.get_xticks()
        axes.set_xticks([epochs[0], *ticks[(ticks > epochs[0]) & (ticks <= epochs[-1])]])
        room = 0.5 if marker else 0  # for the markers at both ends
        axes.set_xlim(epochs[0] - room, epochs[-1] + room)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("nats per row")
    figure.axes[0].legend()
    return figure


def _outside_the_frame(epochs, outside):
    """The epochs that lie outside the frame, in words."""
    if not len(outside):
        return ""
    first, last = epochs[outside[0]], epochs[outside[-1]]
    return f" ({first} lies outside the frame)" if first == last else f" ({first} to {last} lie outside the frame)"


def kl_per_dimension(kl, active=None, diagonal=True):
    """A bar for the KL of each latent dimension (Z,), nats, the highest first, and at most the 50 highest.

    kl: as metrics.kl_per_dimension gives it. active (Z,): True for the dimensions that count as used, by the rule of
    metrics.active_units; the title says how many, and the others are gray. diagonal: False where q(z|x) is not a
    diagonal Gaussian, so that the numbers are lower bounds, and the title says so.
    """
    kl = np.asarray(kl)
    order = np.argsort(-kl, kind="stable")[:BARS]
    n_bars = len(order)
    used = np.ones(len(kl), bool) if active is None else np.asarray(active)
    figure = make_figure(10, 3.2)
    axes = figure.subplots()
    axes.bar(np.arange(n_bars), kl[order], color=np.where(used[order], "tab:blue", "tab:gray"))
    if active is not None:
        for colour, rule in (
            ("tab:blue", f"active: variance of mu over rows > {ACTIVE_VARIANCE:g}"),
            ("tab:gray", "not active"),
        ):
            axes.scatter([], [], color=colour, marker="s", label=rule)
        axes.legend()
    shown = np.arange(0, n_bars, math.ceil(n_bars / 40))
    axes.set_xticks(shown, order[shown] + 1, fontsize=8)
    for i, word in zip(shown, axes.get_xticklabels(), strict=True):
        word.set_color("black" if used[order[i]] else "tab:gray")  # for bars too low to be seen
    axes.set_xlim(-0.6, n_bars - 0.4)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    rest = len(kl) - n_bars
    others = f"; the {rest} lower ones have {kl.sum() - kl[order].sum():.2f} nats together" if rest else ""
    axes.set_xlabel(f"latent dimension, by KL{others}")
    axes.set_ylabel("nats per row")
    counted = "" if active is None else f", {used.sum()} of {len(kl)} dimensions active"
    what = "KL(q(z|x) || p(z)):" if diagonal else "KL(q(z|x) || p(z)), from means and variances alone: at least"
    axes.set_title(f"{what} {kl.sum():.1f} nats{counted}", fontsize=10)
    return figure


def rate_distortion(points, labels=None):
    """Models by rate and distortion, bars of a standard error, and the line of the best ELBO, which is R + D constant.

    points: as metrics.rate_distortion gives them. labels: a list of a word for each, such as its beta.
    """
    axes = (figure := make_figure(6.8, 5)).subplots()
    axes.errorbar(*points[:2], points.distortion_error, points.rate_error, "o-", color="tab:blue", capsize=3)
    for place, word in zip(zip(*points[:2], strict=True), labels or (), strict=False):
        axes.annotate(f"{word}", place, (6, 6), textcoords="offset points")
    best = min(zip(*points[:2], strict=True), key=sum)
    axes.axline(best, slope=-1, ls="--", color="tab:gray", label=f"ELBO {-sum(best):.1f} nats, the best")
    axes.set(xlabel="rate, KL(q(z|x) || p(z)), nats per row", ylabel="distortion, -log p(x|z), nats per row")
    axes.legend()
    return figure


def latent_scatter(mu, labels=None, dimensions=(0, 1)):
    """The rows' posterior means (N, Z) along two latent dimensions.

    labels (N,): up to ten different values have a colour each and a legend; more, which must be numbers, a colour bar.
    Raises ValueError where mu has no such dimensions, or labels are not one a row.
    """
    mu = check_array(mu, "mu")
    if len(dimensions) != 2:
        raise ValueError(f"dimensions must be two, across and up, not {dimensions!r}")
    across, up = _check_dimensions(dimensions, mu.shape[1])
    figure = make_figure(6.8, 6)
    axes = figure.subplots()
    style = {"s": 8 if len(mu) > 1000 else 18, "linewidths": 0}
    if labels is None:
        axes.scatter(mu[:, across], mu[:, up], color="tab:blue", **style)
    else:
        labels = np.asarray(labels)
        if labels.shape != (len(mu),):
            raise ValueError(f"labels must be one a row, {len(mu)}, not of shape {labels.shape}")
        classes, places = np.unique(labels, return_inverse=True)
        if len(classes) <= len(COLOURS):
            axes.scatter(mu[:, across], mu[:, up], c=np.array(COLOURS)[places], **style)
            for value, colour in zip(classes, COLOURS, strict=False):
                axes.scatter([], [], color=colour, label=f"{value}")
            figure.legend(loc="outside right center", title="label", markerscale=1.2)
        elif labels.dtype.kind in "biuf":
            points = axes.scatter(mu[:, across], mu[:, up], c=labels, cmap="cividis", **style)
            figure.colorbar(points, label="label")
        else:
            raise ValueError(f"labels must be numbers, or up to {len(COLOURS)} different words, not {len(classes)}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"posterior mean of latent dimension {across + 1}")
    axes.set_ylabel(f"posterior mean of latent dimension {up + 1}")
    return figure


def image_grid(images, image_shape, value_range=(0, 1), columns=None, labels=()):
    """Rows (N, height * width) as pictures in a grid.

    columns: how many side by side (None: a square grid). labels: words to the left of the grid's lines.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    return _grid(images, image_shape, value_range, columns, lines=dict(enumerate(labels)))


def reconstructions(originals, reconstructed, image_shape, value_range=(0, 1), columns=12):
    """Originals in one line, their reconstructions in the next, and so on."""
    lines = math.ceil(len(originals) / columns)
    pairs, labels = [], []
    for i in range(lines):
        part = slice(i * columns, (i + 1) * columns)
        blank = [np.full(originals.shape[1], np.nan)] * (columns - len(originals[part]))
        pairs += [*originals[part], *blank, *reconstructed[part], *blank]
        labels += ["original", "model"]
    return image_grid(pairs, image_shape, value_range, columns, labels)


def manifold(model, image_shape, value_range=(0, 1), side=20, **given):
    """E[x|z] over the plane of a two-dimensional latent space, side * side pictures (Kingma and Welling 2014, app. A).
    given: what ``model.decode`` takes beside z, such as label=7 of a SemiSupervisedVAE, or the condition of a
    ConditionalVAE.

    Across and up, z takes the standard normal's quantiles at (i + 1/2) / side, i = 0 .. side - 1, so that every picture
    stands for the same probability under the prior. Raises ValueError for another number of latent dimensions, or for
    another prior than N(0, 1).
    """
    from scipy.special import ndtri

    if model.latent_dim != 2:
        raise ValueError(f"model must have two latent dimensions to show their plane, not {model.latent_dim}")
    refuse_other_gaussians(None, getattr(model, "prior", None), "the plane shows quantiles of N(0, 1)")
    side = check_count("side", side, 2)
    quantiles = ndtri((np.arange(side) + 0.5) / side)
    z = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).reshape(-1, 2)  # the first line is the uppermost
    marked = {i: f"{quantiles[i]:.2f}" for i in range(0, side, math.ceil(side / 20))}
    return _grid(
        model.decode(z, **given), image_shape, value_range, side,
        lines={side - 1 - i: text for i, text in marked.items()}, across=marked,
        xlabel="z, dimension 1", ylabel="z, dimension 2",
    )  # fmt: skip


def interpolation(model, x0, x1, image_shape, value_range=(0, 1), steps=12, **given):
    """From each row of x0 (N, D) to that of x1 (N, D): E[x|z] at z = (1 - t) mu_0 + t mu_1, steps values t = 0 .. 1.

    mu_0 and mu_1 are the posterior means; the rows themselves stand at the ends of their line. given: as for
    ``manifold``. Raises ValueError where x0 and x1 differ in shape.
    """
    x0, x1 = np.asarray(x0), np.asarray(x1)
    if x0.shape != x1.shape:
        raise ValueError(f"x1 must have the shape of x0, {x0.shape}, not {x1.shape}")
    t = np.linspace(0, 1, check_count("steps", steps, 2))[:, None]
    lines = []
    means = (_encode(model, x, given)[0] for x in (x0, x1))
    for start, end, mu_0, mu_1 in zip(x0, x1, *means, strict=True):
        lines += [start, *model.decode((1 - t) * mu_0 + t * mu_1, **given), end]
    across = dict(enumerate(["from", *(f"{value:.2f}" for value in t[:, 0]), "to"]))
    return _grid(lines, image_shape, value_range, steps + 2, across=across, xlabel="t in z = (1 - t) mu_0 + t mu_1")


def traversals(model, x, image_shape, value_range=(0, 1), dimensions=None, kl=None, steps=13, name="the row", **given):
    """E[x|z] where one dimension of z goes from -3 to 3 and the others stay at the posterior mean of the row x (D,).

    A line for each of ``dimensions`` (None: those with the highest KL, ten at most, the highest first). kl (Z,): the
    KL of each dimension, nats, such as metrics.kl_per_dimension of many rows (None: that of x alone; it is not shown
    where the prior is not N(0, 1), and dimensions must be given). name: the name of x in the picture, such as "test row
    0". given: as for ``manifold``. Raises ValueError for dimensions that the model does not have.
    """
    mu, logvar = _encode(model, np.reshape(x, (1, -1)), given)
    prior = getattr(model, "prior", None)
    if kl is None and (prior is None or is_standard_normal(prior)):
        kl = measure_kl(mu, logvar)
    elif kl is None and dimensions is None:
        refuse_other_gaussians(None, prior, "dimensions are ordered by their KL with N(0, 1)")
    kl = None if kl is None else np.asarray(kl)
    dimensions = np.argsort(-kl, kind="stable")[:10] if dimensions is None else dimensions
    dimensions = _check_dimensions(dimensions, model.latent_dim)
    values = np.linspace(-3, 3, check_count("steps", steps, 2))
    z = np.tile(mu, (len(dimensions), steps, 1))  # (dimensions, steps, Z)
    for line, dimension in enumerate(dimensions):
        z[line, :, dimension] = values
    return _grid(
        model.decode(z.reshape(-1, model.latent_dim), **given), image_shape, value_range, steps,
        lines={i: f"dimension {j + 1}" + ("" if kl is None else f"\nKL {kl[j]:.2f} nats")
               for i, j in enumerate(dimensions)},
        across={i: f"{value:g}" for i, value in enumerate(values.round(2))},
        xlabel=f"z of this dimension; the others stay at the posterior mean of {name}",
    )  # fmt: skip


def _encode(model, x, given):
    """mu, logvar of rows x in their condition, if one is given: a label is nothing that an encoder must be told."""
    return model.encode(x, **{name: value for name, value in given.items() if name == "condition"})


def _check_dimensions(dimensions, latent_dim):
    """The numbers of latent dimensions as ints; ValueError for a dimension that does not exist."""
    dimensions = [check_count("each of dimensions", dimension, 0) for dimension in dimensions]
    if not dimensions or max(dimensions) >= latent_dim:
        raise ValueError(f"dimensions must be numbers of latent dimensions, 0 to {latent_dim - 1}, not {dimensions}")
    return dimensions


def _grid(images, image_shape, value_range, columns, lines=None, across=None, xlabel="", ylabel=""):
    """Pictures in a grid, a tinted pixel apart: words beside its lines and under its columns, by their numbers."""
    n_features = len(images[0])
    if image_shape is None or len(image_shape) != 2 or math.prod(image_shape) != n_features:
        raise ValueError(
            f"image_shape must be (height, width) with height * width = {n_features} columns, not {image_shape}: "
            "only rows that are pictures can be drawn"
        )
    from matplotlib.colors import LinearSegmentedColormap

    height, width = image_shape
    n_lines = math.ceil(len(images) / columns)
    canvas = np.full((n_lines * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        canvas[top : top + height, left : left + width] = np.reshape(image, image_shape)

    # Every pixel is the same whole number of dots, so that none is drawn wider than its neighbour.
    dots = max(1, min(math.ceil(GRID_WIDTH / canvas.shape[1]), GRID_HEIGHT // canvas.shape[0]))
    size = np.array(canvas.shape[::-1]) * dots
    figure = make_figure(*size / DPI, layout=None)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_facecolor(GRID_TINT)
    grays = LinearSegmentedColormap.from_list("grays", ["black", "white"], GRID_GRAYS)
    axes.imshow(canvas, cmap=grays, vmin=value_range[0], vmax=value_range[1], interpolation="nearest", aspect="auto")
    lines, across = lines or {}, across or {}
    axes.set_yticks([i * (height + 1) + (height - 1) / 2 for i in lines], lines.values(), fontsize=9)
    axes.set_xticks([i * (width + 1) + (width - 1) / 2 for i in across], across.values(), fontsize=9)
    axes.tick_params(length=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)

    box = axes.get_tightbbox()  # of the words too, in dots
    margin = 6
    (left, bottom), (right, top) = np.ceil(np.maximum((-box.min, box.max - size), 0)) + margin
    whole = size + (left + right, bottom + top)
    figure.set_size_inches(whole / DPI)
    axes.set_position((left / whole[0], bottom / whole[1], *size / whole))
    return figure
