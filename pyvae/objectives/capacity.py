"""A capacity for the KL: it is held near C nats, which rise while training goes on (Burgess et al. 2018, eq. 8).

    loss = 1/n sum_b w_b (-1/k sum_s log p(x|z_s))  +  gamma |KL - C|        KL = 1/n sum_b w_b KL_b

So the latent dimensions open one after the other, the most useful first. The derivative is that of an ELBO whose beta
is gamma where the mean KL is above C, and -gamma where it is below.
"""

from collections.abc import Callable
from copy import copy

import numpy as np

from pyvae.arguments import check_count, check_number
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Objective, kl_of_rows, total_weight, weighted_sum
from pyvae.workspace import FRESH


class Capacity(Objective):
    """-log p(x|z) + gamma |KL - nats|, means over the rows of a minibatch, nats (Burgess et al. 2018).

    nats: the capacity, a number or a function of the epochs done so far, such as LinearWarmUp(25, 100) (one without
    ``settled`` is taken to be final from the begin). n_samples: k samples of z per row. It looks at all rows of a
    minibatch, and so is outside of the promise that a row's numbers do not depend on the rows beside it. Raises
    ValueError for numbers out of range.
    """

    of_samples = False
    never, remedies = "the capacity never came to its last value", "a larger capacity"

    def __init__(self, nats: float | Callable[[float], float], gamma: float = 1000.0, n_samples: int = 1):
        self.nats = nats if callable(nats) else check_number("nats", nats, 0, low_included=True)
        self.gamma, self.n_samples = check_number("gamma", gamma, 0), check_count("n_samples", n_samples, 1)

    def __call__(self, terms, weight=None, memory=FRESH):
        """loss, dterms; weight (B,). Raises ValueError where all weights are 0."""
        n, k = total_weight(weight, len(terms.log_px)), terms.log_px.shape[1]
        excess = weighted_sum(kl_of_rows(terms), weight) / n - self.nats
        loss = self.gamma * abs(excess) - weighted_sum(terms.log_px, weight) / (n * k)
        slope = ELBO()
        slope.beta = self.gamma * float(np.sign(excess))
        return loss, slope(terms, weight, memory)[1]

    def at(self, epoch):
        """The same objective with the capacity as it is at this time. Raises ValueError where that is negative."""
        if not callable(self.nats):
            return self
        fixed = copy(self)
        fixed.nats = check_number("nats(epoch)", self.nats(epoch), 0, low_included=True)
        return fixed

    def settled(self, epoch):
        return getattr(self.nats, "settled", lambda epoch: True)(epoch)
