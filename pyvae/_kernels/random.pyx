"""Philox random numbers and the order of rows: checks; ``simd/random.c`` fills the rows.

Twin: ``random_ref.py``, which defines what every function here returns, and gives the reasons.
"""
cimport numpy as cnp
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, matrix, output, real_type, row_numbers, samples_per_row, take_key
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport not_repeatable, run, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/random.h":
    ctypedef struct draw_t:
        uint32_t key[2]
        uint32_t step
        const cnp.int64_t *rows
        Py_ssize_t out_rows, samples, columns, first_sample
        const void *probability
        void *out
        int kind

    ctypedef struct order_t:
        uint32_t key[2]
        uint32_t epoch
        uint64_t n, start
        Py_ssize_t count
        int half_bits
        cnp.int64_t *out

    ctypedef struct random_table_t:
        task_t fill, permute

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
    ELEMENT_COST = 8  # of one normal number, in sixteen multiply-adds
    PERMUTE_COST = 16  # of one number of a permutation


def philox4x32(counter, key):
    counter = np.asarray(counter)
    if counter.dtype.kind not in "iu":
        raise TypeError(f"counter must be whole numbers, not {counter.dtype}")
    cdef cnp.ndarray c = np.array(counter, dtype=np.uint32, order="C")
    cdef uint32_t *words = <uint32_t *>cnp.PyArray_DATA(c)
    cdef uint32_t k[2]
    take_key(key, k)
    if c.ndim < 1 or c.shape[c.ndim - 1] != 4:
        raise ValueError("counter must have four words in its last dimension")
    cdef Py_ssize_t i
    for i in range(c.size // 4):
        philox4x32_c(words + 4 * i, k[0], k[1])
    return c


cdef draw(int kind, object key, object step, object rows, object probability, object out, object first_sample):
    cdef int real = real_type(out, "out")
    cdef cnp.ndarray rows_ = row_numbers(rows)
    cdef cnp.ndarray out_ = contiguous(output(out, "out", real, -1, -1), "out", True)
    cdef cnp.ndarray probability_ = None
    cdef draw_t d
    memset(&d, 0, sizeof(d))
    take_key(key, d.key)
    d.step = step
    d.rows = <const cnp.int64_t *>cnp.PyArray_DATA(rows_)
    d.samples = samples_per_row(out_.shape[0], rows_.shape[0], "out")
    d.first_sample = first_sample
    if not 0 <= d.first_sample <= (<Py_ssize_t>1 << 32) - d.samples:
        raise OverflowError(f"samples must lie in 0 .. 2^32 - 1, not from {first_sample} on")
    d.out_rows, d.columns, d.out, d.kind = out_.shape[0], out_.shape[1], cnp.PyArray_DATA(out_), kind
    if kind == BERNOULLI:
        probability_ = np.ascontiguousarray(matrix(probability, "probability", real, out_.shape[0], d.columns))
        d.probability = cnp.PyArray_DATA(probability_)
    not_repeatable()
    run(random_tables[level][real].fill, &d, sizeof(d), <double>d.out_rows * d.columns * ELEMENT_COST,
        (rows_, probability_, out_))


def uniform(key, step, rows, out, first_sample=0):
    draw(UNIFORM, key, step, rows, None, out, first_sample)


def normal(key, step, rows, out, first_sample=0):
    draw(NORMAL, key, step, rows, None, out, first_sample)


def bernoulli_draw(key, step, rows, probability, out, first_sample=0):
    draw(BERNOULLI, key, step, rows, probability, out, first_sample)


def permutation(key, epoch, n, start, out):
    cdef order_t o
    memset(&o, 0, sizeof(o))
    take_key(key, o.key)
    o.epoch, o.n, o.start = epoch, n, start
    if not isinstance(out, np.ndarray) or out.dtype != np.int64 or out.ndim != 1:
        raise TypeError("out must be a one-dimensional array of int64")
    if not (out.flags.writeable and out.flags.c_contiguous and out.flags.aligned):
        raise ValueError("out must be a writable contiguous array, to be written in place")
    cdef cnp.ndarray out_ = out
    o.out, o.count = <cnp.int64_t *>cnp.PyArray_DATA(out_), out_.shape[0]
    if o.n > <uint64_t>1 << 32 or o.start > o.n or <uint64_t>o.count > o.n - o.start:
        raise ValueError(f"positions {start} .. {start + len(out)} must lie within n = {n}, at most 2^32")
    o.half_bits = (max(int(n) - 1, 1).bit_length() + 1) // 2
    not_repeatable()
    run(random_tables[level][0].permute, &o, sizeof(o), <double>o.count * PERMUTE_COST, (out_,))
