"""Adam over the flat arena: threads and checks; ``simd/adam.c`` does a stretch of it.

Twin: ``adam_ref.py``, which defines what every function here returns.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from libc.math cimport sqrt
from pyvae._kernels.runtime cimport level, output_vector, real_type, threads_for, vector

cnp.import_array()

cdef extern from "simd/adam.h":
    ctypedef struct adam_t:
        double learning_rate, beta1, beta2, epsilon, correction1, correction2

    ctypedef struct adam_table_t:
        void (*update)(const adam_t *adam, Py_ssize_t begin, Py_ssize_t end, void *values, const void *grads, void *m,
                       void *v) noexcept nogil
        double (*sum_of_squares)(Py_ssize_t begin, Py_ssize_t end, const void *x) noexcept nogil

cdef extern from *:
    """static const adam_table_t *const adam_tables[LEVEL_COUNT][2] = LIST_TABLES(adam);"""
    const adam_table_t *adam_tables[3][2]

cdef enum:
    CHUNK = 16384  # elements; fixed, so that sums do not depend on the number of threads
    ELEMENT_COST = 4
    MOST_CHUNKS = 64


def adam(values, grads, m, v, learning_rate, beta1, beta2, epsilon, step):
    cdef int real = real_type(values, "values")
    cdef cnp.ndarray values_ = output_vector(values, "values", real, -1)
    cdef Py_ssize_t size = values_.shape[0], t
    cdef cnp.ndarray grads_ = vector(grads, "grads", real, size)
    cdef cnp.ndarray m_ = output_vector(m, "m", real, size)
    cdef cnp.ndarray v_ = output_vector(v, "v", real, size)
    cdef void *values_data = cnp.PyArray_DATA(values_)
    cdef const void *grads_data = cnp.PyArray_DATA(grads_)
    cdef void *m_data = cnp.PyArray_DATA(m_)
    cdef void *v_data = cnp.PyArray_DATA(v_)
    cdef adam_t a
    a.learning_rate, a.beta1, a.beta2, a.epsilon = learning_rate, beta1, beta2, epsilon
    a.correction1, a.correction2 = 1 - a.beta1 ** <double>step, sqrt(1 - a.beta2 ** <double>step)
    cdef const adam_table_t *table = adam_tables[level][real]
    cdef int n = threads_for(<double>size * ELEMENT_COST)
    with nogil:
        for t in prange((size + CHUNK - 1) // CHUNK, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.update(&a, t * CHUNK, min((t + 1) * CHUNK, size), values_data, grads_data, m_data, v_data)


def sum_of_squares(x):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = vector(x, "x", real, -1)
    cdef Py_ssize_t size = x_.shape[0], chunks = (size + CHUNK - 1) // CHUNK, first = 0, count, t
    cdef const void *data = cnp.PyArray_DATA(x_)
    cdef const adam_table_t *table = adam_tables[level][real]
    cdef double partial[MOST_CHUNKS]
    cdef double total = 0
    cdef int n = threads_for(<double>size * ELEMENT_COST)
    with nogil:
        while first < chunks:
            count = min(chunks - first, <Py_ssize_t>MOST_CHUNKS)
            for t in prange(count, num_threads=n, use_threads_if=n > 1, schedule="static"):
                partial[t] = table.sum_of_squares((first + t) * CHUNK, min((first + t + 1) * CHUNK, size), data)
            for t in range(count):
                total += partial[t]
            first += count
    return total
