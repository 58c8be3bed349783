/* The interface of gaussian.c. Rows [begin, end) are rows of the posterior; each has `samples` rows of eps, z, dz. */
#ifndef PYVAE_GAUSSIAN_H
#define PYVAE_GAUSSIAN_H

#include "level.h"

typedef struct {
    const void *mu, *logvar; /* (rows, columns), row strides mu_row and logvar_row */
    ptrdiff_t columns, samples, mu_row, logvar_row;
} posterior_t;

typedef struct {
    void (*reparameterize)(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *eps, void *z, void *log_qz);
    void (*reparameterize_backward)(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *dz,
                                    const void *eps, void *dmu, void *dlogvar);
    void (*kl)(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, void *out);
    void (*kl_backward)(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *dkl, void *dmu, void *dlogvar);
    void (*standard_normal)(ptrdiff_t begin, ptrdiff_t end, ptrdiff_t columns, const void *z, void *log_pz);
} gaussian_table_t;

DECLARE_TABLES(gaussian)

#endif
