"""What the layers say: gradients that vanish or explode on their way to the first, units that never change, and how
much of the gradient is noise."""

import numpy as np

from pyvae.diagnosis.case import DEAD, HEAVY, NOTHING, ratio
from pyvae.diagnosis.sign import Sign

VANISHED = 1e-4  # root mean square of the gradient of a network's smallest matrix, over that of its largest
BURST = 1000.0  # the largest mean norm of the gradient in an epoch, over the median
FEW, NOISY, STALLED = 16, 4.0, 0.8  # rows; deviations of the gradient over its mean; rises of the loss over its falls


def gradients(case):
    """Gradients vanish, or explode, on their way back through a network."""
    of_networks = {"encoder": {}, "decoder": {}}
    for name in case.weight_matrices:
        of_networks.get(name.split(".")[0], {})[name] = case.gradients.rms[name]
    spans = {network: _span(list(of_layers.values())) for network, of_layers in of_networks.items()}
    network = min(spans, key=spans.get)
    of_layers, span = of_networks[network], spans[network]
    norms = case.in_history("grad_norm")
    burst = float(ratio(norms.max(), np.median(norms))) if len(norms) else 1.0
    vanished, exploded = span < VANISHED, burst > BURST
    if exploded and not vanished:
        evidence = f"the norm of the gradient reached {burst:.3g} times its median over the epochs"
    else:
        smallest, largest = (pick(of_layers, key=of_layers.get, default="") for pick in (min, max))
        evidence = (
            f"the gradient of {smallest} is {of_layers.get(smallest, 0):.2g}, that of {largest} "
            f"{of_layers.get(largest, 0):.2g} (root mean square)"
        )
    remedies = (
        "fewer layers, or residual ones, or layer normalisation",
        'units that do not saturate (relu, silu), and first weights of their size (init="he")',
        "clip_norm, and a lower learning rate, where gradients explode",
    )
    numbers = {f"gradient_{name}": value for name, value in case.gradients.rms.items()} | {"burst": burst}
    details = {"rms": {name: case.gradients.rms[name] for name in case.weight_matrices}}
    return Sign("vanishing or exploding gradients", vanished or exploded, evidence, remedies, numbers, details)


def _span(values):
    """The smallest of the gradients over the largest; 1 where one is exactly 0, which is the sign of dead units."""
    return min(values) / max(values) if values and min(values) > 0 else 1.0


def dead_units(case):
    """Units whose output is the same for all rows, so that they carry nothing and, being flat, seldom come back."""
    shares, collapsed = dict(case.dead), case.information.sum() < NOTHING
    if collapsed:  # then a decoder is flat for want of something to say
        shares = {name: share for name, share in shares.items() if name.startswith("encoder")}
    worst = max(shares, key=shares.get, default="")
    share = shares.get(worst, 0.0)
    evidence = f"{share:.0%} of the units of {worst} give the same for all rows" if worst else "no layer is hidden"
    if not case.varies:
        evidence = "all rows are the same, and so is what units give"
    remedies = (
        "a lower learning rate, or clip_norm: one long step can kill a unit for ever",
        "units with a slope on both sides: leaky_relu, elu, silu, tanh",
        'first weights of their size (init="he"), and rows of mean 0 and variance 1',
    )
    numbers = {f"dead_{name}": value for name, value in shares.items()}
    is_cause = not (collapsed and case.told_weight > HEAVY)  # a heavy KL lets units die
    found = case.varies and share >= DEAD and is_cause
    return Sign("dead units", found, evidence, remedies, numbers, {"shares": shares})


def noisy_gradient(case):
    """The minibatches are so small that a step goes by chance, and the loss has stopped falling for that."""
    of_mean, variance, of_z = case.gradients.mean_square, case.gradients.variance, case.gradients.variance_of_z
    noise = float(np.sqrt(ratio(variance, of_mean)))
    loss = case.in_history("train_loss")
    steps = np.diff(loss[len(loss) // 2 :])
    stalled = len(steps) > 0 and np.maximum(steps, 0).sum() >= STALLED * np.maximum(-steps, 0).sum()
    share = float(ratio(of_z, variance)) if variance > 0 else 0.0
    evidence = (
        f"the gradient of {case.batch_size} rows spreads by {noise:.3g} times its mean; {min(share, 1):.0%} of its "
        "variance come from drawing z"
    )
    remedies = (
        "larger minibatches, or a learning rate that falls",
        "more samples of z for each row (n_samples), where most of the variance comes from z",
        "the KL in closed form, or the path gradient of an importance-weighted bound",
    )
    found = case.batch_size <= FEW and noise >= NOISY and stalled
    numbers = {"gradient_noise": noise, "share_of_z": share}
    return Sign("noisy gradient", bool(found), evidence, remedies, numbers, {"history": case.history})
