"""Adam, AdamW and the natural step over the flat arena: checks; ``simd/optimizer.c`` makes the passes.

Twin: ``optimizer_ref.py``, which defines what every function here returns.

Shares of the threads. Each thread clears and updates the same part of every tensor that it wrote in dense_dW, the first
rows or the last, and so finds it in its own cache. If the processors do not share a cache, an update that shares out
the arena in another way takes several times as long.
"""
cimport numpy as cnp
from libc.math cimport sqrt
from libc.string cimport memset
from pyvae._kernels.arrays cimport output_vector, real_type, vector, whole_numbers
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport cleared_on_tape, not_repeatable, run, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/optimizer.h":
    ctypedef struct arena_t:
        double learning_rate, beta1, beta2, epsilon, scale, decay, l2, correction1, correction2
        void *values
        void *m
        void *v
        void *grads
        const cnp.int64_t *extents
        const double *rates
        Py_ssize_t tensors

    ctypedef struct sum_t:
        const void *x
        Py_ssize_t size
        double *partial

    ctypedef struct optimizer_table_t:
        task_t update, natural_step, clear, sum_of_squares

    int CHUNK

cdef extern from *:
    """static const optimizer_table_t *const optimizer_tables[LEVEL_COUNT][2] = LIST_TABLES(optimizer);"""
    const optimizer_table_t *optimizer_tables[3][2]

cdef enum:
    UPDATE_COST = 4  # of one parameter, in sixteen multiply-adds


cdef cnp.ndarray checked_extents(object extents, Py_ssize_t size):
    cdef cnp.ndarray table = whole_numbers([(0, size)] if extents is None else extents, "extents")
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError("extents must have two columns: begin and end of each tensor")
    cdef const cnp.int64_t *edge = <const cnp.int64_t *>cnp.PyArray_DATA(table)
    cdef Py_ssize_t i, last = 0
    for i in range(2 * table.shape[0]):
        if edge[i] < last or edge[i] > size:
            raise ValueError(f"extents must rise from 0 to {size} at most")
        last = edge[i]
    return table


cdef cnp.ndarray checked_rates(object rates, Py_ssize_t tensors):
    if rates is None:
        return np.ones(tensors)
    return vector(rates, "rates", True, tensors)  # double


def adam(values, grads, m, v, learning_rate, beta1, beta2, epsilon, step, extents=None, scale=1.0, decay=0.0,
         rates=None, l2=0.0):
    cdef int real = real_type(values, "values")
    cdef cnp.ndarray values_ = output_vector(values, "values", real, -1)
    cdef Py_ssize_t size = values_.shape[0]
    cdef cnp.ndarray grads_ = vector(grads, "grads", real, size)
    cdef cnp.ndarray m_ = output_vector(m, "m", real, size)
    cdef cnp.ndarray v_ = output_vector(v, "v", real, size)
    cdef cnp.ndarray extents_ = checked_extents(extents, size)
    cdef cnp.ndarray rates_ = checked_rates(rates, extents_.shape[0])
    cdef arena_t a
    memset(&a, 0, sizeof(a))
    a.values, a.grads = cnp.PyArray_DATA(values_), cnp.PyArray_DATA(grads_)
    a.m, a.v = cnp.PyArray_DATA(m_), cnp.PyArray_DATA(v_)
    a.extents, a.tensors = <const cnp.int64_t *>cnp.PyArray_DATA(extents_), extents_.shape[0]
    a.rates = <const double *>cnp.PyArray_DATA(rates_)
    a.learning_rate, a.beta1, a.beta2, a.epsilon = learning_rate, beta1, beta2, epsilon
    a.scale, a.decay, a.l2 = scale, decay, l2
    a.correction1, a.correction2 = 1 - a.beta1 ** <double>step, sqrt(1 - a.beta2 ** <double>step)
    not_repeatable()
    run(optimizer_tables[level][real].update, &a, sizeof(a), <double>size * UPDATE_COST,
        (values_, grads_, m_, v_, extents_, rates_))


def natural_step(values, grads, extents=None, rates=None):
    cdef int real = real_type(values, "values")
    cdef cnp.ndarray values_ = output_vector(values, "values", real, -1)
    cdef cnp.ndarray grads_ = vector(grads, "grads", real, values_.shape[0])
    cdef cnp.ndarray extents_ = checked_extents(extents, values_.shape[0])
    cdef cnp.ndarray rates_ = checked_rates(rates, extents_.shape[0])
    cdef arena_t a
    memset(&a, 0, sizeof(a))
    a.values, a.grads = cnp.PyArray_DATA(values_), cnp.PyArray_DATA(grads_)
    a.extents, a.tensors = <const cnp.int64_t *>cnp.PyArray_DATA(extents_), extents_.shape[0]
    cdef Py_ssize_t i, size = 0
    for i in range(a.tensors):
        size += a.extents[2 * i + 1] - a.extents[2 * i]
    a.rates = <const double *>cnp.PyArray_DATA(rates_)
    not_repeatable()
    run(optimizer_tables[level][real].natural_step, &a, sizeof(a), <double>size * UPDATE_COST,
        (values_, grads_, extents_, rates_))


def clear(x, extents=None):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = output_vector(x, "x", real, -1)
    cdef cnp.ndarray extents_ = checked_extents(extents, x_.shape[0]).copy()  # a tape will take some away
    cdef arena_t a
    memset(&a, 0, sizeof(a))
    a.grads = cnp.PyArray_DATA(x_)
    a.extents, a.tensors = <const cnp.int64_t *>cnp.PyArray_DATA(extents_), extents_.shape[0]
    run(optimizer_tables[level][real].clear, &a, sizeof(a), x_.shape[0], (x_, extents_))
    cleared_on_tape(<char *>a.grads, <cnp.int64_t *>cnp.PyArray_DATA(extents_), a.tensors, 8 if real else 4)


def sum_of_squares(x):
    cdef int real = real_type(x, "x")
    cdef cnp.ndarray x_ = vector(x, "x", real, -1)
    cdef sum_t s
    memset(&s, 0, sizeof(s))
    s.x, s.size = cnp.PyArray_DATA(x_), x_.shape[0]
    cdef cnp.ndarray partial = np.empty((s.size + CHUNK - 1) // CHUNK)
    s.partial = <double *>cnp.PyArray_DATA(partial)
    not_repeatable()
    run(optimizer_tables[level][real].sum_of_squares, &s, sizeof(s), s.size, (x_, partial))
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(partial.shape[0]):
        total += s.partial[i]
    return total
