"""Arrays that users hand in, sources of rows, and data sets."""

import gzip

import numpy as np
import pytest

import pyvae
from pyvae import datasets
from pyvae.data import ArraySource, Rows, check_array, check_support


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16, np.float32, np.float64, ">f8", ">f4"])
def test_every_real_dtype_is_usable(dtype):
    X = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    np.testing.assert_array_equal(ArraySource(X).gather([1, 0]).x, [[1, 0, 1], [0, 1, 1]])
    assert pyvae.VAE.mlp(3, latent_dim=1, hidden=(2,)).elbo(X).shape == (2,)


def test_layouts_do_not_matter(rng):
    X = rng.random((20, 6))
    source = ArraySource(X).gather(np.arange(20)).x
    strided = np.zeros((40, 12))
    strided[::2, ::2] = X
    for other in (np.asfortranarray(X), strided[::2, ::2], X[::-1][::-1], X.tolist()):
        np.testing.assert_array_equal(ArraySource(other).gather(np.arange(20)).x, source)
    X.flags.writeable = False
    np.testing.assert_array_equal(ArraySource(X).gather(np.arange(20)).x, source)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros(5), ValueError, "two-dimensional"),
        (np.zeros((2, 3, 4)), ValueError, "two-dimensional"),
        (np.zeros((0, 3)), ValueError, "at least one row"),
        (np.zeros((3, 0)), ValueError, "at least one row"),
        (np.array([["a", "b"]]), TypeError, "real numbers"),
        (np.array([[1j, 2]]), TypeError, "real numbers"),
        (np.array([[None, 2]]), TypeError, "real numbers"),
        (np.ma.masked_array(np.zeros((2, 2)), [[0, 1], [0, 0]]), TypeError, "not be a masked array"),
    ],
)
def test_unusable_arrays_are_named(X, error, message):
    with pytest.raises(error, match=f"X_val must .*{message}"):
        check_array(X, "X_val")


def test_wrong_width_is_named(rng):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(4,))
    for call in (model.encode, model.reconstruct, model.elbo, model.log_likelihood):
        with pytest.raises(ValueError, match="X must have 6 columns, as the model has, not 5"):
            call(rng.random((3, 5)))
    with pytest.raises(ValueError, match="Z must have 2 columns"):
        model.decode(rng.random((3, 5)))


def test_wrong_counts_are_named(rng):
    model, X = pyvae.VAE.mlp(6, latent_dim=2, hidden=(4,)), rng.random((3, 6))
    for call in (lambda: model.elbo(X, n_samples=0), lambda: model.log_likelihood(X, n_samples=1.5)):
        with pytest.raises(ValueError, match="n_samples must be a whole number"):
            call()
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        model.sample(0)


def test_bad_values_hide_in_no_chunk():
    X = np.zeros((3000, 2))
    X[2500, 1] = 3
    with pytest.raises(ValueError, match=r"X\[2500, 1\] is 3, but the Bernoulli likelihood takes numbers from 0 to 1"):
        check_support(ArraySource(X), pyvae.Bernoulli(2))
    with pytest.raises(ValueError, match=r"X\[2500, 1\] is 3, but a draw takes probabilities, from 0 to 1"):
        check_support(Rows(ArraySource(X, binarize="draw"), [7, 2500]), pyvae.Bernoulli(2))
    check_support(ArraySource(X, binarize="threshold", threshold=2), pyvae.Bernoulli(2))
    X[2500, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[2500, 1\] is nan, but a threshold takes finite numbers"):
        check_support(ArraySource(X, binarize="threshold"), pyvae.Bernoulli(2))


def test_decode_takes_finite_numbers():
    with pytest.raises(ValueError, match=r"Z\[1, 0\] is nan"):
        pyvae.VAE.mlp(6, latent_dim=2, hidden=(4,)).decode(np.array([[0, 0], [np.nan, 0]]))


def test_wrong_binarize_is_named():
    with pytest.raises(ValueError, match="binarize must be"):
        ArraySource(np.zeros((2, 2)), binarize="sometimes")


def test_digits(scikit_learn):
    dataset = datasets.load("digits")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (1437, 360, (8, 8))
    x = dataset.train.gather(np.arange(1437)).x
    assert set(np.unique(x)) == {0.0, 1.0}
    both = np.vstack([dataset.train.X, dataset.test.X])
    from sklearn.datasets import load_digits

    original = load_digits().data
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(original, axis=0))
    labels = np.bincount(dataset.test_labels, minlength=10)
    assert labels.min() > 20


@pytest.mark.data("mnist")
def test_mnist():
    dataset = datasets.load("mnist")
    assert dataset.train.X.shape == (60000, 784) and dataset.test.X.shape == (10000, 784)
    assert dataset.train.X.mean() == pytest.approx(33.318, abs=0.001)
    assert list(dataset.train_labels[:5]) == [5, 0, 4, 1, 9]
    assert dataset.value_range() == (0.0, 1.0) and dataset.image_shape == (28, 28)


@pytest.mark.data("fashion-mnist")
def test_fashion_mnist():
    dataset = datasets.load("fashion-mnist")
    assert dataset.train.X.shape == (60000, 784) and list(dataset.train_labels[:5]) == [9, 0, 0, 3, 0]


@pytest.mark.data("mnist")
def test_a_damaged_download_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PYVAE_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(ValueError, match="SHA-256"):
        datasets.load("mnist")


def test_npy(tmp_path, rng):
    gray = rng.integers(0, 256, (10, 25), dtype=np.uint8)
    np.save(tmp_path / "gray.npy", gray)
    dataset = datasets.load(str(tmp_path / "gray.npy"))
    assert isinstance(dataset.train.X, np.memmap) and dataset.name == "gray" and dataset.image_shape == (5, 5)
    np.testing.assert_allclose(dataset.train.gather([3]).x[0], gray[3] / 255, rtol=1e-6)

    pictures = rng.random((10, 4, 6))
    np.save(tmp_path / "pictures.npy", pictures)
    dataset = datasets.load(str(tmp_path / "pictures.npy"))
    assert dataset.image_shape == (4, 6) and dataset.train.X.shape == (10, 24)


def test_broken_files_are_named(tmp_path):
    (tmp_path / "text.npy").write_text("1,2,3")
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.zeros((100, 3)))
    (tmp_path / "short.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:500])
    for name in ("text.npy", "objects.npy", "short.npy"):
        with pytest.raises(ValueError, match=f"{name} is not a .npy file of numbers"):
            datasets.load(str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npy"):
        datasets.load(str(tmp_path / "none.npy"))
    with pytest.raises(ValueError, match="DATA must be one of digits, mnist, fashion-mnist"):
        datasets.load("mnits")


def test_idx_files(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + np.array([2, 3, 4], dtype=">u4").tobytes()
    good = gzip.compress(header + values.tobytes())
    (tmp_path / "good.gz").write_bytes(good)
    np.testing.assert_array_equal(datasets.read_idx(tmp_path / "good.gz"), values)
    for name, data, message in (
        ("short", gzip.compress(header + b"123"), "cut short"),
        ("other", gzip.compress(b"something else"), "not an IDX file"),
        ("broken", good[:-10], "not a gzip file"),
        ("plain", b"plain text", "not a gzip file"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            datasets.read_idx(tmp_path / name)
