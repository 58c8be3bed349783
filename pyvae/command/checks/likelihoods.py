"""Checks of likelihoods."""

from functools import partial

import numpy as np

from pyvae.command.checks.common import arena_of, check_zero_and_twice, rows_for
from pyvae.data.batch import Batch
from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.discretized_logistic import DiscretizedLogistic
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed, Weighted


def some_observed(likelihood, n_rows, rng):
    """Random booleans: True where an entry of the rows is observed, 7 of 10, groups of one-hot columns as one."""
    if isinstance(likelihood, Mixed):
        return np.hstack([some_observed(part, n_rows, rng) for part in likelihood.parts])
    sizes = getattr(likelihood, "sizes", np.ones(likelihood.n_features, int))
    return np.repeat(rng.random((n_rows, len(sizes))) < 0.7, sizes, axis=1)


LIKELIHOODS = {
    "Bernoulli": lambda: Bernoulli(35),
    "Gaussian, fixed std": lambda: Gaussian(35, std=0.7),
    "Gaussian, shared std": lambda: Gaussian(35, std="shared", floor=0.1),
    "Gaussian, learned std": lambda: Gaussian(35, std="learned", floor=0.1),
    "Gaussian, predicted std": lambda: Gaussian(35, std="predicted", floor=0.1),
    "Logistic, fixed scale": lambda: DiscretizedLogistic(35, scale=0.2),
    "Logistic, shared scale": lambda: DiscretizedLogistic(35, scale="shared", floor=0.1),
    "DiscretizedLogistic": lambda: DiscretizedLogistic(35, floor=0.1, levels=4),
    "Logistic, predicted scale": lambda: DiscretizedLogistic(35, scale="predicted", floor=0.1, levels=2),
    "Categorical": lambda: Categorical([3, 2, 17, 1, 12]),
    "Poisson": lambda: Poisson(35),
    "Multinomial": lambda: Multinomial(35),
    "NegativeBinomial": lambda: NegativeBinomial(35),
    "Mixed": lambda: Mixed([Bernoulli(5), NegativeBinomial(9), Mixed([Gaussian(3, std="predicted"), Multinomial(18)])]),
    "Weighted": lambda: Weighted(Gaussian(35, std="predicted", floor=0.1), 3.0),
    "Mixed table": lambda: Mixed([Gaussian(5, std="learned"), Bernoulli(4), Poisson(3), Categorical([3, 2, 9])]),
}


def check_likelihoods():
    """Each likelihood's derivative by the decoder's outputs and by its own parameters, with 1 and 3 samples a row, and
    with entries that are not observed."""
    checks = []
    for name, make in LIKELIHOODS.items():
        for k, hides in ((1, False), (3, False), (2, True)):
            if hides and "multinomial" in str(make().describe()).lower():
                continue  # it takes only rows that are observed whole
            rng = np.random.default_rng(k)
            likelihood = make()
            arena = arena_of(likelihood)
            x = rows_for(likelihood, 5, rng)
            outputs = rng.standard_normal((5 * k, likelihood.n_outputs))
            weights = rng.standard_normal(5 * k)
            batch = Batch(x, observed=some_observed(likelihood, 5, rng) if hides else None)
            known = f"k={k}, some unobserved" if hides else f"k={k}"

            def forward(likelihood=likelihood, batch=batch, outputs=outputs):
                return likelihood.log_density(batch.x, outputs, observed=batch.observed)

            def loss(forward=forward, weights=weights):
                return float(weights @ forward()[0])

            doutputs = likelihood.log_density_backward(weights, forward()[1])
            gradients = {parameter: arena.grad(parameter).copy() for parameter in arena.names}
            checks.append(check_gradient(loss, outputs, doutputs, f"{name}, {known}: doutputs"))
            cache = forward()[1]
            backward = partial(_all_gradients, likelihood.log_density_backward, arena, cache)
            checks += check_zero_and_twice(f"{name}, {known}", backward, weights)
            for parameter, gradient in gradients.items():
                label = f"{name}, {known}: d{parameter.rpartition('.')[2]}"
                checks.append(check_gradient(loss, arena[parameter], gradient, label))
    return raise_if_wrong(checks)


def _all_gradients(backward, arena, cache, upstream):
    """The gradient by the inputs and those by the parameters from this upstream alone, in one array."""
    arena.zero_grads()
    return np.concatenate([backward(upstream, cache).ravel(), arena.grads])
