"""Metrics of models and of their latent dimensions; the code is in models/."""

from pyvae.models.information import Estimate, mutual_information, total_correlation
from pyvae.models.metrics import LogLikelihood, active_units, gaussian_posteriors, kl_per_dimension, log_likelihood
from pyvae.models.mutual_information_gap import MutualInformationGap, mutual_information_gap
from pyvae.models.rate_distortion import RateDistortion, rate_distortion
