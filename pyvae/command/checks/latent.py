"""Checks of posteriors and priors."""

import numpy as np

from pyvae.command.checks.common import check_zero_and_twice
from pyvae.gradcheck import check_gradient, raise_if_wrong
from pyvae.latent.gaussian import DiagonalGaussian, MuLogvar, StandardNormal


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
