/* The interface of components.c. */
#ifndef PYVAE_COMPONENTS_H
#define PYVAE_COMPONENTS_H

#include "job.h"
#include "level.h"

/* z is (rows, columns); mu and logvar are (components, columns), with a distance from row to row. All others are
   contiguous: out and dout (rows, components), and each gradient like what it belongs to. */
typedef struct {
    ptrdiff_t rows, columns, components;
    const void *z, *mu, *logvar;
    ptrdiff_t z_row, mu_row, logvar_row;
    const void *dout;
    void *out, *dz, *dmu, *dlogvar;
} components_t;

typedef struct {
    task_t *gaussian_components, *gaussian_components_backward;
} components_table_t;

DECLARE_TABLES(components)

#endif
