"""Models: encoder, posterior, prior, decoder and likelihood put together, and what is computed with them."""

from pyvae.models.expectations import expected, surprise
from pyvae.models.information import mutual_information, total_correlation
from pyvae.models.metrics import active_units, gaussian_posteriors, kl_per_dimension, log_likelihood
from pyvae.models.mutual_information_gap import mutual_information_gap
from pyvae.models.rate_distortion import rate_distortion
from pyvae.models.vae import VAE
