"""The choice among the compiled copies of a kernel."""

cdef int level  # of instruction sets: the first index of every table of C functions
cdef int bf16  # what multiplies bf16 numbers: 2 AMX, 1 AVX-512, 0 nothing
