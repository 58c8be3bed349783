/* The interface of count_likelihood.c. */
#ifndef PYVAE_COUNT_LIKELIHOOD_H
#define PYVAE_COUNT_LIKELIHOOD_H

#include "job.h"
#include "level.h"

/* What the tasks below read and write; each uses some of it. */
typedef struct {
    ptrdiff_t rows, columns, samples; /* of the decoder's outputs; each row of x serves `samples` of them in turn */
    const void *x;                    /* (rows / samples, columns): counts */
    const void *outputs;              /* (rows, columns): logits, or logarithms of rates or means */
    const void *log_r;                /* negative binomial: (rows, columns), or one row for all with log_r_row = 0 */
    ptrdiff_t x_row, outputs_row, log_r_row;
    void *log_px;
    const void *dlog_px; /* the loss's derivative by each row's log-likelihood */
    void *doutputs, *dlog_r;
    ptrdiff_t doutputs_row, dlog_r_row;
} counts_t;

typedef struct {
    task_t *poisson, *poisson_backward, *multinomial, *multinomial_backward;
    task_t *negative_binomial, *negative_binomial_backward;
} count_likelihood_table_t;

DECLARE_TABLES(count_likelihood)

#endif
