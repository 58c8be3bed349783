"""The number of threads, and the precision of products."""

cdef int threads_for(double work) noexcept nogil
cdef int begin_work(int wanted) noexcept nogil
cdef void end_work(int n) noexcept nogil
cdef int matmul_precision() noexcept nogil  # of products of float32: 0 highest, 1 high, 2 medium
