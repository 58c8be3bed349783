"""What ruins most trainings, said at their end: a warm-up that was longer, and latent dimensions that carry nothing."""

from pyvae.objectives.terms import came_to_its_end

COLLAPSED = 0.01  # nats of KL, all dimensions together


def advice(history, objective):
    """A list of sentences on a training that has ended, of a History and its Objective."""
    sentences, epochs = [], len(history)
    if epochs and not came_to_its_end(objective, epochs):
        sentences.append(
            f"{objective.never}: its warm-up is no shorter than the training, of {epochs} epoch{'s' * (epochs > 1)}"
        )
    if epochs and history["train_kl"][-1] < COLLAPSED:
        sentences.append(
            f"the KL is {history['train_kl'][-1]:.3f} nats, so z carries nothing of the rows (posterior collapse): "
            f"try more epochs, {objective.remedies} or another likelihood"
        )
    return sentences
