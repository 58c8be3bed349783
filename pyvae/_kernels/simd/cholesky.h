/* The interface of cholesky.c. */
#ifndef PYVAE_CHOLESKY_H
#define PYVAE_CHOLESKY_H

#include "job.h"
#include "level.h"

/* What the tasks below read and write; each uses some of it. Arrays without a stride are contiguous. lower and dlower
   have columns * (columns - 1) / 2 columns: what stands below the diagonal of L, row by row. */
typedef struct {
    ptrdiff_t rows, columns, samples; /* eps, z and dz have `samples` rows for each row of the posterior */
    const void *mu, *log_diagonal, *lower;
    ptrdiff_t mu_row, log_diagonal_row, lower_row;
    const void *eps, *dz, *dkl, *dlog_qz; /* dlog_qz may be NULL */
    void *z, *log_qz, *kl, *dmu, *dlog_diagonal, *dlower;
} cholesky_t;

typedef struct {
    task_t *sample, *sample_backward;
    task_t *density_backward; /* writes its dz to z */
    task_t *kl, *kl_backward;
} cholesky_table_t;

DECLARE_TABLES(cholesky)

#endif
