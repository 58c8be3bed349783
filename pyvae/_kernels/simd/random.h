/* The interface of random.c: numbers that are pure functions of (key, step, row, sample, column). */
#ifndef PYVAE_RANDOM_H
#define PYVAE_RANDOM_H

#include "job.h"
#include "level.h"

enum { UNIFORM, NORMAL, BERNOULLI };

typedef struct {
    uint32_t key[2], step;
    const int64_t *rows; /* global number of each row, below 2^32 */
    ptrdiff_t out_rows, samples, columns;
    const void *probability; /* Bernoulli: (rows * samples, columns), contiguous */
    void *out;               /* likewise */
    int kind;
} draw_t;

typedef struct {
    task_t *fill; /* output row r belongs to rows[r / samples] and is its sample r % samples */
} random_table_t;

DECLARE_TABLES(random)

#endif
