"""Dense products, activations and column sums: threads and checks; ``simd/dense.c`` computes the tiles.

Twin: ``dense_ref.py``, which defines what every function here returns.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from pyvae._kernels.runtime cimport (
    level, matrix, output, output_vector, real_type, refuse_overlap, stride, threads_for, vector
)

cnp.import_array()

cdef extern from "simd/dense.h":
    ctypedef struct dense_product_t:
        const void *a
        const void *b
        const void *bias
        void *c
        Py_ssize_t rows, columns, depth
        Py_ssize_t a_row, a_k, b_k, b_column, c_row
        int accumulate, activation, by_rows

    ctypedef struct dense_table_t:
        void (*multiply)(const dense_product_t *product, Py_ssize_t thread, Py_ssize_t threads) noexcept nogil
        void (*activate)(Py_ssize_t n, const void *x, int activation, void *y) noexcept nogil
        void (*activate_backward)(
            Py_ssize_t rows, Py_ssize_t columns, const void *dy, Py_ssize_t dy_row, const void *y, Py_ssize_t y_row,
            int activation, void *dx, Py_ssize_t dx_row, void *db, int accumulate) noexcept nogil

    int IDENTITY, RELU, TANH, SIGMOID, SOFTPLUS

cdef extern from *:
    """static const dense_table_t *const dense_tables[LEVEL_COUNT][2] = LIST_TABLES(dense);"""
    const dense_table_t *dense_tables[3][2]

cdef dict ACTIVATIONS = {None: IDENTITY, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "softplus": SOFTPLUS}

# Rough cost of one element in units of one multiply-add, for the choice between one thread and several.
cdef enum:
    ELEMENT_COST = 8
    COLUMNS_PER_TASK = 64


cdef int activation_code(activation) except -1:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {list(ACTIVATIONS)}, not {activation!r}")
    return ACTIVATIONS[activation]


cdef void multiply(const dense_table_t *table, const dense_product_t *p) noexcept nogil:
    cdef Py_ssize_t t
    cdef int n = threads_for(<double>p.rows * p.columns * (p.depth + 1) / 16)
    if p.rows == 0 or p.columns == 0:
        return
    for t in prange(n, num_threads=n, use_threads_if=n > 1, schedule="static"):
        table.multiply(p, t, n)


def dense(x, W, b, activation, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray W_ = matrix(W, "W", real, x_.shape[1], -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], W_.shape[1])
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, W_, "W")
    cdef cnp.ndarray b_ = None if b is None else vector(b, "b", real, W_.shape[1])
    cdef dense_product_t p
    p.a, p.b, p.c = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(W_), cnp.PyArray_DATA(out_)
    p.bias = NULL if b is None else cnp.PyArray_DATA(b_)
    p.rows, p.columns, p.depth = x_.shape[0], W_.shape[1], x_.shape[1]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = stride(x_), 1, stride(W_), 1, stride(out_)
    p.accumulate, p.activation, p.by_rows = 0, activation_code(activation), 0
    with nogil:
        multiply(dense_tables[level][real], &p)


def dense_dx(dy, W, out):
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray W_ = matrix(W, "W", real, -1, dy_.shape[1])
    cdef cnp.ndarray out_ = output(out, "out", real, dy_.shape[0], W_.shape[0])
    refuse_overlap(out_, dy_, "dy")
    refuse_overlap(out_, W_, "W")
    cdef dense_product_t p
    p.a, p.b, p.c, p.bias = cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(W_), cnp.PyArray_DATA(out_), NULL
    p.rows, p.columns, p.depth = dy_.shape[0], W_.shape[0], dy_.shape[1]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = stride(dy_), 1, 1, stride(W_), stride(out_)
    p.accumulate, p.activation, p.by_rows = 0, IDENTITY, 0
    with nogil:
        multiply(dense_tables[level][real], &p)


def dense_dW(x, dy, out, accumulate=False):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, x_.shape[0], -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[1], dy_.shape[1])
    refuse_overlap(out_, x_, "x")
    refuse_overlap(out_, dy_, "dy")
    cdef dense_product_t p
    p.a, p.b, p.c, p.bias = cnp.PyArray_DATA(x_), cnp.PyArray_DATA(dy_), cnp.PyArray_DATA(out_), NULL
    p.rows, p.columns, p.depth = x_.shape[1], dy_.shape[1], x_.shape[0]
    p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = 1, stride(x_), stride(dy_), 1, stride(out_)
    p.accumulate, p.activation, p.by_rows = accumulate, IDENTITY, 1
    with nogil:
        multiply(dense_tables[level][real], &p)


def activate(x, activation, out):
    cdef int real = real_type(x, "x"), code = activation_code(activation)
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef Py_ssize_t rows = x_.shape[0], columns = x_.shape[1], size = 8 if real else 4, i
    cdef Py_ssize_t x_row = stride(x_) * size, out_row = stride(out_) * size
    cdef const char *x_data = <const char *>cnp.PyArray_DATA(x_)
    cdef char *out_data = <char *>cnp.PyArray_DATA(out_)
    cdef const dense_table_t *table = dense_tables[level][real]
    cdef int n = threads_for(<double>rows * columns * ELEMENT_COST)
    with nogil:
        for i in prange(rows, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.activate(columns, x_data + i * x_row, code, out_data + i * out_row)


cdef void backward_by_columns(int real, Py_ssize_t rows, Py_ssize_t columns, const char *dy, Py_ssize_t dy_row,
                              const char *y, Py_ssize_t y_row, int activation, char *dx, Py_ssize_t dx_row, char *db,
                              int accumulate) noexcept nogil:
    """A task owns columns, so that every column's sum is one chain of additions, rows ascending."""
    cdef const dense_table_t *table = dense_tables[level][real]
    cdef Py_ssize_t size = 8 if real else 4, t, first, width
    cdef int n = threads_for(<double>rows * columns * ELEMENT_COST)
    for t in prange((columns + COLUMNS_PER_TASK - 1) // COLUMNS_PER_TASK, num_threads=n, use_threads_if=n > 1,
                    schedule="static"):
        first = t * COLUMNS_PER_TASK
        width = min(columns - first, <Py_ssize_t>COLUMNS_PER_TASK)
        first = first * size
        table.activate_backward(rows, width, dy + first, dy_row, y + first, y_row, activation, dx + first, dx_row,
                                NULL if db == NULL else db + first, accumulate)


