"""Likelihoods p(x|z). The interface is in likelihood.py."""

from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.likelihood import Bernoulli, Categorical, Gaussian, Likelihood
from pyvae.likelihoods.mixed import Mixed, Weighted
