"""z given some columns of a row: weighted samples that stand for p(z|x_g), by adaptive importance sampling.

    p(z|x_g) = p(z) p(x_g|z) / p(x_g)        p(x_g|z): the likelihood of the given columns g alone

Samples are drawn in rounds. The first round is of p(z), each later one half of p(z) and half of the normal distribution
N_t that has the weighted mean and covariance of all samples so far. In the weights, all samples of T rounds count as
drawn from the mixture of all proposals (Cornuet et al. 2012; the balance heuristic of Veach and Guibas 1995):

    w_s = p(x_g|z_s) p(z_s) / m(z_s)        m = (1 - h) p + h/(T - 1) sum_t N_t,   h = (T - 1) / (2 T)

m >= p / 2, so no weight is above 2 p(x_g|z): wherever the normals lie, they cost at most half of the samples (a
defensive mixture, Hesterberg 1995). Rounds end when the effective sample size (sum w)^2 / sum w^2 is large enough.

The encoder is not asked: that of a model which saw whole rows alone answers a row of two cells with a q(z|x_g) that is
far too narrow, and has no weighted sample from the rest of p(z|x_g).
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.data.sources import all_rows, as_source
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.noise import Noise

ROUND, MOST_ROUNDS = 4096, 16
ENOUGH = 2000  # effective samples
WIDER = 1.2  # the variances of a normal, against those of the samples that it is fitted to
RIDGE = 1e-6  # of variance


class LatentsGiven(NamedTuple):
    """Samples of z with their weights, and how many samples of equal weight they are worth."""

    z: np.ndarray  # (S, Z), of the model's type
    share: np.ndarray  # (S,) w_s / sum_t w_t
    effective_sample_size: float  # from 1 to S

    def draw(self, n, noise):
        """n of the z, (n, Z), each drawn with its share as probability."""
        place = noise.uniform("component", (n, 1), np.arange(n), np.float64)[:, 0]
        reached = np.cumsum(self.share)
        return self.z[np.searchsorted(reached, place * reached[-1])]


def latents_given(model, source, density, seed=0):
    """Samples of p(z|x_g) with their weights, LatentsGiven, for the one row of a DataSource, whose entries are observed
    where they are given. density: p(z), an AggregatePosterior.

    Raises ValueError for a likelihood that takes whole rows alone, and FloatingPointError where p(x_g|z) is 0 or no
    number for all samples of z.
    """
    row, noise, Z = all_rows(source, model.parameters.dtype), Noise(seed), model.latent_dim
    z, log_joint, log_p = np.empty((0, Z), model.parameters.dtype), np.empty(0), np.empty(0)
    proposal, normals = density, None
    for t in range(MOST_ROUNDS):
        more = proposal.sample(ROUND, Z, noise.from_row(t * ROUND), z.dtype)
        log_p_more = density.log_density(more.astype(np.float64))
        z, log_p = np.concatenate([z, more]), np.concatenate([log_p, log_p_more])
        log_joint = np.concatenate([log_joint, log_p_more + _log_p_given(model, row, more)])
        share = _shares(log_joint - _log_mixture(z, log_p, normals))
        effective = 1 / float(share @ share)
        if effective >= ENOUGH:
            break
        normal = _normal(z.astype(np.float64), share, effective)
        normals = normal if normals is None else joined(normals, normal, 1 / (t + 1))
        proposal = joined(density, normal, 0.5)
    return LatentsGiven(z, share, effective)


def _log_p_given(model, row, z):
    """log p(x_g|z) (n,) of the given entries of a row, a Batch, for z (n, Z)."""
    log_px = np.empty(len(z))
    for rows, batch, memory in model.chunks(as_source(z), 1, Noise(0)):
        outputs, _ = model.decode_rows(batch.x, batch, None, memory)
        log_px[rows], _ = model.likelihood.log_density(row.x, outputs, memory, row.observed)
    return log_px


def _log_mixture(z, log_p, normals):
    """log m(z), (S,): of all samples so far, those of the normals are h = (T - 1) / (2 T)."""
    if normals is None:
        return log_p
    T = len(normals.weights) + 1
    h = (T - 1) / (2 * T)
    return np.logaddexp(np.log(1 - h) + log_p, np.log(h) + normals.log_density(z.astype(np.float64)))


def _shares(log_w):
    """w_s / sum_t w_t, (S,); 0 where a weight is no number."""
    log_w = np.where(np.isnan(log_w), -np.inf, log_w)
    if not np.isfinite(log_w.max()):
        raise FloatingPointError("the given values have no probability for any z: give values like the fitted ones")
    share = np.exp(log_w - log_w.max())
    return share / share.sum()


def _normal(z, share, effective):
    """A normal distribution with mean and covariance of the weighted samples. Few effective samples leave directions
    without any spread, so their covariance is mixed with a sphere, by Z / (Z + effective sample size)."""
    Z, mean = z.shape[1], np.empty((1, z.shape[1]))
    _kernels.dense_dW(share[:, None], z, mean)  # sum_s w_s z_s
    away, covariance = z - mean, np.empty((Z, Z))
    _kernels.dense_dW(away * share[:, None], away, covariance)
    sphere = np.trace(covariance) / Z * np.eye(Z)
    covariance += Z / (Z + effective) * (sphere - covariance)
    factor = np.linalg.cholesky(WIDER * covariance + RIDGE * np.eye(Z))
    return AggregatePosterior(np.ones(1), mean, factor[None])


def joined(one, other, share):
    """The mixture of two mixtures, of which the other has this share."""
    return AggregatePosterior(
        np.concatenate([(1 - share) * one.weights, share * other.weights]),
        np.concatenate([one.means, other.means]),
        np.concatenate([one.factors, other.factors]),
    )
