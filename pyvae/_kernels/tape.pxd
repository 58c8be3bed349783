"""The running and recording of kernel calls."""
cimport numpy as cnp

ctypedef void (*task_t)(const void *job, Py_ssize_t thread, Py_ssize_t threads) noexcept nogil

cdef enum:  # the work of a kernel on one element, in sixteen multiply-adds: by and large, for the choice of threads
    PLAIN_COST = 1
    EXPONENTIAL_COST = 8

cdef int run(task_t task, const void *job, size_t size, double work, tuple arrays) except -1
cdef int not_repeatable() except -1
cdef int cleared_on_tape(char *begin, cnp.int64_t *extents, Py_ssize_t tensors, Py_ssize_t itemsize) except -1
cdef bint take_cleared(const void *begin, Py_ssize_t size) except -1
cdef const void *same_inputs_on_tape(task_t task, const void *job, size_t size) noexcept
cdef int take_last_off_tape() except -1
cdef object kept_on_tape(cnp.ndarray array)
cdef int keep_on_tape(cnp.ndarray array, const char *low, const char *high, object made) except -1
cdef int written(const char *low, const char *high) except -1
