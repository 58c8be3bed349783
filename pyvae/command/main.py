"""The command line: ``pyvae train | sample | reconstruct | encode | score | diagnose | check | info``.

If a command line or its data are wrong, one sentence on standard error says so, the exit status is 2, and nothing is
written. ``check`` exits with 1 if a gradient is wrong. ``train`` exits with 130 if it was interrupted and with 3 if
numbers stopped being finite, after it has saved what was learned. With ``--json`` a command prints one JSON object on
standard output and nothing else.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from pyvae import _kernels, plots, versions
from pyvae._kernels import processors
from pyvae.arguments import either
from pyvae.command import pictures
from pyvae.command.advice import name_options
from pyvae.command.diagnose import run_diagnose
from pyvae.command.given import frame_of, new_rows
from pyvae.command.inputs import data_of, load_latent, load_model, load_rows, table_of
from pyvae.command.options import parse
from pyvae.command.outputs import counted, output_file, tell, write_frame, write_rows, write_table
from pyvae.command.refusals import Refusal
from pyvae.command.score import run_score
from pyvae.command.train import run_train
from pyvae.data.wrapped import Rows
from pyvae.gradcheck import GradientError, check_gradients
from pyvae.training.checkpoints import CheckpointWarning

MOST_PICTURES = 400  # rows in one .png file


def run_sample(options):
    model = load_model(options.model)
    table = table_of(model)
    out = rows_file(options, model, "samples", options.n, [options.model])
    latent = load_latent(options.model, model) if options.latent == "mixture" else None
    rows = new_rows(model, options, latent, mean=not (options.draw or table))
    if table is not None:
        write_frame(out, frame_of(model, options, table, rows))
    else:
        write_rows(out, rows, lambda: plots.image_grid(rows, *pictures.settings(model)))
    tell(options, f"wrote {counted(len(rows), 'sample')} to {out}", rows=len(rows), out=str(out))
    return 0


def run_reconstruct(options):
    model = load_model(options.model)
    data = data_of(options, model)
    split, source = load_rows(data, options, model)
    n = min(options.n, len(source))
    out = rows_file(options, model, "reconstructions", n, [options.model, data])
    originals = Rows(source, np.arange(n))
    reconstructed, table = model.reconstruct(originals), table_of(model)
    if table is not None:
        write_frame(out, table.decode(reconstructed))
    else:
        x = originals.gather(np.arange(n)).x
        write_rows(out, reconstructed, lambda: plots.reconstructions(x, reconstructed, *pictures.settings(model)))
    every = "all " if options.n > n > 1 else ""
    rows = counted_rows(n, split)
    tell(options, f"wrote reconstructions of {every}{rows} to {out}", rows=n, split=split, out=str(out))
    return 0


def run_encode(options):
    model = load_model(options.model)
    data = data_of(options, model)
    kinds = (".npz", ".csv", ".npy")
    out = output_file(options.out or Path("latents.npz"), kinds, options.force, [options.model, data])
    split, source = load_rows(data, options, model)
    mu, logvar = model.encode(source)
    write_table(out, {"mu": mu, "logvar": logvar}, alone="mu")
    what = "mu" if out.suffix == ".npy" else "mu and logvar"
    tell(
        options, f"wrote {what} of {counted_rows(len(mu), split)} to {out}",
        rows=len(mu), latent_dim=model.latent_dim, split=split, out=str(out),
    )  # fmt: skip
    return 0


def counted_rows(n, split):
    """2 test rows; without a split, 2 rows."""
    return counted(n, f"{split} row" if split else "row")


def rows_file(options, model, stem, n, inputs):
    """``--out`` for n rows: a .csv file for a table, else a .npy file, or a picture if they are pictures and not too
    many."""
    if "table" in model.metadata:
        return output_file(options.out or Path(f"{stem}.csv"), (".csv",), options.force, inputs)
    is_picture = "image_shape" in model.metadata
    default = Path(f"{stem}{'.png' if is_picture else '.npy'}")
    out = output_file(options.out or default, (".png", ".npy"), options.force, inputs)
    if out.suffix == ".png" and not is_picture:
        raise Refusal(
            "--out must end in .npy: the model's rows are no pictures, as it was trained without --image-shape"
        )
    if out.suffix == ".png" and n > MOST_PICTURES:
        raise Refusal(f"-n {n} is too many for one picture, which holds {MOST_PICTURES}: use .npy, --out {stem}.npy")
    return out


def run_check(options):
    from pyvae.command.checks.models import rows_drawn_by
    from pyvae.command.checkup import GROUPS

    if options.model:
        model = load_model(options.model)
        n_rows = 4 if model.draws == 1 else 2  # each row in each class is one more chance to meet a kink
        groups = {str(options.model): lambda: check_gradients(model, rows_drawn_by(model, n_rows))}
    else:
        groups = GROUPS
    say = (lambda text: None) if options.json else print
    say(f"kernels  {versions.kernels_in_words()}")
    errors, wrong = {}, []
    for title, run in groups.items():
        say(f"\n{title}")
        try:
            checks = run()
        except GradientError as error:
            say(error)
            wrong.append(title)
            continue
        errors[title] = max(check.error for check in checks)
        say("\n".join(map(str, checks) if options.verbose else summarize(checks)))
    sentence = f"{len(wrong)} of {len(groups)} groups are WRONG" if wrong else "every gradient agrees"
    tell(options, f"\n{sentence}", agrees=not wrong, wrong=wrong, errors=errors)
    return 1 if wrong else 0


def summarize(checks):
    """A line for each part: its tensors' greatest error."""
    parts = {}
    for check in checks:
        parts.setdefault(check.name.split(":")[0], []).append(check)
    for name, tensors in parts.items():
        compared, skipped = sum(c.compared for c in tensors), sum(c.skipped for c in tensors)
        error = max(c.error for c in tensors)
        kinks = f", {skipped} at kinks" if skipped else ""
        if error == 0:  # no finite difference is that good: these were compared to the bit
            name, found = f"{name}: {', '.join(c.name.partition(': ')[2] for c in tensors)}", "exact"
        else:
            found = f"error {error:.1e}"
        yield f"  {name:<42} {found}  ({compared} compared{kinks})"


