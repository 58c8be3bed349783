"""Arrays from files: .npy, .npz and .idx, each with its values, range and split. csv_files.py reads text.

A file is other people's data. The size that it states is compared with its bytes before an array is made, nothing in it
is executed, and an error is one sentence that names the file and the place.
"""

import gzip
import io
import math
import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyvae.arguments import did_you_mean
from pyvae.data.free_memory import check_memory

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IDX_NAME = re.compile(r"(\.idx|[.-]idx\d-u?\w+)(\.gz)?$")  # rows.idx.gz, and train-images-idx3-ubyte

# Names that the arrays of an .npz file may have. The first one found counts.
NPZ_KEYS = {
    "X": ("X", "x", "data", "X_train", "x_train", "train"),
    "y": ("y", "labels", "y_train"),
    "X_validation": ("X_val", "x_val", "X_valid", "x_valid", "valid"),
    "X_test": ("X_test", "x_test", "test"),
    "y_test": ("y_test", "labels_test"),
}

KINDS = ".npy, .npz, .csv, .idx or .idx.gz"


class Arrays(NamedTuple):
    """The content of a file: rows to train on, and those of its other splits, if it has any."""

    X: np.ndarray  # (N, D), or (N, height, width); a SciPy sparse matrix (N, D)
    y: np.ndarray | None = None
    X_validation: np.ndarray | None = None
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def is_readable(path):
    """True if ``read`` knows files of this name."""
    name = Path(path).name.lower()
    return name.endswith((".npy", ".npz", ".csv")) or IDX_NAME.search(name) is not None


def check_file(path):
    """The path of a file of a known kind that can be opened. Raises what ``read`` raises."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it, {KINDS}")
    if not is_readable(path):
        raise ValueError(f"{path} is of no kind that can be read: give a {KINDS} file (a table as text is a .csv)")
    if not path.is_file():
        there = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        raise FileNotFoundError(f"no file {path}{did_you_mean(path.name, there)}")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} may not be read: chmod u+r lets its owner read it")
    return path


def read_npy(path):
    """The array in a .npy file, memory-mapped: real numbers of any type in any range; no split."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except Exception:  # whatever NumPy's parsing of a header meets
        raise ValueError(f"{path} is not a .npy file of numbers, as np.save writes it, or it is damaged") from None


