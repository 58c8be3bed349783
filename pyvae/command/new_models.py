"""New models for the rows that a command line names."""

import numpy as np

from pyvae.command.labels import classes_of
from pyvae.command.numbers import likelihood_with_number, new_joint_model
from pyvae.command.refusals import Refusal
from pyvae.data.scaling import GatheredArray
from pyvae.data.sources import SparseSource
from pyvae.data.standardization import STANDARDIZED
from pyvae.data.starting import start_at_rows
from pyvae.latent.flow import Flow
from pyvae.latent.full_gaussian import FullGaussian
from pyvae.latent.mixture import Mixture
from pyvae.latent.planar_flow import PlanarFlow
from pyvae.latent.vamp import VampPrior
from pyvae.likelihoods.words import make_likelihood
from pyvae.models.build import conv_parts, encoder_mlp, mlp_parts
from pyvae.models.conditional import ConditionalVAE
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.models.standardized import StandardizedVAE
from pyvae.models.vae import VAE
from pyvae.noise import Noise

PRIORS, POSTERIORS = ("normal", "mixture", "vamp", "flow"), ("diagonal", "full", "planar")
MARGIN = 0.05  # between a pseudo-input and the bounds, of their distance
HIDDEN = (400,)  # sizes of hidden layers, unless --hidden or --conv say otherwise
COMPONENTS = 100  # of a prior with components, unless --components says otherwise
ALPHA = 0.1  # the weight of log q(y|x), of the mean over labelled rows and in the loss of a row (Kingma et al. 2014)
# Likelihoods that start there, where the decoder ends in a bias for each column; a multinomial starts uniform.
AT_THE_MEANS = ("poisson", "negative-binomial", "discretized-logistic")


def new_likelihood(dataset, options):
    """The likelihood of the rows, and of a number beside them."""
    if dataset.beside is not None and dataset.beside.number:
        return likelihood_with_number(dataset.table.likelihood(), options)
    if dataset.table is not None:
        return dataset.table.likelihood()
    return make_likelihood(options.likelihood, dataset.train.n_features)


def new_prior(options, n_features):
    """The prior that --prior names; None: the standard normal."""
    if options.components is not None and options.prior not in ("mixture", "vamp"):
        raise Refusal(f"--components goes with --prior mixture or vamp: {options.prior} has none")
    components = options.components or COMPONENTS
    return {
        "normal": lambda: None,
        "mixture": lambda: Mixture(options.latent, components),
        "vamp": lambda: VampPrior(n_features, components, (0, 1) if options.likelihood == "bernoulli" else None),
        "flow": lambda: Flow(options.latent),
    }[options.prior]()


def new_posterior(options):
    """The posterior that --posterior names; None: a diagonal Gaussian."""
    return {"diagonal": lambda: None, "full": FullGaussian, "planar": PlanarFlow}[options.posterior]()


def hidden_sizes(options):
    """Sizes of the hidden layers."""
    return options.hidden if options.hidden is not None else () if options.conv else HIDDEN


def check_convolutions(dataset, options):
    """Refuse --conv where it does not go."""
    rows = dataset.train
    if dataset.table is not None:
        raise Refusal(f"--conv goes with pictures: leave it out, {options.data} is a table")
    if rows.label is not None:
        raise Refusal("--conv goes with pictures alone: leave it out, or --labels")
    if dataset.image_shape is None:
        raise Refusal(f"--conv goes with pictures: say --image-shape HxW if the rows of {options.data} are some")
    if options.likelihood in STANDARDIZED and rows.binarize is None:
        raise Refusal(f"--conv goes with values from 0 to 1 or counts, not --likelihood {options.likelihood}")


def new_model(dataset, likelihood, options, trained):
    """A model for the rows, with this likelihood: of rows that are given a condition, of rows of which some have
    labels, of rows with a number beside them, or of rows alone. The columns of a Gaussian are standardised, unless
    they are black and white; counts and the columns of a table start at their means, and pseudo-inputs at rows of
    ``trained``."""
    rows, table, word = dataset.train, dataset.table, options.likelihood
    network = options.latent, options.hidden, options.activation
    prior, posterior = new_prior(options, rows.n_features), new_posterior(options)
    if options.conv:
        check_convolutions(dataset, options)
        sizes = (*dataset.image_shape, 1), options.latent, options.conv, options.hidden, 3, 2, options.activation
        model = VAE(*conv_parts(*sizes, likelihood, posterior), prior, posterior, options.seed)
    elif rows.condition is not None or rows.label is not None:
        model = new_given_model(dataset, likelihood, options, prior, posterior)
    elif dataset.beside is not None:
        model = new_joint_model(dataset, likelihood, options, prior)
    elif table is None and word in STANDARDIZED and rows.binarize is None:
        model = StandardizedVAE.mlp(rows, *network, word, options.seed, prior, posterior)
    else:
        first = [] if table is None else table.first_layers()
        parts = mlp_parts(rows.n_features, *network, likelihood, first, posterior)
        model = VAE(*parts, prior, posterior, options.seed)
    if table is not None:
        table.start(model, dataset.codes)
    elif word in AT_THE_MEANS and not options.conv:
        X = rows.X if isinstance(rows, SparseSource) else GatheredArray(rows)
        start_at_rows(model, X, name=f"column {{}} of {rows.name}".format)
    if isinstance(prior, VampPrior):
        start_pseudo_inputs(model, trained, options.seed)
    return model


def new_given_model(dataset, likelihood, options, prior, posterior):
    """A ConditionalVAE or SemiSupervisedVAE for rows with a condition or labels."""
    rows = dataset.train
    first = [] if dataset.table is None else dataset.table.first_layers()
    n = rows.condition.shape[1] if rows.label is None else len(classes_of(dataset))
    sizes = rows.n_features, options.latent, options.hidden, options.activation
    parts = mlp_parts(*sizes, likelihood, first, posterior, n)
    if rows.label is None:
        return ConditionalVAE(*parts, n, prior, posterior, options.seed)
    classifier = encoder_mlp([rows.n_features, *options.hidden, n], options.activation, likelihood, first)
    alpha = options.alpha if options.alpha is not None else ALPHA * len(rows) / (rows.label >= 0).sum()
    return SemiSupervisedVAE(*parts, classifier, float(alpha), None, prior, posterior, options.seed)


def start_pseudo_inputs(model, rows, seed):
    """Begin the pseudo-inputs of a VampPrior near rows, evenly spread, and unequal where these repeat; those with
    bounds begin within them, as the derivative beyond is 0."""
    picked = np.linspace(0, len(rows) - 1, model.prior.K).astype(int)
    batch = model.source(rows).minibatch(picked, Noise(seed), model.parameters.dtype)
    x = batch.x if isinstance(batch.x, np.ndarray) else batch.x.toarray()
    prior = model.prior
    if prior.clip is not None:
        low, high = prior.clip
        x = low + (high - low) * MARGIN + (1 - 2 * MARGIN) * (x - low)
    prior.U[...] += x - prior.mean
