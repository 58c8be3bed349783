"""Expectations over the classes of a row: checks; ``simd/classes.c`` computes them.

Twin: ``classes_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, stride, vector, whole_numbers
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, run, task_t

cnp.import_array()

cdef extern from "simd/classes.h":
    ctypedef struct classes_t:
        Py_ssize_t rows, classes, samples
        const void *log_q
        const void *log_p
        const void *x
        const void *given_share
        const void *dout
        const void *given_dshare
        const void *dkl
        const void *dextra
        const int64_t *label
        void *share
        void *kl
        void *extra
        void *out
        void *dx
        void *dshare
        void *dlog_q
        void *dlog_p
        Py_ssize_t log_q_row, x_row, given_share_row, dout_row, given_dshare_row
        Py_ssize_t share_row, out_row, dx_row, dshare_row, dlog_q_row, dlog_p_row
        double alpha

    ctypedef struct classes_table_t:
        task_t class_columns, class_shares, class_shares_backward, class_mean, class_mean_backward

cdef extern from *:
    """static const classes_table_t *const classes_tables[LEVEL_COUNT][2] = LIST_TABLES(classes);"""
    const classes_table_t *classes_tables[3][2]


cdef cnp.ndarray labels(object label, Py_ssize_t rows):
    cdef cnp.ndarray label_ = whole_numbers(label, "label")
    if cnp.PyArray_NDIM(label_) != 1 or label_.shape[0] != rows:
        raise ValueError(f"label must have {rows} numbers, not {label_.shape[0]}")
    return label_


cdef Py_ssize_t samples_per_class(Py_ssize_t columns, Py_ssize_t classes) except -2:
    """k, where a row of x has k columns for each class; -1, any number, without classes."""
    if classes == 0 and columns == 0:
        return -1
    if classes == 0 or columns % classes:
        raise ValueError(f"x has {columns} columns, which is no multiple of {classes} classes")
    return columns // classes


def class_columns(label, out):
    cdef int real = real_type(out, "out")
    cdef Py_ssize_t rows = len(label)
    cdef cnp.ndarray label_ = labels(label, rows)
    cdef cnp.ndarray out_ = output(out, "out", real, -1, -1)
    cdef Py_ssize_t classes = out_.shape[1]
    if out_.shape[0] != rows * classes:
        raise ValueError(f"out must have {rows * classes} rows, not {out_.shape[0]}")
    cdef classes_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.classes, s.label = rows, classes, <const int64_t *>cnp.PyArray_DATA(label_)
    s.out, s.out_row = cnp.PyArray_DATA(out_), stride(out_)
    run(classes_tables[level][real].class_columns, &s, sizeof(s), <double>rows * classes * classes * PLAIN_COST,
        (label_, out_))


def class_shares(log_q, log_p, label, alpha, share, kl, extra):
    cdef int real = real_type(log_q, "log_q")
    cdef cnp.ndarray log_q_ = matrix(log_q, "log_q", real, -1, -1)
    cdef Py_ssize_t rows = log_q_.shape[0], classes = log_q_.shape[1]
    cdef cnp.ndarray log_p_ = matrix(log_p, "log_p", real, 1, classes)
    cdef cnp.ndarray label_ = labels(label, rows)
    cdef cnp.ndarray share_ = output(share, "share", real, rows, classes)
    cdef cnp.ndarray kl_ = output_vector(kl, "kl", real, rows)
    cdef cnp.ndarray extra_ = output_vector(extra, "extra", real, rows)
    cdef classes_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.classes, s.alpha = rows, classes, alpha
    s.log_q, s.log_q_row, s.log_p = cnp.PyArray_DATA(log_q_), stride(log_q_), cnp.PyArray_DATA(log_p_)
    s.label = <const int64_t *>cnp.PyArray_DATA(label_)
    s.share, s.share_row = cnp.PyArray_DATA(share_), stride(share_)
    s.kl, s.extra = cnp.PyArray_DATA(kl_), cnp.PyArray_DATA(extra_)
    run(classes_tables[level][real].class_shares, &s, sizeof(s), <double>rows * classes * EXPONENTIAL_COST,
        (log_q_, log_p_, label_, share_, kl_, extra_))


def class_shares_backward(dshare, dkl, dextra, log_q, log_p, label, alpha, share, dlog_q, dlog_p):
    cdef int real = real_type(log_q, "log_q")
    cdef cnp.ndarray log_q_ = matrix(log_q, "log_q", real, -1, -1)
    cdef Py_ssize_t rows = log_q_.shape[0], classes = log_q_.shape[1]
    cdef cnp.ndarray log_p_ = matrix(log_p, "log_p", real, 1, classes)
    cdef cnp.ndarray label_ = labels(label, rows)
    cdef cnp.ndarray share_ = matrix(share, "share", real, rows, classes)
    cdef cnp.ndarray dshare_ = matrix(dshare, "dshare", real, rows, classes)
    cdef cnp.ndarray dkl_ = vector(dkl, "dkl", real, rows)
    cdef cnp.ndarray dextra_ = vector(dextra, "dextra", real, rows)
    cdef cnp.ndarray dlog_q_ = output(dlog_q, "dlog_q", real, rows, classes)
    cdef cnp.ndarray dlog_p_ = output(dlog_p, "dlog_p", real, rows, classes)
    cdef classes_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.classes, s.alpha = rows, classes, alpha
    s.log_q, s.log_q_row, s.log_p = cnp.PyArray_DATA(log_q_), stride(log_q_), cnp.PyArray_DATA(log_p_)
    s.label = <const int64_t *>cnp.PyArray_DATA(label_)
    s.given_share, s.given_share_row = cnp.PyArray_DATA(share_), stride(share_)
    s.given_dshare, s.given_dshare_row = cnp.PyArray_DATA(dshare_), stride(dshare_)
    s.dkl, s.dextra = cnp.PyArray_DATA(dkl_), cnp.PyArray_DATA(dextra_)
    s.dlog_q, s.dlog_q_row = cnp.PyArray_DATA(dlog_q_), stride(dlog_q_)
    s.dlog_p, s.dlog_p_row = cnp.PyArray_DATA(dlog_p_), stride(dlog_p_)
    run(classes_tables[level][real].class_shares_backward, &s, sizeof(s), <double>rows * classes * PLAIN_COST,
        (log_q_, log_p_, label_, share_, dshare_, dkl_, dextra_, dlog_q_, dlog_p_))


def class_mean(x, share, out):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray share_ = matrix(share, "share", real, -1, -1)
    cdef Py_ssize_t rows = share_.shape[0], classes = share_.shape[1]
    cdef cnp.ndarray x_ = matrix(x, "x", real, rows, -1)
    cdef Py_ssize_t samples = samples_per_class(x_.shape[1], classes)
    cdef cnp.ndarray out_ = output(out, "out", real, rows, samples)
    cdef classes_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.classes, s.samples = rows, classes, out_.shape[1]
    s.x, s.x_row, s.out, s.out_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(out_), stride(out_)
    s.given_share, s.given_share_row = cnp.PyArray_DATA(share_), stride(share_)
    run(classes_tables[level][real].class_mean, &s, sizeof(s), <double>rows * x_.shape[1] * PLAIN_COST,
        (x_, share_, out_))


def class_mean_backward(dout, x, share, dx, dshare):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray share_ = matrix(share, "share", real, -1, -1)
    cdef Py_ssize_t rows = share_.shape[0], classes = share_.shape[1]
    cdef cnp.ndarray x_ = matrix(x, "x", real, rows, -1)
    cdef Py_ssize_t samples = samples_per_class(x_.shape[1], classes)
    cdef cnp.ndarray dout_ = matrix(dout, "dout", real, rows, samples)
    cdef cnp.ndarray dx_ = output(dx, "dx", real, rows, x_.shape[1])
    cdef cnp.ndarray dshare_ = output(dshare, "dshare", real, rows, classes)
    cdef classes_t s
    memset(&s, 0, sizeof(s))
    s.rows, s.classes, s.samples = rows, classes, dout_.shape[1]
    s.x, s.x_row, s.dout, s.dout_row = cnp.PyArray_DATA(x_), stride(x_), cnp.PyArray_DATA(dout_), stride(dout_)
    s.given_share, s.given_share_row = cnp.PyArray_DATA(share_), stride(share_)
    s.dx, s.dx_row, s.dshare, s.dshare_row = cnp.PyArray_DATA(dx_), stride(dx_), cnp.PyArray_DATA(dshare_), stride(dshare_)
    run(classes_tables[level][real].class_mean_backward, &s, sizeof(s), <double>rows * x_.shape[1] * PLAIN_COST,
        (dout_, x_, share_, dx_, dshare_))
