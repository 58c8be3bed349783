"""Log-likelihoods of counts and their derivatives; ``simd/count_likelihood.c`` computes them.

Twin: ``count_likelihood_ref.py``, which defines what every function here returns.
"""
from pyvae._kernels.likelihood cimport Observation
from pyvae._kernels.cpu cimport level
from pyvae._kernels.tape cimport task_t

cdef extern from "simd/count_likelihood.h":
    ctypedef struct count_likelihood_table_t:
        task_t poisson, poisson_backward, multinomial, multinomial_backward
        task_t negative_binomial, negative_binomial_backward

cdef extern from *:
    """static const count_likelihood_table_t *const count_likelihood_tables[LEVEL_COUNT][2]
           = LIST_TABLES(count_likelihood);"""
    const count_likelihood_table_t *count_likelihood_tables[3][2]


cdef const count_likelihood_table_t *table(Observation o) noexcept:
    return count_likelihood_tables[level][o.real]


def poisson(x, log_rates, log_px, observed=None):
    cdef Observation o = Observation(x, log_rates, "log_rates", observed)
    o.set_log_px(log_px)
    o.run(table(o).poisson)


def poisson_backward(dlog_px, x, log_rates, dlog_rates, observed=None):
    cdef Observation o = Observation(x, log_rates, "log_rates", observed)
    o.set_gradients(dlog_px, dlog_rates, "dlog_rates")
    o.run(table(o).poisson_backward)


def multinomial(x, logits, log_px):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_log_px(log_px)
    o.run(table(o).multinomial)


def multinomial_backward(dlog_px, x, logits, dlogits):
    cdef Observation o = Observation(x, logits, "logits")
    o.set_gradients(dlog_px, dlogits, "dlogits")
    o.run(table(o).multinomial_backward)


def negative_binomial(x, log_means, log_r, log_px, observed=None):
    cdef Observation o = Observation(x, log_means, "log_means", observed)
    o.set_spread(log_r, "log_r")
    o.set_log_px(log_px)
    o.run(table(o).negative_binomial)


def negative_binomial_backward(dlog_px, x, log_means, log_r, dlog_means, dlog_r, observed=None):
    cdef Observation o = Observation(x, log_means, "log_means", observed)
    o.set_spread(log_r, "log_r")
    o.set_gradients(dlog_px, dlog_means, "dlog_means")
    o.set_dspread(dlog_r, "dlog_r")
    o.run(table(o).negative_binomial_backward)
