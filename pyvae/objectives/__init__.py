"""Objectives: what is minimised, and its derivative by each of the model's terms."""

from pyvae.objectives.elbo import Terms, elbo
