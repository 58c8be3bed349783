/* One tile of a dense product, and the element-wise passes that go with it.

   The product. A minibatch has few rows and its weights are used by each of them, so it is the weights that are packed:
   a panel of PANEL columns, BLOCK_K deep, copied once into a contiguous buffer that stays in the cache while all rows of
   the tile pass over it. The micro-kernel keeps a patch of MAX_ROWS x PANEL sums in registers: for every k it loads one
   row of the panel, and for every row of the patch multiplies it by one broadcast element of A.

   The order. Every element of C is ONE chain of fused multiply-adds with k ascending, starting from zero (or from C, when
   accumulating), stored and reloaded between blocks of k; the bias is added last. So its bits depend neither on the
   size of tiles and patches, nor on the vector width, nor on the number of threads, nor on the rows beside it. */
#include "dense.h"
#include "fpstate.h"
#include "vmath.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#define MAX_ROWS 14
#if REAL_IS_FLOAT
#define FMA_VECTOR(a, b, c) ((vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define BROADCAST(x) ((vector)_mm512_set1_ps(x))
#else
#define FMA_VECTOR(a, b, c) ((vector)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define BROADCAST(x) ((vector)_mm512_set1_pd(x))
#endif
#elif defined(__FMA__)
#include <immintrin.h>
#define VECTOR_BYTES 32
#define MAX_ROWS 6
#if REAL_IS_FLOAT
#define FMA_VECTOR(a, b, c) ((vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define BROADCAST(x) ((vector)_mm256_set1_ps(x))
#else
#define FMA_VECTOR(a, b, c) ((vector)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define BROADCAST(x) ((vector)_mm256_set1_pd(x))
#endif
#else
#define VECTOR_BYTES 16
#define MAX_ROWS 6
#define FMA_VECTOR(a, b, c) ((a) * (b) + (c))
#define BROADCAST(x) ((x) - (vector){0}) /* minus zero, not plus: x + 0 would turn -0 into +0 */
#endif

typedef REAL vector __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL vector_in_memory __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

enum { WIDTH = VECTOR_BYTES / sizeof(REAL), PANEL = 2 * WIDTH, BLOCK_K = 256, TILE_ROWS = 256 };

/* The accumulators must be named variables: as an array they would live in memory, three times slower. So the list of
   rows is spelled out by the preprocessor, and there is one micro-kernel for each number of rows. */
#define ROWS_1(DO) DO(0)
#define ROWS_2(DO) ROWS_1(DO) DO(1)
#define ROWS_3(DO) ROWS_2(DO) DO(2)
#define ROWS_4(DO) ROWS_3(DO) DO(3)
#define ROWS_5(DO) ROWS_4(DO) DO(4)
#define ROWS_6(DO) ROWS_5(DO) DO(5)
#define ROWS_7(DO) ROWS_6(DO) DO(6)
#define ROWS_8(DO) ROWS_7(DO) DO(7)
#define ROWS_9(DO) ROWS_8(DO) DO(8)
#define ROWS_10(DO) ROWS_9(DO) DO(9)
#define ROWS_11(DO) ROWS_10(DO) DO(10)
#define ROWS_12(DO) ROWS_11(DO) DO(11)
#define ROWS_13(DO) ROWS_12(DO) DO(12)
#define ROWS_14(DO) ROWS_13(DO) DO(13)

#define START(i)                                                                                                       \
    vector left##i = {0}, right##i = {0};                                                                              \
    if (resume) {                                                                                                      \
        left##i = *(const vector_in_memory *)(c + i * c_row);                                                                    \
        right##i = *(const vector_in_memory *)(c + i * c_row + WIDTH);                                                           \
    }
#define STEP(i)                                                                                                        \
    {                                                                                                                  \
        vector x = BROADCAST(a[i * a_row]);                                                                            \
        left##i = FMA_VECTOR(x, w_left, left##i);                                                                      \
        right##i = FMA_VECTOR(x, w_right, right##i);                                                                   \
    }
#define STORE(i)                                                                                                       \
    *(vector_in_memory *)(c + i * c_row) = left##i;                                                                              \
    *(vector_in_memory *)(c + i * c_row + WIDTH) = right##i;

