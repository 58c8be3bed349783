"""The checks of ``pyvae check``: the gradients of every part of the library, and of the path that trains.

Each group below makes its parts at sizes that reach full tiles, their tails and a boundary between blocks of a long
sum (256 columns), in float64 through whatever kernels are active, and hands them to ``gradcheck``. The last group
compares the float32 gradients that training uses with float64 ones.
"""

from functools import partial

import numpy as np

from pyvae.arena import Arena
from pyvae.data.sources import Batch
from pyvae.gradcheck import Check, check_gradient, check_gradients, check_layer, raise_if_wrong
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal
from pyvae.layers.activations import ACTIVATIONS, GELU, Tanh
from pyvae.layers.blocks import Dropout, GatedDense, LayerNorm, Residual
from pyvae.layers.dense import Dense
from pyvae.layers.inputs import Clip, FirstColumns
from pyvae.layers.layer import Sequential
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.counts import Multinomial, NegativeBinomial, Poisson
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.mixed import Mixed, Weighted
from pyvae.models.build import mlp
from pyvae.models.vae import VAE
from pyvae.noise import Noise
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Terms

FLOAT32_TOLERANCE = 1e-4


def arena_of(module, seed=0):
    """The module's parameters in float64, biases included drawn at random, so that none sits at a special value."""
    arena = Arena({"part": module}, np.float64, seed)
    arena.values += 0.1 * np.random.default_rng(seed).standard_normal(arena.values.shape)
    return arena


def check_zero_and_twice(name, backward, upstream):
    """backward(d) is exactly zero for a zero d, and gives the same bits when it is called again."""
    twice = np.array_equal(backward(upstream), backward(upstream))
    zero = not np.any(backward(np.zeros_like(upstream)))
    return [
        Check(f"{name}: backward twice", 0.0, 1, 0, twice),
        Check(f"{name}: zero upstream", 0.0, 1, 0, zero),
    ]


def check_layers():
    """Dense with every activation at three sizes, the element-wise layers, and layers in sequence."""
    rng = np.random.default_rng(0)
    checks = []
    for activation in (None, *ACTIVATIONS):
        for rows, n_in, n_out in ((5, 7, 3), (29, 40, 64), (6, 300, 35)):
            layer = Dense(n_in, n_out, activation)
            name = f"Dense {n_in}-{n_out} {activation or 'identity'}"
            checks += check_layer(layer, arena_of(layer), rng.standard_normal((rows, n_in)), name=name)
    for layer in (kind() for kind in ACTIVATIONS.values()):
        checks += check_layer(layer, arena_of(layer), rng.standard_normal((9, 33)), name=type(layer).__name__)
    noise = Noise(0).at(np.arange(9))
    dropout = Dropout(0.3)
    blocks = LayerNorm(33), dropout, GatedDense(33, 20), Residual(Dense(33, 33, "tanh"))
    for layer in (*blocks, FirstColumns(33, 9), Clip(0.7), Clip(0.7, 5)):
        x = rng.standard_normal((9, 33))
        checks += check_layer(layer, arena_of(layer), x, noise=noise, name=type(layer).__name__)
    checks += check_layer(dropout, arena_of(dropout), x, name="Dropout without noise")
    stack = Sequential(Dense(11, 20), Tanh(), Dense(20, 17, "relu"), Dense(17, 4))
    checks += check_layer(stack, arena_of(stack), rng.standard_normal((8, 11)), name="Sequential")
    shared = Dense(6, 6, "tanh")
    twice = Sequential(shared, shared)
    checks += check_layer(twice, arena_of(twice), rng.standard_normal((8, 6)), name="one layer used twice")
    return checks + check_zeros(rng)


def check_zeros(rng):
    """A dense layer whose rows are mostly zeros, which its products leave out, one row with no other number."""
    x = rng.standard_normal((30, 150)) * (rng.random((30, 150)) < 0.1)
    x[3] = 0
    layer = Dense(150, 40, "relu")
    return check_layer(layer, arena_of(layer), x, name="Dense 150-40 relu, mostly zeros")


