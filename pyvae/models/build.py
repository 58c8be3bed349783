"""Builders: whole networks from a few numbers and words."""

from itertools import pairwise

from pyvae.arguments import check_count
from pyvae.layers.activations import Symlog
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Sequential
from pyvae.likelihoods.counts import has_counts
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.words import make_likelihood


def mlp(sizes, activation):
    """Dense layers through the given sizes, with the activation after all but the last."""
    *hidden, last = pairwise(sizes)
    return Sequential(*(Dense(n_in, n_out, activation) for n_in, n_out in hidden), Dense(*last))


def mlp_parts(n_features, latent_dim, hidden, activation, likelihood, first=()):
    """Encoder, decoder and likelihood of ``VAE.mlp``, which describes the arguments. first: layers that the encoder
    begins with."""
    check_count("latent_dim", latent_dim, 1)
    if isinstance(hidden, str) or not hasattr(hidden, "__iter__"):
        raise ValueError(f"hidden must be a list of sizes, such as (400, 200), not {hidden!r}")
    likelihood = likelihood if isinstance(likelihood, Likelihood) else make_likelihood(likelihood, n_features)
    encoder = mlp([n_features, *hidden, 2 * latent_dim], activation)
    if has_counts(likelihood):
        first = [*first, Symlog()]  # so that a text of a thousand words is no outlier
    encoder = Sequential(*first, *encoder.layers)
    decoder = mlp([latent_dim, *reversed(hidden), likelihood.n_outputs], activation)
    return encoder, decoder, likelihood
