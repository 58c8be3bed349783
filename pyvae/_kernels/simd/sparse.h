/* The interface of sparse.c. */
#ifndef PYVAE_SPARSE_H
#define PYVAE_SPARSE_H

#include "job.h"
#include "level.h"

/* x (rows, any number of columns) has the entries values[n] in the columns columns[n], n in starts[i] .. starts[i + 1],
   in row i, and else zeros. Forward, dense is out (rows, columns); going backward it is dy, and out is dW. */
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
