"""A training step of the semi-supervised VAE of ten classes against the same in PyTorch.

    pip install torch
    PYVAE_DATA=... python benchmarks/classes.py [--rounds 9] [--seconds 1] [--batch-size 100] [--hidden 500]

M2 of Kingma et al. 2014 on pixels: 784-500-50 softplus with the class beside x and z, a classifier 784-500-10, rows of
MNIST binarised afresh, a hundredth of them labelled, Adam. Every row goes through all ten classes, in a sum and not a
loop. "PyTorch" puts x and the class side by side, as this library's model does; "PyTorch, shared" multiplies x by the
first layer's weights once for all classes and adds those of the class, which its user has to think of. Each is also
compiled. How they are timed: frameworks.py. The first losses of all are compared in --check, with the same noise of
zeros, weights and rows.
"""

import argparse
import sys

import numpy as np
from frameworks import machine, measure, print_row, worker
from workloads import N_ROWS, batches, pictures

CLASSES, LATENT, ALPHA, LABELLED, LEARNING_RATE = 10, 50, 10.0, 100, 3e-4


def labels():
    """The class of every hundredth row, -1 of the others."""
    return np.where(np.arange(N_ROWS) % LABELLED == 0, np.arange(N_ROWS) // LABELLED % CLASSES, -1)


def first_model(hidden):
    """The model that all of them begin with."""
    import pyvae

    return pyvae.SemiSupervisedVAE.mlp(784, CLASSES, LATENT, (hidden,), "softplus", alpha=ALPHA, seed=0)


def pyvae_(hidden, batch_size, noise=True):
    import pyvae
    from pyvae.training.step import Step

    model = first_model(hidden)
    source = pyvae.ArraySource(pictures()[0], 1 / 255, binarize="draw" if noise else "threshold", label=labels())
    step, optimizer = Step(model, pyvae.ELBO()), pyvae.Adam(model.parameters, LEARNING_RATE)
    picks, steps = batches(batch_size), iter(range(10**9))

    class Zeros(pyvae.Noise):
        def normal(self, name, shape, rows, dtype=np.float32, out=None):
            out = np.empty(shape, dtype) if out is None else out
            out[...] = 0
            return out

    of_step = pyvae.Noise if noise else Zeros

    def run(n):
        for _ in range(n):
            with step.team:
                _, _, loss = step(source, next(picks), of_step(0, next(steps)))
                optimizer.step()
        return loss

    return run


def torch_(hidden, batch_size, shared=False, compiled=False, noise=True):
    import torch
    from torch.nn import functional

    model = first_model(hidden)

    def linear(layer):
        made = torch.nn.Linear(*layer.W.shape)
        with torch.no_grad():
            made.weight.copy_(torch.from_numpy(layer.W.T.copy()))
            made.bias.copy_(torch.from_numpy(layer.b.copy()))
        return made

    parts = [[linear(layer) for layer in part.layers] for part in (model.encoder, model.decoder, model.classifier)]
    (e1, e2), (d1, d2), (c1, c2) = parts
    optimizer = torch.optim.Adam([p for part in parts for layer in part for p in layer.parameters()], LEARNING_RATE,
                                 fused=True)  # fmt: skip
    X, y = torch.from_numpy(pictures()[0].astype(np.float32) / 255), torch.from_numpy(labels())
    picks, one_hot, log_p = batches(batch_size), torch.eye(CLASSES), -np.log(CLASSES)

    def first_of_encoder(x):
        """(B, C, H) before the activation."""
        if shared:
            W, n = e1.weight, x.shape[1]
            return (x @ W[:, :n].T + e1.bias).unsqueeze(1) + W[:, n:].T
        every = torch.cat([x.repeat_interleave(CLASSES, 0), one_hot.repeat(len(x), 1)], dim=1)
        return e1(every).view(len(x), CLASSES, -1)

    def objective(x, label, eps):
        mu, logvar = e2(functional.softplus(first_of_encoder(x))).split(LATENT, dim=2)
        z = mu + torch.exp(0.5 * logvar) * eps
        given = torch.cat([z, one_hot.expand(len(x), -1, -1)], dim=2)
        logits = d2(functional.softplus(d1(given)))
        pixels = x.unsqueeze(1).expand(-1, CLASSES, -1)
        log_px = -functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(dim=2)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=2)
        log_q = functional.log_softmax(c2(functional.softplus(c1(x))), dim=1)
        known = label >= 0
        of_label = one_hot[label.clamp(min=0)]
        share = torch.where(known.unsqueeze(1), of_label, log_q.exp())
        kl_of_y = torch.where(known, -log_p, (share * (log_q - log_p)).sum(dim=1))
        taught = torch.where(known, (of_label * log_q).sum(dim=1), 0.0)
        return ((share * (kl - log_px)).sum(dim=1) + kl_of_y - ALPHA * taught).mean()

    if compiled:
        objective = torch.compile(objective)

    def run(n):
        for _ in range(n):
            picked = torch.from_numpy(next(picks))
            x = torch.bernoulli(X[picked]) if noise else (X[picked] > 0.5).float()
            shape = len(x), CLASSES, LATENT
            eps = torch.randn(shape) if noise else torch.zeros(shape)
            optimizer.zero_grad(set_to_none=True)
            loss = objective(x, y[picked], eps)
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


COMPETITORS = {
    "pyvae": pyvae_,
    "PyTorch": torch_,
    "PyTorch, shared": lambda *sizes, **more: torch_(*sizes, shared=True, **more),
    "torch.compile": lambda *sizes, **more: torch_(*sizes, compiled=True, **more),
    "torch.compile, shared": lambda *sizes, **more: torch_(*sizes, shared=True, compiled=True, **more),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--hidden", type=int, default=500)
    parser.add_argument("--check", action="store_true", help="losses of the first steps alone")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, sizes = options.worker
        worker(COMPETITORS[name](*map(int, sizes.split(","))), 50)
    elif options.check:
        for name, make in COMPETITORS.items():
            run = make(options.hidden, options.batch_size, noise=False)
            print(f"{name:<22}", *(f"{run(1):.5f}" for _ in range(5)))
    else:
        print(machine())
        sizes = f"{options.hidden},{options.batch_size}"
        result, apart = measure(sizes, list(COMPETITORS), options.rounds, options.seconds, __file__)
        print_row(f"M2, 784-{options.hidden}-{LATENT}, 10 classes, batch {options.batch_size}", result, apart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
