"""Arrays from files: .npy, .npz, .csv and .idx, each with its values, range and split; tables from .csv files.

A file is other people's data. The size that it states is compared with its bytes before an array is made, nothing in it
is executed, and an error is one sentence that names the file and the place.
"""

import csv
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

from pyvae.arguments import did_you_mean, shown
from pyvae.data.tables import LINE

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


def read(path):
    """The Arrays in a file, read by the ending of its name.

    Raises FileNotFoundError where there is no such file, PermissionError where it may not be read, and ValueError where
    its kind is unknown or its content damaged.
    """
    path = check_file(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(path)
    return Arrays({".npy": read_npy, ".csv": read_csv}.get(suffix, read_idx)(path))


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
                return Arrays(_sparse_matrix({name: archive.read(f"{name}.npy") for name in names}, path))
            keys = {
                part: next((name for name in spellings if name in names), None) for part, spellings in NPZ_KEYS.items()
            }
            if keys["X"] is None and len(names) == 1:
                keys["X"] = names[0]
            if keys["X"] is None:
                raise ValueError(f"{path} holds {', '.join(names) or 'nothing'}: call the array of rows X")
            members = {part: archive.read(f"{name}.npy") for part, name in keys.items() if name is not None}
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, NotImplementedError, RuntimeError):
        raise ValueError(f"{path} is not an .npz file, as np.savez writes it, or it is damaged") from None
    arrays = Arrays(**{part: _npy_array(data, f"{path}, array {keys[part]},") for part, data in members.items()})
    for x, y, name in ((arrays.X, arrays.y, keys["y"]), (arrays.X_test, arrays.y_test, keys["y_test"])):
        if y is not None and (x is None or y.shape[:1] != x.shape[:1]):
            raise ValueError(f"{path} has {len(np.atleast_1d(y))} labels {name} for {0 if x is None else len(x)} rows")
    return arrays


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
    file = io.BytesIO(data)
    try:
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, is_fortran, dtype = header[np.lib.format.read_magic(file)](file)
        if dtype.kind not in "biuf" or len(data) - file.tell() != math.prod(shape) * dtype.itemsize:
            raise ValueError
    except Exception:  # whatever NumPy's parsing of a header meets
        raise ValueError(f"{name} is no array of real numbers, or it is damaged") from None
    values = np.frombuffer(data, dtype, offset=file.tell())
    return values.reshape(shape[::-1]).T if is_fortran else values.reshape(shape)


def read_csv(path):
    """The numbers in a .csv file, (lines, columns) float64, in any range; no split.

    Cells are separated by tabs, else semicolons, else commas, whichever the first line has. If none of the first line's
    cells is a number, it is a header and left out. A cell that is empty or not a finite number is an error that names
    its line and column.
    """
    lines, start, delimiter, header = _csv_lines(path)
    X = _numbers(lines[start:], delimiter)
    if X is None:
        raise ValueError(_what_is_wrong(path, lines, start, delimiter, header))
    return X


def is_table(path):
    """True if a .csv file has a header and holds anything else than numbers from 0 to 1. Raises what ``read`` raises
    where the file is missing or has no rows."""
    lines, start, delimiter, header = _csv_lines(check_file(path))
    X = _numbers(lines[start:], delimiter) if header else None
    return bool(header) and (X is None or X.min() < 0 or X.max() > 1)


