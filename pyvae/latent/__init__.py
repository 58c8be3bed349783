"""Latent variables: the posterior q(z|x), the prior p(z), and the KL between them. interface.py says what each does."""

from pyvae.latent.aggregate import AggregatePosterior
from pyvae.latent.encode import Encode
from pyvae.latent.flow import Flow
from pyvae.latent.full_gaussian import FullGaussian
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal
from pyvae.latent.interface import Posterior, Prior
from pyvae.latent.mixture import Mixture
from pyvae.latent.planar_flow import PlanarFlow
from pyvae.latent.second_layer import SecondLayer
from pyvae.latent.vamp import VampPrior
