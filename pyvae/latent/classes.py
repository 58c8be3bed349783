"""p(y): how often each of C classes is, the same for all of them or learned.

log p(y) = logits_y - log sum_c exp(logits_c)         dlogits = dlog p - p sum_c dlog p_c
"""

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count
from pyvae.module import Module, register
from pyvae.workspace import FRESH


@register
class Classes(Module):
    """p(y) of n_classes classes: 1 / n_classes or, with learned=True, p = softmax(logits), which begin at 0.

    Its logarithms are in nats. Raises ValueError unless there are at least two classes.
    """

    playable = True

    def __init__(self, n_classes, learned=False):
        self.n_classes, self.learned = check_count("n_classes", n_classes, 2), bool(learned)

    def shapes(self):
        return {"logits": (1, self.n_classes)} if self.learned else {}

    def log_probabilities(self, dtype, memory=FRESH):
        """log p(y) (1, C), nats, and a cache."""
        log_p = memory.take((1, self.n_classes), dtype)
        if self.learned:
            _kernels.log_softmax(self.logits, out=log_p)
        else:
            log_p[...] = -np.log(self.n_classes)
        return log_p, (log_p, memory)

    def log_probabilities_backward(self, dlog_p, cache):
        """Add to the gradient of the logits, for dlog_p (B, C) of each row."""
        if not self.learned:
            return
        log_p, memory = cache
        total, dlogits = memory.take(log_p.shape, log_p.dtype), memory.take(log_p.shape, log_p.dtype)
        _kernels.column_sums(dlog_p, out=total[0], accumulate=False)
        _kernels.log_softmax_backward(total, log_p, dx=dlogits)
        _kernels.add(self.dlogits, dlogits, out=self.dlogits)

    def config(self):
        return {"n_classes": self.n_classes, "learned": self.learned}
