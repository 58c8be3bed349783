/* The interface of count_likelihood.c. */
#ifndef PYVAE_COUNT_LIKELIHOOD_H
#define PYVAE_COUNT_LIKELIHOOD_H

#include "level.h"
#include "observation.h"

typedef struct {
    task_t *poisson, *poisson_backward, *multinomial, *multinomial_backward;
    task_t *negative_binomial, *negative_binomial_backward;
} count_likelihood_table_t;

DECLARE_TABLES(count_likelihood)

#endif
