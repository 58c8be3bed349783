"""Case: a model, the rows it was trained on, and what several examinations measure on them, each once."""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pyvae.data.wrapped import Rows
from pyvae.layers.layer import Sequential
from pyvae.module import build, parameter_shapes
from pyvae.noise import Noise
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import settled
from pyvae.workspace import FRESH

MOST_ROWS, MOST_Z = 2000, 5000  # that are looked at, evenly spread; of which z are looked at
NOTHING = 0.1  # nats that z says of the rows
HEAVY = 5.0  # weight of the KL
DEAD = 0.75  # of the units of a layer
FLAT = 1e-3  # of the size of a layer's outputs: what counts as no change
MINIBATCHES, DRAWS = 6, 2  # of which gradients are taken, and of z for each minibatch


class Passed(NamedTuple):
    """A pass of rows through the networks."""

    hidden: dict  # outputs (B, n) of every hidden layer of encoder and decoder, by the layers' names
    mu: np.ndarray  # (B, Z), float64
    logvar: np.ndarray  # (B, Z), float64
    z: np.ndarray  # (B, Z), a sample of each row
    outputs: np.ndarray  # (B, n_outputs), the decoder's


class Gradients(NamedTuple):
    """The gradient of a minibatch as a random variable."""

    rms: dict  # of each parameter, by its name
    mean_square: float  # of its expectation, summed over the parameters; 0 where it is lost in the noise
    variance: float  # summed over the parameters, over minibatches and draws of z
    variance_of_z: float  # the part of it that is left when the minibatch is given


