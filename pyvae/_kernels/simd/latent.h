/* The interface of latent.c. */
#ifndef PYVAE_LATENT_H
#define PYVAE_LATENT_H

#include "job.h"
#include "level.h"

/* What the tasks below read and write; each uses some of it. Arrays without a stride are contiguous. */
typedef struct {
    ptrdiff_t rows, columns, samples; /* eps, z and dz have `samples` rows for each row of the posterior */
    const void *mu, *logvar;
    ptrdiff_t mu_row, logvar_row;
    const void *eps, *dz, *dkl, *dlog_pz, *dlog_qz; /* dlog_qz may be NULL */
    void *z, *log_qz, *log_pz, *kl, *dmu, *dlogvar; /* standard_normal_backward writes its dz to dmu */
} latent_t;

typedef struct {
    task_t *reparameterize, *reparameterize_backward;
    task_t *gaussian_density_backward; /* writes its dz to z */
    task_t *kl, *kl_backward, *standard_normal, *standard_normal_backward;
} latent_table_t;

DECLARE_TABLES(latent)

#endif
