/* The affine coupling of a flow, its inverse and its backward pass. couplings_ref.py defines them. */
#include "couplings.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

#define ROW(name, i) ((const REAL *)c->name + (i) * c->name##_row)

static void coupling(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const coupling_t *c = job;
    FOR_MY_ROWS(i, c->rows) {
        const REAL *x = ROW(x, i), *raw = ROW(outputs, i), *shift = raw + c->columns;
        REAL *y = (REAL *)c->out + i * c->out_row, sum;
        SUM_COLUMNS(sum, c->columns, j, tanh_real(raw[j]));
        FOR_COLUMNS(j, c->columns, y[j] = x[j] * exp_real(tanh_real(raw[j])) + shift[j]);
        ((REAL *)c->log_det)[i] += sum;
    }
    restore_fpstate(saved);
}

static void coupling_inverse(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const coupling_t *c = job;
    FOR_MY_ROWS(i, c->rows) {
        const REAL *y = ROW(x, i), *raw = ROW(outputs, i), *shift = raw + c->columns;
        REAL *x = (REAL *)c->out + i * c->out_row;
        FOR_COLUMNS(j, c->columns, x[j] = (y[j] - shift[j]) * exp_real(-tanh_real(raw[j])));
    }
    restore_fpstate(saved);
}

/* dx = dy e^s,  dshift = dy,  draw = (dy x e^s + dlog_det) (1 - s^2),  s = tanh(raw) */
static void coupling_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const coupling_t *c = job;
    FOR_MY_ROWS(i, c->rows) {
        const REAL *x = ROW(x, i), *raw = ROW(outputs, i), *dy = ROW(dy, i), dlog_det = ((const REAL *)c->dlog_det)[i];
        REAL *dx = (REAL *)c->out + i * c->out_row, *draw = (REAL *)c->doutputs + i * c->doutputs_row;
        REAL *dshift = draw + c->columns;
        FOR_COLUMNS(j, c->columns, REAL s = tanh_real(raw[j]), d = dy[j], through_x = d * exp_real(s);
                    draw[j] = (through_x * x[j] + dlog_det) * (1 - s * s); dshift[j] = d; dx[j] = through_x);
    }
    restore_fpstate(saved);
}

const couplings_table_t TABLE(couplings) = {coupling, coupling_inverse, coupling_backward};
