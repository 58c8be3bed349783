/* Dense products.

   Packing. A minibatch has few rows and its weights are used by each of them, so it is the weights that are packed:
   a panel of PANEL columns, BLOCK_K deep, is copied once into a contiguous buffer that stays in the cache while the rows
   pass over it. The micro-kernel (micro.h) makes a patch of MAX_ROWS x PANEL sums in registers.

   Threads. Each does an equal number of patches. Of the gradient of weights (by_rows) it does whole rows, the same ones
   in every step, which adam.c then clears and updates.

   The order. Every element of C is ONE chain of fused multiply-adds with k ascending, starting from zero (or from C, when
   accumulating), stored and reloaded between blocks of k; the bias is added last. So its bits depend neither on the
   size of tiles and patches, nor on the vector width, nor on the number of threads, nor on the rows beside it. */
#include "dense.h"
#include "fpstate.h"
#include "vmath.h"
#include "activate.h"
#include "micro.h"

/* BLOCK_K: deep enough that a patch of sums is seldom stored and reloaded, small enough that a packed panel and a packed
   patch of rows stay in L1. PATCHES: as many as stay in L2. */
enum { BLOCK_K = 1024 / sizeof(REAL), PATCHES = 280 / MAX_ROWS };

/* Four rows (two, of double) of 16 bytes each, turned into columns. */
typedef REAL lane __attribute__((vector_size(16)));
typedef REAL lane_in_memory __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
enum { LANE = 16 / sizeof(REAL) };

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif REAL_IS_FLOAT
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int __attribute__((vector_size(16)))){__VA_ARGS__})
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int64_t __attribute__((vector_size(16)))){__VA_ARGS__})
#endif

static inline void transpose_lanes(const REAL *in, ptrdiff_t in_row, REAL *out, ptrdiff_t out_row) {
#define ROW(i) (*(const lane_in_memory *)(in + (i) * in_row))
#define COLUMN(i) (*(lane_in_memory *)(out + (i) * out_row))
#if REAL_IS_FLOAT
    lane r0 = ROW(0), r1 = ROW(1), r2 = ROW(2), r3 = ROW(3);
    lane low01 = SHUFFLE(r0, r1, 0, 4, 1, 5), low23 = SHUFFLE(r2, r3, 0, 4, 1, 5);
    lane high01 = SHUFFLE(r0, r1, 2, 6, 3, 7), high23 = SHUFFLE(r2, r3, 2, 6, 3, 7);
    COLUMN(0) = SHUFFLE(low01, low23, 0, 1, 4, 5);
    COLUMN(1) = SHUFFLE(low01, low23, 2, 3, 6, 7);
    COLUMN(2) = SHUFFLE(high01, high23, 0, 1, 4, 5);
    COLUMN(3) = SHUFFLE(high01, high23, 2, 3, 6, 7);
#else
    lane r0 = ROW(0), r1 = ROW(1);
    COLUMN(0) = SHUFFLE(r0, r1, 0, 2);
    COLUMN(1) = SHUFFLE(r0, r1, 1, 3);
#endif
#undef ROW
#undef COLUMN
}

/* out (columns, rows) = in (rows, columns) transposed, rows of out out_row apart */
static void transpose(ptrdiff_t rows, ptrdiff_t columns, const REAL *in, ptrdiff_t in_row, REAL *out,
                      ptrdiff_t out_row) {
    ptrdiff_t whole_rows = rows - rows % LANE, whole_columns = columns - columns % LANE;
    for (ptrdiff_t i = 0; i < whole_rows; i += LANE)
        for (ptrdiff_t j = 0; j < whole_columns; j += LANE)
            transpose_lanes(in + i * in_row + j, in_row, out + j * out_row + i, out_row);
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            out[j * out_row + i] = in[i * in_row + j];
}

/* panel (depth, PANEL) = columns of B, padded with zeros */
static void pack_panel(ptrdiff_t depth, ptrdiff_t columns, const REAL *b, ptrdiff_t b_k, ptrdiff_t b_column,
                       REAL *panel) {
    if (columns < PANEL) memset(panel, 0, sizeof(REAL) * PANEL * depth);
    if (b_column != 1) { /* then b_k is */
        transpose(columns, depth, b, b_column, panel, PANEL);
    } else if (columns < PANEL) {
        for (ptrdiff_t k = 0; k < depth; k++) memcpy(panel + k * PANEL, b + k * b_k, sizeof(REAL) * columns);
    } else {
        for (ptrdiff_t k = 0; k < depth; k++, b += b_k, panel += PANEL) {
            STORE(panel, LOAD(b));
            STORE(panel + WIDTH, LOAD(b + WIDTH));
        }
    }
}

/* c (rows, columns) = [c +] a panel. Where C ends before the registers do, the patch is computed beside C and copied. */
static void patch_of_c(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const REAL *a, ptrdiff_t a_row,
                       ptrdiff_t a_k, const REAL *panel, REAL *c, ptrdiff_t c_row, int resume) {
    micro_kernel *kernel = columns > WIDTH ? wide_kernels[rows] : narrow_kernels[rows];
    if (columns == PANEL || columns == WIDTH) {
        kernel(depth, a, a_row, a_k, panel, c, c_row, resume);
        return;
    }
    REAL patch[MAX_ROWS * PANEL];
    if (resume) {
        memset(patch, 0, sizeof patch);
        for (ptrdiff_t i = 0; i < rows; i++) memcpy(patch + i * PANEL, c + i * c_row, sizeof(REAL) * columns);
    }
    kernel(depth, a, a_row, a_k, panel, patch, PANEL, resume);
    for (ptrdiff_t i = 0; i < rows; i++) memcpy(c + i * c_row, patch + i * PANEL, sizeof(REAL) * columns);
}

