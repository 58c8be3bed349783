"""Maximum mean discrepancy: all samples together are to look like the prior, while one row's may lie where they like.

    loss = 1/n sum_b w_b (-1/k sum_s log p(x|z_s) + beta KL_b)  +  weight MMD^2(q(z), N(0, 1))

(WAE: beta = 0, Tolstikhin et al. 2018, algorithm 2; InfoVAE: beta = 1 - alpha, Zhao et al. 2019, eq. 6.) With a kernel
k(a, b), and expectations over z, z' ~ q and y, y' ~ N(0, 1),

    MMD^2 = E k(z, z')  -  2 E k(z, y)  +  E k(y, y')

which is 0 only where the two distributions are the same. k is a mean of Gaussian kernels exp(-|a - b|^2 / (2 s)) of
several widths s, multiples of Z, as |y - y'|^2 is 2 Z on average. For them the prior's part is known in closed form, so
that no y is drawn; z and z' are samples i, j of two different rows of the batch, as those of one row are no independent
draws from q (so the estimate is unbiased, and can be negative). With r = s / (s + 1), shares p_i of the samples, sums
over j of the samples of other rows than i's, and P = sum_i sum_j p_i p_j:

    k(z, N(0,1)) = r^(Z/2) exp(-|z|^2 / (2 (s + 1)))        k(N(0,1), N(0,1)) = (s / (s + 2))^(Z/2)
    dz_i = -2 sum_j p_i p_j / P k_ij (z_i - z_j) / s  +  2 p_i k(z_i, N(0,1)) z_i / (s + 1)
"""

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.latent.gaussian import refuse_other_gaussians
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Objective
from pyvae.workspace import FRESH

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # times Z


class MMD(Objective):
    """-log p(x|z) + beta KL + weight MMD^2 of all z (M, Z) of a minibatch and N(0, 1), mean over rows, nats.

    weight: of the discrepancy, which lies below 2. beta: of the KL. n_samples: k samples of z per row. It looks at all
    rows of a minibatch, and so is outside of the promise that a row's numbers do not depend on the rows beside it. The
    prior must be N(0, 1). Raises ValueError for numbers out of range.
    """

    remedies = "a smaller weight of the discrepancy"

    def __init__(self, weight: float = 1000.0, beta: float = 0.0, n_samples: int = 1):
        self.weight = check_number("weight", weight, 0, low_included=True)
        self.beta = check_number("beta", beta, 0, low_included=True)
        self.n_samples = check_count("n_samples", n_samples, 1)

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0."""
        loss, dterms = ELBO(self.beta)(terms, weight, memory)
        k = terms.log_px.shape[1]
        share = np.ones(len(terms.z)) if weight is None else np.repeat(np.asarray(weight, np.float64), k)
        discrepancy, dz = self.discrepancy(terms.z, share / share.sum(), k, memory)
        dz *= self.weight
        return loss + self.weight * discrepancy, dterms._replace(z=dz)

    def discrepancy(self, z, share, k=1, memory=FRESH):
        """MMD^2 of the z (M, Z), k of each row next to each other, of these shares (M,), which add up to 1; and its
        derivative by z."""
        (rows, Z), dtype = z.shape, z.dtype
        squares = (z * z).sum(axis=1)
        distance = np.maximum(squares[:, None] + squares - 2 * _products(z), 0)
        pairs = np.outer(share, share)
        row = np.arange(rows) // k
        pairs[row[:, None] == row] = 0
        pairs /= pairs.sum() or 1.0
        result, dz = 0.0, memory.take((rows, Z), dtype)
        dz[...] = 0
        for s in (width * Z for width in WIDTHS):
            between = pairs * _exponential(distance / dtype.type(-2 * s))
            to_prior = share * _exponential(squares / dtype.type(-2 * (s + 1))) * (s / (s + 1)) ** (Z / 2)
            result += between.sum() - 2 * to_prior.sum() + (s / (s + 2)) ** (Z / 2)
            away = between.sum(axis=1)[:, None] * z - _products(between.astype(dtype), z)  # sum_j k_ij (z_i - z_j)
            dz += 2 * (to_prior[:, None] * z / (s + 1) - away / s)
        dz /= len(WIDTHS)
        return float(result) / len(WIDTHS), dz

    def check(self, model, n_rows):
        refuse_other_gaussians(None, model.prior, "the discrepancy is that from N(0, 1)")


def _products(a, z=None):
    """a z, or a a.T, by the library's own products, which have the same bits on all processors."""
    out = np.empty((len(a), len(a) if z is None else z.shape[1]), a.dtype)
    if z is None:
        _kernels.dense_dx(a, a, out)
    else:
        _kernels.dense(a, np.ascontiguousarray(z), None, None, out)
    return out


def _exponential(x):
    out = np.empty((1, x.size), x.dtype)
    _kernels.exponential(np.ascontiguousarray(x).reshape(1, -1), out)
    return out.reshape(x.shape)
