/* Log-likelihoods of rows and their derivatives by the decoder's raw outputs. The derivations stand in
   pyvae/likelihoods/; each forward function is followed by its backward. */
#include "likelihood.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

/* log p = sum x l - softplus(l), with softplus(l) = max(l, 0) + log(1 + exp(-|l|)): where x = 1 and l is large, x l
   and max(l, 0) cancel exactly and leave the small rest. */
static inline REAL bernoulli_of(REAL x, REAL l) {
    return (x * l - relu_real(l)) - log1p_real(exp_below_zero(-abs_real(l)));
}

static void bernoulli(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        REAL sum;
        SUM_OBSERVED(sum, o->columns, j, bernoulli_of(x[j], logits[j]));
        ((REAL *)o->log_px)[i] = sum;
    }
    restore_fpstate(saved);
}

/* d log p / d l = x - sigmoid(l) */
static inline REAL bernoulli_slope(REAL x, REAL l) { return x - sigmoid_real(l); }

static void bernoulli_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        REAL *dlogits = DOUTPUT_ROW(i), scale = ((const REAL *)o->dlog_px)[i];
        FOR_COLUMNS(j, o->columns, dlogits[j] = scale * bernoulli_slope(x[j], logits[j]));
        CLEAR_UNOBSERVED(dlogits);
    }
    restore_fpstate(saved);
}

/* Both in one pass, which needs exp(-|l|) once; of rows that are observed whole. */
static void bernoulli_both(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        REAL *dlogits = DOUTPUT_ROW(i);
        REAL scale = ((const REAL *)o->dlog_px)[i], lane[LANES] = {0};
        FOR_COLUMNS(j, o->columns, lane[l_] += bernoulli_of(x[j], logits[j]);
                    dlogits[j] = scale * bernoulli_slope(x[j], logits[j]));
        ADD_LANES(lane);
        ((REAL *)o->log_px)[i] = lane[0];
    }
    restore_fpstate(saved);
}

/* log p = -1/2 sum (x - mean)^2 exp(-logvar) + logvar + log 2 pi */
static void gaussian(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *mean = OUTPUT_ROW(i), *logvar = SPREAD_ROW(i);
        REAL sum;
        SUM_OBSERVED(sum, o->columns, j,
                     (x[j] - mean[j]) * (x[j] - mean[j]) * exp_real(-logvar[j]) + (logvar[j] + (REAL)LOG_2_PI));
        ((REAL *)o->log_px)[i] = -sum / 2;
    }
    restore_fpstate(saved);
}

/* d log p / d mean = (x - mean) exp(-logvar),  d log p / d logvar = ((x - mean)^2 exp(-logvar) - 1) / 2 */
static void gaussian_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *mean = OUTPUT_ROW(i), *logvar = SPREAD_ROW(i);
        REAL *dmean = DOUTPUT_ROW(i), scale = ((const REAL *)o->dlog_px)[i];
        FOR_COLUMNS(j, o->columns, dmean[j] = scale * ((x[j] - mean[j]) * exp_real(-logvar[j])));
        CLEAR_UNOBSERVED(dmean);
        if (!o->dspread) continue;
        REAL *dlogvar = DSPREAD_ROW(i);
        FOR_COLUMNS(j, o->columns, REAL difference = x[j] - mean[j];
                    dlogvar[j] = scale * ((difference * difference * exp_real(-logvar[j]) - 1) / 2));
        CLEAR_UNOBSERVED(dlogvar);
    }
    restore_fpstate(saved);
}

/* log p = sum over groups of sum_j x_j (l_j - logsumexp(l)); a group is observed where its first column is */
#define GROUP_OBSERVED(i, g) (o->observed ? OBSERVED_ROW(i)[o->edges[g]] : 1)

static void categorical(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        REAL total = 0;
        for (ptrdiff_t g = 0; g < o->groups; g++) {
            const REAL *x = X_ROW(i) + o->edges[g], *logits = OUTPUT_ROW(i) + o->edges[g];
            ptrdiff_t n = o->edges[g + 1] - o->edges[g];
            REAL max = highest(n, logits), sum, chosen;
            SUM_COLUMNS(sum, n, j, exp_below_zero(logits[j] - max));
            REAL log_sum = log_real(sum);
            SUM_COLUMNS(chosen, n, j, x[j] * ((logits[j] - max) - log_sum));
            total += GROUP_OBSERVED(i, g) * chosen;
        }
        ((REAL *)o->log_px)[i] = total;
    }
    restore_fpstate(saved);
}

