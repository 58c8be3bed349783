"""What the history says of the plan of a training: a warm-up that was longer, and steps that were too long.

Adam moves a weight by about the learning rate a step, whatever its gradient. Weights of a layer of n inputs begin at
about 1 / sqrt(n): steps that are a large part of that throw away at once what a weight has learned, units die, and
weights grow far beyond their first size without a lower loss.
"""

import numpy as np

from pyvae.diagnosis.case import DEAD, ratio, rms
from pyvae.diagnosis.sign import Sign
from pyvae.objectives.terms import came_to_its_end

LONG_STEP = 0.25  # of the first size of a weight, root mean square
GROWN, FAR_GROWN = 4.0, 8.0  # weights, times their first size; the latter where the rate is not known
ROUGH = 1.0  # all rises of the training loss, over its fall


def warm_up(case):
    """The weight of the KL never reached its last value."""
    epochs = len(case.in_history("train_loss"))
    found = bool(epochs) and not came_to_its_end(case.objective, epochs)
    numbers = {"epochs": epochs}
    if not epochs:
        evidence = "there is no history to tell"
    elif found:
        evidence = f"{case.objective.never} in a training of {epochs} epoch{'s' * (epochs > 1)}"
    else:
        evidence = f"the objective came to its final numbers within the {epochs} epoch{'s' * (epochs > 1)}"
    remedies = (
        "more epochs: several times the warm-up",
        "a shorter warm-up, of a tenth of the epochs",
    )
    return Sign("warm-up longer than the training", found, evidence, remedies, numbers, _curves(case))


def learning_rate(case):
    """The steps were too long for the weights."""
    parameters, first = case.model.parameters, case.fresh.parameters
    sizes = {name: (rms(parameters[name]), rms(first[name])) for name in case.weight_matrices}
    grown = float(np.median([ratio(now, before) for now, before in sizes.values() if before] or [1.0]))
    rates, loss = case.in_history("learning_rate"), case.in_history("train_loss")
    numbers = {"growth_of_weights": grown}
    if not len(rates):
        found = grown >= FAR_GROWN
        evidence = f"half of the weight matrices are at least {grown:.1f} times as large as at first"
    else:
        step = float(rates.max() / min(before for _, before in sizes.values() if before))
        rises = np.maximum(np.diff(loss), 0).sum()
        rough = float(ratio(rises, loss[0] - loss.min())) if len(loss) > 1 else 0.0
        dead = max(case.dead.values(), default=0.0)
        numbers |= {"learning_rate": float(rates.max()), "step_over_weight": step, "rises_over_fall": rough}
        found = step >= LONG_STEP and (grown >= GROWN or rough >= ROUGH or dead >= DEAD)
        evidence = (
            f"a step of {rates.max():g} is {step:.2g} times the first size of a weight; weights grew {grown:.1f} "
            f"times, and the rises of the loss add up to {rough:.2g} times its fall"
        )
    remedies = (
        "a tenth of the learning rate",
        "larger minibatches, or a rate that falls over the training",
        "clip_norm, where single steps ruin it",
    )
    return Sign("learning rate too high", found, evidence, remedies, numbers, _curves(case))


def _curves(case):
    return {"history": case.history}
