"""Files that a command writes: a picture, an array, or a table with a line for each row."""

import contextlib
import csv
import errno
import io
import json
import math
from pathlib import Path

import numpy as np

from pyvae.arguments import either
from pyvae.command import pictures
from pyvae.command.refusals import Refusal
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.persistence import write_file


def output_file(out, kinds, force, inputs=()):
    """Return ``--out``, or refuse it before any work if it cannot be written. inputs: files read, never overwritten."""
    if out.suffix not in kinds:
        raise Refusal(f"--out must end in {either(kinds)}, not {out.name!r}")
    if out.is_dir():
        raise Refusal(f"--out {out} is a folder: name a file in it")
    refuse_inputs([out], inputs)
    if out.exists() and not force:
        raise Refusal(f"--out {out} exists; add --force to overwrite it, or choose another name")
    if not out.absolute().parent.is_dir():
        raise Refusal(f"--out {out} cannot be written: there is no folder {out.parent}; make it, or choose another")
    return out


def refuse_inputs(outputs, inputs):
    """Refuse to overwrite a file that the command reads, forced or not."""
    for output in outputs:
        for given in map(Path, inputs):
            if output.exists() and given.exists() and output.samefile(given):
                raise Refusal(f"--out {output} is a file that is read: choose another name")


def counted(n, noun):
    """1 row, 2 rows."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def in_bits(model, nats):
    """What log p(x) of this many nats is in bits for each number of a row, where these are levels: else an empty
    text."""
    if not isinstance(model.likelihood, DiscretizedLogistic):
        return ""
    return f", {-nats / (model.n_features * math.log(2)):.3f} bits per dimension"


def tell(options, sentence, **result):
    """Print a command's result: a sentence or, with --json, an object."""
    print(json.dumps(_in_json(result), allow_nan=False) if options.json else sentence)


def _in_json(value):
    """The value with null for numbers that are not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {name: _in_json(inside) for name, inside in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def writing(out, remedy="choose another --out"):
    """Refuse, in one sentence that ends with the remedy, where files at or below ``--out`` cannot be written."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = f"free some space, or {remedy}" if is_full else remedy
        raise Refusal(f"{error.filename or out} cannot be written: {error.strerror}; {advice}") from error


def write_rows(out, rows, draw):
    """Rows as a .npy file, or the figure that ``draw`` makes as a .png file."""
    if out.suffix == ".npy":
        write_table(out, {"rows": rows}, alone="rows")
    else:
        with writing(out):
            pictures.write(draw(), out)


def write_frame(out, frame):
    """A DataFrame as a .csv file: a line of names, then one for each row, with missing entries left empty."""
    with writing(out):
        write_file(out, frame.to_csv(index=False, lineterminator="\n").encode())


def write_table(out, table, alone):
    """Columns by their names, each (N,) or (N, n): all of them in .npz and .csv files, ``alone`` in a .npy file.

    In a .csv file (N, n) numbers are n columns, name_1 .. name_n, each with the fewest digits that are read as itself.
    """
    file = io.BytesIO()
    if out.suffix == ".npy":
        np.save(file, table[alone])
    elif out.suffix == ".npz":
        np.savez(file, **table)
    else:
        columns, header = [], []
        for name, values in table.items():
            columns += [values] if values.ndim == 1 else list(values.T)
            header += [name] if values.ndim == 1 else [f"{name}_{i + 1}" for i in range(values.shape[1])]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([header, *zip(*columns, strict=True)])
        file.write(text.getvalue().encode())
    with writing(out):
        write_file(out, file.getvalue())