/* d log p / d l = x - softmax(l), as the x of a group add up to one. Groups are short: exp goes over all of them at once. */
static void categorical_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);
        REAL *dlogits = DOUTPUT_ROW(i);
        for (ptrdiff_t g = 0; g < o->groups; g++) {
            const ptrdiff_t first = o->edges[g], end = o->edges[g + 1];
            const REAL max = highest(end - first, logits + first);
            for (ptrdiff_t j = first; j < end; j++) dlogits[j] = logits[j] - max;
        }
        FOR_COLUMNS(j, o->columns, dlogits[j] = exp_below_zero(dlogits[j]));
        for (ptrdiff_t g = 0; g < o->groups; g++) {
            const ptrdiff_t first = o->edges[g], n = o->edges[g + 1] - first;
            const REAL scale = ((const REAL *)o->dlog_px)[i] * GROUP_OBSERVED(i, g);
            REAL sum;
            SUM_COLUMNS(sum, n, j, dlogits[first + j]);
            FOR_COLUMNS(j, n, dlogits[first + j] = scale * (x[first + j] - dlogits[first + j] / sum));
        }
    }
    restore_fpstate(saved);
}

/* Where level x lies among a logistic variable's values, in scales from its mean, and how wide it is: likelihood_ref.py. */
typedef struct {
    REAL a, b, w, inverse;
    int low, high;
} interval_t;

static inline interval_t interval_of(REAL x, REAL mean, REAL v, REAL half) {
    const REAL inverse = exp_real(-v), away = x - mean, w = 2 * half * inverse;
    const REAL a = (away + half) * inverse, b = (away - half) * inverse;
    return (interval_t){a, b, w < SMALLEST ? SMALLEST : w, inverse, x < half, x > 1 - half};
}

static inline REAL log_p_of(interval_t t) {
    const REAL above = softplus_real(-t.a), below = softplus_real(t.b), inside = log_real(-expm1_below_zero(-t.w));
    return ((t.high ? 0 : -above) - (t.low ? 0 : below)) + (t.low | t.high ? 0 : inside);
}

static inline REAL dlog_p_by_mean(interval_t t) {
    const REAL above = sigmoid_real(-t.a), below = sigmoid_real(t.b);
    return ((t.low ? 0 : below) - (t.high ? 0 : above)) * t.inverse;
}

static inline REAL dlog_p_by_v(interval_t t) {
    const REAL all_above = sigmoid_real(-t.a), all_below = sigmoid_real(t.b);
    const REAL above = t.high ? 0 : all_above, below = t.low ? 0 : all_below;
    const REAL width = t.w * exp_below_zero(-t.w) / -expm1_below_zero(-t.w);
    return (t.b * below - t.a * above) - (t.low | t.high ? 0 : width);
}

static void discretized_logistic(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    const REAL half = (REAL)o->half;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *mean = OUTPUT_ROW(i), *v = SPREAD_ROW(i);
        REAL sum;
        SUM_OBSERVED(sum, o->columns, j, log_p_of(interval_of(x[j], mean[j], v[j], half)));
        ((REAL *)o->log_px)[i] = sum;
    }
    restore_fpstate(saved);
}

static void discretized_logistic_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const observation_t *o = job;
    const REAL half = (REAL)o->half;
    FOR_MY_ROWS(i, o->rows) {
        const REAL *x = X_ROW(i), *mean = OUTPUT_ROW(i), *v = SPREAD_ROW(i);
        REAL *dm = DOUTPUT_ROW(i), scale = ((const REAL *)o->dlog_px)[i];
        FOR_COLUMNS(j, o->columns, dm[j] = scale * dlog_p_by_mean(interval_of(x[j], mean[j], v[j], half)));
        CLEAR_UNOBSERVED(dm);
        if (o->dspread) {
            REAL *dv = DSPREAD_ROW(i);
            FOR_COLUMNS(j, o->columns, dv[j] = scale * dlog_p_by_v(interval_of(x[j], mean[j], v[j], half)));
            CLEAR_UNOBSERVED(dv);
        }
    }
    restore_fpstate(saved);
}

const likelihood_table_t TABLE(likelihood) = {
    bernoulli,   bernoulli_backward,   bernoulli_both,       gaussian,                      gaussian_backward,
    categorical, categorical_backward, discretized_logistic, discretized_logistic_backward,
};
