/* Layer normalisation. The derivation stands in pyvae/layers/blocks.py; forward is followed by its backward. */
#include "norm.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

#define ROW(name, i) ((REAL *)n->name + (i) * n->name##_row)
#define OVER_COLUMNS(sum) ((sum) / (n->columns > 0 ? n->columns : 1)) /* the mean of a row */

static void forward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const norm_t *n = job;
    const REAL *gain = n->gain, *bias = n->bias;
    FOR_MY_ROWS(i, n->rows) {
        const REAL *x = ROW(x, i);
        REAL *u = ROW(u, i), *y = ROW(out, i), sum, squares;
        SUM_COLUMNS(sum, n->columns, j, x[j]);
        REAL mean = OVER_COLUMNS(sum);
        SUM_COLUMNS(squares, n->columns, j, (x[j] - mean) * (x[j] - mean));
        REAL r = 1 / sqrt_real(OVER_COLUMNS(squares) + (REAL)n->epsilon);
        FOR_COLUMNS(j, n->columns, u[j] = (x[j] - mean) * r; y[j] = gain[j] * u[j] + bias[j]);
        ((REAL *)n->r)[i] = r;
    }
    restore_fpstate(saved);
}

static void backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const norm_t *n = job;
    const REAL *gain = n->gain;
    FOR_MY_ROWS(i, n->rows) {
        const REAL *dy = ROW(x, i), *u = ROW(u, i);
        REAL *dx = ROW(out, i), r = ((const REAL *)n->r)[i], sum, along_u;
        SUM_COLUMNS(sum, n->columns, j, dy[j] * gain[j]);
        SUM_COLUMNS(along_u, n->columns, j, dy[j] * gain[j] * u[j]);
        REAL mean = OVER_COLUMNS(sum), mean_along_u = OVER_COLUMNS(along_u);
        FOR_COLUMNS(j, n->columns, dx[j] = r * (dy[j] * gain[j] - mean - u[j] * mean_along_u));
    }
    restore_fpstate(saved);
}

static void sums(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const norm_t *n = job;
    ptrdiff_t first, count = my_columns(n->columns, thread, threads, &first);
    REAL *dgain = (REAL *)n->dgain + first, *dbias = (REAL *)n->dbias + first;
    for (ptrdiff_t i = 0; count > 0 && i < n->rows; i++) {
        const REAL *dy = ROW(x, i) + first, *u = ROW(u, i) + first;
        FOR_COLUMNS(j, count, dgain[j] += dy[j] * u[j]; dbias[j] += dy[j]);
    }
    restore_fpstate(saved);
}

const norm_table_t TABLE(norm) = {forward, backward, sums};
