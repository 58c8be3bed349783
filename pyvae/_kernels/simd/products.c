/* Dense products.

   Packing. A minibatch has few rows and its weights are used by each of them, so it is the weights that are packed:
   a panel of PANEL columns, BLOCK_K deep, is copied once into a contiguous buffer that stays in the cache while the
   rows pass over it. The micro-kernel (micro.h) makes a patch of MAX_ROWS x PANEL sums in registers.

   Threads. tape.pyx starts them and has each call `multiply`: `run` does so for one product, `Tape.play` once for all
   the jobs of a tape. Each thread does an equal share of the patches. Of the gradient of weights (by_rows) it does
   whole rows, the same ones in every step, which optimizer.c then clears and updates (but for those that zeros.c cuts
   by their entries).

   The order. Every element of C is ONE chain of fused multiply-adds with k ascending, starting from zero (or from C,
   when accumulating), stored and reloaded between blocks of k; the bias is added last. So its bits depend neither on
   the size of the patches, nor on the vector width, nor on the number of threads, nor on the rows beside it. */
#include <assert.h>

#include "products.h"
#include "fpstate.h"
#include "vmath.h"
#include "activate.h"
#if defined(PYVAE_AMX)
#include "micro_amx.h"
#include "pack_bf16.h"
#elif defined(PYVAE_BF16)
#include "micro.h"
#include "pack_bf16.h"
#else
#include "micro.h"
#include "pack.h"
#endif

enum { PATCHES = 280 / MAX_ROWS }; /* whose packed rows stay in L2 */

/* C as a grid of patches: `patches` down, `panels` across. Patches in vector registers are of nearly equal height (128
   rows are 8 patches of 13 and 2 of 12, not 9 of 14 and one of 2); patches in AMX's tiles are full but for the last. */
typedef struct {
    ptrdiff_t rows, patches, panels;
} grid_t;

/* Where threads share out many rows, their number of patches is a multiple of the threads': so a thread's rows are the
   same as in FOR_MY_ROWS, and do not change hands between a product and the jobs around it. */
static grid_t grid_of(const dense_product_t *p, ptrdiff_t threads) {
    grid_t grid = {p->rows, (p->rows + MAX_ROWS - 1) / MAX_ROWS, (p->columns + PANEL - 1) / PANEL};
    if (EVEN_HEIGHTS && p->by_rows && grid.patches >= 8 * threads)
        grid.patches = (grid.patches + threads - 1) / threads * threads;
    if (EVEN_HEIGHTS && p->by_rows && grid.patches * grid.panels < threads)
        grid.patches = p->rows < threads ? p->rows : threads;
    return grid;
}

static ptrdiff_t first_row(const grid_t *grid, ptrdiff_t patch) {
    if (EVEN_HEIGHTS) return share(grid->rows, patch, grid->patches);
    return patch * MAX_ROWS < grid->rows ? patch * MAX_ROWS : grid->rows;
}

/* A thread's first patch in a panel, which is the end of the thread before it. By columns, the patches are numbered
   panel by panel and cut into stretches of equal cost, so that a cut may run through a panel; by rows, row by row.

   For instance 5 patches by 3 panels and 2 threads. By rows the cut is 15 / 2 = 7: thread 0 has the patches before 3, 2
   and 2 in panels 0, 1 and 2. By columns, where the last panel is narrow, a patch costs 2, 2 and 1, all of them 25, and
   the cut is 25 / 2 = 12: thread 0 has the patches before 5, 1 and 0. Each patch by its thread:

       by rows    0 0 0        by columns    0 0 1
                  0 0 0                      0 1 1
                  0 1 1                      0 1 1
                  1 1 1                      0 1 1
                  1 1 1                      0 1 1 */
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

/* Ask for part `patch` of `patches` of the panel that comes next, from wherever it is into L2: waiting for the memory takes
   no time beside multiplying. */
static void fetch_panel(ptrdiff_t depth, ptrdiff_t columns, const REAL *b, ptrdiff_t b_k, ptrdiff_t b_column,
                        ptrdiff_t patch, ptrdiff_t patches) {
    const ptrdiff_t along = b_column == 1 ? columns : depth, across = b_column == 1 ? depth : columns;
    const ptrdiff_t row = b_column == 1 ? b_k : b_column;
    for (ptrdiff_t i = share(across, patch, patches), end = share(across, patch + 1, patches); i < end; i++)
        for (ptrdiff_t j = 0; j < along; j += 64 / sizeof(REAL)) __builtin_prefetch(b + i * row + j, 0, 2);
}

