"""Objectives: what is minimised, and its derivative by each of the model's terms. The interface is in terms.py."""

from pyvae.objectives.elbo import ELBO, LinearWarmUp, elbo
from pyvae.objectives.terms import Objective, Terms
