"""A mixture of K diagonal Gaussians for points in groups: the start of clusters.

Groups seldom lie along the axes. So they are found as Gaussians with full covariances, by expectation-maximisation
(latent/aggregate.py), which gives the share r_ik of group k in point i. With n_k = sum_i r_ik, the mixture is

    w_k = n_k / N      mu_k = 1/n_k sum_i r_ik z_i      sigma_k^2 = 1/n_k sum_i r_ik (z_i - mu_k)^2 + ridge

No step of EM lowers the likelihood, and where it ends depends on where it began. So it begins several times, and the
likeliest groups are kept. It begins with those of k-means, from points far from each other (k-means++: a point is drawn
with a probability proportional to its squared distance from the nearest of those chosen before; of a few, the one that
leaves the least sum of these is chosen; Arthur and Vassilvitskii 2007).
"""

from typing import NamedTuple

import numpy as np

from pyvae import _kernels
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.latent.gaussian import MuLogvar
from pyvae.latent.interface import log_of_variance
from pyvae.noise import Noise

MOST_ROWS = 10_000  # evenly spread, to which it is fitted
STARTS = 10
CANDIDATES, MOVES = 4, 30  # of k-means++ for each point, and of the centres of k-means
ENOUGH = 1e-3  # nats a row, by which a step of EM must raise the likelihood
RIDGE = 1e-4  # of the variance of all points, which a group of equal points has
LEAST = 1e-6  # share of the points, which a group without any has


class DiagonalMixture(NamedTuple):
    """K diagonal Gaussians in Z dimensions and their weights, float64."""

    q: MuLogvar  # (K, Z) each
    log_weights: np.ndarray  # (1, K)


def fit_mixture(z, K, seed=0):
    """The DiagonalMixture of K groups of the points z (N, Z); seed: of the starts of EM."""
    z = np.ascontiguousarray(z[np.linspace(0, len(z) - 1, min(len(z), MOST_ROWS)).astype(int)], np.float64)
    starts = (_groups(z, K, Noise(seed, step=start)) for start in range(STARTS))
    _, share, _ = max((AggregatePosterior.climb(z, start, ENOUGH) for start in starts), key=lambda fit: fit[2])
    missing = K - share.shape[1]  # groups that had no point left
    return _of_shares(z, np.hstack([share, np.zeros((len(z), missing))]))


def _of_shares(z, share):
    """The mixture of groups that have these shares (N, K) in the points z (N, Z)."""
    size = share.sum(axis=0) + LEAST * len(z)
    mu, square = np.empty((2, share.shape[1], z.shape[1]))
    centre, ridge = z.mean(axis=0), RIDGE * z.var() + np.finfo(np.float64).tiny
    away = z - centre  # so that the difference of squares keeps its digits
    _kernels.dense_dW(share, away, mu)
    _kernels.dense_dW(share, away**2, square)
    mu, square = mu / size[:, None], square / size[:, None]
    variance = np.maximum(square - mu**2, 0) + ridge
    return DiagonalMixture(MuLogvar(centre + mu, log_of_variance(variance)), np.log(size / size.sum())[None])


def _groups(z, K, noise):
    """Shares (N, K), 0 or 1, of groups that k-means makes of the points z (N, Z)."""
    share = _nearest(z, _far_apart(z, K, noise))
    for _ in range(MOVES):
        before, share = share, _nearest(z, _of_shares(z, share).q.mu)
        if np.array_equal(before, share):
            break
    return share


def _far_apart(z, K, noise):
    """K of the points z (N, Z), each the best of CANDIDATES that are drawn as k-means++ draws them."""
    place = noise.uniform("component", (K, CANDIDATES), np.arange(K), np.float64)
    chosen = [int(place[0, 0] * len(z))]
    distance = _squares(z, z[chosen[0]])
    for k in range(1, K):
        reached = np.cumsum(distance)
        drawn = np.minimum(np.searchsorted(reached, place[k] * reached[-1]), len(z) - 1)
        nearest = np.minimum(distance, [_squares(z, z[i]) for i in drawn])  # (CANDIDATES, N)
        best = nearest.sum(axis=1).argmin()
        chosen.append(drawn[best])
        distance = nearest[best]
    return z[chosen]


def _nearest(z, centres):
    """Shares (N, K): 1 for the nearest centre, else 0."""
    closeness = np.empty((len(z), len(centres)))
    _kernels.gaussian_components(z, centres, np.zeros_like(centres), out=closeness)
    return np.eye(len(centres))[closeness.argmax(axis=1)]


def _squares(z, centre):
    """Squared distances (N,) of points z (N, Z) from a centre (Z,)."""
    return ((z - centre) ** 2).sum(axis=1)
