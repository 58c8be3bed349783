/* Packing of what micro.h multiplies. */
#ifndef PYVAE_PACK_H
#define PYVAE_PACK_H

#include "transpose.h"

/* Deep enough that a patch of sums is seldom stored and reloaded, small enough that panel and rows stay in L1. */
enum { BLOCK_K = 1024 / sizeof(REAL), ROWS_STORE = MAX_ROWS * BLOCK_K };

/* The transpose of patches is packed for all patches of C at once, or it would be read in pieces of a few numbers. */
enum { PACKS_COLUMNS = 1 };


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

/* `rows` rows of A from row `first` on, and `depth` columns from k on. Where rows of x lie a multiple of 2 KB apart, as those
   of 1024 features do, they share a few sets of the L1 cache and push each other out: then they are packed, into a store
   that holds them already if not `fresh`; and so are patches of pictures. A is x, or x.T where a_row is 1. */
static rows_t rows_of_a(const dense_product_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k, ptrdiff_t depth,
                        REAL *store, int fresh) {
    if (p->patches.channels) {
        if (fresh) copy_patches(&p->patches, p->a, first, rows, k, depth, store);
        return (rows_t){store, depth, 1};
    }
    const REAL *a = (const REAL *)p->a + first * p->a_row + k * p->a_k;
    const ptrdiff_t x_row = p->a_k == 1 ? p->a_row : p->a_k;
    if (x_row % (2048 / sizeof(REAL))) return (rows_t){a, p->a_row, p->a_k};
    if (fresh && p->a_k == 1) transpose(rows, depth, a, p->a_row, store, rows);
    if (fresh && p->a_k != 1)
        for (ptrdiff_t j = 0; j < depth; j++) memcpy(store + j * rows, a + j * p->a_k, sizeof(REAL) * rows);
    return (rows_t){store, 1, rows};
}

#endif
