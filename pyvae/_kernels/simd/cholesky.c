/* The Gaussian posterior with a full covariance. The derivations stand in pyvae/latent/full_gaussian.py. */
#include "cholesky.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static const REAL *row_of(const void *base, ptrdiff_t row, ptrdiff_t stride) {
    return (const REAL *)base + row * stride;
}

/* How many numbers stand below the diagonal in the first n rows of L, and so where those of row n begin. */
static ptrdiff_t below(ptrdiff_t n) { return n * (n - 1) / 2; }

static void sample(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const cholesky_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *lower = row_of(q->lower, i, q->lower_row);
        const REAL *log_diagonal = row_of(q->log_diagonal, i, q->log_diagonal_row);
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *eps = row_of(q->eps, s, n);
            REAL *z = (REAL *)q->z + s * n, sum;
            FOR_COLUMNS(j, n, z[j] = mu[j] + exp_real(log_diagonal[j]) * eps[j]);
            for (ptrdiff_t r = 1; r < n; r++) {
                const REAL *L = lower + below(r);
                SUM_COLUMNS(sum, r, j, L[j] * eps[j]);
                z[r] += sum;
            }
            SUM_COLUMNS(sum, n, j, eps[j] * eps[j] + 2 * log_diagonal[j]);
            ((REAL *)q->log_qz)[s] = -(sum + n * (REAL)LOG_2_PI) / 2;
        }
    }
    restore_fpstate(saved);
}

static void sample_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const cholesky_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *log_diagonal = row_of(q->log_diagonal, i, q->log_diagonal_row);
        REAL *dmu = (REAL *)q->dmu + i * n, *ddiagonal = (REAL *)q->dlog_diagonal + i * n;
        REAL *dlower = (REAL *)q->dlower + i * below(n);
        for (ptrdiff_t j = 0; j < n; j++) dmu[j] = ddiagonal[j] = 0;
        for (ptrdiff_t j = 0; j < below(n); j++) dlower[j] = 0;
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *dz = row_of(q->dz, s, n), *eps = row_of(q->eps, s, n);
            FOR_COLUMNS(j, n, dmu[j] += dz[j]; ddiagonal[j] += dz[j] * eps[j]);
            for (ptrdiff_t r = 1; r < n; r++) {
                REAL *dL = dlower + below(r);
                FOR_COLUMNS(j, r, dL[j] += dz[r] * eps[j]);
            }
        }
        FOR_COLUMNS(j, n, ddiagonal[j] *= exp_real(log_diagonal[j]));
        if (q->dlog_qz) {
            REAL sum = 0;
            for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) sum += ((const REAL *)q->dlog_qz)[s];
            for (ptrdiff_t j = 0; j < n; j++) ddiagonal[j] -= sum;
        }
    }
    restore_fpstate(saved);
}

/* L' v = -dlog_qz eps from the last row upwards: once v[r] is known, its part is taken off all that come before. */
static void density_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const cholesky_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *log_diagonal = row_of(q->log_diagonal, i, q->log_diagonal_row);
        const REAL *lower = row_of(q->lower, i, q->lower_row);
        for (ptrdiff_t s = i * q->samples; s < (i + 1) * q->samples; s++) {
            const REAL *eps = row_of(q->eps, s, n), dlog_qz = ((const REAL *)q->dlog_qz)[s];
            REAL *v = (REAL *)q->z + s * n;
            FOR_COLUMNS(j, n, v[j] = -dlog_qz * eps[j]);
            for (ptrdiff_t r = n - 1; r >= 0; r--) {
                const REAL *L = lower + below(r), solved = v[r] * exp_real(-log_diagonal[r]);
                v[r] = solved;
                FOR_COLUMNS(j, r, v[j] -= solved * L[j]);
            }
        }
    }
    restore_fpstate(saved);
}

static void kl(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const cholesky_t *q = job;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *lower = row_of(q->lower, i, q->lower_row);
        const REAL *log_diagonal = row_of(q->log_diagonal, i, q->log_diagonal_row);
        REAL sum, sum_below;
        SUM_COLUMNS(sum, q->columns, j, mu[j] * mu[j] + expm1_minus_real(2 * log_diagonal[j]));
        SUM_COLUMNS(sum_below, below(q->columns), j, lower[j] * lower[j]);
        ((REAL *)q->kl)[i] = (sum + sum_below) / 2;
    }
    restore_fpstate(saved);
}

static void kl_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const cholesky_t *q = job;
    ptrdiff_t n = q->columns;
    FOR_MY_ROWS(i, q->rows) {
        const REAL *mu = row_of(q->mu, i, q->mu_row), *lower = row_of(q->lower, i, q->lower_row);
        const REAL *log_diagonal = row_of(q->log_diagonal, i, q->log_diagonal_row), dkl = ((const REAL *)q->dkl)[i];
        REAL *dmu = (REAL *)q->dmu + i * n, *ddiagonal = (REAL *)q->dlog_diagonal + i * n;
        REAL *dlower = (REAL *)q->dlower + i * below(n);
        FOR_COLUMNS(j, n, dmu[j] = dkl * mu[j]; ddiagonal[j] = dkl * expm1_real(2 * log_diagonal[j]));
        FOR_COLUMNS(j, below(n), dlower[j] = dkl * lower[j]);
    }
    restore_fpstate(saved);
}

const cholesky_table_t TABLE(cholesky) = {sample, sample_backward, density_backward, kl, kl_backward};
