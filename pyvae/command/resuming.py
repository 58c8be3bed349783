"""The options of a run that is resumed: those that it began with, except where others are given now."""

import argparse

from pyvae.command.refusals import Refusal

# Options that may differ from those the run began with. The rows, and the learning rates of the epochs that are done,
# are compared instead.
MAY_CHANGE = {"data", "epochs", "patience", "lr", "schedule", "decay_at", "decay_factor", "lr_warmup"}


def resumed(options, given, checkpoints):
    """The options that the run began with, except those given now, and the file from which it continues.

    given: DATA, or None if it was not given. Without a checkpoint: the options as they are, and None.
    """
    try:
        with checkpoints.newest() as file:
            if file is None:
                return options, None
            stored = file.description["training"]["configuration"]
    except ValueError as error:  # all of them are damaged
        if options.force:
            return options, None
        raise Refusal(f"{error}; --force begins anew") from None
    if stored is None:
        raise Refusal(f"{file.path} was not written by pyvae train: resume it in Python, with pyvae.train")
    stored = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    again = options.parser.parse_args(options.words[1:], argparse.Namespace(**stored))
    again.data = given or stored["data"]
    if again.kl_cycles and again.epochs != stored["epochs"]:
        raise Refusal(f"--kl-cycles divides --epochs, which were {stored['epochs']} when the run began: leave them so")
    for name in sorted(stored.keys() - MAY_CHANGE):
        before, now = stored[name], getattr(again, name)
        if before != now:
            option = f"--{name.replace('_', '-')}"
            raise Refusal(
                f"{option} was {in_words(before)} when the run in {checkpoints.folder.parent} began, not "
                f"{in_words(now)}: leave it out, or begin anew with --force"
            )
    return argparse.Namespace(**vars(again), command=options.command, words=options.words), file.path


def in_words(value):
    """The value of an option as it is typed: 400,200 for (400, 200), age=numeric for {"age": "numeric"}."""
    value = tuple(f"{name}={kind}" for name, kind in value.items()) if isinstance(value, dict) else value
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
