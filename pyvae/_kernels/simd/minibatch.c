/* Rows of a minibatch: out[i] = scale * source[rows[i]], as it is, cut at a threshold, or drawn as a Bernoulli. */
#include <assert.h>

#include "minibatch.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"
#include "philox.h"

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

static void draw_row(const gather_t *g, int64_t row, REAL *out) {
    for (ptrdiff_t j = 0; j < g->columns; j += 4) {
        uint32_t c[4] = {(uint32_t)(j / 4), 0, (uint32_t)row, g->step};
        philox4x32(c, g->key[0], g->key[1]);
        for (ptrdiff_t l = 0; l < 4 && j + l < g->columns; l++) out[j + l] = open_uniform(c[l]) < out[j + l];
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