/* c (n, PANEL) = [c +] a (n, depth) panel (depth, PANEL) */
#define MICRO_KERNEL(n)                                                                                                \
    static void micro_##n(ptrdiff_t depth, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_k, const REAL *panel, REAL *c,  \
                          ptrdiff_t c_row, int resume) {                                                               \
        ROWS_##n(START);                                                                                               \
        for (ptrdiff_t k = 0; k < depth; k++, a += a_k, panel += PANEL) {                                              \
            vector w_left = *(const vector_in_memory *)panel, w_right = *(const vector_in_memory *)(panel + WIDTH);                        \
            ROWS_##n(STEP)                                                                                             \
        }                                                                                                              \
        ROWS_##n(STORE)                                                                                                \
    }

typedef void micro_kernel(ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, const REAL *, REAL *, ptrdiff_t, int);

MICRO_KERNEL(1)
MICRO_KERNEL(2)
MICRO_KERNEL(3)
MICRO_KERNEL(4)
MICRO_KERNEL(5)
MICRO_KERNEL(6)
#if MAX_ROWS == 14
MICRO_KERNEL(7)
MICRO_KERNEL(8)
MICRO_KERNEL(9)
MICRO_KERNEL(10)
MICRO_KERNEL(11)
MICRO_KERNEL(12)
MICRO_KERNEL(13)
MICRO_KERNEL(14)
#endif

static micro_kernel *const micro_kernels[MAX_ROWS + 1] = {
    NULL, micro_1, micro_2, micro_3, micro_4, micro_5, micro_6,
#if MAX_ROWS == 14
    micro_7, micro_8, micro_9, micro_10, micro_11, micro_12, micro_13, micro_14,
#endif
};

/* panel (depth, PANEL) = columns of B, padded with zeros */
static void pack_panel(ptrdiff_t depth, ptrdiff_t columns, const REAL *b, ptrdiff_t b_k, ptrdiff_t b_column,
                       REAL *panel) {
    if (columns < PANEL) memset(panel, 0, sizeof(REAL) * PANEL * depth);
    if (b_column == 1) {
        for (ptrdiff_t k = 0; k < depth; k++) memcpy(panel + k * PANEL, b + k * b_k, sizeof(REAL) * columns);
    } else {
        for (ptrdiff_t j = 0; j < columns; j++)
            for (ptrdiff_t k = 0; k < depth; k++) panel[k * PANEL + j] = b[k * b_k + j * b_column];
    }
}

/* The patch at the right edge of C is narrower than the panel: it is computed beside C and copied. */
static void edge_patch(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row,
                       ptrdiff_t a_k, const REAL *panel, REAL *c, ptrdiff_t c_row, int resume) {
    REAL patch[MAX_ROWS * PANEL];
    if (resume) {
        memset(patch, 0, sizeof patch);
        for (ptrdiff_t i = 0; i < rows; i++) memcpy(patch + i * PANEL, c + i * c_row, sizeof(REAL) * columns);
    }
    micro_kernels[rows](depth, a, a_row, a_k, panel, patch, PANEL, resume);
    for (ptrdiff_t i = 0; i < rows; i++) memcpy(c + i * c_row, patch + i * PANEL, sizeof(REAL) * columns);
}

#define FOR_EACH_ACTIVATION(activation, n, x, y)                                                                       \
    switch (activation) {                                                                                              \
    case RELU:                                                                                                         \
        for (ptrdiff_t j = 0; j < (n); j++) (y)[j] = (x)[j] < 0 ? 0 : (x)[j];                                          \
        break;                                                                                                         \
    case TANH:                                                                                                         \
        for (ptrdiff_t j = 0; j < (n); j++) (y)[j] = tanh_real((x)[j]);                                                \
        break;                                                                                                         \
    case SIGMOID:                                                                                                      \
        for (ptrdiff_t j = 0; j < (n); j++) (y)[j] = sigmoid_real((x)[j]);                                             \
        break;                                                                                                         \
    case SOFTPLUS:                                                                                                     \
        for (ptrdiff_t j = 0; j < (n); j++) (y)[j] = softplus_real((x)[j]);                                            \
        break;                                                                                                         \
    default:                                                                                                           \
        if ((const void *)(x) != (const void *)(y)) memmove((y), (x), sizeof(REAL) * (n));                             \
    }

static void finish_rows(ptrdiff_t rows, ptrdiff_t columns, const REAL *bias, int activation, REAL *c,
                        ptrdiff_t c_row) {
    for (ptrdiff_t i = 0; i < rows; i++, c += c_row) {
        if (bias)
            for (ptrdiff_t j = 0; j < columns; j++) c[j] += bias[j];
        FOR_EACH_ACTIVATION(activation, columns, c, c)
    }
}

