"""Layer normalisation: checks; ``simd/norm.c`` computes it.

Twin: ``norm_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, refuse_overlap, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport PLAIN_COST, run, task_t

cnp.import_array()

cdef extern from "simd/norm.h":
    ctypedef struct norm_t:
        Py_ssize_t rows, columns
        const void *x
        const void *gain
        const void *bias
        void *u
        void *r
        void *out
        void *dgain
        void *dbias
        Py_ssize_t x_row, u_row, out_row
        double epsilon

    ctypedef struct norm_table_t:
        task_t forward, backward, sums

cdef extern from *:
    """static const norm_table_t *const norm_tables[LEVEL_COUNT][2] = LIST_TABLES(norm);"""
    const norm_table_t *norm_tables[3][2]


def layer_norm(x, gain, bias, epsilon, out, u, r):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = matrix(x, "x", real, -1, -1)
    cdef cnp.ndarray gain_ = vector(gain, "gain", real, x_.shape[1]), bias_ = vector(bias, "bias", real, x_.shape[1])
    cdef cnp.ndarray out_ = output(out, "out", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray u_ = output(u, "u", real, x_.shape[0], x_.shape[1])
    cdef cnp.ndarray r_ = output_vector(r, "r", real, x_.shape[0])
    cdef norm_t n
    memset(&n, 0, sizeof(n))
    n.rows, n.columns, n.epsilon = x_.shape[0], x_.shape[1], epsilon
    n.x, n.x_row, n.gain, n.bias = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(gain_), cnp.PyArray_DATA(bias_)
    n.out, n.out_row, n.u, n.u_row = cnp.PyArray_DATA(out_), stride(out_), cnp.PyArray_DATA(u_), stride(u_)
    n.r = cnp.PyArray_DATA(r_)
    run(norm_tables[level][real].forward, &n, sizeof(n), <double>n.rows * n.columns * PLAIN_COST,
        (x_, gain_, bias_, out_, u_, r_))


def layer_norm_backward(dy, u, r, gain, dx, dgain, dbias):
    cdef int real = real_type(dy, "dy")
    cdef cnp.ndarray dy_ = matrix(dy, "dy", real, -1, -1)
    cdef cnp.ndarray u_ = matrix(u, "u", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray r_ = vector(r, "r", real, dy_.shape[0]), gain_ = vector(gain, "gain", real, dy_.shape[1])
    cdef cnp.ndarray dx_ = None if dx is None else output(dx, "dx", real, dy_.shape[0], dy_.shape[1])
    cdef cnp.ndarray dgain_ = output_vector(dgain, "dgain", real, dy_.shape[1])
    cdef cnp.ndarray dbias_ = output_vector(dbias, "dbias", real, dy_.shape[1])
    cdef norm_t n
    memset(&n, 0, sizeof(n))
    n.rows, n.columns = dy_.shape[0], dy_.shape[1]
    n.x, n.x_row, n.u, n.u_row = cnp.PyArray_DATA(dy_), stride(dy_), cnp.PyArray_DATA(u_), stride(u_)
    n.r, n.gain = cnp.PyArray_DATA(r_), cnp.PyArray_DATA(gain_)
    n.dgain, n.dbias = cnp.PyArray_DATA(dgain_), cnp.PyArray_DATA(dbias_)
    if dx is not None:
        refuse_overlap(dx_, dy_, "dy")  # dy is read once more for the sums
        n.out, n.out_row = cnp.PyArray_DATA(dx_), stride(dx_)
        run(norm_tables[level][real].backward, &n, sizeof(n), <double>n.rows * n.columns * PLAIN_COST,
            (dy_, u_, r_, gain_, dx_))
    run(norm_tables[level][real].sums, &n, sizeof(n), <double>n.rows * n.columns * PLAIN_COST,
        (dy_, u_, dgain_, dbias_))
