/* The interface of sparse.c. */
#ifndef PYVAE_SPARSE_H
#define PYVAE_SPARSE_H

#include "job.h"
#include "level.h"

/* x has `rows` rows and any number of columns. Row i has the entries values[n] in the columns entry_columns[n], where
   n = starts[i] .. starts[i + 1] - 1, and else zeros. Forward, out is y (rows, columns). Going backward, dy is
   (rows, columns) and out is dW (out_rows, columns). */
typedef struct {
    ptrdiff_t rows, columns; /* of y and dy */
    const void *values;
    const int32_t *entry_columns;
    const int64_t *starts;
    const void *weights, *bias; /* forward: W, and b or NULL */
    ptrdiff_t weights_row;
    const void *dy;
    ptrdiff_t dy_row;
    void *out; /* y, or dW */
    ptrdiff_t out_row, out_rows;
    void *db; /* or NULL */
    int accumulate;
} sparse_product_t;

typedef struct {
    task_t *multiply;         /* y = x W + b */
    task_t *multiply_weights; /* dW = or += x.T dy, db = or += the sums of dy over the rows */
} sparse_table_t;

DECLARE_TABLES(sparse)

#endif
