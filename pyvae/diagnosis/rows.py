"""What the rows say: a likelihood that does not fit them, over-fitting, and blurred reconstructions.

Rows x are compared with draws from p(x|z), z ~ q(z|x) (posterior predictive checks, Gelman et al. 1996). In each column

    spread   mean (x - E[x|z])^2 over mean (draw - E[x|z])^2: 1 where the likelihood is as wide as the rows are
    beyond   the share of draws below the smallest x or above the largest: near 0 where x can be what is drawn
"""

import numpy as np

from pyvae.diagnosis.case import MOST_ROWS, NOTHING, ratio, spread
from pyvae.diagnosis.sign import Sign
from pyvae.likelihoods.counts import Multinomial
from pyvae.objectives.importance import ImportanceWeighted

NARROW, WIDE = 0.45, 2.5  # spreads, of the median column
BEYOND = 0.15  # of the draws of the median column
GAP, BY_CHANCE = 1.0, 1e-3  # of the ELBO on rows not trained on, over what z says of a row; and its p-value
BLURRED = 0.15  # of the contrast between neighbours in the originals


def likelihood(case):
    """The likelihood is narrower or wider than the rows, or draws what they cannot be."""
    if isinstance(case.model.likelihood, Multinomial):
        return Sign("likelihood does not fit", False, "columns that share a total are not looked at", (), {}, {})
    if isinstance(case.objective, ImportanceWeighted):  # whose q(z|x) is wider than the posterior, on purpose
        return Sign("likelihood does not fit", False, "z of an importance-weighted bound do not tell", (), {}, {})
    x, observed, mean, drawn = _predicted(case)
    x = np.where(observed, x, np.nan)
    low, high = np.fmin.reduce(x, axis=0, initial=np.inf), np.fmax.reduce(x, axis=0, initial=-np.inf)
    varies = low < high
    if not varies.any():
        return Sign("likelihood does not fit", False, "no column varies", (), {}, {})
    x, mean, drawn = x[:, varies], mean[:, varies], drawn[:, varies]
    drawn_there = np.where(np.isnan(x), np.nan, drawn)
    spreads = ratio(np.nanmean((x - mean) ** 2, axis=0), np.nanmean((drawn_there - mean) ** 2, axis=0))
    beyond = ((drawn < low[varies]) | (drawn > high[varies])).mean(axis=0)
    middle, outside = float(np.nanmedian(spreads)), float(np.median(beyond))
    found = not NARROW <= middle <= WIDE or outside >= BEYOND + 2 / (len(x) + 1)  # which the best would draw
    evidence = (
        f"in the median column the rows lie {middle:.2g} times as widely around what is expected as draws do, and "
        f"{outside:.0%} of the draws lie beyond all rows"
    )
    remedies = (
        "for zeros and ones bernoulli; for counts poisson or, if they spread more, negative-binomial",
        "for real numbers gaussian, with a learned std; for grays in [0, 1] too, or binarised rows",
        "for columns of several kinds a table, whose columns have each its own likelihood",
        "a logarithm of columns that reach over orders of magnitude",
    )
    order = np.argsort(-np.maximum(np.abs(np.log(np.maximum(spreads, 1e-12))), 10 * beyond), kind="stable")[:6]
    details = {"x": x[:, order], "drawn": drawn[:, order], "columns": np.flatnonzero(varies)[order]}
    return Sign("likelihood does not fit", found, evidence, remedies, {"spread": middle, "beyond": outside}, details)


def _predicted(case):
    """x, which of it are known, E[x|z] and a draw, (B, D) each, in double and in the units in which the model works."""
    batch, outputs, likelihood = case.batch, case.passed.outputs, case.model.likelihood
    observed = np.ones(batch.x.shape, bool) if batch.observed is None else np.asarray(batch.observed, bool)
    mean, drawn = likelihood.mean(outputs), likelihood.draw(outputs, case.noise(6))
    return batch.x.astype(np.float64), observed, mean.astype(np.float64), drawn.astype(np.float64)


def over_fitting(case):
    """The model is far better on the rows it was trained on than on others."""
    if case.validation is None:
        return Sign("over-fitting", False, "no rows were held out to tell", (), {}, {})
    from scipy import stats

    trained, others = (_elbo(case, rows) for rows in (case.rows, spread(case.validation, MOST_ROWS)))
    gap = trained.mean() - others.mean()
    effect = float(ratio(gap, case.information.sum()))
    chance = float(stats.mannwhitneyu(trained, others, alternative="greater").pvalue)  # no row far away decides
    found = case.information.sum() >= NOTHING and effect > GAP and chance < BY_CHANCE
    evidence = (
        f"the ELBO is {trained.mean():.4g} nats on rows trained on and {others.mean():.4g} on others: a gap "
        f"of {effect:.2g} times what z says of a row"
    )
    remedies = (
        "the best epoch: validation_fraction, with patience",
        "more rows; fewer hidden units or latent dimensions",
        "dropout, weight_decay, or noise on the inputs",
    )
    numbers = {
        "elbo_trained": float(trained.mean()),
        "elbo_others": float(others.mean()),
        "gap_over_information": effect,
    }
    details = {"trained": trained, "others": others}
    return Sign("over-fitting", bool(found), evidence, remedies, numbers, details)


def _elbo(case, rows):
    reconstruction, kl = case.model.elbo_terms(rows, 1, case.seed)
    return -(reconstruction + kl)


def blur(case):
    """Reconstructed pictures have little of the contrast between neighbouring pixels that the originals have."""
    shape = case.model.metadata.get("image_shape")
    if not shape:
        return Sign("blur", False, "the rows are no pictures", (), {}, {})
    x, mean = case.batch.x, case.model.likelihood.mean(case.passed.outputs)
    kept = float(ratio(_contrast(mean, shape), _contrast(x, shape)))
    evidence = f"reconstructions have {kept:.0%} of the contrast between neighbouring pixels of the originals"
    remedies = (
        "more latent dimensions, or a beta below 1",
        "larger layers, or more epochs, where the loss still falls",
        "a stronger decoder, or a posterior or bound that is closer (full, planar; iwae)",
    )
    details = {"x": x[:12], "mean": mean[:12], "shape": shape, "range": case.model.metadata.get("value_range", (0, 1))}
    return Sign("blur", kept < BLURRED, evidence, remedies, {"contrast": kept}, details)


def _contrast(images, shape):
    """Mean square of the differences between pixels and their right and lower neighbours, of images (B, H * W)."""
    images = images.reshape(-1, *shape).astype(np.float64)
    return np.square(np.diff(images, axis=1)).mean() + np.square(np.diff(images, axis=2)).mean()
