"""Log-likelihoods and their derivatives: threads and checks; ``simd/likelihood.c`` does the rows.

Twin: ``likelihood_ref.py``, which defines what every function here returns.
"""
from cython.parallel cimport prange
cimport numpy as cnp
from pyvae._kernels.runtime cimport (
    level, matrix, output, output_vector, real_type, samples_per_row, stride, threads_for, vector
)

import numpy as np

cnp.import_array()

cdef extern from "simd/likelihood.h":
    ctypedef struct observation_t:
        const void *x
        const void *outputs
        const void *logvar
        Py_ssize_t columns, samples, x_row, outputs_row, logvar_row
        const cnp.int64_t *edges
        Py_ssize_t groups

    ctypedef struct likelihood_table_t:
        void (*bernoulli)(Py_ssize_t, Py_ssize_t, const observation_t *, void *log_px) noexcept nogil
        void (*bernoulli_backward)(Py_ssize_t, Py_ssize_t, const observation_t *, const void *dlog_px, void *dlogits,
                                   Py_ssize_t dlogits_row) noexcept nogil
        void (*gaussian)(Py_ssize_t, Py_ssize_t, const observation_t *, void *log_px) noexcept nogil
        void (*gaussian_backward)(Py_ssize_t, Py_ssize_t, const observation_t *, const void *dlog_px, void *dmean,
                                  Py_ssize_t dmean_row, void *dlogvar, Py_ssize_t dlogvar_row) noexcept nogil
        void (*categorical)(Py_ssize_t, Py_ssize_t, const observation_t *, void *log_px) noexcept nogil
        void (*categorical_backward)(Py_ssize_t, Py_ssize_t, const observation_t *, const void *dlog_px, void *dlogits,
                                     Py_ssize_t dlogits_row) noexcept nogil

ctypedef void (*forward_t)(Py_ssize_t, Py_ssize_t, const observation_t *, void *) noexcept nogil
ctypedef void (*backward_t)(Py_ssize_t, Py_ssize_t, const observation_t *, const void *, void *,
                            Py_ssize_t) noexcept nogil

cdef extern from *:
    """static const likelihood_table_t *const likelihood_tables[LEVEL_COUNT][2] = LIST_TABLES(likelihood);"""
    const likelihood_table_t *likelihood_tables[3][2]

cdef enum:
    ELEMENT_COST = 16  # of one element with its exponentials, in multiply-adds
    ELEMENTS_PER_TASK = 4096


