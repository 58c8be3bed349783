/* Adam (Kingma and Ba 2015, algorithm 1), AdamW (Loshchilov and Hutter 2019, algorithm 2) and the natural step of log
   variances over the arena, setting it to zero, and the sum of squares for the gradient's norm. */
#include "optimizer.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"
#include "vector.h"

/* Where a thread's stretch of a tensor begins, and that of the thread before it ends: at the edge of a cache line. */
static ptrdiff_t stretch(const arena_t *arena, ptrdiff_t tensor, ptrdiff_t thread, ptrdiff_t threads) {
    enum { LINE = 64 / sizeof(REAL) };
    ptrdiff_t begin = arena->extents[2 * tensor], size = arena->extents[2 * tensor + 1] - begin;
    ptrdiff_t first = (share(size, thread, threads) + LINE - 1) / LINE * LINE;
    return begin + (first < size ? first : size);
}

/* The two corrections are multiplied into rate and epsilon, which saves a division for every weight:
   (m / c1) / (sqrt(v) / c2 + epsilon) = (c2 / c1) m / (sqrt(v) + c2 epsilon).
   The decay is added to the move, so that one too small to change a weight by itself still counts; with decay 0, l2 0
   and scale 1 the products change nothing but the sign of a 0, and they cost nothing beside a square root and a
   division. */
static void update(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const arena_t *a = job;
    REAL *restrict values = a->values, *restrict m = a->m, *restrict v = a->v;
    const REAL *restrict grads = a->grads;
    const REAL beta1 = (REAL)a->beta1, rest1 = (REAL)(1 - a->beta1);
    const REAL beta2 = (REAL)a->beta2, rest2 = (REAL)(1 - a->beta2);
    const REAL epsilon = (REAL)(a->epsilon * a->correction2), scale = (REAL)a->scale, l2 = (REAL)a->l2;
    for (ptrdiff_t tensor = 0; tensor < a->tensors; tensor++) {
        const double learning_rate = a->learning_rate * a->rates[tensor];
        const REAL rate = (REAL)(learning_rate * a->correction2 / a->correction1);
        const REAL decay = (REAL)(learning_rate * a->decay);
        ptrdiff_t end = stretch(a, tensor, thread + 1, threads);
        for (ptrdiff_t i = stretch(a, tensor, thread, threads); i < end; i++) {
            REAL g = scale * grads[i] + l2 * values[i];
            m[i] = beta1 * m[i] + rest1 * g;
            v[i] = beta2 * v[i] + rest2 * (g * g);
            values[i] -= rate * (m[i] / (sqrt_real(v[i]) + epsilon)) + decay * values[i];
        }
    }
    restore_fpstate(saved);
}

/* v += log(1 + max(-2 rate g, -1/2)) of log variances v: optimizer_ref.py. A NaN stays one. */
static void natural_step(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const arena_t *a = job;
    REAL *restrict values = a->values;
    const REAL *restrict grads = a->grads;
    for (ptrdiff_t tensor = 0; tensor < a->tensors; tensor++) {
        const REAL rate = (REAL)(-2 * a->rates[tensor]);
        ptrdiff_t end = stretch(a, tensor, thread + 1, threads);
        for (ptrdiff_t i = stretch(a, tensor, thread, threads); i < end; i++) {
            REAL growth = rate * grads[i];
            values[i] += log1p_above_minus_one(growth < (REAL)-0.5 ? (REAL)-0.5 : growth);
        }
    }
    restore_fpstate(saved);
}

static void clear(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const arena_t *a = job;
    for (ptrdiff_t tensor = 0; tensor < a->tensors; tensor++) {
        ptrdiff_t begin = stretch(a, tensor, thread, threads), end = stretch(a, tensor, thread + 1, threads);
        memset((REAL *)a->grads + begin, 0, sizeof(REAL) * (end - begin));
    }
}

/* The 16 lanes of a sum, in double, as named vectors: as an array they would live in memory. */
enum { PART = VECTOR_BYTES / sizeof(double) };
typedef double part __attribute__((vector_size(VECTOR_BYTES)));
#if VECTOR_BYTES == 64 && REAL_IS_FLOAT
#define IN_DOUBLE(p) ((part)_mm512_cvtps_pd(_mm256_loadu_ps(p)))
#elif VECTOR_BYTES == 32 && REAL_IS_FLOAT
#define IN_DOUBLE(p) ((part)_mm256_cvtps_pd(_mm_loadu_ps(p)))
#elif REAL_IS_FLOAT
#define IN_DOUBLE(p) ((part){(p)[0], (p)[1]})
#else
#define IN_DOUBLE(p) ((part)LOAD(p))
#endif
#if VECTOR_BYTES == 64
#define FOR_PARTS(DO) DO(0) DO(1)
#elif VECTOR_BYTES == 32
#define FOR_PARTS(DO) DO(0) DO(1) DO(2) DO(3)
#else
#define FOR_PARTS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#endif

static void sum_of_squares(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const sum_t *s = job;
    const REAL *x = s->x;
    FOR_MY_ROWS(chunk, (s->size + CHUNK - 1) / CHUNK) {
        ptrdiff_t i = chunk * CHUNK, end = i + CHUNK < s->size ? i + CHUNK : s->size;
#define START(p) part sum##p = {0};
        FOR_PARTS(START)
        for (; i + LANES <= end; i += LANES) {
#define ADD(p)                                                                                                         \
    const part x##p = IN_DOUBLE(x + i + p * PART);                                                                     \
    sum##p += x##p * x##p;
            FOR_PARTS(ADD)
        }
        double lane[LANES];
#define KEEP(p) memcpy(lane + p * PART, &sum##p, sizeof sum##p);
        FOR_PARTS(KEEP)
        for (int l = 0; i < end; i++, l++) lane[l] += (double)x[i] * (double)x[i];
        ADD_LANES(lane);
        s->partial[chunk] = lane[0];
    }
}

const optimizer_table_t TABLE(optimizer) = {update, natural_step, clear, sum_of_squares};
