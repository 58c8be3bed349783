/* Adam (Kingma and Ba 2015, algorithm 1), setting to zero, and the sum of squares for the gradient's norm. */
#include "adam.h"
#include "fpstate.h"
#include "vmath.h"

/* The two corrections are multiplied into rate and epsilon, which saves a division for every weight:
   (m / c1) / (sqrt(v) / c2 + epsilon) = (c2 / c1) m / (sqrt(v) + c2 epsilon). */
static void update(const adam_t *adam, ptrdiff_t begin, ptrdiff_t end, void *values_, const void *grads_, void *m_,
                   void *v_) {
    fpstate_t saved = flush_subnormals();
    REAL *restrict values = values_, *restrict m = m_, *restrict v = v_;
    const REAL *restrict grads = grads_;
    const REAL beta1 = (REAL)adam->beta1, rest1 = (REAL)(1 - adam->beta1);
    const REAL beta2 = (REAL)adam->beta2, rest2 = (REAL)(1 - adam->beta2);
    const REAL rate = (REAL)(adam->learning_rate * adam->correction2 / adam->correction1);
    const REAL epsilon = (REAL)(adam->epsilon * adam->correction2);
    for (ptrdiff_t i = begin; i < end; i++) {
        REAL g = grads[i];
        m[i] = beta1 * m[i] + rest1 * g;
        v[i] = beta2 * v[i] + rest2 * (g * g);
        values[i] -= rate * (m[i] / (sqrt_real(v[i]) + epsilon));
    }
    restore_fpstate(saved);
}

static void clear(ptrdiff_t begin, ptrdiff_t end, void *x) { memset((REAL *)x + begin, 0, sizeof(REAL) * (end - begin)); }

static double sum_of_squares(ptrdiff_t begin, ptrdiff_t end, const void *x_) {
    const REAL *x = x_;
    double lane[16] = {0};
    ptrdiff_t i = begin;
    for (; i + 16 <= end; i += 16)
        for (int l = 0; l < 16; l++) lane[l] += (double)x[i + l] * (double)x[i + l];
    for (int l = 0; i < end; i++, l++) lane[l] += (double)x[i] * (double)x[i];
    for (int width = 8; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lane[l] += lane[l + width];
    return lane[0];
}

const adam_table_t TABLE(adam) = {update, clear, sum_of_squares};
