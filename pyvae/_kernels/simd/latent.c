/* The diagonal Gaussian posterior and the standard normal prior. The derivations stand in pyvae/latent/gaussian.py. */
#include "latent.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static const REAL *row_of(const void *base, ptrdiff_t row, ptrdiff_t stride) {
    return (const REAL *)base + row * stride;
}

static void reparameterize(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *eps = row_of(q->eps, s, n);
            REAL *z = (REAL *)q->z + s * n, sum;
            FOR_COLUMNS(j, n, z[j] = mu[j] + exp_real(logvar[j] / 2) * eps[j]);
            SUM_COLUMNS(sum, n, j, eps[j] * eps[j] + logvar[j]);
            ((REAL *)q->log_qz)[s] = -(sum + n * (REAL)LOG_2_PI) / 2;
        }
    }
    restore_fpstate(saved);
}

static void reparameterize_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL *dmu = (REAL *)q->dmu + i * n, *dlogvar = (REAL *)q->dlogvar + i * n;
        for (ptrdiff_t j = 0; j < n; j++) dmu[j] = dlogvar[j] = 0;
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *dz = row_of(q->dz, s, n), *eps = row_of(q->eps, s, n);
            for (ptrdiff_t j = 0; j < n; j++) {
                dmu[j] += dz[j];
                dlogvar[j] += dz[j] * eps[j];
            }
        }
        FOR_COLUMNS(j, n, dlogvar[j] *= exp_real(logvar[j] / 2) / 2);
        if (q->dlog_qz) {
            REAL sum = 0;
            for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) sum += ((const REAL *)q->dlog_qz)[s];
            for (ptrdiff_t j = 0; j < n; j++) dlogvar[j] -= sum / 2;
        }
    }
    restore_fpstate(saved);
}

static void gaussian_density_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *logvar = row_of(q->logvar, i, q->logvar_row);
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *eps = row_of(q->eps, s, n), dlog_qz = ((const REAL *)q->dlog_qz)[s];
            REAL *dz = (REAL *)q->z + s * n;
            FOR_COLUMNS(j, n, dz[j] = -dlog_qz * eps[j] * exp_real(-logvar[j] / 2));
        }
    }
    restore_fpstate(saved);
}

static void kl(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *q = job;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL sum;
        SUM_COLUMNS(sum, q->columns, j, mu[j] * mu[j] + expm1_minus_real(logvar[j]));
        ((REAL *)q->kl)[i] = sum / 2;
    }
    restore_fpstate(saved);
}

static void kl_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL *dmu = (REAL *)q->dmu + i * n, *dlogvar = (REAL *)q->dlogvar + i * n, dkl = ((const REAL *)q->dkl)[i];
        FOR_COLUMNS(j, n, dmu[j] = dkl * mu[j]; dlogvar[j] = dkl * (expm1_real(logvar[j]) / 2));
    }
    restore_fpstate(saved);
}

static void standard_normal(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *p = job;
    FOR_MY_ROWS(i, p->rows) {
        const REAL *z = row_of(p->z, i, p->columns);
        REAL sum;
        SUM_COLUMNS(sum, p->columns, j, z[j] * z[j]);
        ((REAL *)p->log_pz)[i] = -(sum + p->columns * (REAL)LOG_2_PI) / 2;
    }
    restore_fpstate(saved);
}

static void standard_normal_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const latent_t *p = job;
    FOR_MY_ROWS(i, p->rows) {
        const REAL *z = row_of(p->z, i, p->columns);
        REAL *dz = (REAL *)p->dmu + i * p->columns, scale = -((const REAL *)p->dlog_pz)[i];
        for (ptrdiff_t j = 0; j < p->columns; j++) dz[j] = scale * z[j];
    }
    restore_fpstate(saved);
}

const latent_table_t TABLE(latent) = {
    reparameterize,  reparameterize_backward,  gaussian_density_backward, kl, kl_backward,
    standard_normal, standard_normal_backward,
};
