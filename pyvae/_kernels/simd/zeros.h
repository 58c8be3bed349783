/* The interface of zeros.c: which elements of a matrix are not zero, and products that multiply these alone. */
#ifndef PYVAE_ZEROS_H
#define PYVAE_ZEROS_H

#include "products.h"

/* The mask of a matrix x (rows, columns): bit j % 64 of words[i * word_row + j / 64] says whether x[i][j] is not zero.
   entries[i] counts those of row i. */
typedef struct {
    const void *x;
    ptrdiff_t rows, columns, x_row;
    uint64_t *words;
    ptrdiff_t word_row;
    int64_t *entries;
} mask_t;

/* The mask of x.T, from that of x. */
typedef struct {
    mask_t mask;          /* of x */
    uint64_t *words;      /* of x.T: (columns, word_row) */
    ptrdiff_t word_row;
    int64_t *entries;
} mask_transpose_t;

/* A product that may leave out the zeros of A. */
typedef struct {
    dense_product_t product; /* stands first, so that multiply_all takes this job for its own */
    task_t *multiply_all;    /* that of products.c */
    const uint64_t *words;   /* the mask of A, (rows, word_row) */
    ptrdiff_t word_row;
    const int64_t *entries;  /* of each row of A */
    int64_t *ways;           /* ways[0] counts products that multiplied all, ways[1] those that left out zeros */
} masked_product_t;

typedef struct {
    task_t *make_mask, *transpose_mask, *multiply;
} zeros_table_t;

DECLARE_TABLES(zeros)

#endif
