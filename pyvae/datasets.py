"""Data sets by name, and arrays from files: each with its values, its range and its split.

    digits          1437 + 360 images of 8 x 8, black and white (scikit-learn's copy; needs no network)
    mnist           60,000 + 10,000 images of 28 x 28, gray values in [0, 1] (LeCun et al. 1998)
    fashion-mnist   the same sizes and values (Xiao et al. 2017)

MNIST and Fashion-MNIST are looked for in $PYVAE_DATA/mnist and $PYVAE_DATA/fashion-mnist (default: the user's cache
folder) under their original file names and, where they are missing, downloaded there once. Every file's SHA-256 is
checked each time.
"""

import gzip
import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyvae.data import ArraySource
from pyvae.noise import Noise

MIRRORS = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
}

FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
         "t10k-labels-idx1-ubyte.gz")  # fmt: skip

SHA256 = {
    "mnist": dict(zip(FILES, (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ), strict=True)),
    "fashion-mnist": dict(zip(FILES, (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ), strict=True)),
}  # fmt: skip


@dataclass
class Dataset:
    """Rows to train on and, where there is a split, rows to test on."""

    name: str
    train: ArraySource
    test: ArraySource | None = None
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    image_shape: tuple | None = None  # (height, width) of a row, where rows are pictures
    epochs: int = 10  # enough to see something

    def value_range(self):
        """The least and the greatest value of the first thousand rows: black and white in pictures."""
        x = self.train.gather(np.arange(min(1000, len(self.train)))).x
        return float(x.min()), float(x.max())


NAMES = ("digits", "mnist", "fashion-mnist")


def load(name):
    """A Dataset by its name, or from a .npy file. Raises ValueError for another word, FileNotFoundError for no file."""
    if name in NAMES:
        return {"digits": digits, "mnist": mnist, "fashion-mnist": fashion_mnist}[name]()
    if Path(name).suffix == ".npy":
        return npy(name)
    raise ValueError(f"DATA must be one of {', '.join(NAMES)}, or a .npy file, not {name!r}")


def digits():
    """Scikit-learn's 8 x 8 digits, black and white: 1437 rows to train on, 360 to test.

    The values, 0 .. 16 white points out of 16, are scaled to [0, 1] and cut at 0.5; with ``binarize = None`` on the
    sources they stay gray. The split is one fixed random order, whatever the seed of a training. Needs scikit-learn
    (pip install "pyvae[sklearn]"), raising ImportError where it is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError('the digits come with scikit-learn: pip install "pyvae[sklearn]"') from None
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.uint8)
    order = Noise(0).permutation("split", len(X))
    train, test = order[360:], order[:360]
    sources = (ArraySource(X[rows], 1 / 16, binarize="threshold") for rows in (train, test))
    return Dataset("digits", *sources, y[train], y[test], (8, 8), epochs=300)


def mnist():
    """MNIST: gray values scaled from 0 .. 255 to [0, 1], the original split."""
    return _idx_images("mnist")


def fashion_mnist():
    """Fashion-MNIST: gray values scaled from 0 .. 255 to [0, 1], the original split."""
    return _idx_images("fashion-mnist")


def npy(path):
    """A .npy file (N, D), or (N, height, width) for pictures, memory-mapped.

    Values are taken as they are, but for uint8 above 1: those are gray values, scaled from 0 .. 255 to [0, 1].
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise ValueError(f"{path} is not a .npy file of numbers, or it is damaged") from None
    image_shape = None
    if X.ndim == 3:
        image_shape, X = X.shape[1:], X.reshape(len(X), math.prod(X.shape[1:]))
    elif X.ndim == 2 and X.dtype == np.uint8:
        image_shape = _square(X.shape[1])
    gray = X.dtype == np.uint8 and X.max(initial=0) > 1
    return Dataset(path.stem, ArraySource(X, 1 / 255 if gray else 1.0, name=path.name), image_shape=image_shape)


def read_idx(path):
    """The array in a gzipped IDX file of bytes (the format of MNIST). Raises ValueError where it is none."""
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError):
        raise ValueError(f"{path} is not a gzip file, or it is damaged") from None
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an IDX file of bytes")
    n_dimensions = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=n_dimensions, offset=4).astype(int)
    values = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * n_dimensions)
    if len(values) != math.prod(shape):
        raise ValueError(f"{path} is cut short: {len(values)} values instead of {math.prod(shape)}")
    return values.reshape(shape)


def data_folder():
    """$PYVAE_DATA, or pyvae in the user's cache folder."""
    if os.environ.get("PYVAE_DATA"):
        return Path(os.environ["PYVAE_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyvae"


def _idx_images(name):
    train_images, train_labels, test_images, test_labels = (read_idx(_file(name, file)) for file in FILES)
    return Dataset(
        name,
        ArraySource(train_images.reshape(len(train_images), -1), 1 / 255),
        ArraySource(test_images.reshape(len(test_images), -1), 1 / 255),
        train_labels, test_labels, train_images.shape[1:],
    )  # fmt: skip


def _file(name, file):
    """The path of an original file, downloaded where it is missing; its hash is right."""
    path = data_folder() / name / file
    if path.is_file():
        if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name][file]:
            raise ValueError(f"{path} is damaged or another file: its SHA-256 is not {SHA256[name][file]}")
        return path
    try:
        import pooch
    except ImportError:
        raise FileNotFoundError(
            f'no file {path}: put it there, or pip install "pyvae[data]" and it will be downloaded'
        ) from None
    try:
        return Path(pooch.retrieve(MIRRORS[name] + file, "sha256:" + SHA256[name][file], file, path.parent))
    except Exception as error:  # whatever the network layers below raise
        raise FileNotFoundError(f"no file {path}, and it could not be downloaded: {type(error).__name__}") from None


def _square(n):
    """(side, side) where n is the square of a side of at least 4, else None."""
    side = math.isqrt(n)
    return (side, side) if side * side == n and side >= 4 else None
