"""Diagonal Gaussian posterior and standard normal prior: threads and checks; ``simd/gaussian.c`` does the rows.

Twin: ``gaussian_ref.py``, which defines what every function here returns.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from pyvae._kernels.runtime cimport (
    level, matrix, output, output_vector, real_type, samples_per_row, stride, threads_for, vector
)

cnp.import_array()

cdef extern from "simd/gaussian.h":
    ctypedef struct posterior_t:
        const void *mu
        const void *logvar
        Py_ssize_t columns, samples, mu_row, logvar_row

    ctypedef struct gaussian_table_t:
        void (*reparameterize)(Py_ssize_t begin, Py_ssize_t end, const posterior_t *q, const void *eps, void *z,
                               void *log_qz) noexcept nogil
        void (*reparameterize_backward)(Py_ssize_t begin, Py_ssize_t end, const posterior_t *q, const void *dz,
                                        const void *eps, void *dmu, void *dlogvar) noexcept nogil
        void (*kl)(Py_ssize_t begin, Py_ssize_t end, const posterior_t *q, void *out) noexcept nogil
        void (*kl_backward)(Py_ssize_t begin, Py_ssize_t end, const posterior_t *q, const void *dkl, void *dmu,
                            void *dlogvar) noexcept nogil
        void (*standard_normal)(Py_ssize_t begin, Py_ssize_t end, Py_ssize_t columns, const void *z,
                                void *log_pz) noexcept nogil

cdef extern from *:
    """static const gaussian_table_t *const gaussian_tables[LEVEL_COUNT][2] = LIST_TABLES(gaussian);"""
    const gaussian_table_t *gaussian_tables[3][2]

cdef enum:
    ELEMENT_COST = 16  # of one element with its exponential, in multiply-adds
    ROWS_PER_TASK = 16


cdef class Posterior:
    """mu (None where a function does not need it) and logvar, checked, as C sees them."""

    cdef posterior_t q
    cdef cnp.ndarray mu, logvar
    cdef Py_ssize_t rows, tasks
    cdef int real, threads

    def __cinit__(self, mu, logvar, Py_ssize_t many_rows):
        self.real = real_type(logvar, "logvar")
        self.logvar = matrix(logvar, "logvar", self.real, -1, -1)
        self.rows, self.q.columns = self.logvar.shape[0], self.logvar.shape[1]
        self.q.logvar, self.q.logvar_row = cnp.PyArray_DATA(self.logvar), stride(self.logvar)
        if mu is not None:
            self.mu = matrix(mu, "mu", self.real, self.rows, self.q.columns)
            self.q.mu, self.q.mu_row = cnp.PyArray_DATA(self.mu), stride(self.mu)
        self.q.samples = samples_per_row(many_rows, self.rows, "eps")
        self.tasks = (self.rows + ROWS_PER_TASK - 1) // ROWS_PER_TASK
        self.threads = threads_for(<double>self.rows * self.q.columns * self.q.samples * ELEMENT_COST)

    cdef cnp.ndarray contiguous(self, object array, str name, Py_ssize_t rows, bint writable):
        cdef cnp.ndarray a
        if writable:
            a = output(array, name, self.real, rows, self.q.columns)
        else:
            a = matrix(array, name, self.real, rows, self.q.columns)
        if not cnp.PyArray_IS_C_CONTIGUOUS(a):
            if writable:
                raise ValueError(f"{name} must be contiguous, to be written in place")
            a = a.copy()
        return a


def reparameterize(mu, logvar, eps, z, log_qz):
    cdef Posterior p = Posterior(mu, logvar, eps.shape[0])
    cdef const gaussian_table_t *table = gaussian_tables[level][p.real]
    cdef cnp.ndarray eps_ = p.contiguous(eps, "eps", -1, False)
    cdef cnp.ndarray z_ = p.contiguous(z, "z", eps_.shape[0], True)
    cdef cnp.ndarray log_qz_ = output_vector(log_qz, "log_qz", p.real, eps_.shape[0])
    cdef const void *eps_data = cnp.PyArray_DATA(eps_)
    cdef void *z_data = cnp.PyArray_DATA(z_)
    cdef void *log_qz_data = cnp.PyArray_DATA(log_qz_)
    cdef Py_ssize_t t, tasks = p.tasks, rows = p.rows
    cdef int n = p.threads
    cdef const posterior_t *q = &p.q
    with nogil:
        for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.reparameterize(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows), q, eps_data, z_data,
                                 log_qz_data)


def reparameterize_backward(dz, logvar, eps, dmu, dlogvar):
    cdef Posterior p = Posterior(None, logvar, eps.shape[0])
    cdef const gaussian_table_t *table = gaussian_tables[level][p.real]
    cdef cnp.ndarray eps_ = p.contiguous(eps, "eps", -1, False)
    cdef cnp.ndarray dz_ = p.contiguous(dz, "dz", eps_.shape[0], False)
    cdef cnp.ndarray dmu_ = p.contiguous(dmu, "dmu", p.rows, True)
    cdef cnp.ndarray dlogvar_ = p.contiguous(dlogvar, "dlogvar", p.rows, True)
    cdef const void *dz_data = cnp.PyArray_DATA(dz_)
    cdef const void *eps_data = cnp.PyArray_DATA(eps_)
    cdef void *dmu_data = cnp.PyArray_DATA(dmu_)
    cdef void *dlogvar_data = cnp.PyArray_DATA(dlogvar_)
    cdef Py_ssize_t t, tasks = p.tasks, rows = p.rows
    cdef int n = p.threads
    cdef const posterior_t *q = &p.q
    with nogil:
        for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.reparameterize_backward(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows), q, dz_data,
                                          eps_data, dmu_data, dlogvar_data)


def kl(mu, logvar, out):
    cdef Posterior p = Posterior(mu, logvar, mu.shape[0])
    cdef const gaussian_table_t *table = gaussian_tables[level][p.real]
    cdef cnp.ndarray out_ = output_vector(out, "out", p.real, p.rows)
    cdef void *out_data = cnp.PyArray_DATA(out_)
    cdef Py_ssize_t t, tasks = p.tasks, rows = p.rows
    cdef int n = p.threads
    cdef const posterior_t *q = &p.q
    with nogil:
        for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.kl(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows), q, out_data)


def kl_backward(dkl, mu, logvar, dmu, dlogvar):
    cdef Posterior p = Posterior(mu, logvar, mu.shape[0])
    cdef const gaussian_table_t *table = gaussian_tables[level][p.real]
    cdef cnp.ndarray dkl_ = vector(dkl, "dkl", p.real, p.rows)
    cdef cnp.ndarray dmu_ = p.contiguous(dmu, "dmu", p.rows, True)
    cdef cnp.ndarray dlogvar_ = p.contiguous(dlogvar, "dlogvar", p.rows, True)
    cdef const void *dkl_data = cnp.PyArray_DATA(dkl_)
    cdef void *dmu_data = cnp.PyArray_DATA(dmu_)
    cdef void *dlogvar_data = cnp.PyArray_DATA(dlogvar_)
    cdef Py_ssize_t t, tasks = p.tasks, rows = p.rows
    cdef int n = p.threads
    cdef const posterior_t *q = &p.q
    with nogil:
        for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.kl_backward(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows), q, dkl_data, dmu_data,
                              dlogvar_data)


def standard_normal(z, log_pz):
    cdef int real = real_type(z, "z")
    cdef cnp.ndarray z_ = matrix(z, "z", real, -1, -1)
    cdef Py_ssize_t rows = z_.shape[0], columns = z_.shape[1], t
    cdef const gaussian_table_t *table = gaussian_tables[level][real]
    if not cnp.PyArray_IS_C_CONTIGUOUS(z_):
        z_ = z_.copy()
    cdef cnp.ndarray log_pz_ = output_vector(log_pz, "log_pz", real, rows)
    cdef const void *z_data = cnp.PyArray_DATA(z_)
    cdef void *log_pz_data = cnp.PyArray_DATA(log_pz_)
    cdef int n = threads_for(<double>rows * columns)
    with nogil:
        for t in prange((rows + ROWS_PER_TASK - 1) // ROWS_PER_TASK, num_threads=n, use_threads_if=n > 1,
                        schedule="static"):
            table.standard_normal(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows), columns, z_data, log_pz_data)
