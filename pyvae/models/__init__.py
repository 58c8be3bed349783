"""Models: encoder, posterior, prior, decoder and likelihood put together, and what is computed with them."""

from pyvae.models.expectations import expected, surprise
from pyvae.models.metrics import active_units, kl_per_dimension
from pyvae.models.vae import VAE
