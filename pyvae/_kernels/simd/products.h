/* The interface of products.c: the three products as one. */
#ifndef PYVAE_PRODUCTS_H
#define PYVAE_PRODUCTS_H

#include "job.h"
#include "level.h"
#include "patches.h"

/* C = A B, or C += A B, then + bias, then an activation. A is read as a[i * a_row + k * a_k] and B as
   b[k * b_k + j * b_column], so that the same code does x W, dy W' and x' dy. C has unit column stride. In a convolution
   A is a matrix of patches of the pictures a, or its transpose, and the rows of C may be some pixels of pictures. */
typedef struct {
    const void *a, *b, *bias; /* bias: columns numbers, or NULL */
    void *c;
    void *b_sums;                   /* columns numbers, the sums over the rows of B, or NULL */
    ptrdiff_t rows, columns, depth; /* C is (rows, columns); depth is the length of the sums */
    ptrdiff_t a_row, a_k, b_k, b_column, c_row;
    int accumulate, accumulate_b_sums, activation;
    patches_t patches;      /* A's, if there are any: a_k is 1 where A has a row for each patch, else a_row is */
    patches_t places;       /* C's, if there are any: row i is the pixel that is seen from place i */
    int by_rows; /* whether threads share out the rows of C; else its columns */
} dense_product_t;

typedef struct {
    task_t *multiply;
} products_table_t;

DECLARE_TABLES(products)

#endif
