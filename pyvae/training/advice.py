"""What ruins most trainings, said at their end: a warm-up that was longer, and latent dimensions that carry nothing."""

COLLAPSED = 0.01  # nats of KL, all dimensions together


def advice(history, objective):
    """A list of sentences on a training that has ended, of a History and its Objective."""
    sentences, epochs = [], len(history)
    if epochs and not objective.settled(epochs - 1):
        sentences.append(
            "the KL never had its full weight: its warm-up is no shorter than the training, of "
            f"{epochs} epoch{'s' * (epochs > 1)}"
        )
    if epochs and history["train_kl"][-1] < COLLAPSED:
        sentences.append(
            f"the KL is {history['train_kl'][-1]:.3f} nats, so z carries nothing of the rows (posterior collapse): "
            "try more epochs, a kl_warmup, a beta below 1, free bits or another likelihood"
        )
    return sentences
