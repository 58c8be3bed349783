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

static void column_sums(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    sum_rows(e->rows, e->columns, e->x, e->x_row, e->accumulate, e->out, thread, threads);
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

static void exponential(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = exp_real(x[j]));
    }
    restore_fpstate(saved);
}

static void scale_rows(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i), factor = ((const REAL *)e->y)[i];
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = factor * x[j]);
    }
    restore_fpstate(saved);
}

static void repeat_rows(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i / e->samples);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = x[j]);
    }
    restore_fpstate(saved);
}

static void sum_groups(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    FOR_MY_ROWS(i, e->rows) {
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, out[j] = 0);
        for (ptrdiff_t s = 0; s < e->samples; s++) {
            const REAL *x = ROW(x, i * e->samples + s);
            FOR_COLUMNS(j, e->columns, out[j] += x[j]);
        }
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

static void clip(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    const REAL low = (REAL)e->low, high = (REAL)e->high;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *x = ROW(x, i);
        REAL *out = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, REAL v = x[j]; v = v < low ? low : v; out[j] = v > high ? high : v);
    }
    restore_fpstate(saved);
}

static void clip_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const elementwise_t *e = job;
    const REAL low = (REAL)e->low, high = (REAL)e->high;
    FOR_MY_ROWS(i, e->rows) {
        const REAL *dy = ROW(x, i), *x = ROW(y, i);
        REAL *dx = OUT_ROW(i);
        FOR_COLUMNS(j, e->columns, REAL d = dy[j], v = x[j]; d = v < low ? 0 : d; dx[j] = v > high ? 0 : d);
    }
    restore_fpstate(saved);
}

/* One thread adds up: a row in lanes, the rows one after the other. */
static void total(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    (void)threads;
    if (thread > 0) return;
    fpstate_t saved = flush_subnormals();
    const total_t *t = job;
    double sum = 0;
    for (ptrdiff_t i = 0; i < t->rows; i++) {
        const REAL *x = (const REAL *)t->x + i * t->x_row;
        double of_row;
        SUM_COLUMNS_DOUBLE(of_row, t->columns, j, (double)x[j]);
        sum += t->weight ? t->weight[i] * of_row : of_row;
    }
    *t->out = sum;
    restore_fpstate(saved);
}

const elementwise_table_t TABLE(elementwise) = {
    activate,   activate_backward, column_sums, add,   multiply, exponential,
    scale_rows, repeat_rows,       sum_groups,  shift, clip,     clip_backward, total,
};
