"""What the latent dimensions carry; the code is in models/metrics.py."""

from pyvae.models.metrics import active_units, kl_per_dimension
