/* The activation functions and their derivatives, a row at a time. */
#ifndef PYVAE_ACTIVATE_H
#define PYVAE_ACTIVATE_H

#include "elementwise.h"
#include "lanes.h"

static inline void activate_row(ptrdiff_t n, const REAL *x, int activation, REAL *y) {
    switch (activation) {
    case RELU:
        FOR_COLUMNS(j, n, y[j] = relu_real(x[j]));
        break;
    case TANH:
        FOR_COLUMNS(j, n, y[j] = tanh_real(x[j]));
        break;
    case SIGMOID:
        FOR_COLUMNS(j, n, y[j] = sigmoid_real(x[j]));
        break;
    case SOFTPLUS:
        FOR_COLUMNS(j, n, y[j] = softplus_real(x[j]));
        break;
    default:
        if (x != y) memmove(y, x, sizeof(REAL) * n);
    }
}

/* Each derivative as a function of y = f(x), which forward has to keep anyway as the next layer's input:
   relu: y > 0;  tanh: 1 - y^2;  sigmoid: y (1 - y);  softplus: sigmoid(x) = 1 - exp(-y). */
static inline void derivative_row(ptrdiff_t n, const REAL *dy, const REAL *y, int activation, REAL *dx) {
    switch (activation) {
    case RELU:
        FOR_COLUMNS(j, n, REAL d = dy[j]; dx[j] = y[j] > 0 ? d : 0);
        break;
    case TANH:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (1 - y[j] * y[j]));
        break;
    case SIGMOID:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (y[j] * (1 - y[j])));
        break;
    case SOFTPLUS:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * one_minus_exp_real(y[j]));
        break;
    default:
        if (dx != dy) memmove(dx, dy, sizeof(REAL) * n);
    }
}

#endif
