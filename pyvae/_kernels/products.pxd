"""Products whose parts are laid out in a way of their own."""
cimport numpy as cnp
from pyvae._kernels.zeros cimport dense_product_t

cdef int multiply(int real, const dense_product_t *p, cnp.ndarray x, bint transposed, tuple arrays) except -1
