/* The interface of classes.c. */
#ifndef PYVAE_CLASSES_H
#define PYVAE_CLASSES_H

#include <stdint.h>

#include "job.h"
#include "level.h"

/* Rows of C classes; of x and dx, with k samples of each class. What a task does not use may be NULL. */
typedef struct {
    ptrdiff_t rows, classes, samples;
    const void *log_q, *log_p, *x, *given_share, *dout, *given_dshare, *dkl, *dextra;
    const int64_t *label;
    void *share, *kl, *extra, *out, *dx, *dshare, *dlog_q, *dlog_p;
    ptrdiff_t log_q_row, x_row, given_share_row, dout_row, given_dshare_row; /* from row to row */
    ptrdiff_t share_row, out_row, dx_row, dshare_row, dlog_q_row, dlog_p_row;
    double alpha;
} classes_t;

typedef struct {
    task_t *class_columns, *class_shares, *class_shares_backward, *class_mean, *class_mean_backward;
} classes_table_t;

DECLARE_TABLES(classes)

#endif
