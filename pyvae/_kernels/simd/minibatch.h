/* The interface of minibatch.c: rows of a table of uint8, float or double, picked, scaled and binarised in one pass. */
#ifndef PYVAE_MINIBATCH_H
#define PYVAE_MINIBATCH_H

#include "job.h"
#include "level.h"

enum { FROM_UINT8, FROM_FLOAT, FROM_DOUBLE }; /* what the source holds */
enum { KEEP_VALUES, BINARIZE_THRESHOLD, BINARIZE_DRAW };

typedef struct {
    const void *source; /* (any number of rows, columns), unit column stride */
    ptrdiff_t source_row, columns;
    int source_type, binarize;
    double scale, threshold;
    const int64_t *positions; /* in the source, of each row of out */
    const int64_t *rows;      /* the rows' global numbers, for the random counters */
    uint32_t key[2], step;
    ptrdiff_t count; /* of rows of out */
    void *out;       /* contiguous */
} gather_t;

typedef struct {
    task_t *gather;
} minibatch_table_t;

DECLARE_TABLES(minibatch)

#endif
