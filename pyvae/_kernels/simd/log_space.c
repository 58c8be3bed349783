/* Softmax and the logarithm of a sum of exponentials. log_space_ref.py defines them. */
#include "log_space.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static void softmax(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const log_space_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *x = (const REAL *)s->x + i * s->x_row;
        REAL *out = (REAL *)s->out + i * s->out_row, sum, top = highest(s->columns, x);
        if (top == -INFINITY) top = 0; /* which cannot be subtracted from itself */
        FOR_COLUMNS(j, s->columns, out[j] = exp_real(x[j] - top));
        SUM_COLUMNS(sum, s->columns, j, out[j]);
        REAL share = sum > 0 ? 1 / sum : sum;
        FOR_COLUMNS(j, s->columns, out[j] *= share);
        ((REAL *)s->log_sum)[i] = sum > 0 ? top + log_real(sum) : sum - INFINITY; /* NaN stays NaN */
    }
    restore_fpstate(saved);
}

static void log_softmax(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const log_space_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *x = (const REAL *)s->x + i * s->x_row;
        REAL *out = (REAL *)s->out + i * s->out_row, sum, top = highest(s->columns, x);
        SUM_COLUMNS(sum, s->columns, j, exp_real(x[j] - top));
        REAL log_sum = sum > 0 ? log_real(sum) : sum - INFINITY; /* NaN stays NaN */
        FOR_COLUMNS(j, s->columns, out[j] = x[j] - top - log_sum);
    }
    restore_fpstate(saved);
}

/* dx = dout - exp(out) sum_k dout_k */
static void log_softmax_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const log_space_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *dout = (const REAL *)s->dout + i * s->dout_row, *out = (const REAL *)s->x + i * s->x_row;
        REAL *dx = (REAL *)s->out + i * s->out_row, sum;
        SUM_COLUMNS(sum, s->columns, j, dout[j]);
        FOR_COLUMNS(j, s->columns, dx[j] = dout[j] - exp_real(out[j]) * sum);
    }
    restore_fpstate(saved);
}

const log_space_table_t TABLE(log_space) = {softmax, log_softmax, log_softmax_backward};
