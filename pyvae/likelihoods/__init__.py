"""Likelihoods p(x|z). The interface is in likelihood.py."""

from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.likelihoods.start import start
