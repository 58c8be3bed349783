"""Softmax and the logarithm of a sum of exponentials: checks; ``simd/log_space.c`` computes them.

Twin: ``log_space_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, stride
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, run, task_t

cnp.import_array()

cdef extern from "simd/log_space.h":
    ctypedef struct log_space_t:
        Py_ssize_t rows, columns
        const void *x
        const void *dout
        void *out
        void *log_sum
        Py_ssize_t x_row, dout_row, out_row

    ctypedef struct log_space_table_t:
        task_t softmax, log_softmax, log_softmax_backward

cdef extern from *:
    """static const log_space_table_t *const log_space_tables[LEVEL_COUNT][2] = LIST_TABLES(log_space);"""
    const log_space_table_t *log_space_tables[3][2]


def softmax(x, out, log_sum):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray log_sum_ = output_vector(log_sum, "log_sum", real, x_.shape[0])
    cdef log_space_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.columns = x_.shape[0], x_.shape[1]
    s.x, s.x_row, s.out, s.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    s.log_sum = cnp.PyArray_DATA(log_sum_)
    run(log_space_tables[level][real].softmax, &s, sizeof(s), <double>s.rows * s.columns * EXPONENTIAL_COST,
        (x_, out_, log_sum_))


def log_softmax(x, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef log_space_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.columns = x_.shape[0], x_.shape[1]
    s.x, s.x_row, s.out, s.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    run(log_space_tables[level][real].log_softmax, &s, sizeof(s), <double>s.rows * s.columns * EXPONENTIAL_COST,
        (x_, out_))


def log_softmax_backward(dout, out, dx):
    cdef int real = real_type(out, "out")
    cdef cnp.ndarray out_ = matrix(out, "out", real, -1, -1)
    cdef cnp.ndarray dout_ = matrix(dout, "dout", real, out_.shape[0], out_.shape[1])
    cdef cnp.ndarray dx_ = output(dx, "dx", real, out_.shape[0], out_.shape[1])
    cdef log_space_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.columns = out_.shape[0], out_.shape[1]
    s.dout, s.dout_row = cnp.PyArray_DATA(dout_), stride(dout_)
    s.x, s.x_row, s.out, s.out_row = cnp.PyArray_DATA(out_), stride(out_), cnp.PyArray_DATA(dx_), stride(dx_)
    run(log_space_tables[level][real].log_softmax_backward, &s, sizeof(s),
        <double>s.rows * s.columns * EXPONENTIAL_COST, (dout_, out_, dx_))
