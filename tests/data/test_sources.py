"""Arrays that users hand in, sources of rows, and data sets."""

import gzip
import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from scipy import sparse

import pyvae
from pyvae.data import datasets, files
from pyvae.data.sources import ArraySource, SparseSource
from pyvae.data.support import check_support
from pyvae.data.validation import check_array
from pyvae.data.wrapped import Dequantized, Drawn, Rows
from pyvae.noise import Noise
from pyvae.training import step


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
        (np.array([[None, 2]]), TypeError, "is None, but it must be a real number"),
        (
            np.ma.masked_array(np.zeros((2, 2)), [[0, 1], [0, 0]]),
            TypeError,
            r"\[0, 1\] is masked: fill it, drop the row, or give ArraySource\(X, missing=True\)",
        ),
    ],
)
def test_unusable_arrays_are_named(X, error, message):
    with pytest.raises(error, match=f"X_val.*{message}"):
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
    with pytest.raises(ValueError, match="n must be a whole number from 1 to 4294967296, not 0"):
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
    with pytest.raises(ValueError, match=r"X\[2500, 1\] is nan, but a threshold of 0.5 takes numbers from 0 to 1"):
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
    with pytest.raises(ValueError, match="DATA must be one of digits, mnist, fashion-mnist.*did you mean mnist?"):
        datasets.load("mnits")


