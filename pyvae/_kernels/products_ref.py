"""Dense products: the definition, in NumPy.

Letters: x (B, D) the rows, W (D, H) and b (H,) the parameters, y (B, H) the output. ``dx`` and the like are the loss's
derivative by x and the like; in the two backward products ``dy`` is the derivative by x W + b, before the activation.
"""

import numpy as np

from pyvae._kernels.elementwise_ref import activate, column_sums


def dense(x, W, b, activation, out):
    """out = f(x W + b), f the activation; b may be None."""
    np.matmul(x, W, out=out)
    if b is not None:
        out += b
    activate(out, activation, out)


def dense_dx(dy, W, out):
    """out = dy W.T."""
    np.matmul(dy, W.T, out=out)


def dense_dW(x, dy, out, db=None, accumulate=False):
    """out = x.T dy and db = the sums of dy over the rows; or both +=. db may be None."""
    product = x.T @ dy
    out[...] = out + product if accumulate else product
    if db is not None:
        column_sums(dy, db, accumulate)
