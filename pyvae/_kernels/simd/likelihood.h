/* The interface of likelihood.c. */
#ifndef PYVAE_LIKELIHOOD_H
#define PYVAE_LIKELIHOOD_H

#include "job.h"
#include "level.h"

/* What the tasks below read and write; each uses some of it. */
typedef struct {
    ptrdiff_t rows, columns, samples; /* of the decoder's outputs; each row of x serves `samples` of them in turn */
    const void *x;                    /* (rows / samples, columns) */
    const void *outputs;              /* (rows, columns): logits, or means */
    const void *logvar;               /* Gaussian: (rows, columns), or one row for all with logvar_row = 0 */
    ptrdiff_t x_row, outputs_row, logvar_row;
    const int64_t *edges; /* categorical: group g has the columns edges[g] .. edges[g + 1] */
    ptrdiff_t groups;
    void *log_px;
    const void *dlog_px;     /* the loss's derivative by each row's log-likelihood */
    void *doutputs, *dlogvar; /* dlogvar may be NULL, where logvar is fixed */
    ptrdiff_t doutputs_row, dlogvar_row;
} observation_t;

typedef struct {
    task_t *bernoulli, *bernoulli_backward, *bernoulli_both, *gaussian, *gaussian_backward, *categorical, *categorical_backward;
} likelihood_table_t;

DECLARE_TABLES(likelihood)

#endif
