/* The interface of adam.c: passes over [begin, end) of the flat arena. */
#ifndef PYVAE_ADAM_H
#define PYVAE_ADAM_H

#include "level.h"

typedef struct {
    double learning_rate, beta1, beta2, epsilon;
    double correction1, correction2; /* 1 - beta1^t and sqrt(1 - beta2^t) */
} adam_t;

typedef struct {
    void (*update)(const adam_t *adam, ptrdiff_t begin, ptrdiff_t end, void *values, const void *grads, void *m, void *v);
    void (*clear)(ptrdiff_t begin, ptrdiff_t end, void *x);
    double (*sum_of_squares)(ptrdiff_t begin, ptrdiff_t end, const void *x);
} adam_table_t;

DECLARE_TABLES(adam)

#endif