def test_idx_files(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + np.array([2, 3, 4], dtype=">u4").tobytes()
    good = gzip.compress(header + values.tobytes())
    (tmp_path / "good.gz").write_bytes(good)
    np.testing.assert_array_equal(files.read_idx(tmp_path / "good.gz"), values)
    for name, data, message in (
        ("short", gzip.compress(header + b"123"), "cut short"),
        ("other", gzip.compress(b"something else"), "not an IDX file"),
        ("broken", good[:-10], "not a gzip file"),
        ("plain", b"plain text", "not an IDX file"),
        ("long", gzip.compress(header + bytes(25)), "too long: at least 25 values instead of 24"),
        ("claims", b"\0\0\x0e\x02" + b"\xff" * 8, "cut short: 0 values instead of 18446744065119617025"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            files.read_idx(tmp_path / name)


IDX_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(values):
    """The IDX file of an array: two zeros, the type, the dimensions, their sizes and the values, big-endian."""
    start = bytes([0, 0, IDX_CODES[values.dtype.str[1:]], values.ndim])
    return (
        start + np.array(values.shape, dtype=">u4").tobytes() + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("code", IDX_CODES)
def test_idx_files_of_every_type(code, tmp_path):
    values = np.array([[0, 1, 2], [100, 3, 127]]).astype(code)
    (tmp_path / "x.idx").write_bytes(idx_bytes(values))
    (tmp_path / "x-idx2-ubyte.gz").write_bytes(gzip.compress(idx_bytes(values)))
    for name in ("x.idx", "x-idx2-ubyte.gz"):
        source = datasets.load(str(tmp_path / name)).train
        np.testing.assert_array_equal(source.X, values)
        scale = np.float32(1 / 255 if code == "u1" else 1)
        np.testing.assert_array_equal(source.gather([0, 1]).x, values.astype(np.float32) * scale)


def test_idx_pictures(tmp_path, rng):
    pictures = rng.integers(0, 256, (5, 4, 6), dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pictures)))
    dataset = datasets.load(str(tmp_path / "train-images-idx3-ubyte.gz"))
    assert dataset.image_shape == (4, 6) and dataset.name == "train-images-idx3-ubyte" and dataset.test is None
    np.testing.assert_array_equal(dataset.train.X, pictures.reshape(5, 24))


def test_npz_as_keras_has_mnist(tmp_path, rng):
    x, x_test = (rng.integers(0, 256, (n, 4, 6), dtype=np.uint8) for n in (7, 3))
    np.savez_compressed(tmp_path / "x.npz", x_train=x, y_train=np.arange(7), x_test=x_test // 255, y_test=np.arange(3))
    dataset = datasets.load(str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(dataset.train.X, x.reshape(7, 24))
    np.testing.assert_array_equal(dataset.train_labels, np.arange(7))
    np.testing.assert_array_equal(dataset.test_labels, np.arange(3))
    assert dataset.image_shape == (4, 6) and dataset.test.X.shape == (3, 24) and dataset.name == "x"
    assert dataset.train.scale == dataset.test.scale == 1 / 255  # though the test rows are black throughout


def test_npz_keys(tmp_path, rng):
    X = np.asfortranarray(rng.random((6, 3)))
    for key in ("X", "x", "data", "anything"):
        np.savez(tmp_path / "x.npz", **{key: X})
        np.testing.assert_array_equal(datasets.load(str(tmp_path / "x.npz")).train.X, X)
    np.savez(tmp_path / "x.npz", X=X, other=X[:2], y=np.arange(6), valid=X[:4], test=X[:1])
    dataset = datasets.load(str(tmp_path / "x.npz"))
    assert list(dataset.splits()) == ["test", "validation", "train"]
    assert [len(source) for source in dataset.splits().values()] == [1, 4, 6]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}, "holds a, b: call the array of rows X"),
        ({}, "holds nothing"),
        ({"X": np.zeros((2, 2)), "y": np.zeros(3)}, "3 labels y for 2 rows"),
        ({"X": np.zeros((2, 2)), "X_test": np.zeros((2, 3))}, r"test rows of shape \(3,\)"),
        ({"X": np.array([["a"]])}, "array X, is no array of real numbers"),
        ({"data": [1.0], "indices": [0], "indptr": [0, 1]}, r"no sparse matrix.*save_npz"),
    ],
)
def test_unusable_npz_files_are_named(arrays, message, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        datasets.load(str(tmp_path / "x.npz"))


def test_npz_headers_are_not_believed(tmp_path):
    """An array that claims to have more values than the archive has bytes is refused before anything is allocated."""
    header = np.lib.format.magic(1, 0) + b"v\0"
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 784), }"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", header + text.ljust(117) + b"\n" + bytes(80))
    with pytest.raises(ValueError, match="array X, is no array of real numbers, or it is damaged"):
        datasets.load(str(tmp_path / "x.npz"))


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.idx", "x.idx.gz"])
def test_damaged_files_are_named(name, tmp_path, rng):
    """Wherever a file is cut, and whichever byte of its first hundred is another: rows, or one sentence."""
    X = rng.random((8, 3))
    np.save(tmp_path / "x.npy", X)
    np.savez_compressed(tmp_path / "x.npz", X=X)
    (tmp_path / "x.idx").write_bytes(idx_bytes(X))
    (tmp_path / "x.idx.gz").write_bytes(gzip.compress(idx_bytes(X)))
    whole = (tmp_path / name).read_bytes()
    cut = [whole[:n] for n in range(0, len(whole), 7)]
    for n in range(min(100, len(whole))):
        changed = bytearray(whole)
        changed[n] ^= 0x55
        cut.append(bytes(changed))
    refused = 0
    for i, data in enumerate(cut):
        path = tmp_path / f"{i}-{name}"
        path.write_bytes(data)
        try:
            datasets.load(str(path))
        except (ValueError, TypeError) as error:
            refused += 1
            assert path.name in str(error) and "\n" not in str(error)
    assert refused >= len(whole) // 7


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5\n3,-4e1\n",
        "a,b\n1,2.5\n3,-4e1",
        "\n a ; b\n1; 2.5\n\n3;-4e1\n",
        "1\t2.5\r\n3\t-40\r\n",
        '\ufeff"a,c","b"\n"1","2.5"\n3,-40',
    ],
)
def test_csv(text, tmp_path):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    dataset = datasets.load(str(tmp_path / "x.csv"))
    np.testing.assert_array_equal(dataset.train.X, [[1, 2.5], [3, -40]])
    assert dataset.test is None and dataset.image_shape is None and dataset.name == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n\n3,red\n", r"line 4, column 2 \(b\) is 'red', not a finite number"),
        ("1,2\n3,\n", "line 2, column 2 is empty: fill it"),
        ("1,2\n3,nan\n", "line 2, column 2 is 'nan', not a finite number"),
        ("1,2\n3,1e999\n", "line 2, column 2 is '1e999'"),
        ("1,red\n3,4\n", "line 1, column 2 is 'red'"),
        ("1,2\n3,4,5\n", "line 2 has 3 cells, not 2"),
        ("1;2,5\n3;4,5\n", "line 1, column 2 is '2,5': write decimals with a point"),
        ("a b\n1 2\n", r"line 2, column 1 \(a b\) is '1 2': separate cells with commas"),
        ("1_0,2\n", "line 1, column 1 is '1_0'"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n\n", "a header and no rows"),
        ("1,2\n3,4\n\0", "line 3, column 1"),
        ("1,2\n" + "x" * 200000, "line 2, column 1 is 'x{40}', not a finite number"),
    ],
)
def test_unusable_csv_files_are_named(text, message, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=f"x.csv.*{message}"):
        datasets.load(str(tmp_path / "x.csv"))
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="x.csv is no text"):
        datasets.load(str(tmp_path / "x.csv"))


