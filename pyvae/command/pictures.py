"""The pictures of a training run, and what they show."""

import io
import sys

import numpy as np

from pyvae import plots
from pyvae.data.wrapped import Rows
from pyvae.latent.gaussian import is_diagonal, is_standard_normal
from pyvae.models import metrics
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.persistence import write_file

# The pictures that a run may leave. The last five need rows that are pictures, manifold.png exactly two latent
# dimensions, and latent.png at least two. kl_per_dimension.png and manifold.png hold for the prior N(0, 1) alone.
NAMES = (
    "learning_curves.png",
    "kl_per_dimension.png",
    "latent.png",
    "samples.png",
    "reconstructions.png",
    "interpolation.png",
    "traversals.png",
    "manifold.png",
)

ENCODED_ROWS = 5000  # from which the latent dimensions are judged
RECONSTRUCTED_ROWS = 24  # beside their originals
INTERPOLATED_PAIRS = 8
ROWS_OF_CLASSES = 8  # samples of each class


def save(model, latent, history, rows, labels, out, split="test", validation="validation"):
    """Write the run's pictures into the folder out; return their names. Without matplotlib, write none and say so.

    latent: the density from which samples are drawn. rows: the DataSource to report on. split: its name. labels: one a
    row, for the colours of the latent space, or None. validation: the name of the rows of val_loss.
    """
    try:
        figures = _draw(model, latent, history, rows, labels, split, validation)
    except ImportError as error:
        print(f"pyvae: {error}", file=sys.stderr)
        return []
    for name, figure in figures.items():
        write(figure, out / name)
    return list(figures)


def write(figure, path):
    """Write a Figure as a PNG file of one byte a dot: up to 256 colours as they are, more from a palette of 256.

    A third to two thirds of what ``figure.savefig`` makes of it.
    """
    from PIL import Image

    figure.canvas.draw()
    dots = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    image = Image.fromarray(dots)
    if image.getcolors(256) is None:
        image = image.quantize(256, dither=Image.Dither.NONE)
    else:
        colours, places = np.unique(dots @ np.array([1 << 16, 1 << 8, 1]), return_inverse=True)
        image = Image.fromarray(places.reshape(dots.shape[:2]).astype(np.uint8))
        image.putpalette(
            np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8).tobytes()
        )
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(figure.dpi, figure.dpi), optimize=True)
    write_file(path, file.getvalue())


def settings(model):
    """Image shape and value range for the functions of plots."""
    return model.metadata["image_shape"], model.metadata["value_range"]


def labels_of(dataset, rows):
    """The labels of the data set's test rows, its training rows or some of those; None if it has no labels."""
    if rows is dataset.test:
        return dataset.test_labels
    if rows is dataset.train or dataset.train_labels is None:
        return dataset.train_labels
    return dataset.train_labels[rows.numbers] if isinstance(rows, Rows) and rows.source is dataset.train else None


def _draw(model, latent, history, rows, labels, split, validation):
    """The run's Figures by their file names."""
    numbers = np.arange(len(rows))
    if len(rows) > ENCODED_ROWS:
        numbers = np.linspace(0, len(rows) - 1, ENCODED_ROWS).astype(np.int64)  # from all over: files may be sorted
    mu, logvar = model.encode(Rows(rows, numbers))
    figures, kl, use = {"learning_curves.png": plots.learning_curves(history, validation)}, None, mu.var(axis=0)
    if is_standard_normal(model.prior):
        kl = use = metrics.kl_per_dimension(mu, logvar)
        diagonal = is_diagonal(model.posterior)
        figures["kl_per_dimension.png"] = plots.kl_per_dimension(kl, metrics.active_units(mu), diagonal)
    most_used = np.argsort(-use, kind="stable")
    if model.latent_dim > 1:
        highest = (0, 1) if model.latent_dim == 2 else most_used[:2]
        figures["latent.png"] = plots.latent_scatter(mu, _colours(labels, numbers), highest)
    if "image_shape" not in model.metadata:
        return figures

    image = settings(model)
    x = rows.gather(np.arange(min(RECONSTRUCTED_ROWS, len(rows)))).x
    pairs = max(1, min(INTERPOLATED_PAIRS, len(x) // 2))
    figures["samples.png"] = _samples(model, latent, image)
    figures["reconstructions.png"] = plots.reconstructions(x, model.reconstruct(x), *image)
    if isinstance(model, SemiSupervisedVAE):
        return figures  # z alone makes no row
    figures["interpolation.png"] = plots.interpolation(model, x[:pairs], x[-pairs:], *image)
    figures["traversals.png"] = plots.traversals(
        model, x[0], *image, dimensions=most_used[:10], kl=kl, name=f"{split} row 0"
    )
    if model.latent_dim == 2 and is_standard_normal(model.prior):
        figures["manifold.png"] = plots.manifold(model, *image)
    return figures


def _samples(model, latent, image):
    """A picture of new rows; of a model of classes, with a column for each class."""
    if not isinstance(model, SemiSupervisedVAE):
        return plots.image_grid(model.sample(64, latent=latent), *image)
    labels = np.arange(ROWS_OF_CLASSES * model.n_classes) % model.n_classes
    return plots.image_grid(model.sample(len(labels), latent=latent, label=labels), *image, columns=model.n_classes)


def _colours(labels, numbers):
    """The labels of these rows; None without labels, or with more different words than colours."""
    if labels is None:
        return None
    labels = np.asarray(labels)[numbers]
    if labels.dtype.kind not in "biuf" and len(np.unique(labels)) > len(plots.COLOURS):
        return None
    return labels
