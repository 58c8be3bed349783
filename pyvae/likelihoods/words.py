"""The words that stand for likelihoods in ``VAE.mlp`` and on the command line."""

import warnings

import numpy as np

from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.likelihoods.gaussian import Gaussian

LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": lambda n_features: Gaussian(n_features, std="learned"),
    "gaussian-shared": lambda n_features: Gaussian(n_features, std="shared"),
    "gaussian-predicted": lambda n_features: Gaussian(n_features, std="predicted"),
    "gaussian-fixed": lambda n_features: Gaussian(n_features, std=1.0),
    "discretized-logistic": DiscretizedLogistic,
    "poisson": Poisson,
    "multinomial": Multinomial,
    "negative-binomial": NegativeBinomial,
}

FEW = 0.01  # of the entries


def likelihood_of_entries(X):
    """The word for a sparse matrix of zeros and ones, of counts, or of other numbers."""
    if np.all((X.data == 0) | (X.data == 1)):  # zeros may be stored too
        return "bernoulli"
    odd = X.data[(X.data < 0) | (X.data != np.floor(X.data))]
    if 0 < len(odd) <= FEW * len(X.data):
        warnings.warn(
            f"entries are taken for real numbers, not counts, as a few are none, such as {odd[0]:g}",
            UserWarning,
            stacklevel=2,
        )
    return "gaussian" if len(odd) else "negative-binomial"


def make_likelihood(name, n_features):
    """A likelihood from a word: "bernoulli"; "gaussian" (a std learned per column), "gaussian-shared" (one for all),
    "gaussian-predicted" (per row and column), "gaussian-fixed" (std 1); "discretized-logistic" for gray values 0 to
    255, divided by 255; for counts "poisson", "multinomial", "negative-binomial". Raises ValueError for another
    word."""
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {', '.join(LIKELIHOODS)}, or a Likelihood, not {name!r}")
    return LIKELIHOODS[name](n_features)
