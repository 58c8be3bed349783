"""Adam over the flat arena: threads and checks; ``simd/adam.c`` does parts of it.

Twin: ``adam_ref.py``, which defines what every function here returns.

Who does what. Every thread clears and updates the same stretch of every tensor that it wrote in dense_dW, the first
rows or the last, and so finds it in its own cache. Where the processors do not share a cache, an update that hands out
the arena otherwise takes several times as long.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from libc.math cimport sqrt
from pyvae._kernels.runtime cimport level, output_vector, real_type, threads_for, vector

import numpy as np

cnp.import_array()

cdef extern from "simd/adam.h":
    ctypedef struct adam_t:
        double learning_rate, beta1, beta2, epsilon, correction1, correction2

    ctypedef struct adam_table_t:
        void (*update)(const adam_t *adam, Py_ssize_t begin, Py_ssize_t end, void *values, const void *grads, void *m,
                       void *v) noexcept nogil
        void (*clear)(Py_ssize_t begin, Py_ssize_t end, void *x) noexcept nogil
        double (*sum_of_squares)(Py_ssize_t begin, Py_ssize_t end, const void *x) noexcept nogil

cdef extern from *:
    """static const adam_table_t *const adam_tables[LEVEL_COUNT][2] = LIST_TABLES(adam);"""
    const adam_table_t *adam_tables[3][2]

cdef enum:
    CHUNK = 16384  # elements; fixed, so that sums do not depend on the number of threads
    ELEMENT_COST = 4
    MOST_CHUNKS = 64
    LINE = 16  # numbers, a cache line of floats


cdef class Tensors:
    """Where the tensors of an arena of `size` numbers are, checked."""

    cdef cnp.ndarray table
    cdef const cnp.int64_t *extents
    cdef Py_ssize_t count

    def __cinit__(self, extents, Py_ssize_t size):
        self.table = np.ascontiguousarray([(0, size)] if extents is None else extents, dtype=np.int64)
        if self.table.ndim != 2 or self.table.shape[1] != 2:
            raise ValueError("extents must have two columns: begin and end of each tensor")
        self.extents, self.count = <const cnp.int64_t *>cnp.PyArray_DATA(self.table), self.table.shape[0]
        cdef Py_ssize_t i, last = 0
        for i in range(2 * self.count):
            if self.extents[i] < last or self.extents[i] > size:
                raise ValueError(f"extents must rise from 0 to {size} at most")
            last = self.extents[i]

    cdef Py_ssize_t begin(self, Py_ssize_t tensor, Py_ssize_t thread, Py_ssize_t threads) noexcept nogil:
        """Where a thread's stretch of a tensor begins, and that of the thread before it ends: at a cache line's edge."""
        cdef Py_ssize_t first = self.extents[2 * tensor], end = self.extents[2 * tensor + 1]
        return min(end, first + ((end - first) * thread // threads + LINE - 1) // LINE * LINE)


def adam(values, grads, m, v, learning_rate, beta1, beta2, epsilon, step, extents=None):
    cdef int real = real_type(values, "values")
    cdef cnp.ndarray values_ = output_vector(values, "values", real, -1)
    cdef Py_ssize_t size = values_.shape[0], t, i
    cdef cnp.ndarray grads_ = vector(grads, "grads", real, size)
    cdef cnp.ndarray m_ = output_vector(m, "m", real, size)
    cdef cnp.ndarray v_ = output_vector(v, "v", real, size)
    cdef void *values_data = cnp.PyArray_DATA(values_)
    cdef const void *grads_data = cnp.PyArray_DATA(grads_)
    cdef void *m_data = cnp.PyArray_DATA(m_)
    cdef void *v_data = cnp.PyArray_DATA(v_)
    cdef Tensors tensors = Tensors(extents, size)
    cdef adam_t a
    a.learning_rate, a.beta1, a.beta2, a.epsilon = learning_rate, beta1, beta2, epsilon
    a.correction1, a.correction2 = 1 - a.beta1 ** <double>step, sqrt(1 - a.beta2 ** <double>step)
    cdef const adam_table_t *table = adam_tables[level][real]
    cdef int n = threads_for(<double>size * ELEMENT_COST)
    with nogil:
        for t in prange(n, num_threads=n, use_threads_if=n > 1, schedule="static"):
            for i in range(tensors.count):
                table.update(&a, tensors.begin(i, t, n), tensors.begin(i, t + 1, n), values_data, grads_data, m_data,
                             v_data)


def clear(x, extents=None):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = output_vector(x, "x", real, -1)
    cdef void *data = cnp.PyArray_DATA(x_)
    cdef Py_ssize_t size = x_.shape[0], t, i
    cdef Tensors tensors = Tensors(extents, size)
    cdef const adam_table_t *table = adam_tables[level][real]
    cdef int n = threads_for(<double>size)
    with nogil:
        for t in prange(n, num_threads=n, use_threads_if=n > 1, schedule="static"):
            for i in range(tensors.count):
                table.clear(tensors.begin(i, t, n), tensors.begin(i, t + 1, n), data)


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
