"""The folder of a training run, which explains itself: config.json says what was asked for, log.txt what happened.

Nothing is written before the first epoch is done, so that a run that fails at once leaves what was there before.
"""

import contextlib
import json
import tempfile
import textwrap
from datetime import datetime
from pathlib import Path

from pyvae import _kernels, diagnosis_plots, versions
from pyvae.command import pictures
from pyvae.command.refusals import Refusal
from pyvae.persistence import lock_folder, unlock_folder, write_file

LATENT = "latent.npz"  # the AggregatePosterior, from which new rows are sampled
REFERENCE = "reference.npz"  # by which rows are flagged
FILES = ("model.safetensors", LATENT, REFERENCE, "history.csv", "config.json", "log.txt", *pictures.NAMES)
CHECKPOINTS = "checkpoints"  # a folder in it
DIAGNOSIS = "diagnosis"  # a folder in it, of pictures


def files_of_run(out):
    """The names of the files of a run that a folder holds."""
    return [name for name in (*FILES, CHECKPOINTS) if (out / name).exists()]


def refuse_existing_run(out, may_exist):
    """Refuse a folder that cannot take a run, before an hour of training and not after; the trial leaves nothing.

    One file of a run is enough to show that another run lies there.
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


def config(options, job):
    """config.json: what was asked for, and of what Job (train.py). Equal commands on equal machines give equal
    bytes."""
    dataset, model = job.dataset, job.model
    asked = {name: value for name, value in vars(options).items() if name not in ("run", "parser", "words")}
    sources = {"train": job.rows, "validation": job.validation, "test": dataset.test}
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
            "model": {name: part for name, part in model.describe().items() if not isinstance(part, list)},
            "learning_rate": str(job.rate),
            "objective": repr(job.objective),
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
    """Open a run's folder: write config.json and log.txt and, unless the run is resumed, remove what another left.
    Returns its lock, a descriptor. Raises BlockingIOError where another training is under way in it."""
    out.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(out, "another training is under way there")
    try:
        write_file(out / "config.json", settings.encode())  # first: if it cannot be written, the other run is not lost
        if not is_resumed:
            remove(out, checkpoints, but="config.json")
        log.open(out / "log.txt")
    except BaseException:
        unlock_folder(lock)
        raise
    return lock


def remove(out, checkpoints, but=None):
    """Remove what a run has left in its folder, except one file, and then the empty folders."""
    checkpoints.clear()  # first: as long as they exist, the run can be resumed
    for name in FILES:
        if name != but:
            (out / name).unlink(missing_ok=True)
        for path in out.glob(f".{name}.*"):  # half-written
            path.unlink(missing_ok=True)
    for fault in diagnosis_plots.DRAWN:
        (out / DIAGNOSIS / diagnosis_plots.file_name(fault)).unlink(missing_ok=True)
    for folder in (checkpoints.folder, out / DIAGNOSIS, out):
        with contextlib.suppress(OSError):
            folder.rmdir()


class Log:
    """The messages of a run: shown at once, unless the run is quiet, and added to log.txt once there is one."""

    def __init__(self, is_quiet):
        self.is_quiet = is_quiet
        self.path = None
        self.lines = []  # not in the file yet
        self.note(f"started  {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}")

    def open(self, path):
        """Write the lines so far, and from now on every line at once."""
        self.path = path
        self.flush()

    def say(self, topic, text):
        """Show a text under a topic, in lines of at most 80 columns with no word cut."""
        self.show(*textwrap.wrap(
            text, 80, initial_indent=f"{topic:<9}", subsequent_indent=" " * 9,
            break_long_words=False, break_on_hyphens=False,
        ))  # fmt: skip

    def show(self, *lines):
        """Show lines as they are."""
        self.note(*lines)
        if not self.is_quiet:
            print("\n".join(lines))

    def note(self, *lines):
        """Add lines to the file alone. If it cannot be written, they wait for the next ones."""
        self.lines += lines
        with contextlib.suppress(OSError):
            self.flush()

    def flush(self):
        """Write the lines that wait. Raises the OSError that names the file where it cannot be written."""
        if self.path is None or not self.lines:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self.lines)
        self.lines = []

    def note_epoch(self, epoch, validation):
        """Note an epoch of the history in a line: its losses in nats, the learning rate and the seconds it took.

        validation: the name of the rows of val_loss; None without such rows.
        """
        splits = {"train": "train"} | ({} if validation is None else {"val": validation})
        losses = "  ".join(
            "{} {:.2f} ({:.2f}, {:.2f})".format(
                name, *(epoch[f"{split}_{part}"] for part in ("loss", "reconstruction", "kl"))
            )
            for split, name in splits.items()
        )
        self.note(f"epoch    {epoch['epoch']}  {losses}  rate {epoch['learning_rate']:.3g}  {epoch['seconds']:.2f} s")