static void finish_rows(ptrdiff_t rows, ptrdiff_t columns, const REAL *bias, int activation, REAL *c,
                        ptrdiff_t c_row) {
    for (ptrdiff_t i = 0; i < rows; i++, c += c_row) {
        if (bias)
            for (ptrdiff_t j = 0; j < columns; j++) c[j] += bias[j];
        activate_row(columns, c, activation, c);
    }
}

/* C as a grid of patches: `patches` of nearly equal height down (128 rows are 8 patches of 13 and 2 of 12, not 9 of 14
   and one of 2), `panels` across. */
typedef struct {
    ptrdiff_t patches, panels, height, higher;
} grid_t;

static grid_t grid_of(const dense_product_t *p) {
    ptrdiff_t patches = (p->rows + MAX_ROWS - 1) / MAX_ROWS, panels = (p->columns + PANEL - 1) / PANEL;
    return (grid_t){patches, panels, p->rows / patches, p->rows % patches};
}

static ptrdiff_t first_row(const grid_t *grid, ptrdiff_t patch) {
    return patch * grid->height + (patch < grid->higher ? patch : grid->higher);
}

/* A thread's first patch in a panel, which is the end of the thread before it. By columns, the patches are numbered
   panel by panel and cut into stretches of equal cost, so that a cut may run through a panel; by rows, row by row. */
static ptrdiff_t first_patch(const dense_product_t *p, const grid_t *grid, ptrdiff_t panel, ptrdiff_t thread,
                             ptrdiff_t threads) {
    if (p->by_rows) {
        ptrdiff_t cut = grid->patches * grid->panels * thread / threads;
        return cut / grid->panels + (panel < cut % grid->panels);
    }
    ptrdiff_t half = p->columns - (grid->panels - 1) * PANEL <= WIDTH; /* the last panel is narrow and costs half */
    ptrdiff_t cut = grid->patches * (2 * grid->panels - half) * thread / threads - 2 * grid->patches * panel;
    ptrdiff_t patch = half && panel == grid->panels - 1 ? cut : cut / 2;
    return cut < 0 ? 0 : patch < grid->patches ? patch : grid->patches;
}

/* Whether the rows of A lie a multiple of 2 KB apart and so share a few sets of the L1 cache, from which they push each
   other out: then they are packed as well, once for all panels. 1024 features make such rows. */
static int rows_collide(const dense_product_t *p) { return p->a_k == 1 && p->a_row % (2048 / sizeof(REAL)) == 0; }

/* Those of the patches block .. block_end - 1 that are a thread's, over all of k. */
static void multiply_block(const dense_product_t *p, const grid_t *grid, ptrdiff_t block, ptrdiff_t block_end,
                           ptrdiff_t thread, ptrdiff_t threads) {
    REAL rows_of_a[PATCHES][MAX_ROWS * BLOCK_K] __attribute__((aligned(64)));
    REAL panel_of_b[BLOCK_K * PANEL] __attribute__((aligned(64)));
    ptrdiff_t k = 0;
    do {
        ptrdiff_t depth = p->depth - k < BLOCK_K ? p->depth - k : BLOCK_K;
        int resume = k > 0 || p->accumulate, last = k + depth == p->depth;
        char packed[PATCHES] = {0}; /* whether a patch's rows of A are */
        for (ptrdiff_t panel = 0; panel < grid->panels; panel++) {
            ptrdiff_t patch = first_patch(p, grid, panel, thread, threads);
            ptrdiff_t end = first_patch(p, grid, panel, thread + 1, threads);
            patch = patch < block ? block : patch;
            end = end < block_end ? end : block_end;
            if (patch >= end) continue;
            ptrdiff_t column = panel * PANEL, columns = p->columns - column < PANEL ? p->columns - column : PANEL;
            const REAL *b = (const REAL *)p->b + column * p->b_column + k * p->b_k;
            const REAL *bias = p->bias ? (const REAL *)p->bias + column : NULL;
            pack_panel(depth, columns, b, p->b_k, p->b_column, panel_of_b);
            for (; patch < end; patch++) {
                ptrdiff_t row = first_row(grid, patch), rows = first_row(grid, patch + 1) - row;
                const REAL *a = (const REAL *)p->a + row * p->a_row + k * p->a_k;
                REAL *c = (REAL *)p->c + row * p->c_row + column;
                ptrdiff_t a_row = p->a_row, a_k = p->a_k;
                if (rows_collide(p)) {
                    if (!packed[patch - block]) transpose(rows, depth, a, a_row, rows_of_a[patch - block], rows);
                    packed[patch - block] = 1;
                    a = rows_of_a[patch - block], a_row = 1, a_k = rows;
                }
                patch_of_c(rows, columns, depth, a, a_row, a_k, panel_of_b, c, p->c_row, resume);
                if (last && (bias || p->activation != IDENTITY))
                    finish_rows(rows, columns, bias, p->activation, c, p->c_row);
            }
        }
        k += BLOCK_K;
    } while (k < p->depth);
}

static void multiply(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const dense_product_t *p = job;
    grid_t grid = grid_of(p);
    ptrdiff_t blocks = (grid.patches + PATCHES - 1) / PATCHES;
    for (ptrdiff_t i = 0; i < blocks; i++)
        multiply_block(p, &grid, grid.patches * i / blocks, grid.patches * (i + 1) / blocks, thread, threads);
    restore_fpstate(saved);
}

const dense_table_t TABLE(dense) = {multiply};
