"""The affine coupling of a flow, its inverse and its backward pass: checks; ``simd/couplings.c`` computes them.

Twin: ``couplings_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, run, task_t

cnp.import_array()

cdef extern from "simd/couplings.h":
    ctypedef struct coupling_t:
        Py_ssize_t rows, columns
        const void *x
        const void *outputs
        const void *dy
        const void *dlog_det
        Py_ssize_t x_row, outputs_row, dy_row
        void *out
        void *log_det
        void *doutputs
        Py_ssize_t out_row, doutputs_row

    ctypedef struct couplings_table_t:
        task_t coupling, coupling_inverse, coupling_backward

cdef extern from *:
    """static const couplings_table_t *const couplings_tables[LEVEL_COUNT][2] = LIST_TABLES(couplings);"""
    const couplings_table_t *couplings_tables[3][2]


cdef double work_of(const coupling_t *c) noexcept:
    """A tanh and an exponential for each element."""
    return <double>c.rows * c.columns * 2 * EXPONENTIAL_COST


def coupling(x, outputs, y, log_det):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray outputs_ = matrix(outputs, "outputs", real, x_.shape[0], 2 * x_.shape[1])
    cdef cnp.ndarray y_ = output(y, "y", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray log_det_ = output_vector(log_det, "log_det", real, x_.shape[0])
    cdef coupling_t c
    memset(&c, 0, sizeof(c))
    c.rows, c.columns = x_.shape[0], x_.shape[1]
    c.x, c.x_row = cnp.PyArray_DATA(x_), stride(x_)
    c.outputs, c.outputs_row = cnp.PyArray_DATA(outputs_), stride(outputs_)
    c.out, c.out_row, c.log_det = cnp.PyArray_DATA(y_), stride(y_), cnp.PyArray_DATA(log_det_)
    run(couplings_tables[level][real].coupling, &c, sizeof(c), work_of(&c), (x_, outputs_, y_, log_det_))


def coupling_inverse(y, outputs, x):
    cdef int real = real_type(y, "y")
    cdef cnp.ndarray y_ = matrix(y, "y", real, -1, -1)
    cdef cnp.ndarray outputs_ = matrix(outputs, "outputs", real, y_.shape[0], 2 * y_.shape[1])
    cdef cnp.ndarray x_ = output(x, "x", real, y_.shape[0], y_.shape[1])
    cdef coupling_t c
    memset(&c, 0, sizeof(c))
    c.rows, c.columns = y_.shape[0], y_.shape[1]
    c.x, c.x_row = cnp.PyArray_DATA(y_), stride(y_)
    c.outputs, c.outputs_row = cnp.PyArray_DATA(outputs_), stride(outputs_)
    c.out, c.out_row = cnp.PyArray_DATA(x_), stride(x_)
    run(couplings_tables[level][real].coupling_inverse, &c, sizeof(c), work_of(&c), (y_, outputs_, x_))


def coupling_backward(dy, dlog_det, x, outputs, dx, doutputs):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray outputs_ = matrix(outputs, "outputs", real, x_.shape[0], 2 * x_.shape[1])
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray dlog_det_ = vector(dlog_det, "dlog_det", real, x_.shape[0])
    cdef cnp.ndarray dx_ = output(dx, "dx", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray doutputs_ = output(doutputs, "doutputs", real, x_.shape[0], 2 * x_.shape[1])
    cdef coupling_t c
    memset(&c, 0, sizeof(c))
    c.rows, c.columns = x_.shape[0], x_.shape[1]
    c.x, c.x_row = cnp.PyArray_DATA(x_), stride(x_)
    c.outputs, c.outputs_row = cnp.PyArray_DATA(outputs_), stride(outputs_)
    c.dy, c.dy_row, c.dlog_det = cnp.PyArray_DATA(dy_), stride(dy_), cnp.PyArray_DATA(dlog_det_)
    c.out, c.out_row = cnp.PyArray_DATA(dx_), stride(dx_)
    c.doutputs, c.doutputs_row = cnp.PyArray_DATA(doutputs_), stride(doutputs_)
    run(couplings_tables[level][real].coupling_backward, &c, sizeof(c), work_of(&c),
        (dy_, dlog_det_, x_, outputs_, dx_, doutputs_))
