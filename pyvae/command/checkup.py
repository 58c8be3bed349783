"""The checks of ``pyvae check``: the gradients of every part of the library, and of the path that trains.

Each group makes its parts at sizes that reach full tiles, their tails and a boundary between blocks of a long sum (256
columns), in float64 through whatever kernels are active, and hands them to ``gradcheck``. Metrics, which have no
gradient, are compared with known values. The last group compares the float32 gradients that training uses with float64
ones.
"""

from pyvae.command.checks.latent import check_gaussian
from pyvae.command.checks.layers import check_layers
from pyvae.command.checks.likelihoods import check_likelihoods
from pyvae.command.checks.metrics import check_metrics
from pyvae.command.checks.models import check_float32, check_models
from pyvae.command.checks.objectives import check_objectives
from pyvae.command.checks.posteriors import check_posteriors
from pyvae.command.checks.priors import check_priors

GROUPS = {
    "layers": check_layers,
    "likelihoods": check_likelihoods,
    "posterior and prior": check_gaussian,
    "posteriors": check_posteriors,
    "priors that learn": check_priors,
    "objectives": check_objectives,
    "metrics": check_metrics,
    "whole models": check_models,
    "float32 against float64": check_float32,
}
