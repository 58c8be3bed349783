"""SparseRows: the rows of a minibatch whose entries are mostly zero, in the layout of SciPy's CSR."""

import numpy as np


class SparseRows:
    """Row i (B in all) holds values[n] in columns[n] for n in starts[i] .. starts[i + 1], ascending; else zeros.

    values (n,) float32 or float64, columns (n,) int32, starts (B + 1,), n_columns D. A dense layer takes them like an
    array (B, D), with the same result to the bit.
    """

    ndim = 2

    def __init__(self, values, columns, starts, n_columns):
        self.values, self.columns, self.starts = values, columns, starts
        self.shape, self.dtype = (len(starts) - 1, n_columns), values.dtype

    def __len__(self):
        return self.shape[0]

    def with_values(self, values):
        """Rows with other values in the same places."""
        return SparseRows(values, self.columns, self.starts, self.shape[1])

    def first_columns(self, n):
        """The first n columns of the same rows."""
        kept = self.columns < n
        starts = np.append(0, np.cumsum(kept))[self.starts].astype(self.starts.dtype)
        return SparseRows(self.values[kept], self.columns[kept], starts, n)

    def to_dense(self, out=None):
        """The same rows as an array (B, D): a new one, or out."""
        out = np.empty(self.shape, self.dtype) if out is None else out
        out[...] = 0
        out[np.repeat(np.arange(len(self)), np.diff(self.starts)), self.columns] = self.values
        return out

    def to_scipy(self):
        """The same rows as a scipy.sparse.csr_array on the same memory."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.columns, self.starts), shape=self.shape)
