"""Data sets by name and from files, each with its values, its range and its split.

    digits          1437 + 360 images of 8 x 8, black and white (scikit-learn's copy; needs no network)
    mnist           60,000 + 10,000 images of 28 x 28, gray values in [0, 1] (LeCun et al. 1998)
    fashion-mnist   the same sizes and values (Xiao et al. 2017)
    binarized-mnist 50,000 + 10,000 + 10,000 images of 28 x 28, black and white (Larochelle and Murray 2011)
    sprites         36,000 + 4,500 images of 32 x 32, black and white, drawn from known factors (sprites.py)

MNIST and Fashion-MNIST are read from $PYVAE_DATA/mnist and $PYVAE_DATA/fashion-mnist (default: the user's cache folder)
under their original file names. Missing files are downloaded there once. Every file's SHA-256 is checked each time. The
fixed binarised MNIST is not downloaded: it must lie in $PYVAE_DATA/binarized-mnist.
"""

import hashlib
import math
import os
from functools import partial
from pathlib import Path

import numpy as np

from pyvae.arguments import did_you_mean, shown
from pyvae.data import csv_files, files
from pyvae.data.beside import Beside
from pyvae.data.columns import warn_of_few_fractions
from pyvae.data.dataset import Dataset
from pyvae.data.sources import ArraySource, SparseSource
from pyvae.data.sprites import sprites
from pyvae.data.tables import Table, TableSource
from pyvae.data.wrapped import partly_labelled
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

NAMES = ("digits", "mnist", "fashion-mnist", "binarized-mnist", "sprites")


def load(name, image_shape=None):
    """A Dataset by its name, or from a file: .npy, .npz, .csv, .idx or .idx.gz.

    image_shape: (height, width) if the rows of a file are pictures. Raises ValueError for another word or a damaged
    file, and FileNotFoundError for a missing file.
    """
    if name in NAMES:
        if image_shape is not None:
            raise ValueError(f"an image shape is given for files only: leave it out, {name} has its own")
        return dict(zip(NAMES, (digits, mnist, fashion_mnist, binarized_mnist, sprites), strict=True))[name]()
    if Path(name).suffix or Path(name).exists() or files.is_readable(name):
        return from_file(name, image_shape)
    raise ValueError(
        f"DATA must be one of {', '.join(NAMES)}, or a file {files.KINDS}, not {name!r}{did_you_mean(name, NAMES)}"
    )


def name_of(data):
    """The name of a data set or of a file's rows: their training goes to runs/NAME."""
    return data if data in NAMES else Path(Path(data).name.removesuffix(".gz")).stem


