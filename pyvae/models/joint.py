"""A joint model of a row x and a target y, a class or a number, through one latent variable.

    p(x, y, z) = p(z) p(x|z) p(y|z),    q(z|x)

It is a VAE of rows [x | y]. The ELBO on log p(x, y) trains it, with log p(y|z) counted ``weight`` times: if x has many
columns, or nothing in common with y, then keeping y in z hardly pays for the nats that it costs. The encoder sees x
alone, so y is predicted from q(z|x):

    p(y|x) ~ E_q(z|x)[p(y|z)]

a mixture over samples of z, whose spread is the uncertainty of the prediction. A y that is not known is a missing cell
of its row, which teaches p(x) alone (data/wrapped.py). A number y is normal given z, its mean and standard deviation
both functions of z:

    E[y|x] = E_q[m(z)]        Var[y|x] = E_q[s(z)^2] + Var_q[m(z)]

Source: the two-output network of Nix and Weigend 1994, on the latent of Kingma and Welling 2014.
"""

from copy import copy

import numpy as np

from pyvae import _kernels
from pyvae.data.scaling import GatheredArray
from pyvae.data.sources import CHUNK_ROWS, chunks_of
from pyvae.data.wrapped import PartlyLabelled
from pyvae.layers.inputs import FirstColumns
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.models.build import encoder_mlp, mlp
from pyvae.noise import Noise

SAMPLES = 100  # of z for each row


def of_number():
    """The likelihood of a target that is a scaled number."""
    return Gaussian(1, std="predicted", floor=1e-2)


def joint_likelihood(of_x, of_y, weight):
    """The likelihood of rows [x | y] in which log p(y|z) counts ``weight`` times."""
    return Mixed([of_x, Weighted(of_y, weight)])


def joint_parts(likelihood, latent_dim, hidden, activation, first=()):
    """Encoder, decoder and likelihood of a VAE of dense layers for a ``joint_likelihood``, with a diagonal posterior.
    hidden: sizes of the encoder's layers, the decoder's in reverse. first: layers that the encoder begins with."""
    of_x, _ = likelihood.parts
    sees = [FirstColumns(likelihood.n_features, of_x.n_features), *first]
    encoder = encoder_mlp([of_x.n_features, *hidden, 2 * latent_dim], activation, of_x, sees)
    return encoder, mlp([latent_dim, *reversed(hidden), likelihood.n_outputs], activation), likelihood


def once(model):
    """The same model, with log p(y|z) counted once: it shares all parameters."""
    of_x, of_y = model.likelihood.parts
    result = copy(model)
    result.likelihood = Mixed([of_x, of_y.part])
    return result


def without_targets(model, source):
    """The same rows, of which nobody knows the targets: what is left to the model is p(x)."""
    return PartlyLabelled(source, model.likelihood.columns[-1].start, np.zeros(len(source), bool))


def targets_of(model, source):
    """The targets of the rows of a DataSource, (N, T) float64, NaN where they are not known."""
    rows, columns = GatheredArray(source), model.likelihood.columns[-1]
    return np.concatenate([rows[numbers][:, columns] for numbers in chunks_of(len(source), source.n_features)])


def decode_targets(model, z):
    """z (..., Z) -> the decoder's outputs for y, (..., n_outputs), without computing those for x, which may be many."""
    *layers, last = model.decoder.layers
    y = np.ascontiguousarray(z.reshape(-1, z.shape[-1]))
    for layer in layers:
        y, _ = layer.forward(y)
    own = model.likelihood.outputs[-1]
    outputs = np.empty((len(y), own.stop - own.start), y.dtype)
    _kernels.dense(y, np.ascontiguousarray(last.W[:, own]), last.b[own], None, out=outputs)
    return outputs.reshape(*z.shape[:-1], -1)


def predicted(model, source, statistic):
    """A statistic of each row of a DataSource, (N, ...), from the decoder's outputs for y, (n, SAMPLES, n_outputs) for
    n rows at a time, at z ~ q(z|x) with the same noise for all rows."""
    mu, logvar = model.encode(source)
    eps = Noise(0).normal("z", (SAMPLES, mu.shape[1]), np.zeros(1, int))
    chunks = np.array_split(np.arange(len(mu)), 1 + len(mu) * SAMPLES // (16 * CHUNK_ROWS))
    z = (mu[i, None] + np.exp(logvar[i, None] / 2) * eps for i in chunks)
    return np.concatenate([statistic(decode_targets(model, part).astype(np.float64)) for part in z])


def normals(model, outputs, mean=0.0, scale=1.0):
    """Mean and standard deviation of a number y given z, (...,) each, from the decoder's outputs for y, (..., 2).
    mean, scale: those by which y was scaled, for both in y's units."""
    floor = model.likelihood.parts[-1].part.floor
    return mean + scale * outputs[..., 0], scale * np.sqrt(floor**2 + np.exp(outputs[..., 1]))


def expected_number(model, source, mean=0.0, scale=1.0):
    """E[y|x] of a number y for the rows of a DataSource, and its standard deviation, (N,) each; mean and scale as for
    ``normals``."""

    def moments(outputs):
        means, stds = normals(model, outputs, mean, scale)
        return np.stack([means.mean(axis=1), np.sqrt(np.mean(stds**2, axis=1) + means.var(axis=1))], axis=1)

    expected, std = predicted(model, source, moments).T.copy()
    return expected, std
