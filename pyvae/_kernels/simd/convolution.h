/* The interface of convolution.c. */
#ifndef PYVAE_CONVOLUTION_H
#define PYVAE_CONVOLUTION_H

#include "job.h"
#include "level.h"

/* The weights W (kernel * kernel * channels, filters) of a convolution, for its backward pass. Pixels whose numbers, of
   row and of column, are the same modulo the stride see the same taps: they are a phase. taps has, phase by phase, a
   matrix (taps of the phase * filters, channels), taps ascending: the first is that of the taps (first_s + stride i,
   first_t + stride j). */
typedef struct {
    ptrdiff_t kernel, stride, channels, filters, top, left;
    const void *W;
    void *taps;
} taps_t;

typedef struct {
    task_t *turn;
} convolution_table_t;

DECLARE_TABLES(convolution)

#endif
