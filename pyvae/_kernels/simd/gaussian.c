/* The diagonal Gaussian posterior and the standard normal prior, a few rows at a time. The derivations stand in
   pyvae/gaussian.py and pyvae/priors.py; eps, z, dz, dmu and dlogvar are contiguous. */
#include "gaussian.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static const REAL *row_of(const void *base, ptrdiff_t row, ptrdiff_t stride) { return (const REAL *)base + row * stride; }

static void reparameterize(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *eps_, void *z_,
                           void *log_qz_) {
    fpstate_t saved = flush_subnormals();
    ptrdiff_t n = q->columns;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *eps = row_of(eps_, s, n);
            REAL *z = (REAL *)z_ + s * n, sum;
            for (ptrdiff_t j = 0; j < n; j++) z[j] = mu[j] + exp_real(logvar[j] / 2) * eps[j];
            SUM_COLUMNS(sum, n, j, eps[j] * eps[j] + logvar[j]);
            ((REAL *)log_qz_)[s] = -(sum + n * (REAL)LOG_2_PI) / 2;
        }
    }
    restore_fpstate(saved);
}

static void reparameterize_backward(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *dz_,
                                    const void *eps_, void *dmu_, void *dlogvar_) {
    fpstate_t saved = flush_subnormals();
    ptrdiff_t n = q->columns;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL *dmu = (REAL *)dmu_ + i * n, *dlogvar = (REAL *)dlogvar_ + i * n;
        for (ptrdiff_t j = 0; j < n; j++) dmu[j] = dlogvar[j] = 0;
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *dz = row_of(dz_, s, n), *eps = row_of(eps_, s, n);
            for (ptrdiff_t j = 0; j < n; j++) {
                dmu[j] += dz[j];
                dlogvar[j] += dz[j] * eps[j];
            }
        }
        for (ptrdiff_t j = 0; j < n; j++) dlogvar[j] *= exp_real(logvar[j] / 2) / 2;
    }
    restore_fpstate(saved);
}

static void kl(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, void *out) {
    fpstate_t saved = flush_subnormals();
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL sum;
        SUM_COLUMNS(sum, q->columns, j, mu[j] * mu[j] + expm1_minus_real(logvar[j]));
        ((REAL *)out)[i] = sum / 2;
    }
    restore_fpstate(saved);
}

static void kl_backward(ptrdiff_t begin, ptrdiff_t end, const posterior_t *q, const void *dkl_, void *dmu_,
                        void *dlogvar_) {
    fpstate_t saved = flush_subnormals();
    ptrdiff_t n = q->columns;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *logvar = row_of(q->logvar, i, q->logvar_row);
        REAL *dmu = (REAL *)dmu_ + i * n, *dlogvar = (REAL *)dlogvar_ + i * n, dkl = ((const REAL *)dkl_)[i];
        for (ptrdiff_t j = 0; j < n; j++) {
            dmu[j] = dkl * mu[j];
            dlogvar[j] = dkl * (expm1_real(logvar[j]) / 2);
        }
    }
    restore_fpstate(saved);
}

static void standard_normal(ptrdiff_t begin, ptrdiff_t end, ptrdiff_t columns, const void *z_, void *log_pz) {
    fpstate_t saved = flush_subnormals();
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *z = row_of(z_, i, columns);
        REAL sum;
        SUM_COLUMNS(sum, columns, j, z[j] * z[j]);
        ((REAL *)log_pz)[i] = -(sum + columns * (REAL)LOG_2_PI) / 2;
    }
    restore_fpstate(saved);
}

const gaussian_table_t TABLE(gaussian) = {reparameterize, reparameterize_backward, kl, kl_backward, standard_normal};
