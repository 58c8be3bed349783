/* The interface of likelihood.c. */
#ifndef PYVAE_LIKELIHOOD_H
#define PYVAE_LIKELIHOOD_H

#include "level.h"
#include "observation.h"

typedef struct {
    task_t *bernoulli, *bernoulli_backward, *bernoulli_both, *gaussian, *gaussian_backward;
    task_t *categorical, *categorical_backward, *discretized_logistic, *discretized_logistic_backward;
} likelihood_table_t;

DECLARE_TABLES(likelihood)

#endif
