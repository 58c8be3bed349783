"""Makes witness.npz: losses, gradients and Adam steps of a few small VAEs, computed by PyTorch in float64.

    python tests/witness/make_witness.py        (needs torch and numpy; nothing else of this project imports torch)

An outside witness is worth something only as long as it shares nothing with what it testifies about. So this file
imports nothing of pyvae; densities and divergences are those of torch.distributions, derivatives those of autograd,
steps those of torch.optim. What it has to share is the meaning of the numbers: a dense layer is f(x W + b) with W
(inputs, outputs); the encoder's last layer gives [mu | logvar]; the k samples of a row stand next to each other; the
Gaussian's std^2 is floor^2 + exp(rho); and the names of the parameters.

For each case of CASES the file holds, as case/NAME, with all parameters in one vector in the order of case/names:

    x (B, D), eps (B * k, Z), weight (B,)         what goes in: rows, frozen noise, weights of the rows (none: all 1)
    parameters (P,)                               the weights of the network to begin with
    log_px, log_pz, log_qz, kl, z, mu, logvar     the terms, for each row or each sample
    loss, gradient (P,)                           weighted mean over rows of the negative ELBO, nats; its derivative
    d_TERM                                        the derivative of the loss by log_px and by kl
    direction_TERM, gradient_of_terms (P,)        derivative of the sum over all terms of direction times term
    adam (10, P)                                  the parameters after each of ten steps of Adam (AdamW where there is a
                                                  weight_decay), the noise unchanged
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.distributions import Bernoulli, Independent, Normal, OneHotCategorical, kl_divergence

STEPS = 10
TERMS = ("log_px", "log_pz", "log_qz", "kl", "z", "mu", "logvar")

# encoder, decoder: sizes of the layers, with the activation after each. adam: what differs from the usual constants.
CASES = {
    "bernoulli": {
        "encoder": {"sizes": [17, 8, 6], "activations": ["relu", None]},
        "decoder": {"sizes": [3, 8, 17], "activations": ["relu", None]},
        "likelihood": {"kind": "bernoulli"},
        "rows": 35, "samples": 1, "beta": 1.0, "adam": {"learning_rate": 0.01},
    },
    "gaussian-learned": {  # rows, columns and the first layer's outputs are 7: a product with a transpose left out fits
        "encoder": {"sizes": [7, 7, 5, 4], "activations": ["tanh", "tanh", None]},
        "decoder": {"sizes": [2, 5, 7, 7], "activations": ["tanh", "tanh", None]},
        "likelihood": {"kind": "gaussian", "std": "learned", "floor": 0.3},
        "rows": 7, "samples": 3, "beta": 0.5, "adam": {"learning_rate": 0.01},
    },
    "gaussian-predicted": {
        "encoder": {"sizes": [11, 7, 6], "activations": ["softplus", None]},
        "decoder": {"sizes": [3, 7, 22], "activations": ["sigmoid", None]},
        "likelihood": {"kind": "gaussian", "std": "predicted", "floor": 0.2},
        "rows": 18, "samples": 2, "beta": 2.0, "adam": {"learning_rate": 0.02, "weight_decay": 0.5},
    },
    "gaussian-fixed": {
        "encoder": {"sizes": [8, 10], "activations": [None]},
        "decoder": {"sizes": [5, 6, 8], "activations": ["relu", "tanh"]},
        "likelihood": {"kind": "gaussian", "std": 0.6},
        "rows": 5, "samples": 1, "beta": 1.0,
        "adam": {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    },
    "categorical": {
        "encoder": {"sizes": [14, 7, 6], "activations": ["relu", None]},
        "decoder": {"sizes": [3, 7, 14], "activations": ["relu", None]},
        "likelihood": {"kind": "categorical", "sizes": [3, 1, 4, 6]},
        "logvar_bounds": [0.3, 0.95],  # about a quarter of the values lie below, another above
        "rows": 8, "samples": 2, "beta": 1.0, "adam": {"learning_rate": 0.01}, "weighted": True,
    },
}  # fmt: skip


def make_rows(case, rng):
    """Rows within the likelihood's support; for Bernoulli half of them black and white and half gray."""
    n_rows, n_features = case["rows"], case["encoder"]["sizes"][0]
    likelihood = case["likelihood"]
    if likelihood["kind"] == "bernoulli":
        gray = rng.random((n_rows, n_features))
        return np.where(np.arange(n_rows)[:, None] % 2, gray, gray.round())
    if likelihood["kind"] == "categorical":
        return np.hstack([np.eye(size)[rng.integers(size, size=n_rows)] for size in likelihood["sizes"]])
    return rng.standard_normal((n_rows, n_features))


def make_parameters(case, rng):
    """Names and first values, leaf tensors of the graph."""
    parameters = {}
    for part in ("encoder", "decoder"):
        sizes = case[part]["sizes"]
        for i, (n_in, n_out) in enumerate(pairwise(sizes)):
            parameters[f"{part}.{i}.W"] = rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)
            parameters[f"{part}.{i}.b"] = 0.3 * rng.standard_normal(n_out)
    if case["likelihood"].get("std") == "learned":
        parameters["likelihood.rho"] = rng.standard_normal(case["encoder"]["sizes"][0])
    return {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}


