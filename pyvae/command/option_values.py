"""The values of the command line's options: text that is read and checked, and one sentence where it is wrong; and two
options of most commands."""

import argparse
import contextlib
import csv
import re
from itertools import pairwise
from pathlib import Path

from pyvae.arguments import check_count, check_number, either
from pyvae.command.advice import plain_number, question
from pyvae.data.columns import KINDS


def checked(check, convert, *limits):
    """A ``type`` for argparse: it converts and checks a text, and says in one sentence what is wrong."""

    def read(text):
        try:
            value = convert(text)
        except ValueError:
            value = text  # no check accepts it
        return check("it", value, *limits)

    def parse(text):
        try:
            return read(text)
        except ValueError as error:
            message = str(error)
        with contextlib.suppress(ValueError):
            read(plain_number(text))
            message += f"; did you mean {plain_number(text)}?"
        raise argparse.ArgumentTypeError(message)

    return parse


def count(least):
    return checked(check_count, int, least)


def number(low, high, low_included=False):
    return checked(check_number, float, low, high, low_included)


def sizes(text):
    """``400,200`` as (400, 200); an empty text as ()."""
    if not re.fullmatch(r"(0*[1-9]\d*( *, *0*[1-9]\d*)*)?", text.strip()):
        raise argparse.ArgumentTypeError(f"it must be whole numbers from 1 with commas, such as 400,200, not {text!r}")
    return tuple(int(part) for part in text.split(",") if part.strip())


def kinds(text):
    """``age=numeric,zip=categorical`` as {"age": "numeric", "zip": "categorical"}."""
    pairs = [pair.rpartition("=") for pair in text.split(",")]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise argparse.ArgumentTypeError(
            f"it must be COLUMN=KIND with commas, such as age=numeric,zip=categorical, not {text!r}"
        )
    kinds = {name.strip(): kind.strip() for name, _, kind in pairs}
    wrong = next((kind for kind in kinds.values() if kind not in KINDS), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"a kind must be {either(KINDS)}, not {wrong!r}{question(wrong, KINDS)}")
    return kinds


def given(text):
    """``town=Ulm,age=40`` as {"town": "Ulm", "age": "40"}; a value with a comma stands in double quotes."""
    (cells,) = csv.reader([text], skipinitialspace=True)
    pairs = [cell.partition("=") for cell in cells]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise argparse.ArgumentTypeError(f"it must be COLUMN=VALUE with commas, such as town=Ulm,age=40, not {text!r}")
    values = {name.strip(): value.strip() for name, _, value in pairs}
    if len(values) < len(pairs):
        raise argparse.ArgumentTypeError(f"it names a column twice: {text!r}")
    return values


def names(text):
    """``id,name`` as ("id", "name")."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def epochs_of_decay(text):
    """``200,350`` as (200, 350), ascending."""
    epochs = sizes(text)
    if not epochs or any(later <= earlier for earlier, later in pairwise(epochs)):
        raise argparse.ArgumentTypeError(f"it must be epochs in ascending order, such as 200,350, not {text!r}")
    return epochs


def output_path(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name a folder or a file")
    return Path(text)


def image_shape(text):
    """``28x28`` as (28, 28), height and width."""
    if not re.fullmatch(r"[1-9]\d* *[xX] *[1-9]\d*", text.strip()):
        raise argparse.ArgumentTypeError(f"it must be height x width, such as 28x28, not {text!r}")
    height, width = text.lower().split("x")
    return int(height), int(width)


def add_seed(parser):
    parser.add_argument("--seed", type=count(0), default=0, metavar="N", help="of everything random (default: 0)")


def add_json(parser):
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