def run_info(options):
    if options.json:
        print(json.dumps(versions.versions()))
    else:
        versions.show_versions()
    return 0


def set_threads(options):
    """Set the number of threads, and say so where it is more than can run at once."""
    _kernels.set_num_threads(options.threads)
    cores = processors.physical_cores()
    if options.threads > cores:
        there = f"--threads {options.threads} is more than the {counted(cores, 'core')} of this process"
        print(f"pyvae {options.command}: {there}: they take turns, which is slower", file=sys.stderr)


def mend_streams():
    """Let what is said never fail: without a standard output or error, as after >&-, it goes nowhere; a character that
    a terminal cannot show is written as \\xf6."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:  # else a file opened later would get the number
                os.dup2(nowhere, number)
            setattr(sys, name, open(number, "w", closefd=False))
        getattr(sys, name).reconfigure(errors="backslashreplace")


COMMANDS = {
    "train": run_train,
    "sample": run_sample,
    "reconstruct": run_reconstruct,
    "encode": run_encode,
    "score": run_score,
    "diagnose": run_diagnose,
    "check": run_check,
    "info": run_info,
}


def main(argv=None):
    """Run a command line, by default that of this process; returns the exit status."""
    if argv is None:
        mend_streams()
    options = parse(argv, COMMANDS)
    try:
        if getattr(options, "threads", None):
            set_threads(options)
        with warnings.catch_warnings():
            warnings.simplefilter("always", CheckpointWarning)
            warnings.showwarning = lambda message, *_: print(f"pyvae {options.command}: {message}", file=sys.stderr)
            status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has seen enough, as in pyvae check | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at the end would fail again
        return 141  # the status of a program that SIGPIPE ends
    except (MemoryError, OverflowError):
        sizes = {"latent": "--latent", "hidden": "--hidden", "n": "-n", "samples": "--samples"}
        lower = either([option for name, option in sizes.items() if hasattr(options, name)] or ["the number of rows"])
        print(f"pyvae {options.command}: not enough memory: lower {lower}", file=sys.stderr)
        return 2
    except (Refusal, ValueError, TypeError, OSError, ImportError, ArithmeticError) as error:
        is_of_system = isinstance(error, OSError) and error.filename and error.strerror
        message = f"{error.filename}: {error.strerror}" if is_of_system else str(error)
        print(f"pyvae {options.command}: {name_options(message)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"pyvae {options.command}: stopped, nothing was saved", file=sys.stderr)
        return 130
