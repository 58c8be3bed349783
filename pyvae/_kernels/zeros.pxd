"""Masks, and products that may leave out zeros."""
cimport numpy as cnp
from libc.stdint cimport int64_t
from pyvae._kernels.tape cimport task_t

cdef extern from "simd/zeros.h":
    ctypedef struct patches_t:
        Py_ssize_t height, width, channels, grid_height, grid_width, taps_height, taps_width, top, left, stride, step

    ctypedef struct dense_product_t:
        const void *a
        const void *b
        const void *bias
        void *c
        void *b_sums
        Py_ssize_t rows, columns, depth
        Py_ssize_t a_row, a_k, b_k, b_column, c_row
        int accumulate, accumulate_b_sums, activation
        patches_t patches, places
        int by_rows

    ctypedef struct mask_t:
        const void *x
        Py_ssize_t rows, columns, x_row
        cnp.uint64_t *words
        Py_ssize_t word_row
        cnp.int64_t *entries

    ctypedef struct mask_transpose_t:
        mask_t mask
        cnp.uint64_t *words
        Py_ssize_t word_row
        cnp.int64_t *entries

    ctypedef struct masked_product_t:
        dense_product_t product
        task_t multiply_all
        const cnp.uint64_t *words
        Py_ssize_t word_row
        const cnp.int64_t *entries
        cnp.int64_t *ways

cdef class Mask:
    cdef readonly cnp.ndarray words, entries, transposed_words, transposed_entries
    cdef mask_t mask
    cdef int real

    cdef int transpose(self) except -1
    cdef mask_transpose_t transposition(self)
    cdef int make_again(self) except -1

cdef Mask mask_of(cnp.ndarray x, int real)
cdef int multiply_masked(const dense_product_t *p, int real, task_t multiply_all, Mask mask, bint transposed,
                         double work, tuple arrays) except -1
