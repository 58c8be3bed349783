/* The interface of likelihood.c. Rows [begin, end) are rows of the decoder's output; each row of x serves `samples`
   of them in turn. dlog_px is the loss's derivative by each row's log-likelihood. */
#ifndef PYVAE_LIKELIHOOD_H
#define PYVAE_LIKELIHOOD_H

#include "level.h"

typedef struct {
    const void *x;       /* (rows / samples, columns) */
    const void *outputs; /* (rows, columns): logits, or means */
    const void *logvar;  /* Gaussian: (rows, columns), or one row for all with logvar_row = 0 */
    ptrdiff_t columns, samples, x_row, outputs_row, logvar_row;
    const int64_t *edges; /* categorical: group g has the columns edges[g] .. edges[g + 1] */
    ptrdiff_t groups;
} observation_t;

typedef struct {
    void (*bernoulli)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, void *log_px);
    void (*bernoulli_backward)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, const void *dlog_px,
                               void *dlogits, ptrdiff_t dlogits_row);
    void (*gaussian)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, void *log_px);
    /* dlogvar may be NULL, where logvar is fixed */
    void (*gaussian_backward)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, const void *dlog_px, void *dmean,
                              ptrdiff_t dmean_row, void *dlogvar, ptrdiff_t dlogvar_row);
    void (*categorical)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, void *log_px);
    void (*categorical_backward)(ptrdiff_t begin, ptrdiff_t end, const observation_t *o, const void *dlog_px,
                                 void *dlogits, ptrdiff_t dlogits_row);
} likelihood_table_t;

DECLARE_TABLES(likelihood)

#endif
