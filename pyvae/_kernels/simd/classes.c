/* Expectations over the classes of a row. classes_ref.py defines them. Sums over classes go from the first to the last. */
#include "classes.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

#define OF_ROW(array) ((const REAL *)s->array + i * s->array##_row)
#define TO_ROW(array) ((REAL *)s->array + i * s->array##_row)

static void class_columns(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const classes_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const int64_t label = s->label[i];
        const int known = label >= 0 && label < s->classes;
        for (ptrdiff_t place = 0; place < s->classes; place++) {
            REAL *out = (REAL *)s->out + (i * s->classes + place) * s->out_row;
            memset(out, 0, sizeof(REAL) * s->classes);
            out[known ? label : place] = 1;
        }
    }
}

static void class_shares(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const classes_t *s = job;
    const REAL *log_p = s->log_p;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *log_q = OF_ROW(log_q);
        REAL *share = TO_ROW(share), kl = 0, extra = 0;
        const int64_t label = s->label[i];
        const int known = label >= 0 && label < s->classes;
        for (ptrdiff_t c = 0; c < s->classes; c++) {
            share[c] = known ? c == label : exp_real(log_q[c]);
            if (share[c] != 0) kl += share[c] * ((known ? 0 : log_q[c]) - log_p[c]);
            if (known && c == label) extra = (REAL)s->alpha * log_q[c];
        }
        ((REAL *)s->kl)[i] = kl < 0 ? 0 : kl;
        ((REAL *)s->extra)[i] = extra;
    }
    restore_fpstate(saved);
}

static void class_shares_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const classes_t *s = job;
    const REAL *log_p = s->log_p;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *log_q = OF_ROW(log_q), *share = OF_ROW(given_share), *dshare = OF_ROW(given_dshare);
        const REAL dkl = ((const REAL *)s->dkl)[i], dextra = ((const REAL *)s->dextra)[i];
        REAL *dlog_q = TO_ROW(dlog_q), *dlog_p = TO_ROW(dlog_p);
        const int64_t label = s->label[i];
        const int known = label >= 0 && label < s->classes;
        for (ptrdiff_t c = 0; c < s->classes; c++) {
            if (known)
                dlog_q[c] = c == label ? (REAL)s->alpha * dextra : 0;
            else
                dlog_q[c] = share[c] != 0 ? share[c] * (dshare[c] + dkl * (log_q[c] - log_p[c] + 1)) : 0;
            dlog_p[c] = -dkl * share[c];
        }
    }
    restore_fpstate(saved);
}

static void class_mean(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const classes_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *x = OF_ROW(x), *share = OF_ROW(given_share);
        REAL *out = TO_ROW(out);
        FOR_COLUMNS(j, s->samples, out[j] = 0);
        for (ptrdiff_t c = 0; c < s->classes; c++) {
            const REAL *of_class = x + c * s->samples, factor = share[c];
            if (factor != 0) FOR_COLUMNS(j, s->samples, out[j] += factor * of_class[j]);
        }
    }
    restore_fpstate(saved);
}

static void class_mean_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const classes_t *s = job;
    FOR_MY_ROWS(i, s->rows) {
        const REAL *x = OF_ROW(x), *share = OF_ROW(given_share), *dout = OF_ROW(dout);
        REAL *dx = TO_ROW(dx), *dshare = TO_ROW(dshare);
        for (ptrdiff_t c = 0; c < s->classes; c++) {
            const REAL *of_class = x + c * s->samples, factor = share[c];
            REAL *d = dx + c * s->samples, sum;
            FOR_COLUMNS(j, s->samples, d[j] = factor * dout[j]);
            if (factor == 0) continue;
            SUM_COLUMNS(sum, s->samples, j, of_class[j] * dout[j]);
            dshare[c] += sum;
        }
    }
    restore_fpstate(saved);
}

const classes_table_t TABLE(classes) = {
    class_columns, class_shares, class_shares_backward, class_mean, class_mean_backward,
};
