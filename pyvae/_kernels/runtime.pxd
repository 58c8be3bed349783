"""What every kernel module shares: how jobs are run, on how many threads and with which instruction set."""
cimport numpy as cnp

ctypedef void (*task_t)(const void *job, Py_ssize_t thread, Py_ssize_t threads) noexcept nogil

cdef enum:  # the work of a kernel on one element, in sixteen multiply-adds: by and large, for the choice of threads
    PLAIN_COST = 1
    EXPONENTIAL_COST = 8

cdef int level  # of instruction sets: the first index of every table of C functions
cdef int bf16  # what multiplies bf16 numbers: 2 AMX, 1 AVX-512, 0 nothing
cdef int matmul_precision() noexcept nogil  # of products of float32: 0 highest, 1 high, 2 medium
cdef int run(task_t task, const void *job, size_t size, double work, tuple arrays) except -1
cdef int not_repeatable() except -1
cdef int cleared_on_tape(char *begin, cnp.int64_t *extents, Py_ssize_t tensors, Py_ssize_t itemsize) except -1
cdef bint take_cleared(const void *begin, Py_ssize_t size) except -1
cdef const void *last_on_tape(task_t task) noexcept
cdef int take_last_off_tape() except -1
