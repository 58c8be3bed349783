"""Checks of whole models, and of the float32 gradients that training uses."""

import numpy as np

from pyvae.command.checks.common import check_zero_and_twice, rows_for
from pyvae.command.checks.posteriors import posterior_models
from pyvae.data.batch import Batch
from pyvae.data.sources import ArraySource
from pyvae.gradcheck import Check, check_gradient, check_gradients, raise_if_wrong
from pyvae.latent.flow import Flow
from pyvae.latent.mixture import Mixture
from pyvae.latent.vamp import VampPrior
from pyvae.layers.activations import GELU
from pyvae.layers.blocks import Dropout, GatedDense, LayerNorm, Residual
from pyvae.layers.dense import Dense
from pyvae.layers.layer import Sequential
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import NegativeBinomial
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed
from pyvae.models.build import mlp
from pyvae.models.clusters import ClusterVAE
from pyvae.models.conditional import ConditionalVAE
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.models.two_layers import TwoLayerVAE
from pyvae.models.vae import VAE
from pyvae.noise import Noise
from pyvae.objectives.terms import Terms

FLOAT32_TOLERANCE = 1e-4


def deep_model():
    """A model of the parts for deeper networks."""
    encoder = Sequential(Dense(23, 18), LayerNorm(18), GELU(), Residual(GatedDense(18, 18)), Dropout(0.2), Dense(18, 6))
    decoder = Sequential(Dense(3, 18, "silu"), Dropout(0.1, number=1), GatedDense(18, 23))
    return VAE(encoder, decoder, Bernoulli(23))


def several_kinds():
    """A likelihood of 21 columns with each kind of parameter."""
    return Mixed([Gaussian(6, std="learned", floor=0.1), NegativeBinomial(8), Categorical([3]), Gaussian(4, "shared")])


def with_prior(prior):
    """A model of three latent dimensions and 11 columns, whose KL is sampled."""
    return VAE(mlp([11, 9, 6], "tanh"), mlp([3, 9, 11], "tanh"), Bernoulli(11), prior=prior)


def source_for(model, n_rows, rng, dtype=np.float64):
    """Random rows that a model takes, with a condition or labels where it takes some."""
    x = rows_for(model.likelihood, n_rows, rng).astype(dtype)
    if isinstance(model, SemiSupervisedVAE):
        return ArraySource(x, label=rng.integers(-1, model.n_classes, n_rows))
    condition = rng.standard_normal((n_rows, model.n_condition)).astype(dtype) if model.n_condition else None
    return ArraySource(x, condition=condition)


def rows_drawn_by(model, n_rows):
    """Rows that the model draws itself, in the unit of its own, with a condition or labels where it takes some."""
    if isinstance(model, SemiSupervisedVAE):
        return ArraySource(model.sample(n_rows, mean=False), label=np.arange(n_rows) % (model.n_classes + 1) - 1)
    if not getattr(model, "n_condition", 0):
        return ArraySource(model.sample(n_rows, mean=False))
    condition = np.random.default_rng(0).standard_normal((n_rows, model.n_condition))
    return ArraySource(model.sample(n_rows, mean=False, condition=condition), condition=condition)


def make_models():
    """Whole models: name -> (model, number of samples, beta)."""
    gaussian, categorical = Gaussian(21, std="predicted", floor=0.1), Categorical([4, 7, 10])
    return {
        "VAE 37-35-5 ReLU, Bernoulli": (VAE.mlp(37, latent_dim=5, hidden=(35,)), 1, 1.0),
        "VAE 21-18-13-4 tanh, Gaussian": (VAE.mlp(21, 4, (18, 13), "tanh", gaussian), 3, 0.5),
        "VAE 21-16-3 softplus, Categorical": (VAE.mlp(21, 3, (16,), "softplus", categorical), 2, 2.0),
        "VAE 21-14-3 tanh, Mixed": (VAE.mlp(21, 3, (14,), "tanh", several_kinds()), 2, 1.0),
        "VAE of deeper parts": (deep_model(), 2, 1.0),
        "VAE 11-9-3, Mixture": (with_prior(Mixture(3, 5)), 2, 1.0),
        "VAE 11-9-3, VampPrior": (with_prior(VampPrior(11, 5, (0, 1), mean=0.5, std=0.5)), 2, 0.5),
        "VAE 11-9-3, Flow": (with_prior(Flow(3, 2, (8,))), 2, 1.0),
        "VAE 20-12-2 sigmoid, Gaussian": (VAE.mlp(20, 2, (12,), "sigmoid", Gaussian(20, std="learned")), 1, 1.0),
        "ClusterVAE 11-9-3, 4 clusters": (ClusterVAE.mlp(11, 4, 3, (9,), "tanh"), 2, 1.0),
        "ConditionalVAE 21+4-14-3 tanh, Mixed": (ConditionalVAE.mlp(21, 4, 3, (14,), "tanh", several_kinds()), 2, 1.0),
        "SemiSupervisedVAE 11-9-3, 4 classes": (SemiSupervisedVAE.mlp(11, 4, 3, (9,), "tanh", alpha=2.0), 2, 1.0),
        "TwoLayerVAE 21-9-4-8-3 tanh, Mixed": (
            TwoLayerVAE.mlp(21, (4, 3), ((9,), (8,)), likelihood=several_kinds()),
            2,
            0.5,
        ),
        **posterior_models(),
    }


