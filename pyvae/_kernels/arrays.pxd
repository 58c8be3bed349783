"""Checks of the arrays that kernels are called with."""
cimport numpy as cnp
from libc.stdint cimport uint32_t

cdef int real_type(object array, str name) except -1
cdef cnp.ndarray contiguous(cnp.ndarray a, str name, bint writable)
cdef cnp.ndarray matrix(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns)
cdef cnp.ndarray output(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns)
cdef cnp.ndarray vector(object array, str name, int real, Py_ssize_t size)
cdef cnp.ndarray output_vector(object array, str name, int real, Py_ssize_t size)
cdef cnp.ndarray whole_numbers(object numbers, str name)
cdef cnp.ndarray row_numbers(object rows)
cdef int take_key(object key, uint32_t *words) except -1
cdef Py_ssize_t samples_per_row(Py_ssize_t many, Py_ssize_t few, str name) except -1
cdef void extent(cnp.ndarray a, const char **low, const char **high) noexcept
cdef int refuse_overlap(cnp.ndarray out, cnp.ndarray other, str name) except -1
cdef Py_ssize_t stride(cnp.ndarray array) noexcept
