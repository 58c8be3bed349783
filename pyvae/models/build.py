"""Builders: whole networks from a few numbers and words."""

from itertools import pairwise

from pyvae.arguments import check_count
from pyvae.latent.gaussian import DiagonalGaussian
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


def encoder_mlp(sizes, activation, likelihood, first=()):
    """Dense layers from rows of the likelihood through the given sizes, behind the layers ``first``."""
    if has_counts(likelihood):
        first = [*first, Symlog()]  # so that a text of a thousand words is no outlier
    return Sequential(*first, *mlp(sizes, activation).layers)


def mlp_parts(n_features, latent_dim, hidden, activation, likelihood, first=(), posterior=None, n_condition=0):
    """Encoder, decoder and likelihood of ``VAE.mlp``, which describes the arguments. first: layers that the encoder
    begins with. posterior: which the encoder makes outputs for; None: a DiagonalGaussian. n_condition: further columns
    that encoder and decoder are given."""
    check_count("latent_dim", latent_dim, 1)
    if isinstance(hidden, str) or not hasattr(hidden, "__iter__"):
        raise ValueError(f"hidden must be a list of sizes, such as (400, 200), not {hidden!r}")
    likelihood = likelihood if isinstance(likelihood, Likelihood) else make_likelihood(likelihood, n_features)
    n_outputs = (posterior or DiagonalGaussian()).n_outputs(latent_dim)
    encoder = encoder_mlp([n_features + n_condition, *hidden, n_outputs], activation, likelihood, first)
    decoder = mlp([latent_dim + n_condition, *reversed(hidden), likelihood.n_outputs], activation)
    return encoder, decoder, likelihood
