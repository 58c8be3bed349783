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

/* A thread owns columns, whole cache lines of them, so that every column's sum is one chain of additions, rows
   ascending. The identity with out = dy writes nothing but the sums. */
static void activate_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    ptrdiff_t lines = (e->columns + LANES - 1) / LANES;
    ptrdiff_t first = share(lines, thread, threads) * LANES, end = share(lines, thread + 1, threads) * LANES;
    ptrdiff_t n = (end < e->columns ? end : e->columns) - first;
    REAL *db = e->db ? (REAL *)e->db + first : NULL;
    if (n > 0 && db && !e->accumulate) memset(db, 0, sizeof(REAL) * n);
    for (ptrdiff_t i = 0; n > 0 && i < e->rows; i++) {
        REAL *dx = OUT_ROW(i) + first;
        derivative_row(n, ROW(dy, i) + first, ROW(y, i) + first, e->activation, dx);
        if (db) FOR_COLUMNS(j, n, db[j] += dx[j]);
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

const elementwise_table_t TABLE(elementwise) = {activate, activate_backward, add, shift};