class Case:
    """What is known of a training.

    model: a Model. source: the DataSource of rows that it was trained on. validation: rows that it was not trained on,
    or None. history: a History, or None. objective: the one it was trained for; None: the ELBO. batch_size: that of
    its steps. seed: of all noise.
    """

    def __init__(self, model, source, validation, history, objective, batch_size, seed):
        self.model, self.validation, self.history = model, validation, history
        self.objective, self.batch_size, self.seed = objective or ELBO(), batch_size, seed
        self.source, self.rows = source, spread(source, MOST_ROWS)

    def noise(self, step):
        """Noise of this case; the numbers of the steps are those of no training."""
        return Noise(self.seed, 2**31 + step)

    @cached_property
    def batch(self):
        """The rows that are looked at, as one Batch."""
        return self.rows.minibatch(np.arange(len(self.rows)), self.noise(0), self.model.parameters.dtype)

    @cached_property
    def passed(self):
        """The Passed of these rows, without dropout."""
        model, batch = self.model, self.batch
        encoded = dict(_outputs_of_layers(model.encoder, model.encoder_inputs(batch), "encoder"))
        q = model.posterior.split(list(encoded.values())[-1])
        mu, logvar = (np.asarray(part, np.float64) for part in model.posterior.moments(q, model.latent_dim))
        eps = self.noise(1).normal("z", mu.shape, batch.rows, model.parameters.dtype)
        z, _, _ = model.posterior.sample(q, eps)
        decoded = dict(_outputs_of_layers(model.decoder, z, "decoder"))
        outputs, _ = model.decode_rows(z, batch, None)
        hidden = dict([*list(encoded.items())[:-1], *list(decoded.items())[:-1]])
        return Passed(hidden, mu, logvar, z, outputs)

    @cached_property
    def many_z(self):
        """z ~ q(z|x) of up to 5,000 rows, in a random order, (n, Z), float64."""
        rows = spread(self.source, MOST_Z)
        z = np.concatenate([terms.z.copy() for _, terms, _ in self.model.terms_of_chunks(rows, 1, self.seed)])
        z = z.astype(np.float64)
        return z[self.noise(2).permutation("split", len(z))]

    @cached_property
    def information(self):
        """What z says of the rows, by the spread of q(z|x), (Z,), nats: 1/2 log(1 + Var_i(mu_i) / E_i[sigma_i^2]), the
        information of a Gaussian channel."""
        return 0.5 * np.log1p(self.passed.mu.var(axis=0) / np.exp(self.passed.logvar).mean(axis=0))

    @cached_property
    def dead(self):
        """For each hidden layer the share of units whose output is the same for all rows, within a thousandth of the
        layer's root mean square."""
        return {
            name: float((np.abs(outputs - outputs.mean(axis=0)).max(axis=0) <= FLAT * rms(outputs)).mean())
            for name, outputs in self.passed.hidden.items()
        }

    @cached_property
    def varies(self):
        """Whether two of the rows differ."""
        return bool((self.batch.x != self.batch.x[:1]).any())

    @cached_property
    def kl(self):
        """The mean KL of these rows, nats."""
        return float(self.model.elbo_terms(self.rows, 1, self.seed)[1].mean())

    @property
    def told_weight(self):
        """The weight that the objective gives the KL in the end; 1 where it has no such number."""
        return float(getattr(settled(self.objective), "beta", 1.0))

    @cached_property
    def fresh(self):
        """A model of the same parts with first weights."""
        return build(self.model.describe())

    @cached_property
    def weight_matrices(self):
        """The names of the matrices of encoder and decoder, from the first to the last."""
        parameters = self.model.parameters
        return [
            name for name in parameters.names
            if name.startswith(("encoder", "decoder")) and parameters[name].ndim > 1 and parameters[name].size > 1
        ]  # fmt: skip

    def gradient(self, objective, batch, step):
        """The gradients of all parameters, as a copy of the arena's, of one batch. Those of the model are kept."""
        parameters, kept = self.model.parameters, self.model.parameters.grads.copy()
        parameters.zero_grads()
        terms, cache = self.model.forward(batch, self.noise(step), objective.n_samples)
        _, dterms = objective(terms, batch.weight)
        self.model.backward(cache, dterms)
        gradient = parameters.grads.copy()
        parameters.grads[...] = kept
        return gradient

    @cached_property
    def gradients(self):
        """The Gradients of the settled objective, of MINIBATCHES minibatches with DRAWS draws of z each."""
        objective, size = settled(self.objective), min(self.batch_size, len(self.rows))
        parameters = self.model.parameters
        squares, within, means = dict.fromkeys(parameters.names, 0.0), 0.0, []
        for i in range(MINIBATCHES):
            picked = self.noise(i).permutation("order", len(self.rows))[:size]
            batch = self.rows.minibatch(np.sort(picked), self.noise(0), parameters.dtype)
            drawn = [self.gradient(objective, batch, 10 + DRAWS * i + draw) for draw in range(DRAWS)]
            means.append(np.mean(drawn, axis=0, dtype=np.float64))
            for gradient in drawn:
                for name, tensor in parameters.views(gradient).items():
                    squares[name] += np.square(tensor, dtype=np.float64).mean() / (MINIBATCHES * DRAWS)
            within += np.var(drawn, axis=0, ddof=1, dtype=np.float64).sum() / MINIBATCHES
        between = np.var(means, axis=0, ddof=1).sum()  # of the means of DRAWS draws
        mean_square = np.square(np.mean(means, axis=0)).sum() - between / MINIBATCHES
        rms_of_tensors = {name: math.sqrt(square) for name, square in squares.items()}
        return Gradients(rms_of_tensors, max(mean_square, 0.0), between + within * (1 - 1 / DRAWS), within)

    @cached_property
    def prior_samples(self):
        """z ~ p(z), as many as ``many_z``, (n, Z), float64."""
        model, n = self.model, len(self.many_z)
        z = model.prior.sample(n, model.latent_dim, self.noise(2), model.parameters.dtype, *model.encode_for_prior())
        return z.astype(np.float64)

    def log_prior(self, z):
        """log p(z) (n,), nats, for z (n, Z)."""
        z = np.ascontiguousarray(z, self.model.parameters.dtype)
        return self.model.prior.log_density(z, FRESH, *self.model.encode_for_prior())[0].astype(np.float64)

    def in_history(self, column):
        """A column of the history, (epochs,); () without a history."""
        return np.array([] if self.history is None else self.history[column], np.float64)


def spread(source, most):
    """So many rows of a DataSource, evenly spread, as files may be sorted; none of those whose weight is 0."""
    rows = np.arange(len(source)) if source.weight is None else np.flatnonzero(source.weight)
    return Rows(source, rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))])


def _outputs_of_layers(network, x, name):
    """(name, outputs) of each layer of a network, for rows x (B, n_in), in order, from the first that learns: those
    before it only choose what the network sees of a row."""
    if not isinstance(network, Sequential):
        yield name, network.forward(x)[0]
        return
    learns = [bool(parameter_shapes({name: layer})) for layer in network.layers]
    for i, layer in enumerate(network.layers):
        x, _ = layer.forward(x)
        if any(learns[: i + 1]):
            yield f"{name}.{i}", x


def rms(values):
    """The root of the mean square, in double."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def ratio(numerator, denominator):
    """A quotient; inf, or nan, where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(numerator, denominator)