/* A patch of sums whose rows are pixels, c_row numbers each, from a picture to where they lie together, and back. */
static void take_pixels(const patches_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, const REAL *c,
                        ptrdiff_t c_row, REAL *pixels) {
    place_t place = place_of(p, first);
    for (ptrdiff_t i = 0; i < rows; i++, go_on(p, &place))
        copy_numbers(columns, c + pixel_of(p, &place) * c_row, pixels + i * PANEL);
}

static void put_pixels(const patches_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t columns, const REAL *pixels, REAL *c,
                       ptrdiff_t c_row) {
    place_t place = place_of(p, first);
    for (ptrdiff_t i = 0; i < rows; i++, go_on(p, &place))
        copy_numbers(columns, pixels + i * PANEL, c + pixel_of(p, &place) * c_row);
}

/* Those of the patches block .. block_end - 1 that are a thread's, over all of k. */
static void multiply_block(const dense_product_t *p, const grid_t *grid, ptrdiff_t block, ptrdiff_t block_end,
                           ptrdiff_t thread, ptrdiff_t threads) {
    packed_t rows_store[PATCHES][ROWS_STORE] __attribute__((aligned(64)));
    packed_t panel_of_b[BLOCK_K / PACKED_K * PANEL] __attribute__((aligned(64)));
    const int packs_columns = PACKS_COLUMNS && p->patches.channels && p->a_k != 1;
    ptrdiff_t k = 0, row_begin = p->rows, row_end = 0; /* of the thread's patches */
    for (ptrdiff_t panel = 0; panel < grid->panels; panel++) {
        ptrdiff_t patch = first_patch(p, grid, panel, thread, threads);
        ptrdiff_t end = first_patch(p, grid, panel, thread + 1, threads);
        const ptrdiff_t row = first_row(grid, patch < block ? block : patch);
        const ptrdiff_t beyond = first_row(grid, end < block_end ? end : block_end);
        row_begin = row < row_begin ? row : row_begin;
        row_end = beyond > row_end ? beyond : row_end;
    }
    do {
        ptrdiff_t depth = p->depth - k < BLOCK_K ? p->depth - k : BLOCK_K;
        int resume = k > 0 || p->accumulate, last = k + depth == p->depth;
        char stored[PATCHES] = {0}; /* whether a patch's rows of A are */
        if (packs_columns && row_end > row_begin)
            copy_patches(&p->patches, p->a, k, depth, row_begin, row_end - row_begin, (REAL *)rows_store);
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
            const ptrdiff_t first = patch;
            for (; patch < end; patch++) {
                ptrdiff_t row = first_row(grid, patch), rows = first_row(grid, patch + 1) - row;
                assert(patch - block < PATCHES && rows <= MAX_ROWS && columns <= PANEL && depth <= BLOCK_K);
                rows_t a = {*rows_store + row - row_begin, 1, row_end - row_begin};
                if (!packs_columns)
                    a = rows_of_a(p, row, rows, k, depth, rows_store[patch - block], !stored[patch - block]);
                stored[patch - block] = 1;
                if (column + PANEL < p->columns && end - first > 8) /* fewer patches leave no time for it */
                    fetch_panel(depth, columns, b + PANEL * p->b_column, p->b_k, p->b_column, patch - first, end - first);
                const ptrdiff_t steps = (depth + PACKED_K - 1) / PACKED_K;
                const int finish = last && (bias || p->activation != IDENTITY);
                REAL *c = (REAL *)p->c + column, pixels[MAX_ROWS * PANEL];
                ptrdiff_t c_row = p->c_row;
                if (p->places.channels) {
                    if (resume) take_pixels(&p->places, row, rows, columns, c, c_row, pixels);
                    patch_of_c(rows, columns, steps, a, panel_of_b, pixels, PANEL, resume);
                    if (finish) finish_rows(rows, columns, bias, p->activation, pixels, PANEL);
                    put_pixels(&p->places, row, rows, columns, pixels, c, c_row);
                } else {
                    c += row * c_row;
                    patch_of_c(rows, columns, steps, a, panel_of_b, c, c_row, resume);
                    if (finish) finish_rows(rows, columns, bias, p->activation, c, c_row);
                }
            }
        }
        k += BLOCK_K;
    } while (k < p->depth);
}

static void multiply(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const dense_product_t *p = job;
    grid_t grid = grid_of(p, threads);
    ptrdiff_t blocks = (grid.patches + PATCHES - 1) / PATCHES;
    if (p->b_sums) sum_rows(p->depth, p->columns, p->b, p->b_k, p->accumulate_b_sums, p->b_sums, thread, threads);
    configure_tiles();
    for (ptrdiff_t i = 0; i < blocks; i++)
        multiply_block(p, &grid, grid.patches * i / blocks, grid.patches * (i + 1) / blocks, thread, threads);
    release_tiles();
    restore_fpstate(saved);
}

const products_table_t TABLE(products) = {multiply};
