"""Pictures: the numbers behind them, where they stand, and the files of a run."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

import pyvae
from pyvae import plots, prior_plots
from pyvae.command import pictures
from pyvae.data.datasets import Dataset
from pyvae.data.sources import ArraySource
from pyvae.data.wrapped import Rows
from pyvae.models import metrics
from pyvae.training.history import COLUMNS, History

pytestmark = pytest.mark.usefixtures("matplotlib")


class SpyModel:
    """Encodes a row as its first columns and decodes z as a picture filled with its number; remembers what it saw."""

    def __init__(self, latent_dim, n_features=6):
        self.latent_dim, self.n_features, self.decoded = latent_dim, n_features, []

    def encode(self, X):
        mu = np.array(X, dtype=float)[:, : self.latent_dim]
        return mu, np.tile(-np.arange(self.latent_dim, dtype=float), (len(mu), 1))

    def decode(self, z):
        first = sum(map(len, self.decoded))
        self.decoded.append(np.array(z))
        return np.repeat(np.arange(first, first + len(z))[:, None], self.n_features, axis=1)

    @property
    def z(self):
        return np.concatenate(self.decoded)


def canvas(figure):
    return np.asarray(figure.axes[0].images[0].get_array().filled(np.nan))


def words(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def history(epochs):
    result = History()
    for epoch in range(1, epochs + 1):
        result.append(**{column: 10.0 / epoch for column in COLUMNS} | {"epoch": epoch})
    return result


def test_kl_per_dimension_adds_up_to_the_kl_of_the_posterior(rng):
    mu, logvar = rng.standard_normal((50, 4)), rng.standard_normal((50, 4))
    kl = metrics.kl_per_dimension(mu, logvar)
    np.testing.assert_allclose(kl, (0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)).mean(axis=0), rtol=1e-13)
    rows, _ = pyvae.StandardNormal().kl(pyvae.DiagonalGaussian(), pyvae.MuLogvar(mu, logvar))
    assert kl.sum() == pytest.approx(rows.mean(), rel=1e-12)
    np.testing.assert_array_equal(metrics.kl_per_dimension(np.zeros((3, 2)), np.zeros((3, 2))), [0, 0])


def test_kl_per_dimension_of_float32_is_summed_in_double():
    tiny = np.full((1000, 1), 1e-4, np.float32)
    np.testing.assert_allclose(metrics.kl_per_dimension(tiny, 0 * tiny), 0.5 * float(tiny[0, 0]) ** 2, rtol=1e-12)
    np.testing.assert_allclose(metrics.kl_per_dimension(0 * tiny, tiny), float(tiny[0, 0]) ** 2 / 4, rtol=1e-4)


def test_active_units_are_those_whose_mean_moves_with_the_row():
    signs = np.tile([1.0, -1.0], 50)[:, None]
    mu = signs * [0.0, 0.09, 0.11, 2.0] + [5.0, 0.0, 3.0, 0.0]  # variances 0, 0.0081, 0.0121, 4
    np.testing.assert_array_equal(metrics.active_units(mu), [False, False, True, True])
    np.testing.assert_array_equal(metrics.active_units(mu, threshold=0.005), [False, True, True, True])


def test_the_manifold_lies_at_the_quantiles_of_the_prior():
    model = SpyModel(2)
    figure = plots.manifold(model, (2, 3), (0, 24), side=5)
    quantiles = norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9])
    z = model.z.reshape(5, 5, 2)
    np.testing.assert_allclose(z[2, :, 0], quantiles, atol=1e-12)  # from left to right
    np.testing.assert_allclose(z[::-1, 3, 1], quantiles, atol=1e-12)  # from the bottom to the top
    pixels = canvas(figure)
    assert pixels.shape == (5 * 3 - 1, 5 * 4 - 1)
    np.testing.assert_array_equal(pixels[::3, ::4].ravel(), np.arange(25))
    axes = figure.axes[0]
    assert words(axes.xaxis) == ["-1.28", "-0.52", "0.00", "0.52", "1.28"] == words(axes.yaxis)
    assert axes.get_yticks()[0] > axes.get_yticks()[-1]  # lines are counted from above: -1.28 is the lowest


def test_interpolation_is_linear_in_mu_between_the_rows(rng):
    model, x0, x1 = SpyModel(3), rng.random((2, 6)), rng.random((2, 6))
    figure = plots.interpolation(model, x0, x1, (2, 3), steps=4)
    z = model.z.reshape(2, 4, 3)
    for i, t in enumerate([0, 1 / 3, 2 / 3, 1]):
        np.testing.assert_allclose(z[:, i], (1 - t) * x0[:, :3] + t * x1[:, :3], atol=1e-12)
    pixels = canvas(figure)
    assert pixels.shape == (2 * 3 - 1, 6 * 4 - 1)
    for line in range(2):
        part = pixels[3 * line : 3 * line + 2]
        np.testing.assert_array_equal(part[:, :3].ravel(), x0[line])
        np.testing.assert_array_equal(part[:, -3:].ravel(), x1[line])
        np.testing.assert_array_equal(part[0, 4:-4:4], 4 * line + np.arange(4))
    assert words(figure.axes[0].xaxis) == ["from", "0.00", "0.33", "0.67", "1.00", "to"]


def test_traversals_move_one_dimension_and_keep_the_others(rng):
    model, x = SpyModel(4), rng.random(6)
    figure = plots.traversals(model, x, (2, 3), dimensions=[2, 0], steps=7)
    z = model.z.reshape(2, 7, 4)
    for line, moved in enumerate([2, 0]):
        kept = [j for j in range(4) if j != moved]
        np.testing.assert_allclose(z[line][:, moved], [-3, -2, -1, 0, 1, 2, 3], atol=1e-12)
        np.testing.assert_array_equal(z[line][:, kept], np.tile(x[kept], (7, 1)))
    kl = metrics.kl_per_dimension(*model.encode(x[None]))
    assert words(figure.axes[0].yaxis) == [f"dimension {j + 1}\nKL {kl[j]:.2f} nats" for j in (2, 0)]
    assert words(figure.axes[0].xaxis) == ["-3", "-2", "-1", "0", "1", "2", "3"]
    named = plots.traversals(model, x, (2, 3), name="test row 0").axes[0].get_xlabel()
    assert named.endswith("the others stay at the posterior mean of test row 0")


def test_pictures_of_models_that_are_given_a_class(rng):
    """Each picture is what the model decodes for that class, and not for another."""
    conditional, classes = pyvae.ConditionalVAE.mlp(6, 3, 2, (4,)), pyvae.SemiSupervisedVAE.mlp(6, 3, 2, (4,))
    c, x = np.eye(3), rng.random((2, 6))
    cases = [(conditional, [{"condition": c[1]}, {"condition": c[2]}]), (classes, [{"label": 1}, {"label": 2}])]
    for model, (given, other) in cases:
        mu = model.encode(x, c[1])[0] if model is conditional else model.encode(x)[0]
        assert not np.allclose(model.decode(mu, **given), model.decode(mu, **other), atol=1e-3)
        middle = canvas(plots.manifold(model, (2, 3), side=3, **given))[3:5, 4:7]
        np.testing.assert_allclose(middle.ravel(), model.decode(np.zeros((1, 2)), **given)[0])
        line = canvas(plots.interpolation(model, x[:1], x[1:], (2, 3), steps=2, **given))
        np.testing.assert_allclose(line[:, 4:7].ravel(), model.decode(mu, **given)[0])
        moved = canvas(plots.traversals(model, x[0], (2, 3), dimensions=[0], steps=3, **given))
        np.testing.assert_allclose(moved[:, 4:7].ravel(), model.decode(mu[:1] * [0, 1], **given)[0])


def test_traversals_begin_with_the_highest_kl_and_are_ten_at_most(rng):
    kl = rng.permutation(12) / 10
    figure = plots.traversals(SpyModel(12, 12), rng.random(12), (3, 4), kl=kl)
    expected = np.argsort(-kl)[:10]
    assert words(figure.axes[0].yaxis) == [f"dimension {j + 1}\nKL {kl[j]:.2f} nats" for j in expected]


@pytest.mark.parametrize("side", [8, 28, 33])
def test_grids_draw_whole_dots_and_no_word_on_another(side, rng):
    """Every pixel is the same whole number of dots; all words lie within the picture and do not touch."""
    model = SpyModel(2, side * side)
    rows = rng.random((4, side * side))
    grids = {
        "samples": plots.image_grid(rows, (side, side)),
        "reconstructions": plots.reconstructions(rows, rows, (side, side)),
        "interpolation": plots.interpolation(model, rows[:2], rows[2:], (side, side)),
        "traversals": plots.traversals(model, rows[0], (side, side)),
        "manifold": plots.manifold(model, (side, side)),
    }
    for name, figure in grids.items():
        axes = figure.axes[0]
        figure.canvas.draw()
        box = axes.get_window_extent()
        dots = np.array([box.width, box.height]) / canvas(figure).shape[::-1]
        assert dots[0] == pytest.approx(round(dots[0])) and dots[1] == pytest.approx(dots[0]), name
        np.testing.assert_allclose(box.min, np.round(box.min), atol=1e-6)
        assert box.width >= plots.GRID_WIDTH

        texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= figure.bbox.x1 and b.y1 <= figure.bbox.y1 for b in boxes), name
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), name


def test_bars_stand_by_height_and_say_how_many_are_active():
    figure = plots.kl_per_dimension([0.2, 1.5, 0.0], active=[True, True, False])
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == [1.5, 0.2, 0.0]
    assert words(axes.xaxis) == ["2", "1", "3"]
    assert "1.7 nats" in axes.get_title() and "2 of 3 dimensions active" in axes.get_title()
    assert [word.get_color() for word in axes.get_xticklabels()] == ["black", "black", "tab:gray"]
    rule = [text.get_text() for text in axes.get_legend().get_texts()]
    assert rule == ["active: variance of mu over rows > 0.01", "not active"]
    plain = plots.kl_per_dimension([1.0]).axes[0]
    assert "active" not in plain.get_title() and plain.get_legend() is None


def test_of_many_dimensions_the_fifty_highest_have_bars(rng):
    kl = rng.permutation(np.arange(1.0, 65))
    axes = plots.kl_per_dimension(kl, np.ones(64, bool)).axes[0]
    assert [bar.get_height() for bar in axes.patches] == list(range(64, 14, -1))
    assert words(axes.xaxis)[:2] == [str(np.argmax(kl) + 1), str(np.argwhere(kl == 62).item() + 1)]
    assert axes.get_xlabel().endswith("the 14 lower ones have 105.00 nats together")  # 1 + .. + 14
    assert "2080.0 nats, 64 of 64 dimensions active" in axes.get_title()


def test_scatter_colours_classes(rng):
    from matplotlib.colors import to_hex

    mu, labels = rng.standard_normal((40, 3)), np.repeat(["cat", "dog"], 20)
    figure = plots.latent_scatter(mu, labels, (2, 0))
    points = figure.axes[0].collections[0]
    np.testing.assert_array_equal(points.get_offsets(), mu[:, [2, 0]])
    assert [to_hex(colour) for colour in points.get_facecolors()] == 20 * [plots.COLOURS[0]] + 20 * [plots.COLOURS[1]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog"]
    assert "dimension 3" in figure.axes[0].get_xlabel() and "dimension 1" in figure.axes[0].get_ylabel()


def test_scatter_has_a_colour_bar_for_numbers_and_nothing_without_labels(rng):
    mu = rng.standard_normal((40, 2))
    values = rng.random(40)
    figure = plots.latent_scatter(mu, values)
    assert len(figure.axes) == 2 and not figure.legends
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_array(), values)
    plain = plots.latent_scatter(mu)
    assert len(plain.axes) == 1 and not plain.legends


def test_learning_curves_show_a_single_epoch():
    axes = plots.learning_curves(history(1)).axes[0]
    assert [line.get_marker() for line in axes.lines] == [".", "."]
    assert list(axes.get_xticks()) == [1] and axes.get_xlabel() == "epoch"


def test_learning_curves_say_which_epochs_lie_outside_the_frame():
    record = history(40)  # 10 / epoch: the frame is that of epoch 5 and later, and a twentieth more
    figure = plots.learning_curves(record, "test")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training", "test"]
    for axes in figure.axes:
        assert axes.get_xlabel() == "epoch (1 to 4 lie outside the frame)"
        assert axes.get_xlim() == (1, 40) and axes.get_xticks()[0] == 1 and axes.get_ylim()[1] < 10 / 4
    assert plots.learning_curves(history(10)).axes[0].get_xlabel() == "epoch (1 lies outside the frame)"


def test_learning_curves_without_validation_rows_have_one_curve():
    record = history(3)
    for epoch in record.epochs:
        epoch.update(val_loss=np.nan, val_reconstruction=np.nan, val_kl=np.nan)
    assert [len(axes.lines) for axes in plots.learning_curves(record).axes] == [1, 1, 1]


X = np.full((4, 6), 0.5)


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: plots.manifold(SpyModel(3), (2, 3)), "two latent dimensions to show their plane, not 3"),
        (lambda: plots.manifold(SpyModel(2), (2, 3), side=1), "side must be a whole number of at least 2, not 1"),
        (lambda: plots.manifold(SpyModel(2), None), "height \\* width = 6 columns, not None: only rows that are pic"),
        (lambda: plots.interpolation(SpyModel(2), X, X, (2, 2)), "6 columns, not \\(2, 2\\): only rows that are pic"),
        (lambda: plots.interpolation(SpyModel(2), X, X[:3], (2, 3)), "x1 must have the shape of x0"),
        (lambda: plots.interpolation(SpyModel(2), X, X, (2, 3), steps=1), "steps must be a whole number of at least 2"),
        (lambda: plots.traversals(SpyModel(2), X[0], None), "only rows that are pictures can be drawn"),
        (lambda: plots.traversals(SpyModel(2), X[0], (2, 3), dimensions=[2]), "dimensions must be .* 0 to 1, not"),
        (lambda: plots.traversals(SpyModel(2), X[0], (2, 3), dimensions=[]), "dimensions must be .* 0 to 1, not"),
        (lambda: plots.image_grid(X, (6,)), "image_shape must be \\(height, width\\)"),
        (lambda: plots.latent_scatter(X[:, :1]), "dimensions must be .* 0 to 0, not \\[0, 1\\]"),
        (lambda: plots.latent_scatter(X, dimensions=(-1, 0)), "each of dimensions must be a whole number"),
        (lambda: plots.latent_scatter(X, dimensions=(0,)), "dimensions must be two"),
        (lambda: plots.latent_scatter(X, [1, 2]), "labels must be one a row, 4, not of shape"),
        (lambda: plots.latent_scatter(np.ones((11, 2)), list("abcdefghijk")), "up to 10 different words, not 11"),
    ],
)
def test_wrong_arguments_are_named(draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw()


def run(tmp_path, latent_dim, image_shape=(4, 4), n_rows=30, labels=None):
    model = pyvae.VAE.mlp(16, latent_dim, hidden=(8,), seed=0)
    if image_shape:
        model.metadata |= {"image_shape": image_shape, "value_range": (0.0, 1.0)}
    rows = ArraySource(np.random.default_rng(0).random((n_rows, 16), dtype=np.float32))
    return pictures.save(model, None, history(2), rows, labels, tmp_path)


@pytest.mark.parametrize(
    ("latent_dim", "image_shape", "missing"),
    [
        (2, (4, 4), []),
        (3, (4, 4), ["manifold.png"]),
        (1, (4, 4), ["manifold.png", "latent.png"]),
        (2, None, ["samples.png", "reconstructions.png", "interpolation.png", "traversals.png", "manifold.png"]),
    ],
)
def test_a_run_leaves_its_pictures(tmp_path, latent_dim, image_shape, missing):
    names = run(tmp_path, latent_dim, image_shape, labels=np.arange(30) % 3)
    assert names == [name for name in pictures.NAMES if name not in missing]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        data = (tmp_path / name).read_bytes()
        assert data.startswith(b"\x89PNG") and 2000 < len(data) < 200_000, name


def test_pictures_of_a_single_row(tmp_path):
    assert run(tmp_path, 2, n_rows=1) == list(pictures.NAMES)


def test_more_words_than_colours_are_left_out(tmp_path):
    assert "latent.png" in run(tmp_path, 2, None, labels=[f"word {i}" for i in range(30)])


def test_the_latent_space_is_that_of_rows_from_all_over(tmp_path, monkeypatch):
    """Of more rows than are encoded: evenly spaced ones with their own labels, along the dimensions of highest KL."""
    seen = {}
    monkeypatch.setattr(pictures, "ENCODED_ROWS", 10)
    monkeypatch.setattr(
        plots, "latent_scatter", lambda mu, labels, dimensions: seen.update(mu=mu, labels=labels, dims=dimensions)
    )
    model = pyvae.VAE.mlp(16, 4, hidden=(8,), seed=0)
    rows = ArraySource(np.random.default_rng(0).random((91, 16), dtype=np.float32))
    pictures._draw(model, None, history(1), rows, np.arange(91), "test", "test")
    mu, logvar = model.encode(rows)
    np.testing.assert_array_equal(seen["labels"], np.arange(0, 91, 10))
    np.testing.assert_allclose(seen["mu"], mu[::10], rtol=0, atol=1e-6)  # twins: other bits in another batch
    np.testing.assert_array_equal(seen["dims"], np.argsort(-metrics.kl_per_dimension(mu[::10], logvar[::10]))[:2])


def test_labels_follow_the_rows():
    train, test = ArraySource(np.zeros((5, 2))), ArraySource(np.zeros((3, 2)))
    dataset = Dataset("x", train, test, train_labels=np.arange(5), test_labels=np.arange(10, 13))
    assert list(pictures.labels_of(dataset, test)) == [10, 11, 12]
    assert list(pictures.labels_of(dataset, train)) == [0, 1, 2, 3, 4]
    assert list(pictures.labels_of(dataset, Rows(train, [1, 4]))) == [1, 4]
    assert pictures.labels_of(Dataset("x", train), Rows(train, [1, 4])) is None
    validation = ArraySource(np.zeros((2, 2)))
    dataset = Dataset("x", train, validation=validation, train_labels=np.arange(5))
    assert pictures.labels_of(dataset, validation) is None, "labels of other rows"


def test_files_hold_a_byte_a_dot_and_grids_are_exact(tmp_path, rng):
    from PIL import Image

    figure = plots.image_grid(rng.random((4, 64)), (8, 8))
    pictures.write(figure, tmp_path / "gray.png")
    with Image.open(tmp_path / "gray.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(
            np.asarray(image.convert("RGB")), np.asarray(figure.canvas.buffer_rgba())[..., :3]
        )
    pictures.write(plots.latent_scatter(rng.standard_normal((9, 2))), tmp_path / "colours.png")
    with Image.open(tmp_path / "colours.png") as image:
        assert image.mode == "P"


def test_between_pictures_and_where_there_is_none_is_no_gray():
    """The tint differs from every value's gray, also from that of 0.5, and values keep their grays."""
    figure = plots.image_grid(np.full((3, 16), 0.5), (4, 4), columns=2)  # and one empty cell
    figure.canvas.draw()
    box = figure.axes[0].get_window_extent()
    dots = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3].astype(int)
    dot = round(box.width / 9)  # of a pixel, of which there are 4 + 1 + 4
    centres = [[dots[round(box.y0) + dot * i + dot // 2, round(box.x0) + dot * j + dot // 2] for j in range(9)]
               for i in range(9)]  # fmt: skip
    centres = np.array(centres)[::-1]
    is_gray = (centres == centres[..., :1]).all(axis=2)
    expected = np.ones((9, 9), bool)
    expected[4, :] = expected[:, 4] = expected[5:, 5:] = False
    np.testing.assert_array_equal(is_gray, expected)
    assert abs(centres[0, 0, 0] - 127.5) < 4


def test_without_matplotlib_there_are_no_pictures_and_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(tmp_path, 2) == [] and not list(tmp_path.iterdir())
    assert capsys.readouterr().err == 'pyvae: pictures need matplotlib: pip install "pyvae[plot]"\n'


def test_settings_are_those_of_the_model():
    model = SimpleNamespace(metadata={"image_shape": [4, 4], "value_range": [0.0, 1.0]})
    assert pictures.settings(model) == ([4, 4], [0.0, 1.0])


@pytest.mark.parametrize(
    "prior", [pyvae.StandardNormal(), pyvae.Mixture(2, 3), pyvae.VampPrior(6, 4), pyvae.Flow(2)], ids=lambda p: type(p)
)
def test_the_prior_lies_in_contours_over_the_points_of_the_posterior(prior, rng):
    model = pyvae.VAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Gaussian(6), prior=prior)
    X = rng.standard_normal((40, 6))
    axes = prior_plots.prior_and_posterior(model, X, seed=3).axes[0]
    points, contours = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), model.posterior_samples(X, seed=3))
    on_them = np.concatenate([path.vertices for path in contours.get_paths()[-1:]]).astype(np.float32)
    log_pz = model.prior.log_density(on_them, pyvae.FRESH, *model.encode_for_prior())[0]
    assert len(contours.levels) == 4 and np.abs(log_pz - contours.levels[-1]).max() < 0.05
    assert type(prior).__name__ in axes.get_figure().legends[0].get_texts()[1].get_text()