def rows_for(likelihood, n_rows, rng):
    """Random rows within the likelihood's support."""
    if isinstance(likelihood, Bernoulli):
        return rng.random((n_rows, likelihood.n_features))
    if isinstance(likelihood, Categorical):
        return np.hstack([np.eye(size)[rng.integers(size, size=n_rows)] for size in likelihood.sizes])
    if isinstance(likelihood, Poisson | Multinomial | NegativeBinomial):
        return rng.negative_binomial(0.5, 0.2, (n_rows, likelihood.n_features)).astype(float)
    if isinstance(likelihood, Weighted):
        return rows_for(likelihood.part, n_rows, rng)
    if isinstance(likelihood, Mixed):
        return np.hstack([rows_for(part, n_rows, rng) for part in likelihood.parts])
    return rng.standard_normal((n_rows, likelihood.n_features))


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


def check_gaussian():
    """The posterior's samples, their log-density and the KL, by the encoder's outputs; the prior's density by z."""
    checks, prior = [], StandardNormal()
    for k, bounds in ((1, None), (3, None), (2, (-0.5, 0.8))):
        rng = np.random.default_rng(k)
        posterior = DiagonalGaussian(bounds)
        outputs, eps = rng.standard_normal((6, 2 * 19)), rng.standard_normal((6 * k, 19))
        dz, dlog_qz, dkl = rng.standard_normal(eps.shape), rng.standard_normal(len(eps)), rng.standard_normal(6)

        def forward(posterior=posterior, outputs=outputs, eps=eps):
            q = posterior.split(outputs)
            return *posterior.sample(q, eps), *prior.kl(posterior, q)

        def loss(forward=forward, dz=dz, dlog_qz=dlog_qz, dkl=dkl):
            z, log_qz, _, kl, _ = forward()
            return float(np.sum(dz * z) + dlog_qz @ log_qz + dkl @ kl)

        _, _, sample_cache, _, kl_cache = forward()
        dq, dq_kl = posterior.sample_backward(dz, dlog_qz, sample_cache), prior.kl_backward(dkl, kl_cache)
        doutputs = posterior.split_backward(MuLogvar(*map(np.add, dq, dq_kl)), outputs)
        label = f"DiagonalGaussian, k={k}, bounds {bounds}: doutputs"
        checks.append(check_gradient(loss, outputs, doutputs, label))
        part = label.partition(":")[0]
        for backward, upstream in (
            (lambda d, q=posterior, cache=sample_cache: q.sample_backward(d, None, cache), dz),
            (lambda d, cache=kl_cache: prior.kl_backward(d, cache), dkl),
        ):
            checks += check_zero_and_twice(part, lambda d, backward=backward: np.hstack(backward(d)), upstream)

    z, weights = rng.standard_normal((7, 19)), rng.standard_normal(7)
    dz = prior.log_density_backward(weights, prior.log_density(z)[1])
    checks.append(check_gradient(lambda: float(weights @ prior.log_density(z)[0]), z, dz, "StandardNormal: dz"))
    cache = prior.log_density(z)[1]
    checks += check_zero_and_twice("StandardNormal", lambda d: prior.log_density_backward(d, cache), weights)
    return raise_if_wrong(checks)


def check_objective():
    """The ELBO's derivative by each of its terms, with the KL closed and sampled, with and without weights of the
    rows."""
    checks = []
    rng = np.random.default_rng(0)
    terms = Terms(*(rng.standard_normal((4, 3)) for _ in range(3)), kl=rng.standard_normal(4))
    for kl in ("closed", "sampled"):
        objective = ELBO(0.3, 3, kl)
        for label, weight in (("", None), (", weighted", rng.random(4))):

            def loss(objective=objective, weight=weight):
                return objective(terms, weight)[0]

            _, dterms = objective(terms, weight)
            for name in ("log_px", "log_pz", "log_qz", "kl"):
                term, derivative = getattr(terms, name), getattr(dterms, name)
                derivative = np.zeros_like(term) if derivative is None else derivative
                checks.append(check_gradient(loss, term, derivative, f"ELBO, KL {kl}{label}: d{name}"))
    return raise_if_wrong(checks)


def deep_model():
    """A model of the parts for deeper networks."""
    encoder = Sequential(Dense(23, 18), LayerNorm(18), GELU(), Residual(GatedDense(18, 18)), Dropout(0.2), Dense(18, 6))
    decoder = Sequential(Dense(3, 18, "silu"), Dropout(0.1, number=1), GatedDense(18, 23))
    return VAE(encoder, decoder, Bernoulli(23))


