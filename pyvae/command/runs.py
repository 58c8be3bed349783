"""The folder of a training run, which explains itself: config.json says what was asked for, log.txt what happened.

Nothing is written before the first epoch is done, so that a run which fails at once leaves what was there before.
"""

import contextlib
import json
import tempfile
import textwrap
from datetime import datetime
from pathlib import Path

from pyvae import _kernels, versions
from pyvae.command import pictures
from pyvae.command.options import Refusal
from pyvae.persistence import write_file

FILES = ("model.safetensors", "history.csv", "config.json", "log.txt", *pictures.NAMES)
CHECKPOINTS = "checkpoints"  # the folder in it


def files_of_run(out):
    """Names of a run's files that are in a folder."""
    return [name for name in (*FILES, CHECKPOINTS) if (out / name).exists()]


def refuse_existing_run(out, may_exist):
    """Whether the folder can take a run is tried before an hour of training, not after; nothing stays of the trial.

    One file of a run is enough to tell that another run lies there.
    """
    if out.exists() and not out.is_dir():
        raise Refusal(f"--out {out} is a file; it must be a folder")
    there = files_of_run(out)
    if there and not may_exist:
        resume = "--resume to go on with it, or " if CHECKPOINTS in there else ""
        raise Refusal(
            f"--out {out} holds {there[0]} already; add {resume}--force to overwrite it, or choose another folder"
        )
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise Refusal(f"--out {out} cannot be written to: {error.strerror}; choose another folder") from error
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def config(options, dataset, rows, validation, model, learning_rate):
    """config.json: what was asked for and what it was asked of. Equal commands on equal machines give equal bytes.

    rows, validation: the sources that were trained and validated on; None where there are no such rows.
    learning_rate: a number or a schedule.
    """
    asked = {name: value for name, value in vars(options).items() if name not in ("run", "parser", "words")}
    sources = {"train": rows, "validation": validation, "test": dataset.test}
    text = json.dumps(
        {
            "options": {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()},
            "data": {
                "name": dataset.name,
                "rows": {split: 0 if source is None else len(source) for split, source in sources.items()},
                "columns": model.n_features,
                "image_shape": dataset.image_shape,
                "kinds": dataset.table and {column.name: column.kind for column in dataset.table.columns},
                "scale": getattr(dataset.train, "scale", 1.0),
                "binarize": dataset.train.binarize,
            },
            "model": model.describe(),
            "learning_rate": str(learning_rate),
            "parameters": model.parameters.count,
            "precision": options.precision,
            "seed": options.seed,
            "kernels": _kernels.info(),
            "pyvae": versions.__version__,
        },
        indent=2,
        sort_keys=True,
    )
    return f"{text}\n"


def begin(out, checkpoints, settings, log, is_resumed):
    """Open a run's folder: config.json and log.txt are there, and nothing of another run stays beside them."""
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / "config.json", settings.encode())  # first: where it cannot be written, the other run is not lost
    if not is_resumed:
        remove(out, checkpoints, but="config.json")
    log.open(out / "log.txt")


def remove(out, checkpoints, but=None):
    """Take away what a run has left in its folder, but for one file, and the folders that are empty then."""
    checkpoints.clear()  # first: as long as they are there, the run can be gone on with
    for name in FILES:
        if name != but:
            (out / name).unlink(missing_ok=True)
        for path in out.glob(f".{name}.*"):  # half-written
            path.unlink(missing_ok=True)
    for folder in (checkpoints.folder, out):
        with contextlib.suppress(OSError):
            folder.rmdir()


class Log:
    """What a run has to say: shown at once, unless it is to be quiet, and added to log.txt once there is one."""

    def __init__(self, is_quiet):
        self.is_quiet = is_quiet
        self.path = None
        self.lines = []  # that are not in the file yet
        self.note(f"started  {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}")

    def open(self, path):
        """Write the lines so far, and from now on every line at once."""
        self.path = path
        self.flush()

    def say(self, topic, text):
        """A line, or several of 80 columns and no word cut, under a word that says what it is about."""
        self.show(*textwrap.wrap(
            text, 80, initial_indent=f"{topic:<9}", subsequent_indent=" " * 9,
            break_long_words=False, break_on_hyphens=False,
        ))  # fmt: skip

    def show(self, *lines):
        """Lines as they are."""
        self.note(*lines)
        if not self.is_quiet:
            print("\n".join(lines))

    def note(self, *lines):
        """Lines for the file alone. Where it cannot be written, they wait for the next ones."""
        self.lines += lines
        with contextlib.suppress(OSError):
            self.flush()

    def flush(self):
        """Write what has waited. Raises the OSError that names the file where it cannot be written."""
        if self.path is None or not self.lines:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self.lines)
        self.lines = []

    def note_epoch(self, epoch, validation):
        """The line of an epoch of the history: its losses in nats, the learning rate and the seconds it took.

        validation: the name of the rows of val_loss, None where there are none.
        """
        splits = {"train": "train"} | ({} if validation is None else {"val": validation})
        losses = "  ".join(
            "{} {:.2f} ({:.2f}, {:.2f})".format(
                name, *(epoch[f"{split}_{part}"] for part in ("loss", "reconstruction", "kl"))
            )
            for split, name in splits.items()
        )
        self.note(f"epoch    {epoch['epoch']}  {losses}  rate {epoch['learning_rate']:.3g}  {epoch['seconds']:.2f} s")
