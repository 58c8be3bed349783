/* The interface of planar_flow.c. */
#ifndef PYVAE_PLANAR_FLOW_H
#define PYVAE_PLANAR_FLOW_H

#include "job.h"
#include "level.h"

/* What the tasks below read and write; each uses some of it. flow and dflow have 2 * columns + 1 columns, [u | w | b];
   all others `samples` rows for each row of flow. Distances from row to row are in elements. */
typedef struct {
    ptrdiff_t rows, columns, samples;
    const void *z, *flow, *dout, *dlog_qz; /* dlog_qz may be NULL */
    void *out, *log_qz, *dz, *dflow;
    ptrdiff_t z_row, flow_row, dout_row, out_row, dz_row, dflow_row;
} planar_flow_t;

typedef struct {
    task_t *planar; /* out = z + u^ h; log_qz -= log D */
    task_t *planar_backward;
} planar_flow_table_t;

DECLARE_TABLES(planar_flow)

#endif
