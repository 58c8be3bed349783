"""Objectives: what is minimised, and its derivative by each of the model's terms. The interface is in terms.py."""

from pyvae.objectives.capacity import Capacity
from pyvae.objectives.elbo import ELBO, elbo
from pyvae.objectives.free_bits import FreeBits
from pyvae.objectives.importance import ImportanceWeighted
from pyvae.objectives.kl_weight import Cyclical, LinearWarmUp
from pyvae.objectives.mmd import MMD
from pyvae.objectives.terms import Objective, Terms
from pyvae.objectives.total_correlation import TotalCorrelation
