/* Rows of a minibatch: out[i] = scale * source[rows[i]], as it is, cut at a threshold, or drawn as a Bernoulli. */
#include <assert.h>

#include "minibatch.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"
#include "philox.h"

enum { CELLS = 64 }; /* counters that are drawn from at once */

static void scale_row(const gather_t *g, int64_t position, REAL *out) {
    const REAL scale = (REAL)g->scale;
    assert(position >= 0);
    ptrdiff_t offset = (ptrdiff_t)position * g->source_row;
    if (g->source_type == FROM_UINT8) {
        const uint8_t *x = (const uint8_t *)g->source + offset;
        FOR_COLUMNS(j, g->columns, out[j] = (REAL)x[j] * scale);
    } else if (g->source_type == FROM_FLOAT) {
        const float *x = (const float *)g->source + offset;
        FOR_COLUMNS(j, g->columns, out[j] = (REAL)x[j] * scale);
    } else {
        const double *x = (const double *)g->source + offset;
        FOR_COLUMNS(j, g->columns, out[j] = (REAL)x[j] * scale);
    }
}

/* Word l of the counter (block, 0, row, step) is for column 4 block + l. */
static void draw_row(const gather_t *g, int64_t row, REAL *out) {
    for (ptrdiff_t first = 0; first < g->columns; first += 4 * CELLS) {
        const ptrdiff_t columns = g->columns - first < 4 * CELLS ? g->columns - first : 4 * CELLS;
        const int cells = (int)((columns + 4 * LANES - 1) / (4 * LANES)) * LANES; /* whole registers */
        uint32_t word[4][CELLS];
        for (int t = 0; t < cells; t++)
            word[0][t] = (uint32_t)(first / 4 + t), word[1][t] = 0, word[2][t] = (uint32_t)row, word[3][t] = g->step;
        philox_cells(cells, word[0], word[1], word[2], word[3], g->key[0], g->key[1]);
        REAL uniform[4 * CELLS];
        for (int t = 0; t < cells; t++)
            for (int l = 0; l < 4; l++) uniform[4 * t + l] = open_uniform(word[l][t]);
        FOR_COLUMNS(j, columns, out[first + j] = uniform[j] < out[first + j]);
    }
}

static void gather(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const gather_t *g = job;
    const REAL threshold = (REAL)g->threshold;
    FOR_MY_ROWS(i, g->count) {
        REAL *out = (REAL *)g->out + i * g->columns;
        scale_row(g, g->positions[i], out);
        if (g->binarize == BINARIZE_THRESHOLD)
            FOR_COLUMNS(j, g->columns, out[j] = out[j] > threshold);
        else if (g->binarize == BINARIZE_DRAW)
            draw_row(g, g->rows[i], out);
    }
    restore_fpstate(saved);
}

const minibatch_table_t TABLE(minibatch) = {gather};
