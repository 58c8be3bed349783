"""The names of activation functions, as C knows them."""
cdef int activation_code(activation) except -1
