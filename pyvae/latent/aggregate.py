"""The aggregate posterior: where the rows of a data set lie in the latent space, as a mixture of normal distributions.

    q(z) = 1/N sum_i q(z|x_i)        ~        sum_k pi_k N(z; m_k, S_k)

A model is trained on z ~ q(z|x_i) alone. The prior is broader where rows lie in groups, and a z between the groups,
likely by the prior, decodes to a row of no group. So new rows are made from the mixture; log-likelihoods and bounds
stay those under the prior (Rosca et al. 2018; Ghosh et al. 2020).

The mixture is fitted to one z_i ~ q(z|x_i) a row by expectation-maximisation. In turn, with n_k = sum_i r_ik,

    E    r_ik = pi_k N(z_i; m_k, S_k) / sum_j pi_j N(z_i; m_j, S_j)
    M    pi_k = n_k / N      m_k = 1/n_k sum_i r_ik z_i      S_k = 1/n_k sum_i r_ik (z_i - m_k)(z_i - m_k)^T + ridge I
"""

import io
import zipfile

import numpy as np

from pyvae import _kernels

MOST_COMPONENTS, STEPS = 40, 100
MOST_ROWS = 5000  # evenly spread, to which it is fitted
RIDGE = 1e-4  # of the variance of all z, where that is above 1
ROWS_PER_NUMBER = 2  # a component has at least so many rows for each number that describes it
ENOUGH = 3e-3  # nats a row, by which a step must raise the likelihood


class AggregatePosterior:
    """A mixture of K normal distributions in Z dimensions, all float64: ``weights`` (K,), ``means`` (K, Z) and
    ``factors`` (K, Z, Z), the lower Cholesky factors of the covariances."""

    def __init__(self, weights, means, factors):
        self.weights, self.means, self.factors = weights, means, factors

    @classmethod
    def fit(cls, z, noise):
        """The mixture of samples z (N, Z), one of each row, of as many components as the rows can describe; the noise
        chooses where they start."""
        z = np.ascontiguousarray(z[np.linspace(0, len(z) - 1, min(len(z), MOST_ROWS)).astype(int)], np.float64)
        n, Z = z.shape
        n_components = int(np.clip(n // (ROWS_PER_NUMBER * (1 + Z + Z * (Z + 1) // 2)), 1, MOST_COMPONENTS))
        return cls.climb(z, _nearest(z, _spread_out(z, n_components, noise)), ENOUGH)[0]

    @classmethod
    def climb(cls, z, r, enough):
        """EM from the components' shares r (N, K) in the points z (N, Z), float64, until a step raises the mean log
        density by less than ``enough`` nats: the mixture, the shares that made it, and the log density before."""
        last = -np.inf
        for _ in range(STEPS):
            mixture = cls._from_shares(z, r)
            log_joint = mixture.log_joint(z)
            highest = log_joint.max(axis=1, keepdims=True)
            log_density = highest[:, 0] + np.log(np.exp(log_joint - highest).sum(axis=1))
            if log_density.mean() < last + enough:
                break
            last, r = log_density.mean(), np.exp(log_joint - log_density[:, None])
        return mixture, r, last

    @classmethod
    def standard_normal(cls, latent_dim):
        """N(0, 1) as a mixture of one component."""
        return cls(np.ones(1), np.zeros((1, latent_dim)), np.eye(latent_dim)[None])

    @classmethod
    def _from_shares(cls, z, r):
        """The M step, for the components' shares r (N, K) in the rows; one without rows is dropped."""
        r = np.ascontiguousarray(r[:, r.sum(axis=0) > 1e-6 * len(z)])
        size, Z = r.sum(axis=0), z.shape[1]
        means, factors = np.empty((len(size), Z)), np.empty((len(size), Z, Z))
        _kernels.dense_dW(r, z, means)  # sum_i r_ik z_i
        means /= size[:, None]
        ridge = RIDGE * max(1.0, z.var()) * np.eye(Z)
        for k, mean in enumerate(means):
            away, covariance = z - mean, np.empty((Z, Z))
            _kernels.dense_dW(away * r[:, k : k + 1], away, covariance)
            factors[k] = np.linalg.cholesky(covariance / size[k] + ridge)
        return cls(size / size.sum(), means, factors)

    def to_npz(self):
        """The bytes of an .npz file that ``from_npz`` reads."""
        file = io.BytesIO()
        np.savez(file, weights=self.weights, means=self.means, factors=self.factors)
        return file.getvalue()

    @classmethod
    def from_npz(cls, path, latent_dim):
        """The mixture in an .npz file. Raises ValueError where it is damaged, or not of so many dimensions."""
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                weights, means, factors = (file[name] for name in ("weights", "means", "factors"))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        shape = (*means.shape, latent_dim)
        if weights.shape != shape[:1] or means.shape[1:] != (latent_dim,) or factors.shape != shape:
            raise ValueError(f"{path} is not of this model, which has {latent_dim} latent dimensions")
        return cls(weights, means, factors)

    def log_joint(self, z):
        """log pi_k + log N(z_i; m_k, S_k), (N, K), nats, for z (N, Z): |L^-1 (z - m)|^2 is the distance, S = L L^T."""
        n_components, Z = self.means.shape
        result = np.empty((len(z), n_components))
        for k, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            white = np.empty(z.shape)
            _kernels.dense(z - mean, np.ascontiguousarray(np.linalg.inv(factor).T), None, None, white)
            log_size = np.log(self.weights[k]) - np.log(np.diag(factor)).sum() - Z / 2 * np.log(2 * np.pi)
            result[:, k] = log_size - (white**2).sum(axis=1) / 2
        return result

    def log_density(self, z):
        """log q(z_i), (N,), nats, for z (N, Z)."""
        log_joint = self.log_joint(z)
        log_sum = np.empty(len(z))
        _kernels.softmax(log_joint, np.empty_like(log_joint), log_sum)
        return log_sum

    def sample(self, n, latent_dim, noise, dtype=np.float32):
        """z (n, latent_dim) of the mixture, each row's component and place drawn for that row; see Prior."""
        rows = np.arange(n)
        u = noise.uniform("component", (n, 1), rows, np.float64)[:, 0]
        component = np.minimum(np.searchsorted(np.cumsum(self.weights), u), len(self.weights) - 1)
        eps, z = noise.normal("prior", (n, latent_dim), rows, np.float64), self.means[component]
        for j in range(latent_dim):  # m + L eps, in an order that the rows beside a row do not change
            z[:, j:] += self.factors[component, j:, j] * eps[:, j, None]
        return z.astype(dtype)


def _spread_out(z, n, noise):
    """n of the rows z (N, Z): a random one, and then again and again the row that is farthest from those chosen, of a
    random tenth (so that outliers are rarely chosen)."""
    order = noise.permutation("split", len(z), 0, len(z))
    chosen, distance = [order[0]], np.full(len(z), np.inf)
    for k in range(1, n):
        distance = np.minimum(distance, ((z - z[chosen[-1]]) ** 2).sum(axis=1))
        candidates = order[np.arange(k, len(z), 10)]
        chosen.append(candidates[distance[candidates].argmax()])
    return z[chosen]


def _nearest(z, centres):
    """Shares (N, K): 1 for the nearest centre, else 0."""
    distance = np.stack([((z - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    return np.eye(len(centres))[distance.argmin(axis=1)]
