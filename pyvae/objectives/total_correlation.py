"""beta-TC-VAE: only the dependence between the latent dimensions costs more than in the ELBO (Chen et al. 2018, eq. 4).

Over all N rows, with q(z) = 1/N sum_n q(z|x_n) and q(z_d) its marginal in dimension d, the mean KL falls into three:

    KL = I(x; z)  +  KL(q(z) || prod_d q(z_d))  +  sum_d KL(q(z_d) || p(z_d))
         what z says    total correlation, TC

    loss = -ELBO + (beta - 1) TC        TC = 1/n sum_i w_i (log q(z_i) - sum_d log q(z_id)),  z_i ~ q(z|x_i)

q(z_i) is estimated from the M rows of a minibatch. Of row i it is known that z_i came from it; the others stand for the
N - 1 rest (stratified: unbiased), or all M stand for all N alike (weighted):

    q(z_i) ~ sum_j W_ij q(z_i|x_j)      stratified   W_ii = 1/N,  W_ij = (N - 1) / (N (M - 1))
                                        weighted     W_ij = 1 / (N M)

Weighted sums are too small: by the factor M where row i alone explains z_i, by N where all rows explain it alike. There
are D + 1 of them, so TC comes out too large by (D - 1) log M to (D - 1) log N. (The stratified weights of the authors'
code stand one column beside where they belong.) With a_ij and b_idj the shares of the terms in the joint and in the
marginal sums, c_i = (beta - 1) w_i / n and l_ijd = log N(z_id; mu_jd, sigma_jd^2):

    dl_ijd = c_i (a_ij - b_idj)           dz_id = -sum_j dl_ijd (z_id - mu_jd) / sigma_jd^2
    dmu_jd = sum_i dl_ijd (z_id - mu_jd) / sigma_jd^2
    dlogvar_jd = sum_i dl_ijd ((z_id - mu_jd)^2 / sigma_jd^2 - 1) / 2
"""

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count, check_number
from pyvae.latent.gaussian import refuse_other_gaussians
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Objective, total_weight
from pyvae.workspace import FRESH

LOG_2_PI = np.log(2 * np.pi)


class TotalCorrelation(Objective):
    """The negative ELBO plus (beta - 1) times the total correlation of z, mean over rows, nats (Chen et al. 2018).

    beta: weight of the total correlation; 1: the ELBO. n_rows: the number N of rows that are trained on. sampling:
    "stratified" or "weighted". It looks at all rows of a minibatch, and so is outside of the promise that a row's
    numbers do not depend on the rows beside it; a row's weight counts as if it stood there so many times. Needs a
    diagonal Gaussian posterior. Raises ValueError for numbers out of range or another word.
    """

    remedies = "a smaller beta"

    def __init__(self, beta: float, n_rows: int, sampling: str = "stratified"):
        self.beta = check_number("beta", beta, 0, low_included=True)
        self.n_rows = check_count("n_rows", n_rows, 1)
        if sampling not in ("stratified", "weighted"):
            raise ValueError(f"sampling must be 'stratified' or 'weighted', not {sampling!r}")
        self.sampling = sampling

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0."""
        loss, dterms = ELBO()(terms, weight, memory)
        tc, dz, dmu, dlogvar = self.total_correlation(terms.z, terms.mu, terms.logvar, weight, memory)
        for derivative in (dz, dmu, dlogvar):
            derivative *= self.beta - 1
        return loss + (self.beta - 1) * tc, dterms._replace(z=dz, mu=dmu, logvar=dlogvar)

    def total_correlation(self, z, mu, logvar, weight=None, memory=FRESH):
        """TC of samples z (M, D), one from each posterior mu, logvar (M, D), nats; and its derivatives by the three."""
        (rows, dims), dtype = z.shape, z.dtype
        mu, logvar = np.ascontiguousarray(mu.T), np.ascontiguousarray(logvar.T)  # (D, M)
        sharpness = np.empty((dims, rows), dtype)
        _kernels.exponential(logvar / -2, sharpness)  # 1 / sigma
        # (M, D, M): row i of z, dimension d, posterior j; away in units of sigma
        away = (z[:, :, None] - mu) * sharpness
        with np.errstate(over="ignore"):  # so far away that the density is 0
            distance = away * away
        log_q = (distance + (logvar + dtype.type(LOG_2_PI))) * dtype.type(-0.5)
        log_W = self.log_weights(rows, weight).astype(dtype)
        joint, joint_sum = self.shares(log_q.sum(axis=1) + log_W)  # (M, M), (M,)
        marginal, marginal_sum = self.shares((log_q + log_W[:, None, :]).reshape(rows * dims, rows))
        n = total_weight(weight, rows)
        c = np.full(rows, 1 / n) if weight is None else weight / n
        tc = float(c @ (joint_sum - marginal_sum.reshape(rows, dims).sum(axis=1, dtype=np.float64)))

        dlog_q = (joint[:, None, :] - marginal.reshape(rows, dims, rows)) * c.astype(dtype)[:, None, None]
        dz, dmu, dlogvar = (memory.take((rows, dims), dtype) for _ in range(3))
        weighted = away * dlog_q  # first, as what is far has the derivative 0
        pull = weighted * sharpness
        dz[...] = -pull.sum(axis=2)
        dmu[...] = pull.sum(axis=0).T
        dlogvar[...] = (weighted * away - dlog_q).sum(axis=0).T / 2
        return tc, dz, dmu, dlogvar

    def log_weights(self, rows, weight=None):
        """log W (M, M), in double; a weight of a row is that of its column, and -inf where that is 0."""
        w = np.ones(rows) if weight is None else np.asarray(weight, np.float64) * (rows / np.sum(weight))
        if self.sampling == "weighted" or rows == 1:
            W = np.tile(w / (self.n_rows * rows), (rows, 1))
        else:
            others = rows - w  # the weights of all rows but row i
            W = (1 - w / self.n_rows)[:, None] * w / np.where(others > 0, others, 1)[:, None]
            np.fill_diagonal(W, w / self.n_rows)
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(W, 0))

    @staticmethod
    def shares(log_terms):
        """exp of each term over the sum of its row, and the logarithm of that sum."""
        shares, log_sum = np.empty_like(log_terms), np.empty(len(log_terms), log_terms.dtype)
        _kernels.softmax(log_terms, shares, log_sum)
        return shares, log_sum

    def check(self, model, n_rows):
        if n_rows not in (None, self.n_rows):
            raise ValueError(f"the objective is for {self.n_rows} rows, but there are {n_rows} to train on")
        refuse_other_gaussians(model.posterior, None, "the total correlation needs the density of each dimension")
