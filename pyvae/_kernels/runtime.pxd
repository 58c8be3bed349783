"""What every kernel module shares: how jobs are run, which instruction set, and the checks of arguments."""
cimport numpy as cnp

ctypedef void (*task_t)(const void *job, Py_ssize_t thread, Py_ssize_t threads) noexcept nogil

cdef int level  # of instruction sets: the first index of every table of C functions
cdef int bf16  # what multiplies bf16 numbers: 2 AMX, 1 AVX-512, 0 nothing
cdef int precision  # of products of float32: 0 highest, 1 high, 2 medium
cdef int run(task_t task, const void *job, size_t size, double work, tuple arrays) except -1
cdef int not_repeatable() except -1
cdef cnp.ndarray contiguous(cnp.ndarray a, str name, bint writable)
cdef int real_type(object array, str name) except -1
cdef cnp.ndarray matrix(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns)
cdef cnp.ndarray output(object array, str name, int real, Py_ssize_t rows, Py_ssize_t columns)
cdef cnp.ndarray vector(object array, str name, int real, Py_ssize_t size)
cdef cnp.ndarray output_vector(object array, str name, int real, Py_ssize_t size)
cdef cnp.ndarray row_numbers(object rows)
cdef Py_ssize_t samples_per_row(Py_ssize_t many, Py_ssize_t few, str name) except -1
cdef int refuse_overlap(cnp.ndarray out, cnp.ndarray other, str name) except -1
cdef Py_ssize_t stride(cnp.ndarray array) noexcept
