"""Advice after a training: what may have kept the model from being what it could be."""

from pyvae.command.outputs import counted

FEW_STEPS, MORE_STEPS = 1000, 2000  # after fewer steps than the first, most models are far from what they could be
COLLAPSED = 0.01  # nats of KL, all dimensions together


def steps_of_epoch(n_rows, options):
    """The number of steps in an epoch."""
    return -(-n_rows // options.batch_size)


def default_epochs(least, n_rows, options):
    """The epochs of a training that is not told how many: ``least``, or as many as make enough steps."""
    return max(least, -(-MORE_STEPS // steps_of_epoch(n_rows, options)))


def training_advice(history, options, n_rows, kl):
    """A list of sentences. n_rows: how many were trained on. kl: the mean KL of the reported rows, nats."""
    advice = []
    per_epoch = steps_of_epoch(n_rows, options)
    steps = per_epoch * len(history)
    if history.stopped == "epochs" and steps < FEW_STEPS:
        epochs = -(-MORE_STEPS // per_epoch)
        advice.append(f"trained for {counted(steps, 'step')} only: --epochs {epochs} would make {per_epoch * epochs:,}")
    if options.kl_warmup and options.kl_warmup >= len(history):
        never = "was never let to its full capacity" if options.capacity else "never had its full weight"
        advice.append(f"the KL {never}: --kl-warmup {options.kl_warmup} is no shorter than the training")
    if kl < COLLAPSED and (options.beta is None or options.beta > 0):
        advice.append(
            f"the KL is {kl:.3f} nats, so z carries nothing of the rows (posterior collapse): try more --epochs, "
            "--kl-warmup, a --beta below 1 or another --likelihood"
        )
    return advice
