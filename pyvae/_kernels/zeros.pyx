"""Masks, which say where a matrix is not zero, and products that multiply there alone; ``simd/zeros.c`` does both.

For products.pyx, whose results are the same to the bit with and without: there is no twin. A mask is made anew for
every call of a product. Of those on a tape that read the same matrix, and no kernel writes it between them, the first
alone makes it when the tape is played.
"""
cimport numpy as cnp
from libc.string cimport memset
from pyvae._kernels.arrays cimport extent, stride
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport keep_on_tape, kept_on_tape, run, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/zeros.h":
    ctypedef struct zeros_table_t:
        task_t make_mask, transpose_mask, multiply

cdef extern from *:
    """
    static const zeros_table_t *const zeros_tables[LEVEL_COUNT][2] = LIST_TABLES(zeros);
    static int64_t ways[2]; /* products that multiplied all, and those that left out zeros */
    """
    const zeros_table_t *zeros_tables[3][2]
    cnp.int64_t *ways


cdef class Mask:
    """The mask of a matrix x (rows, columns), and, once it is asked for, that of x.T."""

    def __cinit__(self, cnp.ndarray x, int real):
        self.real = real
        self.words, self.entries = empty_mask(x.shape[0], x.shape[1])
        memset(&self.mask, 0, sizeof(self.mask))
        self.mask.x, self.mask.x_row = cnp.PyArray_DATA(x), stride(x)
        self.mask.rows, self.mask.columns = x.shape[0], x.shape[1]
        self.mask.words = <cnp.uint64_t *>cnp.PyArray_DATA(self.words)
        self.mask.word_row = self.words.shape[1]
        self.mask.entries = <cnp.int64_t *>cnp.PyArray_DATA(self.entries)
        run(zeros_tables[level][real].make_mask, &self.mask, sizeof(self.mask),
            <double>self.mask.rows * self.mask.columns / 4, (x, self.words, self.entries))

    cdef int transpose(self) except -1:
        """Make the mask of x.T, if that was not done."""
        cdef mask_transpose_t job
        if self.transposed_words is not None:
            return 0
        self.transposed_words, self.transposed_entries = empty_mask(self.mask.columns, self.mask.rows)
        job = self.transposition()
        run(zeros_tables[level][self.real].transpose_mask, &job, sizeof(job),
            <double>self.mask.rows * self.mask.columns / 8,
            (self.words, self.transposed_words, self.transposed_entries))
        return 0


    cdef mask_transpose_t transposition(self):
        """The job that makes the mask of x.T."""
        cdef mask_transpose_t job
        memset(&job, 0, sizeof(job))
        if self.transposed_words is not None:
            job.mask = self.mask
            job.words = <cnp.uint64_t *>cnp.PyArray_DATA(self.transposed_words)
            job.word_row = self.transposed_words.shape[1]
            job.entries = <cnp.int64_t *>cnp.PyArray_DATA(self.transposed_entries)
        return job

    cdef int make_again(self) except -1:
        """Make the masks once more, on no tape."""
        cdef mask_transpose_t job = self.transposition()
        zeros_tables[level][self.real].make_mask(&self.mask, 0, 1)
        if self.transposed_words is not None:
            zeros_tables[level][self.real].transpose_mask(&job, 0, 1)
        return 0


cdef Mask mask_of(cnp.ndarray x, int real):
    """The mask of a matrix; on a tape the one that was made of it before, unless a kernel has written it since."""
    cdef const char *low
    cdef const char *high
    cdef Mask found = kept_on_tape(x)
    if found is not None:
        found.make_again()  # whoever wrote it without a kernel broke the tape's rules, but this call is right
    else:
        found = Mask(x, real)
        extent(x, &low, &high)
        keep_on_tape(x, low, high, found)
    return found


cdef tuple empty_mask(Py_ssize_t rows, Py_ssize_t columns):
    return np.empty((rows, (columns + 63) // 64), np.uint64), np.empty(rows, np.int64)


cdef int multiply_masked(const dense_product_t *p, int real, task_t multiply_all, Mask mask, bint transposed,
                         double work, tuple arrays) except -1:
    """Do a product whose A is the matrix of a mask, or its transpose."""
    cdef masked_product_t m
    cdef cnp.ndarray words = mask.words, entries = mask.entries
    if transposed:
        mask.transpose()
        words, entries = mask.transposed_words, mask.transposed_entries
    memset(&m, 0, sizeof(m))
    m.product, m.multiply_all = p[0], multiply_all
    m.words, m.word_row = <const cnp.uint64_t *>cnp.PyArray_DATA(words), words.shape[1]
    m.entries, m.ways = <const cnp.int64_t *>cnp.PyArray_DATA(entries), ways
    run(zeros_tables[level][real].multiply, &m, sizeof(m), work, (*arrays, words, entries))
    return 0


def products_done():
    """(all, some): how many products of this process multiplied all elements, and how many left out the zeros of one
    matrix, of those that might have done either."""
    return ways[0], ways[1]