def read_table(path, as_text=()):
    """A DataFrame of the rows of a .csv file, whose first line names the columns. pandas finds their types: whole
    numbers, other numbers, True and False, text. The index is the line of the file, from 1, in which each row
    begins.

    A cell is missing if it is empty, ? or a word that pandas takes as missing, such as NA. as_text: names of columns
    to read as text, whatever stands in them. Raises ImportError without pandas, and ValueError, naming the line, where
    a column has no name or two have the same, or a row has more or fewer cells.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            f'{path} is a table, which is read with pandas: pip install "pyvae[sklearn]", or add --likelihood gaussian '
            "if all of it is numbers"
        ) from None
    lines, _, delimiter, header = _csv_lines(check_file(path))
    if not header:
        raise ValueError(f"{path} has numbers in its first line: begin it with a line of the columns' names")
    file = io.StringIO(newline="")
    writer, numbers = csv.writer(file), []
    for number, record in _records(path, lines, delimiter):
        numbers.append(number)
        writer.writerow(record)
    file.seek(0)
    types = {name: "string" for name in as_text}
    frame = pd.read_csv(
        file, dtype=types, na_values=["?"], dtype_backend="numpy_nullable", skip_blank_lines=False, index_col=False
    )
    frame.index = pd.Index(numbers[1:], name=LINE)
    for name in frame.columns.difference(as_text):
        words = frame[name].dropna() if frame[name].dtype == "string" else ()
        found = next((word for word in words if not _is_number(word)), None)
        if found is not None and all(map(_has_numbers, words)):
            raise ValueError(
                f"{path} has {found!r} in column {shown(name)!r}: write a number with a decimal point and no other mark"
            )
    return frame


def _records(path, lines, delimiter):
    """Yield (number of the line in which it begins, cells without blanks around them) for the header and each row."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, skipinitialspace=True, strict=True)
    header, end = None, 0
    try:
        for cells in reader:
            number, end = end + 1, reader.line_num
            record = [cell.strip() for cell in cells]
            if record in ([], [""]):
                continue
            if header is None:
                header = record
                _check_names(path, header)
            if len(record) != len(header):
                raise ValueError(_other_width(path, number, len(record), len(header)))
            yield number, record
    except csv.Error as error:
        raise ValueError(f"{path} line {reader.line_num} cannot be read: {error}; close its quotes") from None


def _check_names(path, header):
    if "" in header:
        raise ValueError(
            f"{path} has no name for column {header.index('') + 1}: write one into its first line (pandas leaves its "
            "index out with to_csv(file, index=False))"
        )
    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise ValueError(f"{path} has two columns named {shown(twice)!r}: rename one in its first line")


def _csv_lines(path):
    """The lines of a .csv file, the line where its rows start, the delimiter, and the header ([] if there is none)."""
    try:
        lines = _split_lines(Path(path).read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(path, error.object, error.start)) from None
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError(f"{path} is empty: a .csv file holds a line for each row, with commas between its cells")
    start, delimiter, header = _layout(lines, first)
    if not any(line.strip() for line in lines[start:]):
        raise ValueError(f"{path} holds a header and no rows: write a line for each row below it")
    return lines, start, delimiter, header


def _split_lines(text):
    """The lines of a text, as an editor counts them: str.splitlines ends lines at other characters too."""
    return re.split(r"\r\n|\r|\n", text.removesuffix("\n"))


def _not_utf8(path, data, start):
    """A sentence that says that the bytes from ``start`` on are not UTF-8."""
    if b"\0" in data:  # as in pictures, archives and UTF-16
        return f"{path} is no text in UTF-8: a .csv file holds a line for each row, with commas between its cells"
    number = len((data[:start] + b".").splitlines())
    return f"{path} line {number} is not UTF-8: save the file in that encoding, as iconv -f latin1 -t utf-8 does"


def _numbers(lines, delimiter):
    """The numbers in lines of text, (lines, columns); None if the lines hold anything else."""
    rows = [line for line in lines if line.strip()]
    try:
        X = np.loadtxt(rows, delimiter=delimiter, comments=None, quotechar='"', ndmin=2)
    except ValueError:
        return None
    return X if np.isfinite(X).all() else None


