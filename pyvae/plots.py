"""Pictures: learning curves, samples, and originals beside their reconstructions.

Each function returns a matplotlib Figure that no window shows; ``figure.savefig(path)`` writes it. Matplotlib is
imported when a picture is made (pip install "pyvae[plot]"), without touching its global state.
"""

import math

import numpy as np


def _figure(width, height):
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "pyvae[plot]"') from None
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def learning_curves(history):
    """Loss, reconstruction and KL over the epochs, in nats; dashed: training, solid: validation."""
    figure = _figure(10, 3.2)
    epochs = history["epoch"]
    titles = {"loss": "negative ELBO", "reconstruction": "reconstruction, -log p(x|z)", "kl": "KL(q(z|x) || p(z))"}
    for axes, (column, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        axes.plot(epochs, history[f"train_{column}"], "--", color="tab:gray", label="training")
        if np.isfinite(history[f"val_{column}"]).any():
            axes.plot(epochs, history[f"val_{column}"], color="tab:blue", label="validation")
        # The first epoch is far above all others; a curve is read where it flattens.
        later = [v for split in ("train", "val") for v in history[f"{split}_{column}"][len(epochs) // 10 :]]
        later = [v for v in later if np.isfinite(v)]
        margin = 0.05 * (max(later) - min(later)) or 1.0
        axes.set_ylim(min(later) - margin, max(later) + margin)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("nats per row")
    figure.axes[0].legend()
    return figure


def image_grid(images, image_shape, value_range=(0, 1), columns=None, labels=()):
    """Rows (N, height * width) as pictures in a grid.

    value_range: which value is black and which white; those beyond are drawn as these. columns: how many side by side
    (None: a square grid). labels: words to the left of the grid's lines.
    """
    height, width = image_shape
    columns = columns or math.ceil(math.sqrt(len(images)))
    lines = math.ceil(len(images) / columns)
    canvas = np.full((lines * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        canvas[top : top + height, left : left + width] = image.reshape(height, width)
    scale = 8 / canvas.shape[1]
    figure = _figure(8 + (1 if labels else 0), max(1.0, canvas.shape[0] * scale))
    axes = figure.subplots()
    axes.set_facecolor("tab:gray")
    axes.imshow(canvas, cmap="gray", vmin=value_range[0], vmax=value_range[1], interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([(i + 0.5) * (height + 1) - 1 for i in range(len(labels))], labels)
    axes.tick_params(length=0)
    return figure


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
