"""The common part of the kernels of likelihoods."""
cimport numpy as cnp
from pyvae._kernels.tape cimport task_t

cdef extern from "simd/observation.h":
    ctypedef struct observation_t:
        Py_ssize_t rows, columns, samples
        const void *x
        const void *outputs
        const void *spread
        const void *observed
        Py_ssize_t x_row, outputs_row, spread_row, observed_row
        double half
        const cnp.int64_t *edges
        Py_ssize_t groups
        void *log_px
        const void *dlog_px
        void *doutputs
        void *dspread
        Py_ssize_t doutputs_row, dspread_row

cdef class Observation:
    cdef observation_t o
    cdef cnp.ndarray x, outputs, spread, observed, edges, log_px, dlog_px, doutputs, dspread
    cdef int real  # the first index of a level's tables

    cdef set_spread(self, object spread, str name)
    cdef set_edges(self, object edges)
    cdef set_log_px(self, object log_px)
    cdef set_gradients(self, object dlog_px, object doutputs, str name)
    cdef set_dspread(self, object dspread, str name)
    cdef bint follows(self, task_t forward) except -1
    cdef run(self, task_t task)
