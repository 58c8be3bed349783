"""Log-likelihoods and their derivatives: checks; ``simd/likelihood.c`` computes them.

Twin: ``likelihood_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.runtime cimport EXPONENTIAL_COST, last_on_tape, level, run, take_last_off_tape, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/likelihood.h":
    ctypedef struct observation_t:
        Py_ssize_t rows, columns, samples
        const void *x
        const void *outputs
        const void *logvar
        Py_ssize_t x_row, outputs_row, logvar_row
        const cnp.int64_t *edges
        Py_ssize_t groups
        void *log_px
        const void *dlog_px
        void *doutputs
        void *dlogvar
        Py_ssize_t doutputs_row, dlogvar_row

    ctypedef struct likelihood_table_t:
        task_t bernoulli, bernoulli_backward, bernoulli_both, gaussian, gaussian_backward, categorical, categorical_backward

cdef extern from *:
    """static const likelihood_table_t *const likelihood_tables[LEVEL_COUNT][2] = LIST_TABLES(likelihood);"""
    const likelihood_table_t *likelihood_tables[3][2]

cdef class Observation:
    """x, the decoder's outputs and what is made of them, checked, as C sees them."""

    cdef observation_t o
    cdef cnp.ndarray x, outputs, logvar, edges, log_px, dlog_px, doutputs, dlogvar
    cdef int real
    cdef const likelihood_table_t *table

    def __cinit__(self, x, outputs, str name):
        self.real = real_type(outputs, name)
        self.outputs = matrix(outputs, name, self.real, -1, -1)
        self.o.rows, self.o.columns = self.outputs.shape[0], self.outputs.shape[1]
        self.x = matrix(x, "x", self.real, -1, self.o.columns)
        self.o.x, self.o.outputs = cnp.PyArray_DATA(self.x), cnp.PyArray_DATA(self.outputs)
        self.o.samples = samples_per_row(self.o.rows, self.x.shape[0], name)
        self.o.x_row, self.o.outputs_row = stride(self.x), stride(self.outputs)
        self.o.dlogvar = NULL
        self.table = likelihood_tables[level][self.real]

    cdef set_logvar(self, object logvar):
        self.logvar = matrix(logvar, "logvar", self.real, -1, self.o.columns)
        if self.logvar.shape[0] != self.o.rows and self.logvar.shape[0] != 1:
            raise ValueError(f"logvar must have {self.o.rows} rows or one, not {self.logvar.shape[0]}")
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

    cdef set_log_px(self, object log_px):
        self.log_px = output_vector(log_px, "log_px", self.real, self.o.rows)
        self.o.log_px = cnp.PyArray_DATA(self.log_px)

    cdef set_gradients(self, object dlog_px, object doutputs, object dlogvar, str name):
        self.dlog_px = vector(dlog_px, "dlog_px", self.real, self.o.rows)
        self.doutputs = output(doutputs, name, self.real, self.o.rows, self.o.columns)
        self.o.dlog_px, self.o.doutputs = cnp.PyArray_DATA(self.dlog_px), cnp.PyArray_DATA(self.doutputs)
        self.o.doutputs_row = stride(self.doutputs)
        if dlogvar is not None:
            self.dlogvar = output(dlogvar, "dlogvar", self.real, self.o.rows, self.o.columns)
            self.o.dlogvar, self.o.dlogvar_row = cnp.PyArray_DATA(self.dlogvar), stride(self.dlogvar)

    cdef bint follows(self, task_t forward) except -1:
        """Whether the last job on the tape is the forward pass of the same rows: then it is taken off the tape, and what
        it would have written is for this one to write, which can do both in one pass."""
        cdef const observation_t *last = <const observation_t *>last_on_tape(forward)
        if (last == NULL or last.x != self.o.x or last.outputs != self.o.outputs or last.rows != self.o.rows
                or last.columns != self.o.columns or last.samples != self.o.samples
                or last.x_row != self.o.x_row or last.outputs_row != self.o.outputs_row):
            return False
        self.o.log_px = last.log_px
        take_last_off_tape()
        return True

    cdef run(self, task_t task):
        run(task, &self.o, sizeof(self.o), <double>self.o.rows * self.o.columns * EXPONENTIAL_COST, (self,))


def bernoulli(x, logits, log_px):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_log_px(log_px)
    o.run(o.table.bernoulli)


def bernoulli_backward(dlog_px, x, logits, dlogits):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_gradients(dlog_px, dlogits, None, "dlogits")
    if o.follows(o.table.bernoulli):
        o.run(o.table.bernoulli_both)
    else:
        o.run(o.table.bernoulli_backward)


def gaussian(x, mean, logvar, log_px):
    cdef Observation o = Observation(x, mean, "mean")
    o.set_logvar(logvar)
    o.set_log_px(log_px)
    o.run(o.table.gaussian)


def gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar=None):
    cdef Observation o = Observation(x, mean, "mean")
    o.set_logvar(logvar)
    o.set_gradients(dlog_px, dmean, dlogvar, "dmean")
    o.run(o.table.gaussian_backward)


def categorical(x, logits, edges, log_px):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_edges(edges)
    o.set_log_px(log_px)
    o.run(o.table.categorical)


def categorical_backward(dlog_px, x, logits, edges, dlogits):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_edges(edges)
    o.set_gradients(dlog_px, dlogits, None, "dlogits")
    o.run(o.table.categorical_backward)
