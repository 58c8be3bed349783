"""New models for the rows that a command line names."""

from pyvae.data.scaling import GatheredArray
from pyvae.data.sources import SparseSource
from pyvae.data.standardization import STANDARDIZED
from pyvae.data.starting import start_at_rows
from pyvae.likelihoods.words import make_likelihood
from pyvae.models.build import mlp_parts
from pyvae.models.standardized import StandardizedVAE
from pyvae.models.vae import VAE

AT_THE_MEANS = ("poisson", "negative-binomial")  # likelihoods that start there; a multinomial starts uniform


def new_likelihood(dataset, options):
    """The likelihood of the rows."""
    if dataset.table is not None:
        return dataset.table.likelihood()
    return make_likelihood(options.likelihood, dataset.train.n_features)


def new_model(dataset, likelihood, options):
    """A model for the rows, with this likelihood. The columns of a Gaussian are standardised, unless they are black and
    white; counts and the columns of a table start at their means."""
    rows, table, word = dataset.train, dataset.table, options.likelihood
    network = options.latent, options.hidden, options.activation
    if table is None and word in STANDARDIZED and rows.binarize is None:
        return StandardizedVAE.mlp(rows, *network, word, options.seed)
    first = [] if table is None else table.first_layers()
    model = VAE(*mlp_parts(rows.n_features, *network, likelihood, first), seed=options.seed)
    if table is not None:
        table.start(model, rows.codes)
    elif word in AT_THE_MEANS:
        X = rows.X if isinstance(rows, SparseSource) else GatheredArray(rows)
        start_at_rows(model, X, name=f"column {{}} of {rows.name}".format)
    return model
