/* The interface of norm.c. */
#ifndef PYVAE_NORM_H
#define PYVAE_NORM_H

#include "job.h"
#include "level.h"

/* x, u and out are (rows, columns) with a distance from row to row; r has a number per row, the others one per column.
   Going backward x is dy and out is dx. */
typedef struct {
    ptrdiff_t rows, columns;
    const void *x, *gain, *bias;
    void *u, *r, *out, *dgain, *dbias;
    ptrdiff_t x_row, u_row, out_row;
    double epsilon;
} norm_t;

typedef struct {
    task_t *forward;  /* u = (x - mean) r, out = gain u + bias */
    task_t *backward; /* out = r (du - mean(du) - u mean(du u)), du = x gain */
    task_t *sums;     /* dgain += sums over rows of x u, dbias += those of x */
} norm_table_t;

DECLARE_TABLES(norm)

#endif
