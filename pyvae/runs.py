"""The folder of a training run, which explains itself: config.json says what was asked for, log.txt what happened."""

import contextlib
import json
import tempfile
import textwrap
from datetime import datetime
from pathlib import Path

from pyvae import _kernels, versions
from pyvae.options import Refusal


def refuse_existing_run(out, names, force):
    """Whether the folder can take a run is tried before an hour of training, not after; nothing stays of the trial.

    names: of a run's files, one of which is enough to tell that another run lies there.
    """
    if out.exists() and not out.is_dir():
        raise Refusal(f"--out {out} is a file; it must be a folder")
    there = [name for name in names if (out / name).exists()]
    if there and not force:
        raise Refusal(f"--out {out} holds {there[0]} already; add --force to overwrite it, or choose another folder")
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
    asked = {name: value for name, value in vars(options).items() if name not in ("run", "parser")}
    sources = {"train": rows, "validation": validation, "test": dataset.test}
    text = json.dumps(
        {
            "options": {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()},
            "data": {
                "name": dataset.name,
                "rows": {split: 0 if source is None else len(source) for split, source in sources.items()},
                "columns": model.n_features,
                "image_shape": dataset.image_shape,
                "scale": dataset.train.scale,
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


class Log:
    """What a run has to say: shown at once, unless it is to be quiet, and kept for log.txt."""

    def __init__(self, is_quiet):
        self.is_quiet = is_quiet
        self.lines = [f"started  {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"]

    def say(self, topic, text):
        """A line, or several of 80 columns and no word cut, under a word that says what it is about."""
        lines = textwrap.wrap(
            text, 80, initial_indent=f"{topic:<9}", subsequent_indent=" " * 9,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        self.lines += lines
        if not self.is_quiet:
            print("\n".join(lines))

    def note(self, line):
        """A line for the file alone."""
        self.lines.append(line)

    def note_epochs(self, history, validation):
        """A line for each epoch: its losses in nats, the learning rate and the seconds it took.

        validation: the name of the rows of val_loss, None where there are none.
        """
        self.note("epochs   loss (reconstruction, KL) in nats per row, learning rate, seconds")
        splits = {"train": "train"} | ({} if validation is None else {"val": validation})
        for epoch in history.epochs:
            losses = "  ".join(
                "{} {:.2f} ({:.2f}, {:.2f})".format(
                    name, *(epoch[f"{split}_{part}"] for part in ("loss", "reconstruction", "kl"))
                )
                for split, name in splits.items()
            )
            self.note(
                f"epoch    {epoch['epoch']}  {losses}  rate {epoch['learning_rate']:.3g}  {epoch['seconds']:.2f} s"
            )

    def text(self):
        return "\n".join(self.lines) + "\n"