def place_in_csv(path, i, j):
    """The place of the number X[i, j] of a .csv file, in words: its line, column and header, if it has one."""
    lines = _split_lines(Path(path).read_bytes().decode("utf-8-sig"))
    filled = [number for number, line in enumerate(lines) if line.strip()]
    start, _, header = _layout(lines, filled[0])
    line = [number for number in filled if number >= start][i]
    return f"{Path(path).name} {_cell_name(line + 1, j, header)}"


def _layout(lines, first):
    """The line where rows start, the delimiter, and the header ([] if there is none); line ``first`` is not blank."""
    delimiter = next((mark for mark in "\t;" if mark in lines[first]), ",")
    header = _cells(lines[first], delimiter)
    return (first, delimiter, []) if any(map(_has_numbers, header)) else (first + 1, delimiter, header)


def _cell_name(number, column, header):
    name = f" ({header[column].strip()})" if column < len(header) else ""
    return f"line {number}, column {column + 1}{name}"


def _cells(line, delimiter):
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:  # a cell of more than 100,000 characters
        return [line]


def _what_is_wrong(path, lines, start, delimiter, header):
    """A sentence about the first line or cell of a .csv file that cannot be used."""
    width = None
    for number, line in enumerate(lines[start:], start + 1):
        cells = _cells(line, delimiter) if line.strip() else []
        width = width or len(cells)
        for column, cell in enumerate(cells):
            if not _is_number(cell) or not math.isfinite(float(cell)):
                return f"{path} {_cell_name(number, column, header)} is {_found(cell, header)}"
        if cells and len(cells) != width:
            return _other_width(path, number, len(cells), width)
    return f"{path} is no table of numbers with commas between them"


def _other_width(path, line, cells, width):
    """A sentence that says that a line has more or fewer cells than the lines before it."""
    remedy = "complete it" if cells < width else "put what holds a comma between quotes"
    return f"{path} line {line} has {cells} cells, not {width} as the lines before it: {remedy}"


def _found(cell, header):
    """Describe a cell that is not a number, and say what to do about it."""
    if not cell.strip():
        return "empty: fill it with a number or drop the line"
    if _is_number(cell.replace(",", ".")) and "," in cell:
        return f"{cell.strip()!r}: write decimals with a point"
    if len(cell.split()) > 1 and all(map(_is_number, cell.split())):
        return f"{cell.strip()[:40]!r}: separate cells with commas, semicolons or tabs, not blanks"
    remedy = "drop the line or the column, or write words as 0 and 1"
    if not header:
        remedy = "begin the file with a line of names, none of them a number, and it is a table"
    return f"{cell.strip()[:40]!r}, not a finite number: {remedy}"


def _has_numbers(cell):
    """True if a cell is a number, even with a comma in it, or several with blanks between them, and so not a name."""
    return bool(cell.split()) and all(_is_number(part.replace(",", ".")) for part in cell.split())


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python allows it in numbers, but nobody writes it


def read_idx(path):
    """The array in an IDX file, the format of MNIST (LeCun et al. 1998), gzipped or not; no split.

    Values are uint8, int8, int16, int32, float32 or float64 in any range. Raises ValueError where the file is not an
    IDX file, or holds more or fewer values than its header says.
    """
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise ValueError(f"{path} is not a gzip file, or it is damaged") from None
    n_dimensions = data[3] if len(data) > 3 else 0
    start = 4 + 4 * n_dimensions
    if data[:2] != b"\0\0" or n_dimensions == 0 or data[2] not in IDX_TYPES or len(data) < start:
        raise ValueError(f"{path} is not an IDX file, the format of MNIST, or it is damaged")
    shape = [int(n) for n in np.frombuffer(data, dtype=">u4", count=n_dimensions, offset=4)]
    dtype = np.dtype(IDX_TYPES[data[2]])
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        is_short = len(data) - start < math.prod(shape) * dtype.itemsize
        found = (len(data) - start) // dtype.itemsize
        raise ValueError(
            f"{path} is {'cut short' if is_short else 'too long'}: {found} values instead of {math.prod(shape)}"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
