"""pyvae: variational autoencoders in NumPy, with every gradient written out and checked, on Cython/OpenMP kernels.

In three lines:

    model = pyvae.VAE.mlp(784, latent_dim=20, hidden=(400,))
    history = pyvae.train(model, X, epochs=10)
    model.elbo(X_test)
"""

from pyvae._kernels import get_matmul_precision, get_num_threads, set_matmul_precision, set_num_threads, threads
from pyvae.data.batch import Batch
from pyvae.data.labels import one_hot
from pyvae.data.sources import ArraySource, DataSource, SparseSource
from pyvae.diagnosis import Diagnosis, diagnose
from pyvae.gradcheck import GradientError, check_gradients
from pyvae.latent.classes import Classes
from pyvae.latent.flow import Flow
from pyvae.latent.full_gaussian import FullGaussian
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal
from pyvae.latent.interface import Posterior, Prior
from pyvae.latent.mixture import Mixture
from pyvae.latent.planar_flow import PlanarFlow
from pyvae.latent.second_layer import SecondLayer
from pyvae.latent.vamp import VampPrior
from pyvae.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Symlog, Tanh
from pyvae.layers.blocks import Dropout, GatedDense, LayerNorm, Residual
from pyvae.layers.convolution import Conv2d, ConvTranspose2d, Upsample2d
from pyvae.layers.dense import Dense
from pyvae.layers.inputs import Clip, FirstColumns
from pyvae.layers.layer import Layer, Sequential
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.likelihoods.start import start
from pyvae.models.clusters import ClusterVAE
from pyvae.models.conditional import ConditionalVAE
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.models.standardized import StandardizedVAE
from pyvae.models.two_layers import TwoLayerVAE
from pyvae.models.vae import VAE
from pyvae.module import register
from pyvae.noise import Noise
from pyvae.objectives.capacity import Capacity
from pyvae.objectives.elbo import ELBO, elbo
from pyvae.objectives.free_bits import FreeBits
from pyvae.objectives.importance import ImportanceWeighted
from pyvae.objectives.kl_weight import Cyclical, LinearWarmUp
from pyvae.objectives.mmd import MMD
from pyvae.objectives.terms import Objective, Terms
from pyvae.objectives.total_correlation import TotalCorrelation
from pyvae.persistence import load, save
from pyvae.training.adam import Adam
from pyvae.training.checkpoints import Checkpoints, CheckpointWarning
from pyvae.training.history import History
from pyvae.training.loop import train
from pyvae.training.schedules import Constant, CosineDecay, ExponentialDecay, StepDecay, WarmUp
from pyvae.versions import __version__, show_versions
from pyvae.workspace import FRESH, Workspace

__all__ = [
    "ELBO",
    "ELU",
    "FRESH",
    "GELU",
    "MMD",
    "VAE",
    "Adam",
    "ArraySource",
    "Batch",
    "Bernoulli",
    "Capacity",
    "Categorical",
    "CheckpointWarning",
    "Checkpoints",
    "Classes",
    "Clip",
    "ClusterVAE",
    "ConditionalVAE",
    "Constant",
    "Conv2d",
    "ConvTranspose2d",
    "CosineDecay",
    "Cyclical",
    "DataSource",
    "Dense",
    "Diagnosis",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "Dropout",
    "ExponentialDecay",
    "FirstColumns",
    "Flow",
    "FreeBits",
    "FullGaussian",
    "GatedDense",
    "Gaussian",
    "GradientError",
    "History",
    "ImportanceWeighted",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Likelihood",
    "LinearWarmUp",
    "Mixed",
    "Mixture",
    "MuLogvar",
    "Multinomial",
    "NegativeBinomial",
    "Noise",
    "Objective",
    "PlanarFlow",
    "Poisson",
    "Posterior",
    "Prior",
    "ReLU",
    "Residual",
    "SecondLayer",
    "SemiSupervisedVAE",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "SparseSource",
    "StandardNormal",
    "StandardizedVAE",
    "StepDecay",
    "Symlog",
    "Tanh",
    "Terms",
    "TotalCorrelation",
    "TwoLayerVAE",
    "Upsample2d",
    "VampPrior",
    "WarmUp",
    "Weighted",
    "Workspace",
    "__version__",
    "check_gradients",
    "diagnose",
    "elbo",
    "get_matmul_precision",
    "get_num_threads",
    "load",
    "one_hot",
    "register",
    "save",
    "set_matmul_precision",
    "set_num_threads",
    "show_versions",
    "start",
    "threads",
    "train",
]
