"""Metrics of the latent dimensions; the code is in models/metrics.py."""

from pyvae.models.metrics import active_units, kl_per_dimension
