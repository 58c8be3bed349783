"""Log-likelihoods of counts and their derivatives: checks; ``simd/count_likelihood.c`` computes them.

Twin: ``count_likelihood_ref.py``, which defines what every function here returns.
"""
cimport numpy as cnp
from pyvae._kernels.arrays cimport matrix, output, output_vector, real_type, samples_per_row, stride, vector
from pyvae._kernels.runtime cimport EXPONENTIAL_COST, level, run, task_t

cnp.import_array()

cdef extern from "simd/count_likelihood.h":
    ctypedef struct counts_t:
        Py_ssize_t rows, columns, samples
        const void *x
        const void *outputs
        const void *log_r
        Py_ssize_t x_row, outputs_row, log_r_row
        void *log_px
        const void *dlog_px
        void *doutputs
        void *dlog_r
        Py_ssize_t doutputs_row, dlog_r_row

    ctypedef struct count_likelihood_table_t:
        task_t poisson, poisson_backward, multinomial, multinomial_backward
        task_t negative_binomial, negative_binomial_backward

cdef extern from *:
    """static const count_likelihood_table_t *const count_likelihood_tables[LEVEL_COUNT][2]
           = LIST_TABLES(count_likelihood);"""
    const count_likelihood_table_t *count_likelihood_tables[3][2]

cdef class Counts:
    """Counts, the decoder's outputs and what is made of them, checked, as C sees them."""

    cdef counts_t o
    cdef cnp.ndarray x, outputs, log_r, log_px, dlog_px, doutputs, dlog_r
    cdef int real
    cdef const count_likelihood_table_t *table

    def __cinit__(self, x, outputs, str name):
        self.real = real_type(outputs, name)
        self.outputs = matrix(outputs, name, self.real, -1, -1)
        self.o.rows, self.o.columns = self.outputs.shape[0], self.outputs.shape[1]
        self.x = matrix(x, "x", self.real, -1, self.o.columns)
        self.o.x, self.o.outputs = cnp.PyArray_DATA(self.x), cnp.PyArray_DATA(self.outputs)
        self.o.samples = samples_per_row(self.o.rows, self.x.shape[0], name)
        self.o.x_row, self.o.outputs_row = stride(self.x), stride(self.outputs)
        self.table = count_likelihood_tables[level][self.real]

    cdef set_log_r(self, object log_r):
        self.log_r = matrix(log_r, "log_r", self.real, -1, self.o.columns)
        if self.log_r.shape[0] != self.o.rows and self.log_r.shape[0] != 1:
            raise ValueError(f"log_r must have {self.o.rows} rows or one, not {self.log_r.shape[0]}")
        self.o.log_r = cnp.PyArray_DATA(self.log_r)
        self.o.log_r_row = 0 if self.log_r.shape[0] == 1 else stride(self.log_r)

    cdef set_log_px(self, object log_px):
        self.log_px = output_vector(log_px, "log_px", self.real, self.o.rows)
        self.o.log_px = cnp.PyArray_DATA(self.log_px)

    cdef set_gradients(self, object dlog_px, object doutputs, str name):
        self.dlog_px = vector(dlog_px, "dlog_px", self.real, self.o.rows)
        self.doutputs = output(doutputs, name, self.real, self.o.rows, self.o.columns)
        self.o.dlog_px, self.o.doutputs = cnp.PyArray_DATA(self.dlog_px), cnp.PyArray_DATA(self.doutputs)
        self.o.doutputs_row = stride(self.doutputs)

    cdef set_dlog_r(self, object dlog_r):
        self.dlog_r = output(dlog_r, "dlog_r", self.real, self.o.rows, self.o.columns)
        self.o.dlog_r, self.o.dlog_r_row = cnp.PyArray_DATA(self.dlog_r), stride(self.dlog_r)

    cdef run(self, task_t task):
        run(task, &self.o, sizeof(self.o), <double>self.o.rows * self.o.columns * EXPONENTIAL_COST, (self,))


def poisson(x, log_rates, log_px):
    cdef Counts o = Counts(x, log_rates, "log_rates")
    o.set_log_px(log_px)
    o.run(o.table.poisson)


def poisson_backward(dlog_px, x, log_rates, dlog_rates):
    cdef Counts o = Counts(x, log_rates, "log_rates")
    o.set_gradients(dlog_px, dlog_rates, "dlog_rates")
    o.run(o.table.poisson_backward)


def multinomial(x, logits, log_px):
    cdef Counts o = Counts(x, logits, "logits")
    o.set_log_px(log_px)
    o.run(o.table.multinomial)


def multinomial_backward(dlog_px, x, logits, dlogits):
    cdef Counts o = Counts(x, logits, "logits")
    o.set_gradients(dlog_px, dlogits, "dlogits")
    o.run(o.table.multinomial_backward)


def negative_binomial(x, log_means, log_r, log_px):
    cdef Counts o = Counts(x, log_means, "log_means")
    o.set_log_r(log_r)
    o.set_log_px(log_px)
    o.run(o.table.negative_binomial)


def negative_binomial_backward(dlog_px, x, log_means, log_r, dlog_means, dlog_r):
    cdef Counts o = Counts(x, log_means, "log_means")
    o.set_log_r(log_r)
    o.set_gradients(dlog_px, dlog_means, "dlog_means")
    o.set_dlog_r(dlog_r)
    o.run(o.table.negative_binomial_backward)
