"""What q(z|x) says: posterior collapse, a KL that had another weight than 1, and a prior that misses the rows.

**The weight that the KL had** can be measured. Where a training for  reconstruction + beta KL  has come to rest, the
derivative by each logvar of the posterior is 0, summed over rows:

    sum d reconstruction / d logvar  +  beta sum d KL / d logvar  =  0

Both sums stand in the gradient of the encoder's last bias, so  beta = - sum d reconstruction / sum d KL  follows from
two backward passes.

**The prior and the aggregate posterior** q(z) = 1/N sum_i q(z|x_i). A mixture of Gaussians is fitted to z of half of
the rows. For z of the other half, E[log mixture(z) - log p(z)] is a lower bound on KL(q(z) || p(z)): what the ELBO
would gain by another prior. And where new rows are made from z ~ p(z), those z that the mixture finds less likely than
99% of the z of held-out rows lie where no rows lie.
"""

import numpy as np

from pyvae.diagnosis.case import HEAVY, NOTHING, ratio
from pyvae.diagnosis.sign import Sign
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.latent.gaussian import is_diagonal, is_standard_normal
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import settled

LIGHT = 0.2  # weight of the KL
FEW = 10  # rows, of which no more can be said
MISFIT = 2.0  # nats between the moments of q(z) and p(z)
OUTSIDE, GAIN = 0.2, 0.3  # of the samples of the prior; nats that another prior would bring


def collapse(case):
    """z says nothing of the rows: the decoder makes the same of all of them."""
    information, total = case.information, float(case.information.sum())
    evidence = f"z says {total:.3g} nats of the row it comes from, in {case.model.latent_dim} dimensions"
    if not case.varies:
        evidence = "all rows are the same, so there is nothing for z to say"
    elif total < NOTHING and case.told_weight > HEAVY:
        evidence += f"; the KL weighed {case.told_weight:g}"
    remedies = (
        case.objective.remedies,
        "another likelihood: one whose spread is fixed and wide explains every row alike",
        "a higher learning rate or more epochs, where the loss still falls",
        "a decoder that cannot do without z, with less capacity of its own",
    )
    return Sign(
        "posterior collapse", case.varies and total < NOTHING, evidence, remedies, {"information": total},
        {"information": information},
    )  # fmt: skip


def light_kl(case):
    """The KL weighed next to nothing: q(z|x) is narrow and far from the prior, from which nothing can be sampled."""
    weight, misfit = weight_of_kl(case), _misfit(case)
    is_light = weight is not None and weight < LIGHT
    found = case.information.sum() >= NOTHING and (is_light or misfit.sum() > MISFIT)
    evidence = f"z of all rows and z of the prior differ by {misfit.sum():.3g} nats in mean and variance"
    if weight is not None:
        evidence = f"the KL is {case.kl:.3g} nats, as it weighs {weight:.2g} where training came to rest; {evidence}"
    remedies = (
        "beta = 1, which makes the loss a bound on log p(x)",
        "a learned or wider spread of the likelihood: one that is too narrow outweighs the KL",
        "a prior that is learned, where q(z|x) should stay as it is",
    )
    numbers = {"misfit_of_moments": float(misfit.sum())} | ({} if weight is None else {"weight_of_kl": weight})
    details = {"z": case.many_z, "samples": case.prior_samples}
    return Sign("KL too large", bool(found), evidence, remedies, numbers, details)


def heavy_kl(case):
    """The KL outweighed what z could have said."""
    weight, total = weight_of_kl(case), float(case.information.sum())
    found = weight is not None and weight > HEAVY and total >= NOTHING
    if weight is not None:
        evidence = (
            f"the KL is {case.kl:.3g} nats, as it weighs {weight:.3g} where training came to rest; z says {total:.3g} "
            "nats of its row"
        )
    elif total < NOTHING:
        evidence = "z says nothing of its row, so the weight of the KL leaves no trace"
    else:
        evidence = "its weight can be measured for the ELBO, diagonal Gaussians and the prior N(0, 1) alone"
    remedies = ("a lower beta", "free bits, or a capacity that rises", "a likelihood with a learned spread")
    numbers = {"information": total} | ({} if weight is None else {"weight_of_kl": weight})
    return Sign("KL too small", found, evidence, remedies, numbers, {"information": case.information})


def weight_of_kl(case):
    """The weight of the KL at which the gradients by logvar cancel (see above); None where it cannot be told, as of
    other objectives than the ELBO, which come to rest elsewhere."""
    model, Z = case.model, case.model.latent_dim
    bias, is_elbo = model.encoder.output_bias(), type(settled(case.objective)) is ELBO
    if not (is_elbo and is_diagonal(model.posterior) and is_standard_normal(model.prior)) or bias is None:
        return None
    parameters = model.parameters
    name = next(name for name in parameters.names if np.shares_memory(parameters[name], bias))
    alone, both = (
        parameters.views(case.gradient(ELBO(beta), case.batch, 3))[name][Z:].sum(dtype=np.float64)
        for beta in (0.0, 1.0)
    )
    return float(-alone / (both - alone)) if case.information.sum() >= NOTHING and both != alone else None


def _misfit(case):
    """KL between normal distributions with the moments of z ~ q(z) and z ~ p(z), of each dimension, (Z,), nats."""
    z, samples = case.many_z, case.prior_samples
    if len(z) < FEW:
        return np.zeros(z.shape[1])
    variance = ratio(z.var(axis=0), samples.var(axis=0))
    away = ratio((z.mean(axis=0) - samples.mean(axis=0)) ** 2, samples.var(axis=0))
    return 0.5 * (variance + away - 1 - np.log(np.maximum(variance, 1e-300)))


def prior_misses(case):
    """New rows are made from places where no row lies, such as between clusters."""
    z = case.many_z
    half, samples = len(z) // 2, case.prior_samples
    outside, gain = 0.0, 0.0
    if half > max(case.model.latent_dim, FEW):
        mixture = AggregatePosterior.fit(z[:half], case.noise(4))
        held_out = _log_density(mixture, z[half:])
        outside = float((_log_density(mixture, samples) < np.quantile(held_out, 0.01)).mean())
        gain = float((held_out - case.log_prior(z[half:])).mean())
    evidence = (
        f"{outside:.0%} of the prior's samples lie where fewer than 1% of the rows do; another prior would gain "
        f"{max(gain, 0):.2g} nats a row or more"
    )
    remedies = (
        "a prior that is learned: Mixture, VampPrior or Flow",
        "new rows from the aggregate posterior (model.sample(latent=...), --latent mixture)",
        "more latent dimensions, in which clusters can lie closer",
    )
    found = outside >= OUTSIDE and gain >= GAIN
    numbers = {"samples_outside": outside, "gain_by_another_prior": gain}
    return Sign("prior misses the rows", found, evidence, remedies, numbers, {"z": z, "samples": samples})


def _log_density(mixture, z):
    return np.logaddexp.reduce(mixture.log_joint(z), axis=1)
