"""Text: numbers and tables from .csv files, and the places in them that messages name."""

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

from pyvae.arguments import shown
from pyvae.data.columns import LINE
from pyvae.data.files import check_file


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
