"""Philox random numbers and the order of rows: threads and checks; ``simd/random.c`` fills the rows.

Twin: ``random_ref.py``, which defines what every function here returns, and where the reasons stand.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from libc.stdint cimport uint32_t, uint64_t
from pyvae._kernels.runtime cimport level, matrix, output, real_type, row_numbers, samples_per_row, threads_for

import numpy as np

cnp.import_array()

cdef extern from "simd/random.h":
    ctypedef struct draw_t:
        uint32_t key[2]
        uint32_t step
        const cnp.int64_t *rows
        Py_ssize_t samples, columns
        const void *probability
        void *out
        int kind

    ctypedef struct random_table_t:
        void (*fill)(const draw_t *draw, Py_ssize_t begin, Py_ssize_t end) noexcept nogil

    int UNIFORM, NORMAL, BERNOULLI

cdef extern from *:
    """
    static const random_table_t *const random_tables[LEVEL_COUNT][2] = LIST_TABLES(random);
    #define REAL double /* philox.h's uniforms are not used here */
    #include "simd/philox.h"
    #undef REAL
    """
    const random_table_t *random_tables[3][2]
    void philox4x32_c "philox4x32"(uint32_t *counter, uint32_t key0, uint32_t key1) noexcept nogil

cdef enum:
    ELEMENT_COST = 32  # of one normal number, in multiply-adds
    ELEMENTS_PER_TASK = 4096
    FEISTEL_ROUNDS = 6


def philox4x32(counter, key):
    cdef cnp.ndarray c = np.array(counter, dtype=np.uint32, order="C")
    cdef uint32_t *words = <uint32_t *>cnp.PyArray_DATA(c)
    cdef uint32_t key0 = key[0], key1 = key[1]
    if c.ndim < 1 or c.shape[c.ndim - 1] != 4:
        raise ValueError("counter must have four words in its last dimension")
    cdef Py_ssize_t i
    for i in range(c.size // 4):
        philox4x32_c(words + 4 * i, key0, key1)
    return c


cdef draw(int kind, object key, object step, object rows, object probability, object out):
    cdef int real = real_type(out, "out")
    cdef cnp.ndarray rows_ = row_numbers(rows)
    cdef cnp.ndarray out_ = output(out, "out", real, -1, -1)
    cdef cnp.ndarray probability_ = None
    cdef draw_t d
    d.key[0], d.key[1], d.step = key[0], key[1], step
    d.rows = <const cnp.int64_t *>cnp.PyArray_DATA(rows_)
    d.samples = samples_per_row(out_.shape[0], rows_.shape[0], "out")
    d.columns, d.out, d.kind = out_.shape[1], cnp.PyArray_DATA(out_), kind
    if not cnp.PyArray_IS_C_CONTIGUOUS(out_):
        raise ValueError("out must be contiguous, to be written in place")
    if kind == BERNOULLI:
        probability_ = np.ascontiguousarray(matrix(probability, "probability", real, out_.shape[0], d.columns))
        d.probability = cnp.PyArray_DATA(probability_)
    cdef const random_table_t *table = random_tables[level][real]
    cdef Py_ssize_t many = out_.shape[0], t
    cdef Py_ssize_t per_task = max(<Py_ssize_t>1, ELEMENTS_PER_TASK // max(<Py_ssize_t>1, d.columns))
    cdef int n = threads_for(<double>many * d.columns * ELEMENT_COST)
    with nogil:
        for t in prange((many + per_task - 1) // per_task, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.fill(&d, t * per_task, min((t + 1) * per_task, many))


def uniform(key, step, rows, out):
    draw(UNIFORM, key, step, rows, None, out)


def normal(key, step, rows, out):
    draw(NORMAL, key, step, rows, None, out)


def bernoulli(key, step, rows, probability, out):
    draw(BERNOULLI, key, step, rows, probability, out)


cdef uint32_t feistel(uint32_t x, int half, uint32_t mask, uint32_t epoch, uint32_t key0, uint32_t key1) noexcept nogil:
    cdef uint32_t left = x >> half, right = x & mask, swap
    cdef uint32_t c[4]
    cdef int i
    for i in range(FEISTEL_ROUNDS):
        c[0], c[1], c[2], c[3] = right, i, 0, epoch
        philox4x32_c(c, key0, key1)
        swap = right
        right = left ^ (c[0] & mask)
        left = swap
    return left << half | right


def permutation(key, epoch, n, start, out):
    cdef uint32_t key0 = key[0], key1 = key[1], epoch_ = epoch
    cdef uint64_t n_ = n, start_ = start
    if not isinstance(out, np.ndarray) or out.dtype != np.int64 or out.ndim != 1:
        raise TypeError("out must be a one-dimensional array of int64")
    if not (out.flags.writeable and out.flags.c_contiguous and out.flags.aligned):
        raise ValueError("out must be a writable contiguous array, to be written in place")
    cdef cnp.int64_t[::1] out_ = out
    cdef Py_ssize_t count = out_.shape[0], i
    if n_ > <uint64_t>1 << 32 or start_ + count > n_:
        raise ValueError(f"positions {start} .. {start + len(out)} must lie within n = {n}, at most 2^32")
    cdef int half = (max(int(n) - 1, 1).bit_length() + 1) // 2
    cdef uint32_t mask = <uint32_t>((<uint64_t>1 << half) - 1), x
    cdef int threads = threads_for(<double>count * 64 * FEISTEL_ROUNDS)
    with nogil:
        for i in prange(count, num_threads=threads, use_threads_if=threads > 1, schedule="static"):
            x = feistel(<uint32_t>(start_ + i), half, mask, epoch_, key0, key1)
            while x >= n_:
                x = feistel(x, half, mask, epoch_, key0, key1)
            out_[i] = x
