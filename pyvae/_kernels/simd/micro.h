/* The micro-kernels of products.c: a patch of C, up to MAX_ROWS x PANEL sums, kept in registers over all of its k.

   For every k they load one row of a packed panel of B, and for every row of the patch multiply it by one broadcast
   element of A. With 16 floats in a register and 32 registers, 14 rows x 2 registers of sums leave 4 for the rest: 28
   independent chains hide the latency of a multiply-add, and 16 loads feed 28 of them. */
#ifndef PYVAE_MICRO_H
#define PYVAE_MICRO_H

#include "vector.h"

#if VECTOR_BYTES == 64
#define MAX_ROWS 14
#else
#define MAX_ROWS 6
#endif

enum { PANEL = 2 * WIDTH };

/* What is packed: numbers; or, with bf16, pairs of them, of k and k + 1, which one instruction multiplies and adds. */
#if defined(PYVAE_BF16)
typedef uint32_t packed_t;
typedef __m512bh operand;
enum { PACKED_K = 2, STEP_PAIRS = 1, EVEN_HEIGHTS = 1 };
#undef FMA_VECTOR
#undef BROADCAST
#define FMA_VECTOR(a, b, c) ((vector)_mm512_dpbf16_ps((__m512)(c), a, b))
#define BROADCAST(x) ((__m512bh)_mm512_set1_epi32((int)(x)))
#define LOAD_PACKED(p) ((__m512bh)_mm512_loadu_si512(p))
#else
typedef REAL packed_t;
typedef vector operand;
enum { PACKED_K = 1, EVEN_HEIGHTS = 1 };
#define LOAD_PACKED(p) LOAD(p)
#endif

/* The sums must be named variables: as an array they would live in memory, three times slower. So the list of rows is
   spelled out by the preprocessor, and there is one micro-kernel for each number of rows. */
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

/* Where the rows of A are: element (i, k) is at[i * row + k * k_step]. */
typedef struct {
    const packed_t *at;
    ptrdiff_t row, k_step;
} rows_t;

static void configure_tiles(void) {} /* these are AMX's, see micro_amx.h */
static void release_tiles(void) {}

#define START_LEFT(i) vector left##i = resume ? (vector)LOAD(c + i * c_row) : (vector){0};
#define START_RIGHT(i) vector right##i = resume ? (vector)LOAD(c + i * c_row + WIDTH) : (vector){0};
#define STEP_WIDE(i)                                                                                                   \
    {                                                                                                                  \
        operand x = BROADCAST(a[i * a_row]);                                                                           \
        left##i = FMA_VECTOR(x, w_left, left##i);                                                                      \
        right##i = FMA_VECTOR(x, w_right, right##i);                                                                   \
    }
#define STEP_NARROW(i) left##i = FMA_VECTOR(BROADCAST(a[i * a_row]), w_left, left##i);
/* + 0 turns -0, to which a chain that is flushed to zero may come, into 0, as zeros.c does. */
#define STORE_LEFT(i) STORE(c + i * c_row, left##i + (vector){0});
#define STORE_RIGHT(i) STORE(c + i * c_row + WIDTH, right##i + (vector){0});

typedef void micro_kernel(ptrdiff_t steps, const packed_t *a, ptrdiff_t a_row, ptrdiff_t a_k, const packed_t *panel,
                          REAL *c, ptrdiff_t c_row, int resume);

/* wide: c (n, PANEL) = [c +] a (n, steps) panel (steps, PANEL); narrow: the left half of it alone, c (n, WIDTH). */
#define MICRO_KERNELS(n)                                                                                               \
    static void wide_##n(ptrdiff_t steps, const packed_t *a, ptrdiff_t a_row, ptrdiff_t a_k, const packed_t *panel,    \
                         REAL *c, ptrdiff_t c_row, int resume) {                                                       \
        ROWS_##n(START_LEFT);                                                                                          \
        ROWS_##n(START_RIGHT);                                                                                         \
        for (ptrdiff_t k = 0; k < steps; k++, a += a_k, panel += PANEL) {                                              \
            operand w_left = LOAD_PACKED(panel), w_right = LOAD_PACKED(panel + WIDTH);                                 \
            ROWS_##n(STEP_WIDE);                                                                                       \
        }                                                                                                              \
        ROWS_##n(STORE_LEFT);                                                                                          \
        ROWS_##n(STORE_RIGHT);                                                                                         \
    }                                                                                                                  \
    static void narrow_##n(ptrdiff_t steps, const packed_t *a, ptrdiff_t a_row, ptrdiff_t a_k, const packed_t *panel,  \
                           REAL *c, ptrdiff_t c_row, int resume) {                                                     \
        ROWS_##n(START_LEFT);                                                                                          \
        for (ptrdiff_t k = 0; k < steps; k++, a += a_k, panel += PANEL) {                                              \
            operand w_left = LOAD_PACKED(panel);                                                                       \
            ROWS_##n(STEP_NARROW);                                                                                     \
        }                                                                                                              \
        ROWS_##n(STORE_LEFT);                                                                                          \
    }

MICRO_KERNELS(1)
MICRO_KERNELS(2)
MICRO_KERNELS(3)
MICRO_KERNELS(4)
MICRO_KERNELS(5)
MICRO_KERNELS(6)
#if MAX_ROWS == 14
MICRO_KERNELS(7)
MICRO_KERNELS(8)
MICRO_KERNELS(9)
MICRO_KERNELS(10)
MICRO_KERNELS(11)
MICRO_KERNELS(12)
MICRO_KERNELS(13)
MICRO_KERNELS(14)
#endif

static micro_kernel *const wide_kernels[MAX_ROWS + 1] = {
    NULL,   wide_1, wide_2, wide_3,  wide_4,  wide_5,  wide_6,
#if MAX_ROWS == 14
    wide_7, wide_8, wide_9, wide_10, wide_11, wide_12, wide_13, wide_14,
#endif
};

static micro_kernel *const narrow_kernels[MAX_ROWS + 1] = {
    NULL,     narrow_1, narrow_2, narrow_3,  narrow_4,  narrow_5,  narrow_6,
#if MAX_ROWS == 14
    narrow_7, narrow_8, narrow_9, narrow_10, narrow_11, narrow_12, narrow_13, narrow_14,
#endif
};

/* c (rows, columns) = [c +] a panel. Where C ends before the registers do, the patch is made beside C and copied. */
static void patch_of_c(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t steps, rows_t a, const packed_t *panel, REAL *c,
                       ptrdiff_t c_row, int resume) {
    micro_kernel *kernel = columns > WIDTH ? wide_kernels[rows] : narrow_kernels[rows];
    if (columns == PANEL || columns == WIDTH) {
        kernel(steps, a.at, a.row, a.k_step, panel, c, c_row, resume);
        return;
    }
    REAL patch[MAX_ROWS * PANEL];
    if (resume) {
        memset(patch, 0, sizeof patch);
        for (ptrdiff_t i = 0; i < rows; i++) memcpy(patch + i * PANEL, c + i * c_row, sizeof(REAL) * columns);
    }
    kernel(steps, a.at, a.row, a.k_step, panel, patch, PANEL, resume);
    for (ptrdiff_t i = 0; i < rows; i++) memcpy(c + i * c_row, patch + i * PANEL, sizeof(REAL) * columns);
}

#endif
