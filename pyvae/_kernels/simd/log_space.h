/* The interface of log_space.c. */
#ifndef PYVAE_LOG_SPACE_H
#define PYVAE_LOG_SPACE_H

#include "job.h"
#include "level.h"

/* x, dout and out are (rows, columns) with a distance from row to row; x and out may be the same. log_sum has a number
   per row. */
typedef struct {
    ptrdiff_t rows, columns;
    const void *x, *dout;
    void *out, *log_sum;
    ptrdiff_t x_row, dout_row, out_row;
} log_space_t;

typedef struct {
    task_t *softmax; /* log_sum = log sum_k exp(x_k), out_k = exp(x_k - log_sum) */
    task_t *log_softmax, *log_softmax_backward; /* the latter reads out from x and writes its dx to out */
} log_space_table_t;

DECLARE_TABLES(log_space)

#endif