def several_kinds():
    """A likelihood of 21 columns with each kind of parameter."""
    return Mixed([Gaussian(6, std="learned", floor=0.1), NegativeBinomial(8), Categorical([3]), Gaussian(4, "shared")])


def make_models():
    """Whole models: name -> (model, number of samples, beta)."""
    gaussian, categorical = Gaussian(21, std="predicted", floor=0.1), Categorical([4, 7, 10])
    return {
        "VAE 37-35-5 ReLU, Bernoulli": (VAE.mlp(37, latent_dim=5, hidden=(35,)), 1, 1.0),
        "VAE 21-18-13-4 tanh, Gaussian": (VAE.mlp(21, 4, (18, 13), "tanh", gaussian), 3, 0.5),
        "VAE 21-16-3 softplus, Categorical": (VAE.mlp(21, 3, (16,), "softplus", categorical), 2, 2.0),
        "VAE 21-14-3 tanh, Mixed": (VAE.mlp(21, 3, (14,), "tanh", several_kinds()), 2, 1.0),
        "VAE of deeper parts": (deep_model(), 2, 1.0),
        "VAE 20-12-2 sigmoid, Gaussian": (VAE.mlp(20, 2, (12,), "sigmoid", Gaussian(20, std="learned")), 1, 1.0),
    }


def check_models():
    """Every parameter of whole models, and the derivatives by all terms of a forward pass, not only the ELBO's."""
    rng = np.random.default_rng(0)
    checks = []
    for name, (model, k, beta) in make_models().items():
        x = rows_for(model.likelihood, 6, rng)
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
    all_terms = Terms(*(None if term is None else rng.standard_normal(term.shape) for term in terms))
    one_term = [
        Terms(**{name: derivative}) for name, derivative in all_terms._asdict().items() if derivative is not None
    ]
    checks = []
    for label, dterms in zip(["all terms", *Terms._fields[: len(one_term)]], [all_terms, *one_term], strict=True):
        arena.zero_grads()
        model.backward(cache, dterms)
        gradients = {name: arena.grad(name).copy() for name in arena.names}

        def loss(dterms=dterms):
            terms, _ = model.forward(batch, noise, k=2)
            return float(sum(np.sum(d * term) for d, term in zip(dterms, terms, strict=True) if d is not None))

        for name in arena.names:
            checks.append(check_gradient(loss, arena[name], gradients[name], f"VAE, loss of {label}: {name}"))

    def backward(d):
        arena.zero_grads()
        model.backward(cache, Terms(log_px=d))
        return arena.grads.copy()

    checks += check_zero_and_twice("VAE", backward, all_terms.log_px)
    return raise_if_wrong(checks)


def check_float32():
    """Gradients in float32, as training computes them, against float64, maximum norm per tensor."""
    rng = np.random.default_rng(0)
    models = {name: (model, k, beta, 6) for name, (model, k, beta) in make_models().items()}
    models["VAE 784-400-20 ReLU, Bernoulli"] = (VAE.mlp(784), 1, 1.0, 128)
    checks = []
    for name, (model, k, beta, n_rows) in models.items():
        x = rows_for(model.likelihood, n_rows, rng).astype(np.float32)
        eps = rng.standard_normal((n_rows * k, model.latent_dim)).astype(np.float32)
        exact = model.astype(np.float64)
        model.loss_and_gradients(x, eps, beta)
        exact.loss_and_gradients(x, eps, beta)
        for parameter in model.parameters.names:
            single, double = model.parameters.grad(parameter), exact.parameters.grad(parameter)
            error = float(np.abs(single - double).max() / np.abs(double).max())
            label = f"{name}, float32: {parameter}"
            checks.append(Check(label, error, single.size, 0, error <= FLOAT32_TOLERANCE))
    return raise_if_wrong(checks)


GROUPS = {
    "layers": check_layers,
    "likelihoods": check_likelihoods,
    "posterior and prior": check_gaussian,
    "objective": check_objective,
    "whole models": check_models,
    "float32 against float64": check_float32,
}
