/* The interface of dense.c: what Cython fills in, and the functions that compute one tile of it. */
#ifndef PYVAE_DENSE_H
#define PYVAE_DENSE_H

#include "level.h"

enum { IDENTITY, RELU, TANH, SIGMOID, SOFTPLUS };

/* C = A B, or C += A B, then + bias, then an activation. A is read as a[i * a_row + k * a_k] and B as
   b[k * b_k + j * b_column], so that the same code does x W, dy W' and x' dy. C has unit column stride. */
typedef struct {
    const void *a, *b, *bias; /* bias: columns numbers, or NULL */
    void *c;
    ptrdiff_t rows, columns, depth; /* C is (rows, columns); depth is the length of the sums */
    ptrdiff_t a_row, a_k, b_k, b_column, c_row;
    int accumulate, activation;
    int by_rows; /* whether threads share out the rows of C; else its columns */
} dense_product_t;

typedef struct {
    /* The share of one thread. */
    void (*multiply)(const dense_product_t *product, ptrdiff_t thread, ptrdiff_t threads);
    /* y = f(x) over n numbers. */
    void (*activate)(ptrdiff_t n, const void *x, int activation, void *y);
    /* dx = dy f'(x), written with y = f(x), over rows x columns; where db is not NULL, db (+)= column sums of dx. */
    void (*activate_backward)(ptrdiff_t rows, ptrdiff_t columns, const void *dy, ptrdiff_t dy_row, const void *y,
                              ptrdiff_t y_row, int activation, void *dx, ptrdiff_t dx_row, void *db, int accumulate);
} dense_table_t;

DECLARE_TABLES(dense)

#endif
