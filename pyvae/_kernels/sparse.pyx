"""Products with sparse rows: checks; ``simd/sparse.c`` computes them.

Twin: ``sparse_ref.py``, which defines what every function here returns. dense and dense_dW call these where x is a
SparseRows.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport (
    matrix, output, output_vector, real_type, refuse_overlap, stride, vector, whole_numbers
)
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport not_repeatable, run, task_t

import numpy as np

from pyvae._kernels.elementwise import activate

cnp.import_array()

cdef extern from "simd/sparse.h":
    ctypedef struct sparse_product_t:
        Py_ssize_t rows, columns
        const void *values
        const cnp.int32_t *entry_columns
        const cnp.int64_t *starts
        const void *weights
        const void *bias
        Py_ssize_t weights_row
        const void *dy
        Py_ssize_t dy_row
        void *out
        Py_ssize_t out_row, out_rows
        void *db
        int accumulate

    ctypedef struct sparse_table_t:
        task_t multiply, multiply_weights

cdef extern from *:
    """static const sparse_table_t *const sparse_tables[LEVEL_COUNT][2] = LIST_TABLES(sparse);"""
    const sparse_table_t *sparse_tables[3][2]


cdef class Entries:
    """The arrays of a SparseRows, checked: an entry outside the rows would be read or written elsewhere."""
    cdef cnp.ndarray values, columns, starts
    cdef Py_ssize_t rows, count

    def __cinit__(self, x, int real):
        self.values = vector(x.values, "values", real, -1)
        self.columns = np.ascontiguousarray(x.columns, dtype=np.int32)
        self.starts = whole_numbers(x.starts, "starts")
        self.rows, self.count = x.shape[0], self.values.shape[0]
        cdef Py_ssize_t n_columns = x.shape[1], i
        if self.columns.ndim != 1 or self.columns.shape[0] != self.count:
            raise ValueError(f"columns must be one number for each of the {self.count} values")
        if self.starts.ndim != 1 or self.starts.shape[0] != self.rows + 1:
            raise ValueError(f"starts must have {self.rows + 1} elements, one more than there are rows")
        cdef const cnp.int64_t *starts = <const cnp.int64_t *>cnp.PyArray_DATA(self.starts)
        cdef const cnp.int32_t *columns = <const cnp.int32_t *>cnp.PyArray_DATA(self.columns)
        cdef bint rises = starts[0] == 0 and starts[self.rows] == self.count
        for i in range(self.rows):
            rises = rises and starts[i] <= starts[i + 1]
        if not rises:
            raise ValueError(f"starts must rise from 0 to the {self.count} entries")
        for i in range(self.count):
            if columns[i] < 0 or columns[i] >= n_columns:
                raise ValueError(f"columns must lie in 0 .. {n_columns - 1}; columns[{i}] is {columns[i]}")

    cdef fill(self, sparse_product_t *p):
        p.rows, p.values = self.rows, cnp.PyArray_DATA(self.values)
        p.entry_columns = <const cnp.int32_t *>cnp.PyArray_DATA(self.columns)
        p.starts = <const cnp.int64_t *>cnp.PyArray_DATA(self.starts)

    cdef tuple arrays(self):
        return self.values, self.columns, self.starts


def sparse_dense(x, W, b, activation, out):
    cdef int real = real_type(W, "W")
    cdef Entries entries = Entries(x, real)
    cdef cnp.ndarray W_ = matrix(W, "W", real, x.shape[1], -1)
    cdef cnp.ndarray b_ = None if b is None else vector(b, "b", real, W_.shape[1])
    cdef cnp.ndarray out_ = output(out, "out", real, entries.rows, W_.shape[1])
    refuse_overlap(out_, W_, "W")
    cdef sparse_product_t p
    memset(&p, 0, sizeof(p))
    entries.fill(&p)
    p.columns, p.weights, p.weights_row = W_.shape[1], cnp.PyArray_DATA(W_), stride(W_)
    p.bias = NULL if b is None else cnp.PyArray_DATA(b_)
    p.out, p.out_row = cnp.PyArray_DATA(out_), stride(out_)
    not_repeatable()  # the next rows have other entries
    run(sparse_tables[level][real].multiply, &p, sizeof(p), <double>(entries.count + entries.rows) * p.columns / 16,
        (entries.arrays(), W_, b_, out_))
    activate(out_, activation, out_)


def sparse_dense_dW(x, dy, out, db=None, accumulate=False):
    cdef int real = real_type(dy, "dy")
    cdef Entries entries = Entries(x, real)
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, entries.rows, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x.shape[1], dy_.shape[1])
    cdef cnp.ndarray db_ = None if db is None else output_vector(db, "db", real, dy_.shape[1])
    refuse_overlap(out_, dy_, "dy")
    cdef sparse_product_t p
    memset(&p, 0, sizeof(p))
    entries.fill(&p)
    p.columns, p.dy, p.dy_row = dy_.shape[1], cnp.PyArray_DATA(dy_), stride(dy_)
    p.out, p.out_row, p.out_rows = cnp.PyArray_DATA(out_), stride(out_), out_.shape[0]
    p.db = NULL if db is None else cnp.PyArray_DATA(db_)
    p.accumulate = accumulate
    not_repeatable()
    run(sparse_tables[level][real].multiply_weights, &p, sizeof(p),
        <double>(entries.count + entries.rows) * p.columns / 16, (entries.arrays(), dy_, out_, db_))
