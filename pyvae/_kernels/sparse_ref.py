"""Products with sparse rows: the definition, in NumPy and SciPy.

Letters as in products_ref.py; x (B, D) is a SparseRows. The results are those of the same rows as a dense array.
"""

from pyvae._kernels.elementwise_ref import activate, column_sums


def sparse_dense(x, W, b, activation, out):
    """out = f(x W + b), f the activation; b may be None."""
    out[...] = x.to_scipy() @ W
    if b is not None:
        out += b
    activate(out, activation, out)


def sparse_dense_dW(x, dy, out, db=None, accumulate=False):
    """out = x.T dy and db = the sums of dy over the rows; or both +=. db may be None."""
    product = x.to_scipy().T @ dy
    out[...] = out + product if accumulate else product
    if db is not None:
        column_sums(dy, db, accumulate)
