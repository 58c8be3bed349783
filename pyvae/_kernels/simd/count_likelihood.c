/* Log-likelihoods of rows of counts and their derivatives by the decoder's raw outputs. The derivations stand in
   pyvae/counts.py; each forward function is followed by its backward. Log p is computed and added up in double. */
#include "count_likelihood.h"
#include "fpstate.h"
#include "gamma.h"
#include "lanes.h"

/* log p = sum x l - exp(l) - log x! */
static void poisson(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *log_rates = OUTPUT_ROW(i);
        double sum;
        SUM_OBSERVED_DOUBLE(sum, o->columns, j,
                            (double)x[j] * log_rates[j] - exp_double(log_rates[j]) - log_factorial(x[j]));
        ((REAL *)o->log_px)[i] = (REAL)sum;
    }
    restore_fpstate(saved);
}

/* d log p / d l = x - exp(l) */
static void poisson_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *log_rates = OUTPUT_ROW(i);
        REAL *dlog_rates = DOUTPUT_ROW(i), scale = ((const REAL *)o->dlog_px)[i];
        FOR_COLUMNS(j, o->columns, dlog_rates[j] = scale * (x[j] - exp_real(log_rates[j])));
        CLEAR_UNOBSERVED(dlog_rates);
    }
    restore_fpstate(saved);
}

static int all_zero(const REAL *x) {
    int any = 0;
    for (int l = 0; l < LANES; l++) any |= x[l] != 0;
    return !any;
}

/* sum x_j (l_j - max - log_sum) - log x_j!, as SUM_COLUMNS_DOUBLE would add it up. Most words do not occur in a text: where
   none of LANES does, their terms are 0 and are left out. */
static double sum_of_words(ptrdiff_t n, const REAL *x, const REAL *logits, double max, double log_sum) {
    double lane[LANES] = {0};
    ptrdiff_t j = 0;
#define ADD_WORD(l) lane[l] += x[j + l] * ((logits[j + l] - max) - log_sum) - log_factorial(x[j + l])
    for (; j + LANES <= n; j += LANES) {
        if (all_zero(x + j)) continue;
        for (int l = 0; l < LANES; l++) ADD_WORD(l);
    }
    for (int l = 0; l < n - j; l++) ADD_WORD(l);
    ADD_LANES(lane);
    return lane[0];
}

/* log p = log n! + sum x_j (l_j - logsumexp(l)) - log x_j!, n = sum x_j */
static void multinomial(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        double max = highest(o->columns, logits), sum, n;
        SUM_COLUMNS_DOUBLE(sum, o->columns, j, exp_double(logits[j] - max));
        SUM_COLUMNS_DOUBLE(n, o->columns, j, x[j]);
        double total = sum_of_words(o->columns, x, logits, max, log_double(sum));
        ((REAL *)o->log_px)[i] = (REAL)(total + log_factorial(n));
    }
    restore_fpstate(saved);
}

/* d log p / d l = x - n softmax(l) */
static void multinomial_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        REAL scale = ((const REAL *)o->dlog_px)[i], *dlogits = DOUTPUT_ROW(i);
        REAL max = highest(o->columns, logits), sum, n;
        SUM_COLUMNS(sum, o->columns, j, dlogits[j] = exp_below_zero(logits[j] - max));
        SUM_COLUMNS(n, o->columns, j, x[j]);
        FOR_COLUMNS(j, o->columns, dlogits[j] = scale * (x[j] - n * (dlogits[j] / sum)));
    }
    restore_fpstate(saved);
}

/* log p of one count: with d = l - log r and softplus(d) = log(1 + m / r),
   log gamma(x + r) / (gamma(r) r^x) - log x! + x (l - softplus(d)) - r softplus(d). For d > 0 the large parts of l and
   softplus(d) cancel: l - softplus(d) = min(l, log r) - log(1 + exp(-|d|)). */
INLINE double negative_binomial_of(double x, double l, double log_r) {
    double d = l - log_r, r = exp_double(log_r);
    double rest = log1p_double(exp_double(d < 0 ? d : -d));
    double softplus = (d < 0 ? 0 : d) + rest, least = d < 0 ? l : log_r;
    return log_rising(x, r, log_r) - log_factorial(x) + x * (least - rest) - r * softplus;
}

static void negative_binomial(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *log_means = OUTPUT_ROW(i), *log_r = SPREAD_ROW(i);
        double sum;
        SUM_OBSERVED_DOUBLE(sum, o->columns, j, negative_binomial_of(x[j], log_means[j], log_r[j]));
        ((REAL *)o->log_px)[i] = (REAL)sum;
    }
    restore_fpstate(saved);
}

/* With s = sigmoid(d) = m / (r + m): d log p / d l = x (1 - s) - r s,
   d log p / d log r = r (digamma(x + r) - digamma(r) - softplus(d)) - d log p / d l */
static void negative_binomial_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *log_means = OUTPUT_ROW(i), *log_r = SPREAD_ROW(i);
        REAL *dlog_means = DOUTPUT_ROW(i), *dlog_r = DSPREAD_ROW(i);
        double scale = ((const REAL *)o->dlog_px)[i];
        FOR_COLUMNS(j, o->columns, double d = (double)log_means[j] - log_r[j], r = exp_double(log_r[j]);
                    double e = exp_double(d < 0 ? d : -d), softplus = (d < 0 ? 0 : d) + log1p_double(e);
                    double s = (d < 0 ? e : 1) / (1 + e), rest = (d < 0 ? 1 : e) / (1 + e);
                    double dl = x[j] * rest - r * s; dlog_means[j] = (REAL)(scale * dl);
                    dlog_r[j] = (REAL)(scale * (r * (digamma_rise(x[j], r) - softplus) - dl)));
        CLEAR_UNOBSERVED(dlog_means);
        CLEAR_UNOBSERVED(dlog_r);
    }
    restore_fpstate(saved);
}

const count_likelihood_table_t TABLE(count_likelihood) = {
    poisson, poisson_backward, multinomial, multinomial_backward, negative_binomial, negative_binomial_backward,
};
