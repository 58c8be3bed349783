"""What the checks share: parameters at no special value, rows of every kind, and what any backward pass must do."""

import numpy as np

from pyvae.arena import Arena
from pyvae.gradcheck import Check
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.likelihoods.mixed import Mixed, Weighted


def arena_of(module, seed=0):
    """The module's parameters in float64, biases included drawn at random, so that none sits at a special value."""
    arena = Arena({"part": module}, np.float64, seed)
    arena.values += 0.1 * np.random.default_rng(seed).standard_normal(arena.values.shape)
    return arena


def check_zero_and_twice(name, backward, upstream):
    """backward(d) is exactly zero for a zero d, and gives the same bits when it is called again."""
    twice = np.array_equal(backward(upstream), backward(upstream))
    zero = not np.any(backward(np.zeros_like(upstream)))
    return [
        Check(f"{name}: backward twice", 0.0, 1, 0, twice),
        Check(f"{name}: zero upstream", 0.0, 1, 0, zero),
    ]


def rows_for(likelihood, n_rows, rng):
    """Random rows within the likelihood's support."""
    if isinstance(likelihood, Bernoulli):
        return rng.random((n_rows, likelihood.n_features))
    if isinstance(likelihood, Categorical):
        return np.hstack([np.eye(size)[rng.integers(size, size=n_rows)] for size in likelihood.sizes])
    if isinstance(likelihood, Poisson | Multinomial | NegativeBinomial):
        return rng.negative_binomial(0.5, 0.2, (n_rows, likelihood.n_features)).astype(float)
    if isinstance(likelihood, DiscretizedLogistic):
        return rng.integers(likelihood.levels, size=(n_rows, likelihood.n_features)) / (likelihood.levels - 1)
    if isinstance(likelihood, Weighted):
        return rows_for(likelihood.part, n_rows, rng)
    if isinstance(likelihood, Mixed):
        return np.hstack([rows_for(part, n_rows, rng) for part in likelihood.parts])
    return rng.standard_normal((n_rows, likelihood.n_features))
