"""The latent variables: the posterior q(z|x), the prior p(z), and the KL between the two."""

from pyvae.latent.gaussian import DiagonalGaussian
from pyvae.latent.priors import StandardNormal
