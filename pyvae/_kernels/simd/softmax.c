/* Softmax and the logarithm of a sum of exponentials. softmax_ref.py defines them. */
#include "softmax.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static void softmax(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const softmax_t *s = job;
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

const softmax_table_t TABLE(softmax) = {softmax};
