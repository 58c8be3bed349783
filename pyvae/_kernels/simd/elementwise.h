/* The interface of elementwise.c. */
#ifndef PYVAE_ELEMENTWISE_H
#define PYVAE_ELEMENTWISE_H

#include "activate.h"
#include "job.h"
#include "level.h"

/* Arrays of (rows, columns) with a distance from row to row; what a task does not use may be NULL. */
typedef struct {
    ptrdiff_t rows, columns;
    const void *x, *y;
    void *out;
    ptrdiff_t x_row, y_row, out_row;
    ptrdiff_t samples; /* of out for each row of x, in repeat_rows; of x for each row of out, in sum_groups */
    double number, low, high;
    int activation, accumulate;
} elementwise_t;

/* The sum of all numbers of a matrix, in double. */
typedef struct {
    ptrdiff_t rows, columns, x_row;
    const void *x;
    const double *weight; /* of each row; NULL: 1 */
    double *out;
} total_t;

typedef struct {
    task_t *activate;          /* out = f(x) */
    task_t *activate_backward; /* out = x f'(u), where y = f(u), but y = u for SILU and GELU */
    task_t *column_sums;       /* out (+)= the sums of x over the rows; out (columns,) */
    task_t *add;               /* out = x + y */
    task_t *multiply;          /* out = x y */
    task_t *exponential;       /* out = exp(x) */
    task_t *scale_rows;        /* out = y_i x_i, a number for each row */
    task_t *repeat_rows;       /* out = row i / samples of x */
    task_t *sum_groups;        /* out = the sum of `samples` rows of x, ascending */
    task_t *shift;             /* out = x + number */
    task_t *clip;              /* out = x, but low below low and high above high */
    task_t *clip_backward;     /* out = x where low <= y <= high, else 0 */
    task_t *total;             /* of a total_t: out = sum_i weight_i sum_j x_ij */
} elementwise_table_t;

DECLARE_TABLES(elementwise)

#endif
