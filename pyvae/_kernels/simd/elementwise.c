/* Passes over matrices, element by element, and sums over rows. */
#include "elementwise.h"
#include "fpstate.h"
#include "vmath.h"
#include "activate.h"

#define ROW(name, i) ((const REAL *)e->name + (i) * e->name##_row)
#define OUT_ROW(i) ((REAL *)e->out + (i) * e->out_row)

static void activate(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) activate_row(e->columns, ROW(x, i), e->activation, OUT_ROW(i));
    restore_fpstate(saved);
}

static void activate_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) derivative_row(e->columns, ROW(x, i), ROW(y, i), e->activation, OUT_ROW(i));
    restore_fpstate(saved);
}

/* A thread owns columns, whole cache lines of them, so that every column's sum is one chain of additions, rows
   ascending. */
static void column_sums(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    ptrdiff_t lines = (e->columns + LANES - 1) / LANES;
    ptrdiff_t first = share(lines, thread, threads) * LANES, end = share(lines, thread + 1, threads) * LANES;
    ptrdiff_t n = (end < e->columns ? end : e->columns) - first;
    REAL *sums = (REAL *)e->out + first;
    if (n > 0 && !e->accumulate) memset(sums, 0, sizeof(REAL) * n);
    for (ptrdiff_t i = 0; n > 0 && i < e->rows; i++) {
        const REAL *x = ROW(x, i) + first;
        FOR_COLUMNS(j, n, sums[j] += x[j]);
    }
    restore_fpstate(saved);
}

static void add(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i), *y = ROW(y, i);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = x[j] + y[j]);
    }
    restore_fpstate(saved);
}

static void multiply(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i), *y = ROW(y, i);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = x[j] * y[j]);
    }
    restore_fpstate(saved);
}

static void shift(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    const REAL number = (REAL)e->number;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = x[j] + number);
    }
    restore_fpstate(saved);
}

const elementwise_table_t TABLE(elementwise) = {activate, activate_backward, column_sums, add, multiply, shift};
