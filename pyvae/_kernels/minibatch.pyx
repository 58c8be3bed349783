"""Rows of a minibatch, scaled and binarised: checks; ``simd/minibatch.c`` does the rows.

Twin: ``minibatch_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from libc.stdint cimport uint32_t
from libc.string cimport memset
from pyvae._kernels.arrays cimport contiguous, output, real_type, row_numbers, stride, take_key
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, PLAIN_COST, not_repeatable, run, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/minibatch.h":
    ctypedef struct gather_t:
        const void *source
        Py_ssize_t source_row, columns
        int source_type, binarize
        double scale, threshold
        const cnp.int64_t *positions
        const cnp.int64_t *rows
        uint32_t key[2]
        uint32_t step
        Py_ssize_t count
        void *out

    ctypedef struct minibatch_table_t:
        task_t gather

    int FROM_UINT8, FROM_FLOAT, FROM_DOUBLE, KEEP_VALUES, BINARIZE_THRESHOLD, BINARIZE_DRAW

cdef extern from *:
    """static const minibatch_table_t *const minibatch_tables[LEVEL_COUNT][2] = LIST_TABLES(minibatch);"""
    const minibatch_table_t *minibatch_tables[3][2]

cdef dict SOURCE_TYPES = {cnp.NPY_UINT8: FROM_UINT8, cnp.NPY_FLOAT: FROM_FLOAT, cnp.NPY_DOUBLE: FROM_DOUBLE}
cdef dict BINARIZE = {None: KEEP_VALUES, "threshold": BINARIZE_THRESHOLD, "draw": BINARIZE_DRAW}

cdef bint readable_in_place(cnp.ndarray a):
    return (
        cnp.PyArray_ISBEHAVED_RO(a)
        and a.strides[0] % a.descr.itemsize == 0
        and (a.shape[1] <= 1 or a.strides[1] == a.descr.itemsize)
    )


def gather(source, rows, scale, binarize, threshold, key, step, out):
    cdef int real = real_type(out, "out")
    if not isinstance(source, np.ndarray) or source.ndim != 2 or source.dtype.num not in SOURCE_TYPES:
        raise TypeError("source must be a two-dimensional array of uint8, float32 or float64")
    if binarize not in BINARIZE:
        raise ValueError(f"binarize must be one of {list(BINARIZE)}, not {binarize!r}")
    cdef cnp.ndarray source_ = source, rows_ = row_numbers(rows), positions = rows_
    cdef const cnp.int64_t *r = <const cnp.int64_t *>cnp.PyArray_DATA(rows_)
    cdef Py_ssize_t count = rows_.shape[0], i
    for i in range(count):
        if r[i] >= source_.shape[0]:
            raise IndexError(f"rows[{i}] is {r[i]}, but source has {source_.shape[0]} rows")
    if not readable_in_place(source_):  # byte-swapped or column-major: copy these rows alone
        source_ = np.array(source[rows_], dtype=source.dtype.newbyteorder("="), order="C")
        positions = np.arange(count)
    cdef cnp.ndarray out_ = contiguous(output(out, "out", real, count, source_.shape[1]), "out", True)
    cdef gather_t g
    memset(&g, 0, sizeof(g))
    g.source, g.source_row, g.columns = cnp.PyArray_DATA(source_), stride(source_), source_.shape[1]
    g.source_type, g.binarize = SOURCE_TYPES[source.dtype.num], BINARIZE[binarize]
    g.scale, g.threshold = scale, threshold
    g.positions, g.rows = <const cnp.int64_t *>cnp.PyArray_DATA(positions), r
    take_key(key, g.key)
    g.step, g.count, g.out = step, count, cnp.PyArray_DATA(out_)
    not_repeatable()
    run(minibatch_tables[level][real].gather, &g, sizeof(g),
        <double>count * g.columns * (EXPONENTIAL_COST if g.binarize == BINARIZE_DRAW else PLAIN_COST),
        (source_, positions, rows_, out_))
