/* The interface of optimizer.c: passes over the flat arena. */
#ifndef PYVAE_OPTIMIZER_H
#define PYVAE_OPTIMIZER_H

#include "job.h"
#include "level.h"

enum { CHUNK = 16384 }; /* numbers that sum_of_squares adds up apart, whoever does */

typedef struct {
    double learning_rate, beta1, beta2, epsilon;
    double scale;                    /* the gradients are multiplied by it first */
    double l2;                       /* then l2 times the values are added to them */
    double decay;                    /* a step takes learning_rate * decay times the values off them */
    double correction1, correction2; /* 1 - beta1^t and sqrt(1 - beta2^t) */
    void *values, *m, *v, *grads;
    const int64_t *extents; /* begin and end of each tensor in the arena */
    const double *rates;    /* of each tensor: a factor of the learning rate, or the rate of its natural steps */
    ptrdiff_t tensors;
} arena_t;

typedef struct {
    const void *x;
    ptrdiff_t size;
    double *partial; /* one for each chunk */
} sum_t;

typedef struct {
    task_t *update, *natural_step, *clear; /* of an arena_t */
    task_t *sum_of_squares;                /* of a sum_t */
} optimizer_table_t;

DECLARE_TABLES(optimizer)

#endif
