/* Products with rows most of whose entries are zero: the entries alone are multiplied, one after the other, each with a
   whole row of W or dy. Every sum is one chain of multiply-adds with k ascending, as in products.c; what is left out
   would have added zero to it. */
#include "sparse.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"

static void multiply(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const sparse_product_t *p = job;
    const REAL *bias = p->bias;
    FOR_MY_ROWS(i, p->rows) {
        REAL *restrict y = (REAL *)p->out + i * p->out_row;
        memset(y, 0, sizeof(REAL) * p->columns);
        for (int64_t n = p->starts[i]; n < p->starts[i + 1]; n++) {
            const REAL x = ((const REAL *)p->values)[n];
            const REAL *w = (const REAL *)p->weights + p->entry_columns[n] * p->weights_row;
            FOR_COLUMNS(j, p->columns, y[j] = FMA(x, w[j], y[j]));
        }
        if (bias) FOR_COLUMNS(j, p->columns, y[j] += bias[j]);
    }
    restore_fpstate(saved);
}

/* A thread owns columns of dW, whatever rows of it the entries reach. */
static void multiply_weights(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const sparse_product_t *p = job;
    ptrdiff_t first, count = my_columns(p->columns, thread, threads, &first);
    if (count > 0) {
        REAL *restrict dw = (REAL *)p->out + first;
        if (!p->accumulate)
            for (ptrdiff_t k = 0; k < p->out_rows; k++) memset(dw + k * p->out_row, 0, sizeof(REAL) * count);
        for (ptrdiff_t i = 0; i < p->rows; i++) {
            const REAL *dy = (const REAL *)p->dy + i * p->dy_row + first;
            for (int64_t n = p->starts[i]; n < p->starts[i + 1]; n++) {
                const REAL x = ((const REAL *)p->values)[n];
                REAL *restrict row = dw + p->entry_columns[n] * p->out_row;
                FOR_COLUMNS(j, count, row[j] = FMA(x, dy[j], row[j]));
            }
        }
    }
    if (p->db) sum_rows(p->rows, p->columns, p->dy, p->dy_row, p->accumulate, p->db, thread, threads);
    restore_fpstate(saved);
}

const sparse_table_t TABLE(sparse) = {multiply, multiply_weights};
