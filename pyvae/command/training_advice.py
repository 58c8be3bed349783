"""Advice after a training: what may have kept the model from being what it could be."""

from pyvae.command.advice import name_options
from pyvae.command.outputs import counted

FEW_STEPS, MORE_STEPS = 1000, 2000  # after fewer steps than the first, most models are far from what they could be


def steps_of_epoch(n_rows, options):
    """The number of steps in an epoch."""
    return -(-n_rows // options.batch_size)


def default_epochs(least, n_rows, options):
    """The epochs of a training that is not told how many: ``least``, or as many as make enough steps."""
    return max(least, -(-MORE_STEPS // steps_of_epoch(n_rows, options)))


def training_advice(history, options, n_rows):
    """A list of sentences. n_rows: how many were trained on."""
    per_epoch = steps_of_epoch(n_rows, options)
    steps = per_epoch * len(history)
    sentences = [name_options(sentence) for sentence in history.advice]
    if history.stopped == "epochs" and steps < FEW_STEPS:
        epochs = -(-MORE_STEPS // per_epoch)
        few = f"trained for {counted(steps, 'step')} only: --epochs {epochs} would make {per_epoch * epochs:,}"
        sentences.insert(0, few)
    return sentences