def check_models():
    """Every parameter of whole models, and the derivatives by all terms of a forward pass, not only the ELBO's."""
    rng = np.random.default_rng(0)
    checks = []
    for name, (model, k, beta) in make_models().items():
        x = source_for(model, 6, rng)
        checks += [c._replace(name=f"{name}: {c.name}") for c in check_gradients(model, x, n_samples=k, beta=beta)]
    return checks + check_all_terms()


def check_all_terms():
    """model.backward for losses that are a random linear function of one term, and of all of them."""
    rng = np.random.default_rng(1)
    likelihood = Gaussian(9, std="learned")
    model = VAE(mlp([9, 8, 6], "tanh"), mlp([3, 8, 9], "tanh"), likelihood, dtype=np.float64)
    arena = model.parameters
    batch, noise = Batch(rng.standard_normal((4, 9))), Noise.frozen(z=rng.standard_normal((8, 3)))
    terms, cache = model.forward(batch, noise, k=2)
    given = {name: term for name, term in terms._asdict().items() if isinstance(term, np.ndarray)}
    directions = {name: rng.standard_normal(term.shape) for name, term in given.items()}
    cases = {"all terms": Terms(**directions), **{name: Terms(**{name: d}) for name, d in directions.items()}}
    checks = []
    for label, dterms in cases.items():
        arena.zero_grads()
        model.backward(cache, dterms)
        gradients = {name: arena.grad(name).copy() for name in arena.names}

        def loss(dterms=dterms):
            terms, _ = model.forward(batch, noise, k=2)
            return float(
                sum(np.sum(getattr(dterms, n) * getattr(terms, n)) for n in given if getattr(dterms, n) is not None)
            )

        for name in arena.names:
            checks.append(check_gradient(loss, arena[name], gradients[name], f"VAE, loss of {label}: {name}"))

    def backward(d):
        arena.zero_grads()
        model.backward(cache, Terms(log_px=d))
        return arena.grads.copy()

    checks += check_zero_and_twice("VAE", backward, directions["log_px"])
    return raise_if_wrong(checks)


def check_float32():
    """Gradients in float32, as training computes them, against float64, maximum norm per tensor."""
    rng = np.random.default_rng(0)
    models = {name: (model, k, beta, 6) for name, (model, k, beta) in make_models().items()}
    models["VAE 784-400-20 ReLU, Bernoulli"] = (VAE.mlp(784), 1, 1.0, 128)
    checks = []
    for name, (model, k, beta, n_rows) in models.items():
        x = source_for(model, n_rows, rng, np.float32)
        eps = rng.standard_normal((n_rows * model.draws * k, model.noise_dim)).astype(np.float32)
        exact = model.astype(np.float64)
        model.loss_and_gradients(x, eps, beta)
        exact.loss_and_gradients(x, eps, beta)
        for parameter in model.parameters.names:
            single, double = model.parameters.grad(parameter), exact.parameters.grad(parameter)
            error = float(np.abs(single - double).max() / np.abs(double).max())
            label = f"{name}, float32: {parameter}"
            checks.append(Check(label, error, single.size, 0, error <= FLOAT32_TOLERANCE))
    return raise_if_wrong(checks)
