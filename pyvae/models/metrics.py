"""Metrics of the latent dimensions: numbers that tell a used dimension from one that the model left at the prior."""

import numpy as np

ACTIVE_VARIANCE = 0.01  # a dimension counts as used if its posterior mean varies by more


def kl_per_dimension(mu, logvar):
    """The KL of each latent dimension, mean over rows, (Z,), nats; they add up to the mean KL of the rows.

    KL_j = 1/B sum_i 1/2 (mu_ij^2 + exp(logvar_ij) - 1 - logvar_ij)  (Kingma and Welling 2014, appendix B), for mu and
    logvar (B, Z), as ``model.encode`` gives them. Summed over rows in double. The prior is N(0, 1). Where q(z|x) is not
    a diagonal Gaussian, each number is the least KL that a dimension of this mean and variance can have, reached by a
    Gaussian; their sum is then no more than the KL of the rows.
    """
    mu, logvar = np.asarray(mu, np.float64), np.asarray(logvar, np.float64)
    return 0.5 * (mu**2 + np.expm1(logvar) - logvar).mean(axis=0)


def active_units(mu, threshold=ACTIVE_VARIANCE):
    """Booleans (Z,): True for the latent dimensions that the model uses, those with Var_i(mu_ij) > threshold.

    mu: posterior means (B, Z), in units of the prior's standard deviation. A dimension whose mean is the same for every
    row says nothing about the row (Burda et al. 2016, section 5.2, whose threshold is the default).
    """
    return np.asarray(mu, np.float64).var(axis=0) > threshold