def activate_backward(dy, y, activation, dx, db=None, accumulate=True):
    cdef int real = real_type(dy, "dy"), code = activation_code(activation), accumulate_ = accumulate
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray y_ = matrix(y, "y", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray dx_ = output(dx, "dx", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray db_ = None if db is None else output_vector(db, "db", real, dy_.shape[1])
    cdef Py_ssize_t dy_row = stride(dy_), y_row = stride(y_), dx_row = stride(dx_)
    cdef const char *dy_data = <const char *>cnp.PyArray_DATA(dy_)
    cdef const char *y_data = <const char *>cnp.PyArray_DATA(y_)
    cdef char *dx_data = <char *>cnp.PyArray_DATA(dx_)
    cdef char *db_data = NULL if db is None else <char *>cnp.PyArray_DATA(db_)
    with nogil:
        backward_by_columns(real, dy_.shape[0], dy_.shape[1], dy_data, dy_row, y_data, y_row, code, dx_data, dx_row,
                            db_data, accumulate_)


def column_sums(x, out, accumulate=True):
    cdef int real = real_type(x, "x"), accumulate_ = accumulate
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output_vector(out, "out", real, x_.shape[1])
    cdef Py_ssize_t row = stride(x_)
    cdef char *data = <char *>cnp.PyArray_DATA(x_)
    cdef char *sums = <char *>cnp.PyArray_DATA(out_)
    with nogil:  # the identity with dx = dy writes nothing but the sums
        backward_by_columns(real, x_.shape[0], x_.shape[1], data, row, data, row, IDENTITY, data, row, sums,
                            accumulate_)