def test_image_shapes(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.random((5, 12)))
    path = str(tmp_path / "x.npy")
    assert datasets.load(path).image_shape is None and datasets.load(path, (3, 4)).image_shape == (3, 4)
    with pytest.raises(ValueError, match="an image shape of 3x5 is 15 columns, but .*x.npy has 12"):
        datasets.load(path, (3, 5))
    with pytest.raises(ValueError, match="leave it out, mnist has its own"):
        datasets.load("mnist", (28, 28))


def test_other_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "x.txt").write_text("1,2")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "mydigits.npy", np.zeros((2, 2)))
    with pytest.raises(ValueError, match="x.txt is of no kind that can be read: give a .npy"):
        datasets.load(str(tmp_path / "x.txt"))
    with pytest.raises(ValueError, match="folder is a folder: name a file in it"):
        datasets.load(str(tmp_path / "folder"))
    with pytest.raises(FileNotFoundError, match=r"no file .*mydigts.npy; did you mean mydigits.npy\?"):
        datasets.load(str(tmp_path / "mydigts.npy"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="mydigits.npy may not be read"):
        datasets.load(str(tmp_path / "mydigits.npy"))


@pytest.mark.data("binarized-mnist")
def test_binarized_mnist():
    dataset = datasets.load("binarized-mnist")
    sizes = {split: len(source) for split, source in dataset.splits().items()}
    assert sizes == {"test": 10000, "validation": 10000, "train": 50000} and dataset.image_shape == (28, 28)
    assert dataset.train.X.mean() == pytest.approx(0.130562, abs=1e-6)
    assert dataset.test.X.mean() == pytest.approx(0.132512, abs=1e-6)
    assert set(np.unique(dataset.train.gather(np.arange(1000)).x)) == {0.0, 1.0}


def test_binarized_mnist_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("PYVAE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"no file .*binarized_mnist\.npz: put the arrays"):
        datasets.load("binarized-mnist")
    (tmp_path / "binarized-mnist").mkdir()
    np.savez(tmp_path / "binarized-mnist" / "binarized_mnist.npz", train=np.zeros((50000, 7), np.uint8))
    with pytest.raises(ValueError, match="must hold 50000 train rows of 784 columns"):
        datasets.load("binarized-mnist")


def test_dequantized_numbers_lie_anywhere_in_their_step():
    X = np.tile(np.float32([[3, 10, -2]]), (20_000, 1))
    drawn = Dequantized(ArraySource(X), [1, 0, 0.5]).gather(np.arange(20_000), Noise(1)).x
    moved = drawn - X
    assert np.all(np.abs(moved) <= [0.5, 0, 0.25])
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(moved.var(axis=0), np.array([1, 0, 0.25]) / 12, rtol=0.02)
    assert abs(np.corrcoef(moved[:, 0], moved[:, 2])[0, 1]) < 0.03


def test_dequantization_is_that_of_a_row_and_a_step(rng):
    X = rng.random((30, 5)).astype(np.float32)
    source = Dequantized(ArraySource(X), 0.1)
    together = source.gather(np.arange(30), Noise(3, step=2)).x
    np.testing.assert_array_equal(source.gather([17, 4], Noise(3, step=2)).x, together[[17, 4]])
    np.testing.assert_array_equal(Rows(source, [17, 4]).gather([0, 1], Noise(3, step=2)).x, together[[17, 4]])
    for other in (Noise(3, step=3), Noise(4, step=2)):
        assert np.all(source.gather(np.arange(30), other).x != together)


def test_dequantization_leaves_alone_what_is_not_observed_and_weights():
    X = np.array([[1, np.nan], [np.nan, 4.0]])
    source = Dequantized(ArraySource(X, weight=np.array([2.0, 3.0]), missing=True), 1.0)
    batch = source.gather([1, 0], Noise(0))
    np.testing.assert_array_equal(batch.observed, [[0, 1], [1, 0]])
    assert batch.x[0, 0] == batch.x[1, 1] == 0
    assert 3.5 < batch.x[0, 1] < 4.5
    np.testing.assert_array_equal(batch.weight, [3, 2])
    assert len(source) == 2
    assert source.place(1, 0) == "X[1, 0]"


def test_dequantized_rows_bound_the_probability_of_a_step():
    """A normal density that is fitted to whole numbers, all of them equal: with its mean there, log p grows without end
    as its std falls; dequantized it is below log 1 for any std."""
    source = Dequantized(ArraySource(np.full((4000, 1), 7.0)), 1.0)
    x = source.gather(np.arange(4000), Noise(0)).x[:, 0].astype(float)
    for std in (0.01, 0.1, 0.2887, 1, 10):
        assert np.mean(-0.5 * ((x - 7) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)) < 0


def test_dequantized_training_is_recorded_like_any(rng, monkeypatch):
    """Steps that are played (step.py) draw afresh too: the same weights as with a source that is never played."""
    X = np.round(4 * rng.random((60, 5)))

    class Slow(Dequantized):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            monkeypatch.setattr(step, "is_playable", lambda module: False)

    trained = []
    for kind in (Dequantized, Slow):
        model = pyvae.VAE.mlp(5, latent_dim=2, hidden=(7,), likelihood="gaussian", seed=1)
        pyvae.train(model, kind(ArraySource(X), 1.0), epochs=3, batch_size=20, seed=2)
        trained.append(model.parameters.values)
    np.testing.assert_array_equal(*trained)


def test_dequantized_sparse_rows_are_dense():
    from scipy.sparse import csr_array

    batch = Dequantized(SparseSource(csr_array(np.eye(4))), 0.5).minibatch([2], Noise(0), np.float32)
    assert np.all(batch.x != 0)
    assert np.all(np.abs(batch.x - np.eye(4)[2]) <= 0.25)


def test_masked_entries_are_missing_ones():
    X = np.ma.masked_greater(np.arange(12).reshape(4, 3), 9)
    batch = ArraySource(X, missing=True).gather(np.arange(4))
    np.testing.assert_array_equal(batch.observed[3], [1, 0, 0])
    np.testing.assert_array_equal(batch.x[3], [9, 0, 0])


@pytest.mark.parametrize("name", ["x.npz", "sparse.npz", "x-idx2-ubyte.gz"])
def test_what_would_fill_the_memory_is_refused_before_it_is_inflated(name, tmp_path, monkeypatch):
    path = tmp_path / name
    if name == "x.npz":
        np.savez_compressed(path, X=np.zeros((1000, 500)))
    elif name == "sparse.npz":
        sparse.save_npz(path, sparse.csr_array(np.ones((500, 500))))
    else:
        path.write_bytes(gzip.compress(b"\0\0\x08\x02" + np.array([2000, 1000], ">u4").tobytes() + bytes(2_000_000)))
    datasets.load(str(path))
    monkeypatch.setattr("pyvae.data.free_memory.free_memory", lambda: 1_500_000.0)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"holds [234].*MB, but 1.5 MB of memory are free: (save its rows|take fewer)"):
        datasets.load(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_an_archive_that_lies_about_its_size_is_damaged(tmp_path):
    """The header of its array says more than its entry holds."""
    file = io.BytesIO()
    np.save(file, np.zeros((10, 10)))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", file.getvalue()[:-8])
    with pytest.raises(ValueError, match="array X, is no array of real numbers, or it is damaged"):
        datasets.load(str(tmp_path / "x.npz"))


def test_drawn_rows_lie_around_their_means_afresh_at_every_step(rng):
    mu, logvar = rng.standard_normal((2, 3)), np.log(np.array([[1.0, 4.0, 0.25], [9.0, 1e-8, 1.0]]))
    source = Drawn(ArraySource(mu, label=[1, -1], name="Z"), logvar)
    steps = np.stack([source.minibatch(np.array([1, 0]), Noise(0, step), np.float64).x for step in range(20_000)])
    np.testing.assert_allclose(steps.mean(axis=0), mu[::-1], atol=0.1)
    np.testing.assert_allclose(steps.std(axis=0), np.exp(logvar[::-1] / 2), rtol=0.03)
    alone = source.minibatch(np.array([1]), Noise(0, 7), np.float64)
    np.testing.assert_array_equal(alone.x[0], steps[7, 0])  # whatever rows share the batch
    assert alone.label.tolist() == [-1] and source.name == "Z"
    with pytest.raises(ValueError, match="logvar must be 2 x 3, as the means"):
        Drawn(ArraySource(mu), logvar[:, :2])