static void dense_tile(const dense_product_t *p, ptrdiff_t t) {
    fpstate_t saved = flush_subnormals();
    REAL panel[BLOCK_K * PANEL] __attribute__((aligned(64)));
    ptrdiff_t row_tiles = (p->rows + TILE_ROWS - 1) / TILE_ROWS;
    ptrdiff_t first_row = t % row_tiles * TILE_ROWS, first_column = t / row_tiles * PANEL;
    ptrdiff_t rows = p->rows - first_row < TILE_ROWS ? p->rows - first_row : TILE_ROWS;
    ptrdiff_t columns = p->columns - first_column < PANEL ? p->columns - first_column : PANEL;
    const REAL *a = (const REAL *)p->a + first_row * p->a_row;
    const REAL *b = (const REAL *)p->b + first_column * p->b_column;
    REAL *c = (REAL *)p->c + first_row * p->c_row + first_column;

    /* Patches of nearly equal height: 128 rows are 8 patches of 13 and 2 of 12, not 9 of 14 and one of 2. */
    ptrdiff_t patches = (rows + MAX_ROWS - 1) / MAX_ROWS;
    ptrdiff_t height = rows / patches, higher = rows % patches;

    ptrdiff_t k = 0;
    do {
        ptrdiff_t depth = p->depth - k < BLOCK_K ? p->depth - k : BLOCK_K;
        int resume = k > 0 || p->accumulate;
        pack_panel(depth, columns, b + k * p->b_k, p->b_k, p->b_column, panel);
        for (ptrdiff_t patch = 0, i = 0; patch < patches; patch++) {
            ptrdiff_t n = height + (patch < higher);
            const REAL *a_patch = a + i * p->a_row + k * p->a_k;
            REAL *c_patch = c + i * p->c_row;
            if (columns == PANEL)
                micro_kernels[n](depth, a_patch, p->a_row, p->a_k, panel, c_patch, p->c_row, resume);
            else
                edge_patch(n, columns, depth, a_patch, p->a_row, p->a_k, panel, c_patch, p->c_row, resume);
            i += n;
        }
        k += BLOCK_K;
    } while (k < p->depth);

    if (p->bias || p->activation != IDENTITY)
        finish_rows(rows, columns, p->bias ? (const REAL *)p->bias + first_column : NULL, p->activation, c, p->c_row);
    restore_fpstate(saved);
}

static void activate(ptrdiff_t n, const void *x_, int activation, void *y_) {
    fpstate_t saved = flush_subnormals();
    const REAL *x = x_;
    REAL *y = y_;
    FOR_EACH_ACTIVATION(activation, n, x, y)
    restore_fpstate(saved);
}

/* Each derivative as a function of y = f(x), which forward has to keep anyway as the next layer's input:
   relu: y > 0;  tanh: 1 - y^2;  sigmoid: y (1 - y);  softplus: sigmoid(x) = 1 - exp(-y). */
static void derivative_row(ptrdiff_t n, const REAL *dy, const REAL *y, int activation, REAL *dx) {
    switch (activation) {
    case RELU:
        for (ptrdiff_t j = 0; j < n; j++) dx[j] = y[j] > 0 ? dy[j] : 0;
        break;
    case TANH:
        for (ptrdiff_t j = 0; j < n; j++) dx[j] = dy[j] * (1 - y[j] * y[j]);
        break;
    case SIGMOID:
        for (ptrdiff_t j = 0; j < n; j++) dx[j] = dy[j] * (y[j] * (1 - y[j]));
        break;
    case SOFTPLUS:
        for (ptrdiff_t j = 0; j < n; j++) dx[j] = dy[j] * one_minus_exp_real(y[j]);
        break;
    default:
        if (dx != dy) memmove(dx, dy, sizeof(REAL) * n);
    }
}

static void activate_backward(ptrdiff_t rows, ptrdiff_t columns, const void *dy_, ptrdiff_t dy_row, const void *y_,
                              ptrdiff_t y_row, int activation, void *dx_, ptrdiff_t dx_row, void *db_,
                              int accumulate) {
    fpstate_t saved = flush_subnormals();
    const REAL *dy = dy_, *y = y_;
    REAL *dx = dx_, *db = db_;
    if (db && !accumulate) memset(db, 0, sizeof(REAL) * columns);
    for (ptrdiff_t i = 0; i < rows; i++, dy += dy_row, y += y_row, dx += dx_row) {
        derivative_row(columns, dy, y, activation, dx);
        if (db)
            for (ptrdiff_t j = 0; j < columns; j++) db[j] += dx[j];
    }
    restore_fpstate(saved);
}

const dense_table_t TABLE(dense) = {TILE_ROWS, PANEL, dense_tile, activate, activate_backward};
