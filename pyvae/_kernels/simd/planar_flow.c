/* One planar flow. The derivation stands in pyvae/latent/planar_flow.py, and planar_flow_ref.py defines the rest. */
#include "planar_flow.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

#define NO_DIRECTION ((REAL)1e-12)                  /* of |w|^2, below which u^ = u */

static const REAL *row_of(const void *base, ptrdiff_t row, ptrdiff_t stride) {
    return (const REAL *)base + row * stride;
}

/* What belongs to a row: u^ = u + c w; rise = 1 + w.u^; slope = drise/ds, s = w.u; inverse = 1 / |w|^2, or 0. */
typedef struct {
    REAL c, rise, slope, inverse;
} direction_t;

static direction_t direction_of(ptrdiff_t n, const REAL *u, const REAL *w) {
    REAL s, square;
    SUM_COLUMNS(s, n, j, w[j] * u[j]);
    SUM_COLUMNS(square, n, j, w[j] * w[j]);
    direction_t f;
    int none = square < NO_DIRECTION;
    f.rise = none ? 1 + s : softplus_real(s);
    f.slope = none ? 1 : sigmoid_real(s);
    f.inverse = none ? 0 : 1 / square;
    f.c = (f.rise - 1 - s) * f.inverse;
    return f;
}

/* h = tanh(a), a = w.z + b;  g = 1 - h^2 = 4 e / (1 + e)^2, e = exp(-2 |a|), which 1 - h^2 would round to 0;  and D. */
typedef struct {
    REAL h, g, D;
} bend_t;

static bend_t bend_of(ptrdiff_t n, const REAL *w, REAL b, const REAL *z, direction_t f) {
    REAL a;
    SUM_COLUMNS(a, n, j, w[j] * z[j]);
    a += b;
    REAL h = tanh_real(a), e = exp_below_zero(-2 * abs_real(a)), g = 4 * e / ((1 + e) * (1 + e));
    REAL D = h * h + g * f.rise;
    return (bend_t){h, g, D < SMALLEST ? SMALLEST : D};
}

static void planar(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const planar_flow_t *p = job;
    ptrdiff_t n = p->columns;
    FOR_MY_ROWS(i, p->rows) {
        const REAL *u = row_of(p->flow, i, p->flow_row), *w = u + n;
        direction_t f = direction_of(n, u, w);
        for (ptrdiff_t s = i * p->samples; s < (i + 1) * p->samples; s++) {
            const REAL *z = row_of(p->z, s, p->z_row);
            REAL *out = (REAL *)p->out + s * p->out_row;
            bend_t y = bend_of(n, w, w[n], z, f);
            FOR_COLUMNS(j, n, out[j] = z[j] + (u[j] + f.c * w[j]) * y.h);
            ((REAL *)p->log_qz)[s] -= y.D < INFINITY ? log_real(y.D) : y.D; /* infinite or NaN as it is */
        }
    }
    restore_fpstate(saved);
}

static void planar_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const planar_flow_t *p = job;
    ptrdiff_t n = p->columns;
    FOR_MY_ROWS(i, p->rows) {
        const REAL *u = row_of(p->flow, i, p->flow_row), *w = u + n;
        REAL *du = (REAL *)p->dflow + i * p->dflow_row, *dw = du + n, db = 0, ds = 0, through_w;
        direction_t f = direction_of(n, u, w);
        for (ptrdiff_t j = 0; j < 2 * n; j++) du[j] = 0;
        for (ptrdiff_t s = i * p->samples; s < (i + 1) * p->samples; s++) {
            const REAL *z = row_of(p->z, s, p->z_row), *dout = row_of(p->dout, s, p->dout_row);
            REAL *dz = (REAL *)p->dz + s * p->dz_row, along;
            bend_t y = bend_of(n, w, w[n], z, f);
            REAL dlog_D = p->dlog_qz ? -((const REAL *)p->dlog_qz)[s] : 0;
            SUM_COLUMNS(along, n, j, (u[j] + f.c * w[j]) * dout[j]);
            REAL da = y.g * (along - 2 * dlog_D * y.h * ((f.rise - 1) / y.D));
            FOR_COLUMNS(j, n, dz[j] = dout[j] + da * w[j]);
            FOR_COLUMNS(j, n, du[j] += y.h * dout[j]; dw[j] += da * z[j]);
            db += da;
            ds += dlog_D * y.g * f.slope / y.D;
        }
        SUM_COLUMNS(through_w, n, j, du[j] * w[j]); /* du is that of u^ so far */
        ds += through_w * (f.slope - 1) * f.inverse;
        const REAL shrink = 2 * through_w * f.c * f.inverse;
        FOR_COLUMNS(j, n, dw[j] += f.c * du[j] + ds * u[j] - shrink * w[j]; du[j] += ds * w[j]);
        du[2 * n] = db;
    }
    restore_fpstate(saved);
}

const planar_flow_table_t TABLE(planar_flow) = {planar, planar_backward};
