/* The interface of couplings.c. */
#ifndef PYVAE_COUPLINGS_H
#define PYVAE_COUPLINGS_H

#include "job.h"
#include "level.h"

/* x, dy and out are (rows, columns), outputs and doutputs (rows, 2 columns), all with a distance from row to row;
   log_det and dlog_det have a number per row. */
typedef struct {
    ptrdiff_t rows, columns;
    const void *x, *outputs, *dy, *dlog_det;
    ptrdiff_t x_row, outputs_row, dy_row;
    void *out, *log_det, *doutputs;
    ptrdiff_t out_row, doutputs_row;
} coupling_t;

typedef struct {
    task_t *coupling;          /* out = y */
    task_t *coupling_inverse;  /* reads y from x, out = x */
    task_t *coupling_backward; /* out = dx */
} couplings_table_t;

DECLARE_TABLES(couplings)

#endif
