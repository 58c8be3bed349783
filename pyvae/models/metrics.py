"""Metrics of the latent dimensions: which of them a model uses, and how much each of them says.

    KL_j = 1/N sum_i 1/2 (mu_ij^2 + exp(logvar_ij) - 1 - logvar_ij)        used: Var_i(mu_ij) > 0.01

Both are of q(z|x) = N(mu, diag(exp(logvar))) and the prior N(0, 1), and are wrong numbers for any other. An array does
not say where it comes from; ``gaussian_posteriors`` does, and refuses other models.
"""

import numpy as np

from pyvae.data.validation import check_array
from pyvae.latent.gaussian import refuse_other_gaussians
from pyvae.models.evaluation import Model, refuse_sums_over_classes
from pyvae.models.importance_sampling import LogLikelihood

ACTIVE_VARIANCE = 0.01  # a dimension counts as used if its posterior mean varies by more


def gaussian_posteriors(model, X, any_prior=False):
    """mu, logvar (N, Z) of q(z|x) for the rows of X (N, D), for the functions of pyvae.metrics that take these.

    any_prior: True for those that do not look at the prior: mutual_information, total_correlation and
    mutual_information_gap. Raises ValueError unless the posterior is a DiagonalGaussian and, without any_prior, the
    prior StandardNormal; and what ``model.encode`` raises.
    """
    refuse_sums_over_classes(model, "metrics of mu and logvar are of one Gaussian for each row")
    prior = None if any_prior else model.prior
    refuse_other_gaussians(model.posterior, prior, "metrics of mu and logvar are of diagonal Gaussians")
    return model.encode(X)


def kl_per_dimension(mu, logvar):
    """The KL of each latent dimension, mean over rows, (Z,), nats; they add up to the mean KL of the rows.

    KL_j = 1/N sum_i 1/2 (mu_ij^2 + exp(logvar_ij) - 1 - logvar_ij)  (Kingma and Welling 2014, appendix B), for mu and
    logvar (N, Z) of diagonal Gaussians, and the prior N(0, 1); see gaussian_posteriors. Of a q whose dimensions depend
    on each other they add up to a lower bound. Summed over rows in double. Raises TypeError or ValueError where mu and
    logvar are no such arrays.
    """
    mu, logvar = check_mu_logvar(mu, logvar)
    return 0.5 * (mu**2 + np.expm1(logvar) - logvar).mean(axis=0)


def active_units(mu, threshold=ACTIVE_VARIANCE):
    """Booleans (Z,): True for the latent dimensions that the model uses, those with Var_i(mu_ij) > threshold.

    mu: posterior means (N, Z), in units of the prior's standard deviation, which is 1: the threshold is that for the
    prior N(0, 1); see gaussian_posteriors. A dimension whose mean is the same for every row says nothing about the row
    (Burda et al. 2016, section 5.2, whose threshold is the default). Raises TypeError or ValueError where mu is no such
    array.
    """
    return check_latent("mu", mu).var(axis=0) > threshold


def log_likelihood(model, X, n_samples=5000, seed=0) -> LogLikelihood:
    """log_likelihood, standard_error and effective_sample_size, (N,) each, of the rows of X (N, D).

    log p(x) ~ log 1/k sum_s w_s, w_s = p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x), in nats (Burda et al. 2016, eq. 8),
    with its standard error by the delta method, in nats, and (sum w)^2 / sum w^2. k = n_samples is any number: the
    memory does not grow with it. The estimate is too low, by about half the square of the standard error where that is
    small. Both numbers are estimated from the same weights: where an effective sample size is near 1, a few samples
    have all of the weight, those that would have more were perhaps not drawn, and the error is larger than it says. Any
    posterior and prior. Raises what ``model.elbo`` raises.
    """
    return model.importance_sampled(X, n_samples, seed)


def check_mu_logvar(mu, logvar):
    """mu and logvar (N, Z) as float64. Raises TypeError or ValueError where they are no such arrays."""
    mu, logvar = check_latent("mu", mu), check_latent("logvar", logvar)
    if mu.shape != logvar.shape:
        raise ValueError(f"logvar must have the shape of mu, {mu.shape}, not {logvar.shape}")
    return mu, logvar


def check_latent(name, values):
    """Finite numbers (N, Z) as float64. Raises TypeError or ValueError where they are anything else."""
    if isinstance(values, Model):
        raise TypeError(f"{name} must be an array (N, Z): give *metrics.gaussian_posteriors(model, X), not the model")
    values = check_array(values, name).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must hold finite numbers")
    return values
