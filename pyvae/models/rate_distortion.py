"""Rate and distortion: how much z costs, and what is still missing once it is known.

    rate R = E[KL(q(z|x) || p(z))]        distortion D = -E[log p(x|z)], z ~ q(z|x)        -ELBO = R + D

At a given decoder and prior, R is an upper bound of I(x; z), and H - D a lower one, H the entropy of the data. Models
that were trained with another weight of the KL in R beta + D lie at other points of one curve, whose slope there is
-beta (Alemi et al. 2018, section 3 and figure 1). On the line R + D = constant all have the same ELBO.
"""

from typing import NamedTuple

import numpy as np

from pyvae.models.evaluation import Model


class RateDistortion(NamedTuple):
    """Points of M models, (M,) each, nats a row."""

    rate: np.ndarray
    distortion: np.ndarray
    rate_error: np.ndarray  # standard errors
    distortion_error: np.ndarray


def rate_distortion(models, X, n_samples=1, seed=0) -> RateDistortion:
    """The rate E[KL(q(z|x) || p(z))] and the distortion -E[log p(x|z)] of each model, means over the rows of X (N, D),
    in nats, and their standard errors, sd / sqrt(N) (Alemi et al. 2018).

    models: one, or several, such as those trained with ``beta`` 0.5, 1, 2 and 4; the points are in their order. X: rows
    that none of them was trained on. n_samples: of z a row, in the distortion, and in the rate where the KL has no
    closed form. No bias. ``plots.rate_distortion`` draws the points. Any posterior and prior. NaN where numbers
    overflow; raises what ``model.elbo_terms`` raises.
    """
    models = [models] if isinstance(models, Model) else list(models)
    points = []
    for model in models:
        distortion, rate = model.elbo_terms(X, n_samples, seed)
        error = [
            values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan for values in (rate, distortion)
        ]
        points.append((rate.mean(), distortion.mean(), *error))
    return RateDistortion(*np.array(points).reshape(-1, 4).T)