cdef class Observation:
    """x and the decoder's outputs, checked, as C sees them."""

    cdef observation_t o
    cdef cnp.ndarray x, outputs, logvar, edges
    cdef Py_ssize_t rows, rows_per_task, tasks
    cdef int real, threads
    cdef const likelihood_table_t *table

    def __cinit__(self, x, outputs, str name):
        self.real = real_type(outputs, name)
        self.outputs = matrix(outputs, name, self.real, -1, -1)
        self.rows, columns = self.outputs.shape[0], self.outputs.shape[1]
        self.x = matrix(x, "x", self.real, -1, columns)
        self.o.x, self.o.outputs = cnp.PyArray_DATA(self.x), cnp.PyArray_DATA(self.outputs)
        self.o.columns = columns
        self.o.samples = samples_per_row(self.rows, self.x.shape[0], name)
        self.o.x_row, self.o.outputs_row = stride(self.x), stride(self.outputs)
        self.rows_per_task = max(<Py_ssize_t>1, ELEMENTS_PER_TASK // max(<Py_ssize_t>1, <Py_ssize_t>columns))
        self.tasks = (self.rows + self.rows_per_task - 1) // self.rows_per_task
        self.threads = threads_for(<double>self.rows * columns * ELEMENT_COST)
        self.table = likelihood_tables[level][self.real]

    cdef set_logvar(self, object logvar):
        self.logvar = matrix(logvar, "logvar", self.real, -1, self.o.columns)
        if self.logvar.shape[0] != self.rows and self.logvar.shape[0] != 1:
            raise ValueError(f"logvar must have {self.rows} rows or one, not {self.logvar.shape[0]}")
        self.o.logvar = cnp.PyArray_DATA(self.logvar)
        self.o.logvar_row = 0 if self.logvar.shape[0] == 1 else stride(self.logvar)

    cdef set_edges(self, object edges):
        self.edges = np.ascontiguousarray(edges, dtype=np.int64)
        if self.edges.ndim != 1 or len(self.edges) < 1 or self.edges[0] != 0 or self.edges[self.edges.shape[0] - 1] != self.o.columns or (
            np.diff(self.edges) < 1
        ).any():
            raise ValueError(f"edges must rise from 0 to the {self.o.columns} columns, at least one column a group")
        self.o.edges = <const cnp.int64_t *>cnp.PyArray_DATA(self.edges)
        self.o.groups = len(self.edges) - 1

    cdef run(self, forward_t forward, object log_px):
        cdef cnp.ndarray log_px_ = output_vector(log_px, "log_px", self.real, self.rows)
        cdef void *data = cnp.PyArray_DATA(log_px_)
        cdef Py_ssize_t t, step = self.rows_per_task, rows = self.rows, tasks = self.tasks
        cdef const observation_t *o = &self.o
        cdef int n = self.threads
        with nogil:
            for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
                forward(t * step, min((t + 1) * step, rows), o, data)

    cdef run_backward(self, backward_t backward, object dlog_px, object dlogits):
        cdef cnp.ndarray dlog_px_ = vector(dlog_px, "dlog_px", self.real, self.rows)
        cdef cnp.ndarray dlogits_ = output(dlogits, "dlogits", self.real, self.rows, self.o.columns)
        cdef const void *dlog_px_data = cnp.PyArray_DATA(dlog_px_)
        cdef void *dlogits_data = cnp.PyArray_DATA(dlogits_)
        cdef Py_ssize_t t, step = self.rows_per_task, rows = self.rows, tasks = self.tasks, row = stride(dlogits_)
        cdef const observation_t *o = &self.o
        cdef int n = self.threads
        with nogil:
            for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
                backward(t * step, min((t + 1) * step, rows), o, dlog_px_data, dlogits_data, row)


def bernoulli(x, logits, log_px):
    cdef Observation o = Observation(x, logits, "logits")
    o.run(o.table.bernoulli, log_px)


def bernoulli_backward(dlog_px, x, logits, dlogits):
    cdef Observation o = Observation(x, logits, "logits")
    o.run_backward(o.table.bernoulli_backward, dlog_px, dlogits)


def gaussian(x, mean, logvar, log_px):
    cdef Observation o = Observation(x, mean, "mean")
    o.set_logvar(logvar)
    o.run(o.table.gaussian, log_px)


def gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar=None):
    cdef Observation o = Observation(x, mean, "mean")
    o.set_logvar(logvar)
    cdef cnp.ndarray dlog_px_ = vector(dlog_px, "dlog_px", o.real, o.rows)
    cdef cnp.ndarray dmean_ = output(dmean, "dmean", o.real, o.rows, o.o.columns)
    cdef cnp.ndarray dlogvar_ = None if dlogvar is None else output(dlogvar, "dlogvar", o.real, o.rows, o.o.columns)
    cdef const void *dlog_px_data = cnp.PyArray_DATA(dlog_px_)
    cdef void *dmean_data = cnp.PyArray_DATA(dmean_)
    cdef void *dlogvar_data = NULL if dlogvar is None else cnp.PyArray_DATA(dlogvar_)
    cdef Py_ssize_t dmean_row = stride(dmean_), dlogvar_row = 0 if dlogvar is None else stride(dlogvar_)
    cdef Py_ssize_t t, step = o.rows_per_task, rows = o.rows, tasks = o.tasks
    cdef const observation_t *observation = &o.o
    cdef const likelihood_table_t *table = o.table
    cdef int n = o.threads
    with nogil:
        for t in prange(tasks, num_threads=n, use_threads_if=n > 1, schedule="static"):
            table.gaussian_backward(t * step, min((t + 1) * step, rows), observation, dlog_px_data, dmean_data,
                                    dmean_row, dlogvar_data, dlogvar_row)


def categorical(x, logits, edges, log_px):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_edges(edges)
    o.run(o.table.categorical, log_px)


def categorical_backward(dlog_px, x, logits, edges, dlogits):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_edges(edges)
    o.run_backward(o.table.categorical_backward, dlog_px, dlogits)
