/* The activation functions: the words for them, and for files that are compiled for a float type what they compute. */
#ifndef PYVAE_ACTIVATE_H
#define PYVAE_ACTIVATE_H

/* Their numbers, and the words for them. */
#define FOR_EACH_ACTIVATION(DO)                                                                                        \
    DO(RELU, "relu")                                                                                                   \
    DO(LEAKY_RELU, "leaky_relu")                                                                                       \
    DO(ELU, "elu")                                                                                                     \
    DO(TANH, "tanh")                                                                                                   \
    DO(SIGMOID, "sigmoid")                                                                                             \
    DO(SOFTPLUS, "softplus")                                                                                           \
    DO(SILU, "silu")                                                                                                   \
    DO(GELU, "gelu")                                                                                                   \
    DO(SYMLOG, "symlog")

#define ACTIVATION_CODE_(code, word) code,
enum { IDENTITY, FOR_EACH_ACTIVATION(ACTIVATION_CODE_) };

#ifdef REAL
#include "lanes.h"
#include "vmath.h"
#include "vector.h"

static inline void activate_row(ptrdiff_t n, const REAL *x, int activation, REAL *y) {
    switch (activation) {
    case RELU:
        FOR_COLUMNS(j, n, y[j] = relu_real(x[j]));
        break;
    case LEAKY_RELU:
        FOR_COLUMNS(j, n, y[j] = leaky_relu_real(x[j]));
        break;
    case ELU:
        FOR_COLUMNS(j, n, y[j] = elu_real(x[j]));
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
    case SILU:
        FOR_COLUMNS(j, n, y[j] = x[j] * sigmoid_real(x[j]));
        break;
    case GELU:
        FOR_COLUMNS(j, n, y[j] = x[j] * normal_of(x[j]).cdf);
        break;
    case SYMLOG:
        FOR_COLUMNS(j, n, y[j] = symlog_real(x[j]));
        break;
    default:
        if (x != y) memmove(y, x, sizeof(REAL) * n);
    }
}

/* The end of a product: c = f(c + bias), bias or NULL. It is done while c is in the L1 cache, a vector at a time. */
static inline void finish_rows(ptrdiff_t rows, ptrdiff_t columns, const REAL *bias, int activation, REAL *c, ptrdiff_t c_row) {
    for (ptrdiff_t i = 0; i < rows; i++, c += c_row) {
        ptrdiff_t j = 0;
        for (; j + WIDTH <= columns; j += WIDTH) {
            const vector a = (vector)LOAD(c + j) + (bias ? (vector)LOAD(bias + j) : (vector){0});
            STORE(c + j, activation == RELU ? RELU_VECTOR(a) : a);
        }
        for (; j < columns; j++) {
            const REAL a = bias ? c[j] + bias[j] : c[j];
            c[j] = activation == RELU ? relu_real(a) : a;
        }
        if (activation != RELU && activation != IDENTITY) activate_row(columns, c, activation, c);
    }
}

/* Each derivative as a function of y = f(x), which forward has to keep anyway as the next layer's input:
   relu: y > 0;  elu: y + 1 below zero;  tanh: 1 - y^2;  sigmoid: y (1 - y);  softplus: sigmoid(x) = 1 - exp(-y);
   symlog: exp(-|y|);
   but silu and gelu take some values twice, with different slopes, and so theirs is a function of y = x:
   silu: s (1 + x (1 - s)), s = sigmoid(x);  gelu: cdf(x) + x pdf(x) of the standard normal distribution. */
static inline void derivative_row(ptrdiff_t n, const REAL *dy, const REAL *y, int activation, REAL *dx) {
    switch (activation) {
    case RELU:
        FOR_COLUMNS(j, n, REAL d = dy[j]; dx[j] = y[j] > 0 ? d : 0);
        break;
    case LEAKY_RELU:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (y[j] > 0 ? 1 : LEAKY_SLOPE));
        break;
    case ELU:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (1 - relu_real(-y[j])));
        break;
    case TANH:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (1 - y[j] * y[j]));
        break;
    case SIGMOID:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * (y[j] * (1 - y[j])));
        break;
    case SOFTPLUS:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * -expm1_below_zero(-y[j]));
        break;
    case SILU:
        FOR_COLUMNS(j, n, REAL s = sigmoid_real(y[j]); dx[j] = dy[j] * (s * (1 + y[j] * (1 - s))));
        break;
    case GELU:
        FOR_COLUMNS(j, n, normal_t p = normal_of(y[j]); dx[j] = dy[j] * (p.cdf + y[j] * p.pdf));
        break;
    case SYMLOG:
        FOR_COLUMNS(j, n, dx[j] = dy[j] * exp_below_zero(-abs_real(y[j])));
        break;
    default:
        if (dx != dy) memmove(dx, dy, sizeof(REAL) * n);
    }
}

#endif
#endif
