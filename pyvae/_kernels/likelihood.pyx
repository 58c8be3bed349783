"""Log-likelihoods and their derivatives: checks; ``simd/likelihood.c`` computes them.

Twin: ``likelihood_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from pyvae._kernels.arrays cimport (
    matrix, output, output_vector, real_type, samples_per_row, stride, vector, whole_numbers
)
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport EXPONENTIAL_COST, run, same_inputs_on_tape, take_last_off_tape, task_t

import numpy as np

cnp.import_array()

cdef extern from "simd/likelihood.h":
    ctypedef struct likelihood_table_t:
        task_t bernoulli, bernoulli_backward, bernoulli_both, gaussian, gaussian_backward
        task_t categorical, categorical_backward, discretized_logistic, discretized_logistic_backward

cdef extern from *:
    """static const likelihood_table_t *const likelihood_tables[LEVEL_COUNT][2] = LIST_TABLES(likelihood);"""
    const likelihood_table_t *likelihood_tables[3][2]

cdef class Observation:
    """x, the decoder's outputs and the arrays computed from them, checked, as C sees them."""

    def __cinit__(self, x, outputs, str name, observed=None):
        self.real = real_type(outputs, name)
        self.outputs = matrix(outputs, name, self.real, -1, -1)
        self.o.rows, self.o.columns = self.outputs.shape[0], self.outputs.shape[1]
        self.x = matrix(x, "x", self.real, -1, self.o.columns)
        self.o.x, self.o.outputs = cnp.PyArray_DATA(self.x), cnp.PyArray_DATA(self.outputs)
        self.o.samples = samples_per_row(self.o.rows, self.x.shape[0], name)
        self.o.x_row, self.o.outputs_row = stride(self.x), stride(self.outputs)
        if observed is not None:
            self.observed = matrix(observed, "observed", self.real, self.x.shape[0], self.o.columns)
            self.o.observed, self.o.observed_row = cnp.PyArray_DATA(self.observed), stride(self.observed)

    cdef set_spread(self, object spread, str name):
        self.spread = matrix(spread, name, self.real, -1, self.o.columns)
        if self.spread.shape[0] != self.o.rows and self.spread.shape[0] != 1:
            raise ValueError(f"{name} must have {self.o.rows} rows or one, not {self.spread.shape[0]}")
        self.o.spread = cnp.PyArray_DATA(self.spread)
        self.o.spread_row = 0 if self.spread.shape[0] == 1 else stride(self.spread)

    cdef set_edges(self, object edges):
        self.edges = whole_numbers(edges, "edges")
        if (
            self.edges.ndim != 1
            or len(self.edges) < 1
            or self.edges[0] != 0
            or self.edges[self.edges.shape[0] - 1] != self.o.columns
            or (np.diff(self.edges) < 1).any()
        ):
            raise ValueError(f"edges must rise from 0 to the {self.o.columns} columns, at least one column a group")
        self.o.edges = <const cnp.int64_t *>cnp.PyArray_DATA(self.edges)
        self.o.groups = len(self.edges) - 1

    cdef set_log_px(self, object log_px):
        self.log_px = output_vector(log_px, "log_px", self.real, self.o.rows)
        self.o.log_px = cnp.PyArray_DATA(self.log_px)

    cdef set_gradients(self, object dlog_px, object doutputs, str name):
        self.dlog_px = vector(dlog_px, "dlog_px", self.real, self.o.rows)
        self.doutputs = output(doutputs, name, self.real, self.o.rows, self.o.columns)
        self.o.dlog_px, self.o.doutputs = cnp.PyArray_DATA(self.dlog_px), cnp.PyArray_DATA(self.doutputs)
        self.o.doutputs_row = stride(self.doutputs)

    cdef set_dspread(self, object dspread, str name):
        self.dspread = output(dspread, name, self.real, self.o.rows, self.o.columns)
        self.o.dspread, self.o.dspread_row = cnp.PyArray_DATA(self.dspread), stride(self.dspread)

    cdef bint follows(self, task_t forward) except -1:
        """True if the last job on the tape is the forward pass of the same rows, observed whole. That job is then taken
        off the tape, and this one, which can do both in one pass, writes its result too."""
        cdef size_t inputs = <const char *>&self.o.log_px - <const char *>&self.o
        cdef const observation_t *last = <const observation_t *>same_inputs_on_tape(forward, &self.o, inputs)
        if last == NULL or last.observed != NULL:
            return False
        self.o.log_px = last.log_px
        take_last_off_tape()
        return True

    cdef run(self, task_t task):
        run(task, &self.o, sizeof(self.o), <double>self.o.rows * self.o.columns * EXPONENTIAL_COST, (self,))


cdef const likelihood_table_t *table(Observation o) noexcept:
    return likelihood_tables[level][o.real]


def bernoulli(x, logits, log_px, observed=None):
    cdef Observation o = Observation(x, logits, "logits", observed)
    o.set_log_px(log_px)
    o.run(table(o).bernoulli)


def bernoulli_backward(dlog_px, x, logits, dlogits, observed=None):
    cdef Observation o = Observation(x, logits, "logits", observed)
    o.set_gradients(dlog_px, dlogits, "dlogits")
    if o.follows(table(o).bernoulli):
        o.run(table(o).bernoulli_both)
    else:
        o.run(table(o).bernoulli_backward)


def gaussian(x, mean, logvar, log_px, observed=None):
    cdef Observation o = Observation(x, mean, "mean", observed)
    o.set_spread(logvar, "logvar")
    o.set_log_px(log_px)
    o.run(table(o).gaussian)


def gaussian_backward(dlog_px, x, mean, logvar, dmean, dlogvar=None, observed=None):
    cdef Observation o = Observation(x, mean, "mean", observed)
    o.set_spread(logvar, "logvar")
    o.set_gradients(dlog_px, dmean, "dmean")
    if dlogvar is not None:
        o.set_dspread(dlogvar, "dlogvar")
    o.run(table(o).gaussian_backward)


def categorical(x, logits, edges, log_px, observed=None):
    cdef Observation o = Observation(x, logits, "logits", observed)
    o.set_edges(edges)
    o.set_log_px(log_px)
    o.run(table(o).categorical)


def categorical_backward(dlog_px, x, logits, edges, dlogits, observed=None):
    cdef Observation o = Observation(x, logits, "logits", observed)
    o.set_edges(edges)
    o.set_gradients(dlog_px, dlogits, "dlogits")
    o.run(table(o).categorical_backward)


def discretized_logistic(x, mean, v, half, log_px, observed=None):
    cdef Observation o = Observation(x, mean, "mean", observed)
    o.set_spread(v, "v")
    o.o.half = half
    o.set_log_px(log_px)
    o.run(table(o).discretized_logistic)


def discretized_logistic_backward(dlog_px, x, mean, v, half, dmean, dv=None, observed=None):
    cdef Observation o = Observation(x, mean, "mean", observed)
    o.set_spread(v, "v")
    o.o.half = half
    o.set_gradients(dlog_px, dmean, "dmean")
    if dv is not None:
        o.set_dspread(dv, "dv")
    o.run(table(o).discretized_logistic_backward)