def network(part, case, parameters, x):
    functions = {
        None: torch.nn.Identity(),
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softplus": torch.nn.functional.softplus,
    }
    for i, activation in enumerate(case[part]["activations"]):
        W, b = parameters[f"{part}.{i}.W"], parameters[f"{part}.{i}.b"]
        x = functions[activation](torch.nn.functional.linear(x, W.T, b))
    return x


def log_likelihood(likelihood, x, outputs, parameters):
    """log p(x|z) of each row of outputs; x has as many rows."""
    if likelihood["kind"] == "bernoulli":
        # Gray values are outside the support, where log_prob is the expectation over black and white ones.
        return Independent(Bernoulli(logits=outputs, validate_args=False), 1, validate_args=False).log_prob(x)
    if likelihood["kind"] == "categorical":
        groups = zip(x.split(likelihood["sizes"], dim=1), outputs.split(likelihood["sizes"], dim=1), strict=True)
        return sum(OneHotCategorical(logits=logits).log_prob(one_hot) for one_hot, logits in groups)
    mean, std = outputs, likelihood["std"]
    if std == "predicted":
        mean, rho = outputs.chunk(2, dim=1)
        std = torch.sqrt(likelihood["floor"] ** 2 + rho.exp())
    elif std == "learned":
        std = torch.sqrt(likelihood["floor"] ** 2 + parameters["likelihood.rho"].exp())
    return Independent(Normal(mean, std), 1).log_prob(x)


def forward(case, parameters, x, eps):
    """The terms of each row and sample."""
    mu, logvar = network("encoder", case, parameters, x).chunk(2, dim=1)
    if "logvar_bounds" in case:
        logvar = logvar.clamp(*case["logvar_bounds"])
    std = torch.exp(logvar / 2)
    prior = Independent(Normal(torch.zeros_like(mu), torch.ones_like(std)), 1)
    kl = kl_divergence(Independent(Normal(mu, std), 1), prior)

    k = case["samples"]
    repeated = [tensor.repeat_interleave(k, dim=0) for tensor in (mu, std, x)]
    z = repeated[0] + repeated[1] * eps
    log_qz = Independent(Normal(repeated[0], repeated[1]), 1).log_prob(z)
    log_pz = Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)
    outputs = network("decoder", case, parameters, z)
    log_px = log_likelihood(case["likelihood"], repeated[2], outputs, parameters)
    return dict(zip(TERMS, (log_px, log_pz, log_qz, kl, z, mu, logvar), strict=True))


def negative_elbo(case, terms, weight):
    """Weighted mean over rows, the samples of a row averaged."""
    reconstruction = -terms["log_px"].view(-1, case["samples"]).mean(dim=1)
    return (weight * (reconstruction + case["beta"] * terms["kl"])).sum() / weight.sum()


def flat(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).numpy()


def witness_of(case, rng):
    x, parameters = torch.tensor(make_rows(case, rng)), make_parameters(case, rng)
    leaves = list(parameters.values())
    latent_dim = case["decoder"]["sizes"][0]
    eps = torch.tensor(rng.standard_normal((case["rows"] * case["samples"], latent_dim)))
    weight = torch.tensor(rng.uniform(0.5, 2.0, case["rows"]) if case.get("weighted") else np.ones(case["rows"]))

    terms = forward(case, parameters, x, eps)
    loss = negative_elbo(case, terms, weight)
    gradient = torch.autograd.grad(loss, leaves, retain_graph=True)
    d_log_px, d_kl = torch.autograd.grad(loss, [terms["log_px"], terms["kl"]], retain_graph=True)
    directions = {name: torch.tensor(rng.standard_normal(terms[name].shape)) for name in TERMS}
    total = sum((directions[name] * terms[name]).sum() for name in TERMS)
    gradient_of_terms = torch.autograd.grad(total, leaves)

    first = flat(leaves)
    options = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0, **case["adam"]}
    betas = (options["beta1"], options["beta2"])
    optimizer = torch.optim.AdamW(
        leaves, lr=options["learning_rate"], betas=betas, eps=options["epsilon"], weight_decay=options["weight_decay"]
    )
    steps = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        negative_elbo(case, forward(case, parameters, x, eps), weight).backward()
        optimizer.step()
        steps.append(flat(leaves))

    return {
        "x": x, "eps": eps, "weight": weight, "parameters": first, "loss": loss.detach(),
        "gradient": flat(gradient), "d_log_px": d_log_px, "d_kl": d_kl,
        **{name: terms[name].detach() for name in TERMS},
        **{f"direction_{name}": directions[name] for name in TERMS},
        "gradient_of_terms": flat(gradient_of_terms), "adam": np.array(steps), "names": np.array(list(parameters)),
    }  # fmt: skip


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    arrays = {"torch": np.array(torch.__version__), "cases": np.array(json.dumps(CASES))}
    for number, (name, case) in enumerate(CASES.items()):
        for key, value in witness_of(case, np.random.default_rng(number)).items():
            arrays[f"{name}/{key}"] = np.asarray(value)
    path = Path(__file__).parent / "witness.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
