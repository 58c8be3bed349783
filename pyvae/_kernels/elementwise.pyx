"""Activations, column sums, sums and products of elements: checks; ``simd/elementwise.c`` computes them.

Twin: ``elementwise_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, not_repeatable, run, task_t

cnp.import_array()

cdef extern from "simd/elementwise.h":
    ctypedef struct elementwise_t:
        Py_ssize_t rows, columns
        const void *x
        const void *y
        void *out
        Py_ssize_t x_row, y_row, out_row, samples
        double number, low, high
        int activation, accumulate

    ctypedef struct total_t:
        Py_ssize_t rows, columns, x_row
        const void *x
        const double *weight
        double *out

    ctypedef struct elementwise_table_t:
        task_t activate, activate_backward, column_sums, add, multiply, exponential, scale_rows, repeat_rows
        task_t sum_groups, shift, clip, clip_backward, total

    int IDENTITY, RELU, LEAKY_RELU

cdef extern from *:
    """
    static const elementwise_table_t *const elementwise_tables[LEVEL_COUNT][2] = LIST_TABLES(elementwise);
    #define ACTIVATION_WORD_(code, word) word,
    static const char *const activation_words[] = {FOR_EACH_ACTIVATION(ACTIVATION_WORD_) NULL};
    """
    const elementwise_table_t *elementwise_tables[3][2]
    const char *activation_words[1]


cdef dict activation_codes():
    """Words for the activations and their numbers in C."""
    cdef dict codes = {None: IDENTITY}
    while activation_words[len(codes) - 1] != NULL:
        codes[activation_words[len(codes) - 1].decode()] = len(codes)
    return codes


cdef dict ACTIVATIONS = activation_codes()


cdef int activation_code(activation) except -1:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {list(ACTIVATIONS)}, not {activation!r}")
    return ACTIVATIONS[activation]


cdef double work_of(const elementwise_t *e) noexcept:
    cdef int cost = PLAIN_COST if e.activation in (IDENTITY, RELU, LEAKY_RELU) else EXPONENTIAL_COST
    return <double>e.rows * e.columns * cost


def activate(x, activation, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = x_.shape[0], x_.shape[1], activation_code(activation)
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].activate, &e, sizeof(e), work_of(&e), (x_, out_))


def activate_backward(dy, y, activation, dx):
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray y_ = matrix(y, "y", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray dx_ = output(dx, "dx", real, dy_.shape[0], dy_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = dy_.shape[0], dy_.shape[1], activation_code(activation)
    e.x, e.x_row, e.y, e.y_row = cnp.PyArray_DATA(dy_), stride(dy_), cnp.PyArray_DATA(y_), stride(y_)
    e.out, e.out_row = cnp.PyArray_DATA(dx_), stride(dx_)
    run(elementwise_tables[level][real].activate_backward, &e, sizeof(e), work_of(&e), (dy_, y_, dx_))


def column_sums(x, out, accumulate=True):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output_vector(out, "out", real, x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation, e.accumulate = x_.shape[0], x_.shape[1], IDENTITY, accumulate
    e.x, e.x_row, e.out = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_)
    run(elementwise_tables[level][real].column_sums, &e, sizeof(e), work_of(&e), (x_, out_))


def copy(x, out):
    activate(x, None, out)


cdef int combine(bint product, object x, object y, object out) except -1:
    """out = x y, or x + y."""
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray y_ = matrix(y, "y", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = x_.shape[0], x_.shape[1], IDENTITY
    e.x, e.x_row, e.y, e.y_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(y_), stride(y_)
    e.out, e.out_row = cnp.PyArray_DATA(out_), stride(out_)
    cdef const elementwise_table_t *table = elementwise_tables[level][real]
    run(table.multiply if product else table.add, &e, sizeof(e), work_of(&e), (x_, y_, out_))
    return 0


def add(x, y, out):
    combine(False, x, y, out)


def multiply(x, y, out):
    combine(True, x, y, out)


def exponential(x, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = x_.shape[0], x_.shape[1], IDENTITY
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].exponential, &e, sizeof(e), EXPONENTIAL_COST * work_of(&e), (x_, out_))


def scale_rows(x, factor, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray factor_ = vector(factor, "factor", real, x_.shape[0])
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = x_.shape[0], x_.shape[1], IDENTITY
    e.x, e.x_row, e.y, e.out, e.out_row = (
        cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(factor_), cnp.PyArray_DATA(out_), stride(out_)
    )
    run(elementwise_tables[level][real].scale_rows, &e, sizeof(e), work_of(&e), (x_, factor_, out_))


def repeat_rows(x, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, -1, x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = out_.shape[0], x_.shape[1], IDENTITY
    e.samples = samples_per_row(out_.shape[0], x_.shape[0], "out")
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].repeat_rows, &e, sizeof(e), work_of(&e), (x_, out_))


def sum_groups(x, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, -1, x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation = out_.shape[0], x_.shape[1], IDENTITY
    e.samples = samples_per_row(x_.shape[0], out_.shape[0], "x")
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].sum_groups, &e, sizeof(e), e.samples * work_of(&e), (x_, out_))


def shift(x, number, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation, e.number = x_.shape[0], x_.shape[1], IDENTITY, number
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].shift, &e, sizeof(e), work_of(&e), (x_, out_))


def clip(x, low, high, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation, e.low, e.high = x_.shape[0], x_.shape[1], IDENTITY, low, high
    e.x, e.x_row, e.out, e.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(elementwise_tables[level][real].clip, &e, sizeof(e), work_of(&e), (x_, out_))


def clip_backward(dy, x, low, high, dx):
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray x_ = matrix(x, "x", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray dx_ = output(dx, "dx", real, dy_.shape[0], dy_.shape[1])
    cdef elementwise_t e
    memset(&e, 0, sizeof(e))
    e.rows, e.columns, e.activation, e.low, e.high = dy_.shape[0], dy_.shape[1], IDENTITY, low, high
    e.x, e.x_row, e.y, e.y_row = cnp.PyArray_DATA(dy_), stride(dy_), cnp.PyArray_DATA(x_), stride(x_)
    e.out, e.out_row = cnp.PyArray_DATA(dx_), stride(dx_)
    run(elementwise_tables[level][real].clip_backward, &e, sizeof(e), work_of(&e), (dy_, x_, dx_))


def total(x, weight=None):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray weight_ = None if weight is None else vector(weight, "weight", 1, x_.shape[0])
    cdef double result = 0
    cdef total_t t
    memset(&t, 0, sizeof(t))
    t.rows, t.columns, t.x, t.x_row, t.out = x_.shape[0], x_.shape[1], cnp.PyArray_DATA(x_), stride(x_), &result
    t.weight = NULL if weight is None else <const double *>cnp.PyArray_DATA(weight_)
    not_repeatable()  # nobody would look at the result
    run(elementwise_tables[level][real].total, &t, sizeof(t), 0, (x_, weight_))
    return result
