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
    ptrdiff_t first_sample;  /* the number of a row's first sample */
    const void *probability; /* Bernoulli: (rows * samples, columns), contiguous */
    void *out;               /* likewise */
    int kind;
} draw_t;

/* A window of a permutation of 0 .. n - 1. */
typedef struct {
    uint32_t key[2], epoch;
    uint64_t n, start;
    ptrdiff_t count;
    int half_bits; /* the network permutes numbers of twice as many bits, the least that cover n */
    int64_t *out;  /* (count,): where start, start + 1, ... go */
} order_t;

typedef struct {
    task_t *fill;    /* of a draw_t: output row r is sample first_sample + r % samples of rows[r / samples] */
    task_t *permute; /* of an order_t */
} random_table_t;

DECLARE_TABLES(random)

#endif
