"""Builders: whole networks from a few numbers and words."""

from itertools import pairwise

from pyvae.arguments import check_count
from pyvae.latent.gaussian import DiagonalGaussian
from pyvae.layers.activations import Symlog
from pyvae.layers.convolution import Conv2d, ConvTranspose2d
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


def conv_parts(shape, latent_dim, channels, hidden, kernel, stride, activation, likelihood, posterior=None):
    """Encoder, decoder and likelihood of ``VAE.conv``, which describes the arguments."""
    try:
        height, width, depth = (check_count("shape", size, 1) for size in shape)
    except (TypeError, ValueError):
        raise ValueError(f"shape must be (height, width, channels) of the pictures, not {shape!r:.40}") from None
    check_count("latent_dim", latent_dim, 1)
    if isinstance(channels, str) or not hasattr(channels, "__iter__") or not channels:
        raise ValueError(f"channels must be a list of sizes, such as (32, 64), not {channels!r:.40}")
    likelihood = (
        likelihood if isinstance(likelihood, Likelihood) else make_likelihood(likelihood, height * width * depth)
    )
    outputs, odd = divmod(likelihood.n_outputs, height * width)
    if odd or outputs != depth:
        takes = f"the {type(likelihood).__name__} takes {likelihood.n_outputs}"
        raise ValueError(f"a decoder of convolutions makes {likelihood.n_features} numbers, but {takes}")
    convolutions, c_in = [], depth
    for c_out in channels:
        convolutions.append(Conv2d(height, width, c_in, c_out, kernel, stride, "same", activation))
        height, width, c_in = convolutions[-1].out_height, convolutions[-1].out_width, c_out
    n_outputs = (posterior or DiagonalGaussian()).n_outputs(latent_dim)
    encoder = Sequential(*convolutions, *mlp([height * width * c_in, *hidden, n_outputs], activation).layers)
    *dense, last = mlp([latent_dim, *reversed(hidden), height * width * c_in], activation).layers
    decoder = [*dense, Dense(last.n_in, last.n_out, activation)]
    for conv in reversed(convolutions):
        sizes = conv.out_height, conv.out_width, c_in, conv.c_out, kernel, stride
        decoder.append(ConvTranspose2d(*sizes, "same", activation, out_size=(conv.height, conv.width)))
        c_in = conv.c_out
    decoder.append(ConvTranspose2d(conv.height, conv.width, c_in, outputs, kernel, 1))
    return encoder, Sequential(*decoder), likelihood