def read_npz(path):
    """The Arrays in an .npz file: real numbers of any type in any range.

    The rows are called X, x, data, X_train, x_train or train, or are the only array; labels y, labels or y_train. A
    test split is called X_test, x_test or test, its labels y_test; validation rows X_val, X_valid or valid. The file
    may also hold one sparse matrix, as scipy.sparse.save_npz writes it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if {"indptr", "indices"} <= set(names) or {"format", "shape"} <= set(names):
                check_memory(path, sum(member.file_size for member in archive.infolist()), "take fewer rows")
                return Arrays(_sparse_matrix({name: archive.read(f"{name}.npy") for name in names}, path))
            keys = {
                part: next((name for name in spellings if name in names), None) for part, spellings in NPZ_KEYS.items()
            }
            if keys["X"] is None and len(names) == 1:
                keys["X"] = names[0]
            if keys["X"] is None:
                raise ValueError(f"{path} holds {', '.join(names) or 'nothing'}: call the array of rows X")
            found = {part: name for part, name in keys.items() if name is not None}
            check_memory(path, sum(archive.getinfo(f"{name}.npy").file_size for name in found.values()))
            arrays = Arrays(**{part: _member(archive, name, path) for part, name in found.items()})
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, NotImplementedError, RuntimeError):
        raise ValueError(f"{path} is not an .npz file, as np.savez writes it, or it is damaged") from None
    for x, y, name in ((arrays.X, arrays.y, keys["y"]), (arrays.X_test, arrays.y_test, keys["y_test"])):
        if y is not None and (x is None or y.shape[:1] != x.shape[:1]):
            raise ValueError(f"{path} has {len(np.atleast_1d(y))} labels {name} for {0 if x is None else len(x)} rows")
    return arrays


def _member(archive, name, path):
    """An array of an archive, whose header is compared with its size before it is inflated."""
    what = f"{path}, array {name},"
    with archive.open(f"{name}.npy") as file:
        shape, is_fortran, dtype, start = _header(file, what)
        if start + math.prod(shape) * dtype.itemsize != archive.getinfo(f"{name}.npy").file_size:
            raise ValueError(_damaged(what))
        values = np.frombuffer(file.read(), dtype)
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)


def _sparse_matrix(members, path):
    """The CSR or CSC matrix that scipy.sparse.save_npz wrote, as CSR. members: its .npy files by their names."""
    from scipy import sparse

    try:
        word = np.lib.format.read_array(io.BytesIO(members["format"]), allow_pickle=False).item()
        make = {b"csr": sparse.csr_array, b"csc": sparse.csc_array}[word]
        data, indices, indptr, shape = (
            _npy_array(members[part], part) for part in ("data", "indices", "indptr", "shape")
        )
        matrix = make((data, indices, indptr), shape=tuple(map(int, shape)))
        matrix.check_format(full_check=True)  # else an index beyond the shape would reach beyond an array
    except Exception:  # whatever SciPy's and NumPy's checks meet
        raise ValueError(
            f"{path} is no sparse matrix that can be read, or it is damaged: write it with "
            "scipy.sparse.save_npz(file, matrix.tocsr())"
        ) from None
    return matrix.tocsr()


def _npy_array(data, name):
    """The array in the bytes of a .npy file, a view of them."""
    shape, _, dtype, start = _header(io.BytesIO(data), name)
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(_damaged(name))
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def _header(file, name):
    """shape, is_fortran, dtype of a .npy file that is open, and where its values begin."""
    try:
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, is_fortran, dtype = header[np.lib.format.read_magic(file)](file)
        if dtype.kind not in "biuf":
            raise ValueError
    except Exception:  # whatever NumPy's parsing of a header meets
        raise ValueError(_damaged(name)) from None
    return shape, is_fortran, dtype, file.tell()


def _damaged(name):
    return f"{name} is no array of real numbers, or it is damaged"


def read_idx(path):
    """The array in an IDX file, the format of MNIST (LeCun et al. 1998), gzipped or not; no split.

    Values are uint8, int8, int16, int32, float32 or float64 in any range. Raises ValueError where the file is not an
    IDX file, or holds more or fewer values than its header says.
    """
    with open(path, "rb") as file:
        is_zipped = file.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if is_zipped else open)(path, "rb") as file:
            return _idx_array(file, path, is_zipped)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ValueError(f"{path} is not a gzip file, or it is damaged") from None


def _idx_array(file, path, is_zipped):
    head = file.read(4)
    n_dimensions = head[3] if len(head) == 4 else 0
    sizes = file.read(4 * n_dimensions)
    if head[:2] != b"\0\0" or not n_dimensions or head[2] not in IDX_TYPES or len(sizes) < 4 * n_dimensions:
        raise ValueError(f"{path} is not an IDX file, the format of MNIST, or it is damaged")
    shape, dtype = [int(n) for n in np.frombuffer(sizes, dtype=">u4")], np.dtype(IDX_TYPES[head[2]])
    size = math.prod(shape) * dtype.itemsize
    if is_zipped:
        check_memory(path, size)
        data = file.read(size)
        there, least = len(data) + len(file.read(dtype.itemsize)), "at least "  # how many more is not looked at
    else:
        there, least = os.fstat(file.fileno()).st_size - file.tell(), ""
    if there != size:
        is_short = there < size
        found = f"{'' if is_short else least}{there // dtype.itemsize} values instead of {math.prod(shape)}"
        raise ValueError(f"{path} is {'cut short' if is_short else 'too long'}: {found}")
    data = data if is_zipped else file.read()
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