def read(path):
    """The Arrays in a file, read by the ending of its name.

    Raises FileNotFoundError where there is no such file, PermissionError where it may not be read, and ValueError where
    its kind is unknown or its content damaged.
    """
    path = files.check_file(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return files.read_npz(path)
    readers = {".npy": files.read_npy, ".csv": csv_files.read_csv}
    return files.Arrays(readers.get(suffix, files.read_idx)(path))


def from_file(path, image_shape=None):
    """The rows of a file: (N, D), or (N, height, width) for pictures. ``files`` says what each kind of file holds.

    Values stay as they are, except in uint8 files with values above 1: these are gray and are scaled from 0 .. 255 to
    [0, 1]. All rows are to train on, except the test and validation splits of an .npz file. Rows are pictures if they
    have two dimensions, if image_shape says so, or if they are uint8 and have a square number of columns.
    """
    path = Path(path)
    arrays = read(path)
    if hasattr(arrays.X, "tocsr"):
        if image_shape is not None:
            raise ValueError(f"an image shape is given for arrays only: leave it out, {path} is a sparse matrix")
        return Dataset(name_of(str(path)), SparseSource(arrays.X, path.name))
    splits = {"train": arrays.X, "validation": arrays.X_validation, "test": arrays.X_test}
    splits = {split: _pictures(X, path) for split, X in splits.items() if X is not None}
    shape = splits["train"].shape[1:]
    for split, X in splits.items():
        if X.shape[1:] != shape:
            raise ValueError(f"{path} has {split} rows of shape {X.shape[1:]}, but rows to train on of shape {shape}")
    found = shape if len(shape) == 2 else None
    if len(shape) == 2:
        splits = {split: X.reshape(len(X), math.prod(shape)) for split, X in splits.items()}
    elif len(shape) == 1 and arrays.X.dtype == np.uint8:
        found = _square(shape[0])
    if image_shape is not None and math.prod(image_shape) != math.prod(shape):
        height, width = image_shape
        raise ValueError(
            f"an image shape of {height}x{width} is {height * width} columns, but {path} has {math.prod(shape)}: "
            "height times width must be the number of columns"
        )
    is_gray = any(X.dtype == np.uint8 and X.max(initial=0) > 1 for X in splits.values())
    scale = 1 / 255 if is_gray else 1.0
    sources = {split: ArraySource(X, scale, name=path.name) for split, X in splits.items()}
    if path.suffix.lower() == ".csv":
        sources["train"].place = partial(csv_files.place_in_csv, path)
    labels = {"train_labels": arrays.y, "test_labels": arrays.y_test}
    return Dataset(name_of(str(path)), **sources, **labels, image_shape=image_shape or found)


def _pictures(X, path):
    """X without the last dimension of gray pictures (N, height, width, 1). Raises ValueError for those in colour."""
    if X.ndim == 4 and X.shape[-1] == 1:
        return X[..., 0]
    if X.ndim > 3:
        raise ValueError(
            f"{path} has rows of shape {X.shape[1:]}: save X.reshape(len(X), -1), rows of "
            f"{math.prod(X.shape[1:])} columns"
        )
    return X


def table(path, kinds=None, drop=(), condition=(), target=None):
    """The rows of a table, a .csv file whose first line names its columns, all of them to train on.

    kinds: name of a column -> its kind (pyvae.tables), in place of what its values suggest. Columns that hold only 0
    and 1 are taken as boolean, as a .csv file states no types. Columns given as categorical keep their spelling, such
    as 00123. drop: names of the columns to leave out. condition: those that rows are given; target: that of their
    classes, or of a number, empty where nobody knows; both stand beside the rows. Raises ValueError, naming the column,
    where it cannot be used, and ImportError without pandas.
    """
    path = Path(path)
    kinds = kinds or {}
    frame = csv_files.read_table(path, [name for name, kind in kinds.items() if kind == "categorical"])
    for argument, names in (("drop", drop), ("kinds", kinds)):
        unknown = [name for name in names if name not in frame.columns]
        if unknown:
            meant = did_you_mean(unknown[0], frame.columns)
            raise ValueError(f"{argument} names the column {shown(unknown[0])!r}, which {path} has not{meant}")
    frame = frame.drop(columns=list(drop))
    if len(frame) < 2:
        raise ValueError(f"{path} has {len(frame)} row: a table to train on has at least two")
    kinds = {name: "boolean" for name in frame if _are_bits(frame[name])} | kinds
    for name in frame.columns.difference(list(kinds)):
        warn_of_few_fractions(f"column {shown(name)!r}", frame[name])
    beside = Beside.infer(frame, condition, target, kinds) if condition or target else None
    of_rows, own = _split(frame, beside, True)
    if beside is not None and not len(own.columns):
        raise ValueError(
            f"{path} has no column but {shown(', '.join(map(str, beside.names)))}: nothing is left to model"
        )
    found = Table.infer(own, {name: kind for name, kind in kinds.items() if name in own.columns})
    return Dataset(name_of(str(path)), _source(found, own, True, path.name, **of_rows), table=found, beside=beside)


def _split(frame, beside, training=False):
    """What stands beside the rows of a DataFrame, as arguments of a source, and the frame of the other columns."""
    if beside is None:
        return {}, frame
    return beside.of_rows(frame, training), frame.drop(columns=beside.names, errors="ignore")


def _source(table, own, training, name, targets=None, **of_rows):
    """A TableSource; with targets (N, 1) behind its columns, which are not observed where they are NaN."""
    if targets is None:
        return TableSource(table, own, training, name, **of_rows)
    return partly_labelled(lambda known: TableSource(table, own, training, name, targets=known), targets)


def rows_of_table(path, table, drop=(), beside=None):
    """A Dataset of the rows of a .csv file that has the columns of a Table, of what stands beside its rows, and perhaps
    some of those to drop. Raises what ``Table.encode`` raises where it is another table, and what ``table`` raises."""
    path = Path(path)
    columns = [*table.columns, *(beside.columns if beside else ())]
    as_text = [column.name for column in columns if column.dtype == "string"]
    frame = csv_files.read_table(path, as_text).drop(columns=list(drop), errors="ignore")
    of_rows, own = _split(frame, beside)
    source = _source(table, own, False, path.name, **of_rows)
    return Dataset(name_of(str(path)), source, table=table, beside=beside)


def _are_bits(column):
    return column.dtype.kind in "iu" and bool(column.dropna().isin([0, 1]).all())


def digits():
    """Scikit-learn's 8 x 8 digits, black and white: 1437 rows to train on, 360 to test.

    The values, 0 .. 16 white points out of 16, are scaled to [0, 1] and cut at 0.5; with ``binarize = None`` on the
    sources they stay gray. The split is one fixed random order, whatever the seed of a training. Needs scikit-learn
    (pip install "pyvae[sklearn]"); raises ImportError where it is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError('the digits come with scikit-learn: pip install "pyvae[sklearn]"') from None
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.uint8)
    order = Noise(0).permutation("split", len(X))
    train, test = order[360:], order[:360]
    sources = (ArraySource(X[rows], 1 / 16, binarize="threshold", name="digits") for rows in (train, test))
    return Dataset("digits", *sources, train_labels=y[train], test_labels=y[test], image_shape=(8, 8), epochs=300)


def mnist():
    """MNIST: gray values scaled from 0 .. 255 to [0, 1], the original split."""
    return _idx_images("mnist")


def fashion_mnist():
    """Fashion-MNIST: gray values scaled from 0 .. 255 to [0, 1], the original split."""
    return _idx_images("fashion-mnist")


def binarized_mnist():
    """The fixed binarised MNIST (Larochelle and Murray 2011, after Salakhutdinov and Murray 2008): pixels 0 or 1.

    50,000 rows to train on, 10,000 to validate on and 10,000 to test, as published and in the published order, which is
    not MNIST's; no labels. Validation rows are not joined to those to train on, as published figures train on 50,000.
    Read from $PYVAE_DATA/binarized-mnist/binarized_mnist.npz, arrays train, valid and test of uint8; raises
    FileNotFoundError where the file is missing, and ValueError where it holds something else.
    """
    path = data_folder() / "binarized-mnist" / "binarized_mnist.npz"
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: put the arrays train, valid and test there, 784 columns of 0 and 1")
    arrays = files.read_npz(path)
    splits = {"train": arrays.X, "validation": arrays.X_validation, "test": arrays.X_test}
    rows = {"train": 50000, "validation": 10000, "test": 10000}
    for split, X in splits.items():
        if X is None or X.dtype != np.uint8 or X.shape != (rows[split], 784) or X.max() > 1:
            raise ValueError(f"{path} must hold {rows[split]} {split} rows of 784 columns, uint8, each 0 or 1")
    sources = {split: ArraySource(X, name="binarized-mnist") for split, X in splits.items()}
    return Dataset("binarized-mnist", **sources, image_shape=(28, 28))


def data_folder():
    """$PYVAE_DATA, or pyvae in the user's cache folder."""
    if os.environ.get("PYVAE_DATA"):
        return Path(os.environ["PYVAE_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyvae"


def _idx_images(name):
    train_images, train_labels, test_images, test_labels = (files.read_idx(_file(name, file)) for file in FILES)
    train, test = (
        ArraySource(X.reshape(len(X), -1), 1 / 255, name=name) for X in (train_images, test_images)
    )  # fmt: skip
    return Dataset(
        name, train, test, train_labels=train_labels, test_labels=test_labels, image_shape=train_images.shape[1:]
    )


def _file(name, file):
    """The path of an original file, downloaded if it is missing; its hash is checked."""
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