def test_the_prior_of_a_plane_alone_is_drawn(rng):
    with pytest.raises(ValueError, match="model must have two latent dimensions to show their plane, not 3"):
        prior_plots.prior_and_posterior(pyvae.VAE.mlp(6, 3, (4,)), rng.random((5, 6)))


class WidePrior(pyvae.StandardNormal):
    """N(0, 4)."""

    def log_density(self, z, memory=pyvae.FRESH):
        log_pz, cache = super().log_density(z / 2, memory)
        return log_pz - z.dtype.type(z.shape[1] * np.log(2)), cache


def with_parts(prior=None, posterior=None):
    posterior = posterior or pyvae.DiagonalGaussian()
    model = pyvae.VAE(
        pyvae.Dense(6, posterior.n_outputs(2)), pyvae.Dense(2, 6), pyvae.Bernoulli(6), prior=prior, posterior=posterior
    )
    model.metadata = {"image_shape": (2, 3), "value_range": (0, 1)}
    return model


def test_what_holds_for_the_standard_normal_alone_is_refused_or_left_out(rng):
    model, x = with_parts(WidePrior()), rng.random(6)
    with pytest.raises(ValueError, match=r"shows quantiles of N\(0, 1\), for which the prior must be StandardNormal"):
        plots.manifold(model, (2, 3))
    with pytest.raises(ValueError, match=r"ordered by their KL with N\(0, 1\), for which the prior must be Standard"):
        plots.traversals(model, x, (2, 3))
    figure = plots.traversals(model, x, (2, 3), dimensions=(1, 0))
    assert words(figure.axes[0].yaxis) == ["dimension 2", "dimension 1"]


@pytest.mark.parametrize(
    ("parts", "left_out"),
    [
        ({"prior": WidePrior()}, {"kl_per_dimension.png", "manifold.png"}),
        ({"posterior": pyvae.FullGaussian()}, set()),
        ({"posterior": pyvae.PlanarFlow(2)}, set()),
    ],
)
def test_pictures_of_runs_with_other_parts(parts, left_out, rng):
    rows = pyvae.ArraySource(rng.random((30, 6)).astype(np.float32))
    figures = pictures._draw(with_parts(**parts), None, history(3), rows, None, "test", "validation")
    assert set(pictures.NAMES) - set(figures) == left_out
    if not left_out:
        title = figures["kl_per_dimension.png"].axes[0].get_title()
        assert title.startswith("KL(q(z|x) || p(z)), from means and variances alone: at least ")
