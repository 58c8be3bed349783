"""Gaussian posterior with a full covariance, by its Cholesky factor: checks; ``simd/cholesky.c`` computes them.

Twin: ``cholesky_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, run, task_t

cnp.import_array()

cdef extern from "simd/cholesky.h":
    ctypedef struct cholesky_t:
        Py_ssize_t rows, columns, samples
        const void *mu
        const void *log_diagonal
        const void *lower
        Py_ssize_t mu_row, log_diagonal_row, lower_row
        const void *eps
        const void *dz
        const void *dkl
        const void *dlog_qz
        void *z
        void *log_qz
        void *kl
        void *dmu
        void *dlog_diagonal
        void *dlower

    ctypedef struct cholesky_table_t:
        task_t sample, sample_backward, density_backward, kl, kl_backward

cdef extern from *:
    """static const cholesky_table_t *const cholesky_tables[LEVEL_COUNT][2] = LIST_TABLES(cholesky);"""
    const cholesky_table_t *cholesky_tables[3][2]


cdef double work(cholesky_t *q) noexcept:
    """Of one pass over L for each sample."""
    return <double>q.rows * q.columns * (EXPONENTIAL_COST + 0.5 * q.samples * q.columns)


def full_gaussian(mu, log_diagonal, lower, eps, z, log_qz):
    cdef int real = real_type(log_diagonal, "log_diagonal")
    cdef cnp.ndarray diagonal_ = matrix(log_diagonal, "log_diagonal", real, -1, -1)
    cdef Py_ssize_t B = diagonal_.shape[0], Z = diagonal_.shape[1]
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, B, Z)
    cdef cnp.ndarray lower_ = matrix(lower, "lower", real, B, Z * (Z - 1) // 2)
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, Z), "eps", False)
    cdef cnp.ndarray z_ = contiguous(output(z, "z", real, eps_.shape[0], Z), "z", True)
    cdef cnp.ndarray log_qz_ = output_vector(log_qz, "log_qz", real, eps_.shape[0])
    cdef cholesky_t q
    memset(&q, 0, sizeof(q))
    q.rows, q.columns, q.samples = B, Z, samples_per_row(eps_.shape[0], B, "eps")
    q.mu, q.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    q.log_diagonal, q.log_diagonal_row = cnp.PyArray_DATA(diagonal_), stride(diagonal_)
    q.lower, q.lower_row = cnp.PyArray_DATA(lower_), stride(lower_)
    q.eps, q.z, q.log_qz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(z_), cnp.PyArray_DATA(log_qz_)
    run(cholesky_tables[level][real].sample, &q, sizeof(q), work(&q), (mu_, diagonal_, lower_, eps_, z_, log_qz_))


def full_gaussian_backward(dz, log_diagonal, eps, dmu, dlog_diagonal, dlower, dlog_qz=None):
    cdef int real = real_type(log_diagonal, "log_diagonal")
    cdef cnp.ndarray diagonal_ = matrix(log_diagonal, "log_diagonal", real, -1, -1)
    cdef Py_ssize_t B = diagonal_.shape[0], Z = diagonal_.shape[1]
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, Z), "eps", False)
    cdef cnp.ndarray dz_ = contiguous(matrix(dz, "dz", real, eps_.shape[0], Z), "dz", False)
    cdef cnp.ndarray dmu_ = contiguous(output(dmu, "dmu", real, B, Z), "dmu", True)
    cdef cnp.ndarray ddiagonal_ = contiguous(output(dlog_diagonal, "dlog_diagonal", real, B, Z), "dlog_diagonal", True)
    cdef cnp.ndarray dlower_ = contiguous(output(dlower, "dlower", real, B, Z * (Z - 1) // 2), "dlower", True)
    cdef cnp.ndarray dlog_qz_ = None if dlog_qz is None else vector(dlog_qz, "dlog_qz", real, eps_.shape[0])
    cdef cholesky_t q
    memset(&q, 0, sizeof(q))
    q.rows, q.columns, q.samples = B, Z, samples_per_row(eps_.shape[0], B, "eps")
    q.log_diagonal, q.log_diagonal_row = cnp.PyArray_DATA(diagonal_), stride(diagonal_)
    q.eps, q.dz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(dz_)
    q.dmu, q.dlog_diagonal = cnp.PyArray_DATA(dmu_), cnp.PyArray_DATA(ddiagonal_)
    q.dlower = cnp.PyArray_DATA(dlower_)
    q.dlog_qz = NULL if dlog_qz is None else cnp.PyArray_DATA(dlog_qz_)
    run(cholesky_tables[level][real].sample_backward, &q, sizeof(q), work(&q),
        (diagonal_, eps_, dz_, dmu_, ddiagonal_, dlower_, dlog_qz_))


def full_gaussian_density_backward(dlog_qz, log_diagonal, lower, eps, dz):
    cdef int real = real_type(log_diagonal, "log_diagonal")
    cdef cnp.ndarray diagonal_ = matrix(log_diagonal, "log_diagonal", real, -1, -1)
    cdef Py_ssize_t B = diagonal_.shape[0], Z = diagonal_.shape[1]
    cdef cnp.ndarray lower_ = matrix(lower, "lower", real, B, Z * (Z - 1) // 2)
    cdef cnp.ndarray eps_ = contiguous(matrix(eps, "eps", real, -1, Z), "eps", False)
    cdef cnp.ndarray dlog_qz_ = vector(dlog_qz, "dlog_qz", real, eps_.shape[0])
    cdef cnp.ndarray dz_ = contiguous(output(dz, "dz", real, eps_.shape[0], Z), "dz", True)
    cdef cholesky_t q
    memset(&q, 0, sizeof(q))
    q.rows, q.columns, q.samples = B, Z, samples_per_row(eps_.shape[0], B, "eps")
    q.log_diagonal, q.log_diagonal_row = cnp.PyArray_DATA(diagonal_), stride(diagonal_)
    q.lower, q.lower_row = cnp.PyArray_DATA(lower_), stride(lower_)
    q.eps, q.z, q.dlog_qz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(dz_), cnp.PyArray_DATA(dlog_qz_)
    run(cholesky_tables[level][real].density_backward, &q, sizeof(q), work(&q),
        (diagonal_, lower_, eps_, dlog_qz_, dz_))


def full_gaussian_kl(mu, log_diagonal, lower, out):
    cdef int real = real_type(log_diagonal, "log_diagonal")
    cdef cnp.ndarray diagonal_ = matrix(log_diagonal, "log_diagonal", real, -1, -1)
    cdef Py_ssize_t B = diagonal_.shape[0], Z = diagonal_.shape[1]
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, B, Z)
    cdef cnp.ndarray lower_ = matrix(lower, "lower", real, B, Z * (Z - 1) // 2)
    cdef cnp.ndarray out_ = output_vector(out, "out", real, B)
    cdef cholesky_t q
    memset(&q, 0, sizeof(q))
    q.rows, q.columns, q.samples = B, Z, 1
    q.mu, q.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    q.log_diagonal, q.log_diagonal_row = cnp.PyArray_DATA(diagonal_), stride(diagonal_)
    q.lower, q.lower_row = cnp.PyArray_DATA(lower_), stride(lower_)
    q.kl = cnp.PyArray_DATA(out_)
    run(cholesky_tables[level][real].kl, &q, sizeof(q), work(&q), (mu_, diagonal_, lower_, out_))


def full_gaussian_kl_backward(dkl, mu, log_diagonal, lower, dmu, dlog_diagonal, dlower):
    cdef int real = real_type(log_diagonal, "log_diagonal")
    cdef cnp.ndarray diagonal_ = matrix(log_diagonal, "log_diagonal", real, -1, -1)
    cdef Py_ssize_t B = diagonal_.shape[0], Z = diagonal_.shape[1]
    cdef cnp.ndarray mu_ = matrix(mu, "mu", real, B, Z)
    cdef cnp.ndarray lower_ = matrix(lower, "lower", real, B, Z * (Z - 1) // 2)
    cdef cnp.ndarray dkl_ = vector(dkl, "dkl", real, B)
    cdef cnp.ndarray dmu_ = contiguous(output(dmu, "dmu", real, B, Z), "dmu", True)
    cdef cnp.ndarray ddiagonal_ = contiguous(output(dlog_diagonal, "dlog_diagonal", real, B, Z), "dlog_diagonal", True)
    cdef cnp.ndarray dlower_ = contiguous(output(dlower, "dlower", real, B, Z * (Z - 1) // 2), "dlower", True)
    cdef cholesky_t q
    memset(&q, 0, sizeof(q))
    q.rows, q.columns, q.samples = B, Z, 1
    q.mu, q.mu_row = cnp.PyArray_DATA(mu_), stride(mu_)
    q.log_diagonal, q.log_diagonal_row = cnp.PyArray_DATA(diagonal_), stride(diagonal_)
    q.lower, q.lower_row = cnp.PyArray_DATA(lower_), stride(lower_)
    q.dkl, q.dmu = cnp.PyArray_DATA(dkl_), cnp.PyArray_DATA(dmu_)
    q.dlog_diagonal, q.dlower = cnp.PyArray_DATA(ddiagonal_), cnp.PyArray_DATA(dlower_)
    run(cholesky_tables[level][real].kl_backward, &q, sizeof(q), work(&q),
        (mu_, diagonal_, lower_, dkl_, dmu_, ddiagonal_, dlower_))
