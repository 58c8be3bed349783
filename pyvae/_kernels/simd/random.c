/* Philox words turned into uniforms, normals and Bernoulli draws.

   Counter = (block of four columns, sample, row, step). The blocks of several rows are gathered into batches of
   CELLS, so that rows of few columns fill the vector registers as well as long ones do. */
#include "random.h"
#include "fpstate.h"
#include "vmath.h"
#include "philox.h"

enum { CELLS = 64 };

/* Box and Muller (1958): two words make two independent normals, by radius and angle. The radius sees
   u = (w + 1/2) / 2^32, so that |normal| <= 6.77. */
static inline void box_muller(uint32_t w_radius, uint32_t w_angle, REAL *first, REAL *second) {
    REAL radius = sqrt_real(-2 * log_of_word(w_radius)), sine, cosine;
    sincos_turn(w_angle, &sine, &cosine);
    *first = radius * cosine;
    *second = radius * sine;
}

static void fill_cells(const draw_t *d, int cells, const uint32_t *block, const uint32_t *sample, const uint32_t *row,
                       REAL value[4][CELLS]) {
    uint32_t w0[CELLS], w1[CELLS], w2[CELLS], w3[CELLS];
    for (int t = 0; t < cells; t++) {
        uint32_t c[4] = {block[t], sample[t], row[t], d->step};
        philox4x32(c, d->key[0], d->key[1]);
        w0[t] = c[0], w1[t] = c[1], w2[t] = c[2], w3[t] = c[3];
    }
    if (d->kind == NORMAL) {
        for (int t = 0; t < cells; t++) box_muller(w0[t], w1[t], &value[0][t], &value[1][t]);
        for (int t = 0; t < cells; t++) box_muller(w2[t], w3[t], &value[2][t], &value[3][t]);
    } else {
        for (int t = 0; t < cells; t++) {
            value[0][t] = open_uniform(w0[t]), value[1][t] = open_uniform(w1[t]);
            value[2][t] = open_uniform(w2[t]), value[3][t] = open_uniform(w3[t]);
        }
    }
}

static void fill(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const draw_t *d = job;
    ptrdiff_t begin = share(d->out_rows, thread, threads), end = share(d->out_rows, thread + 1, threads);
    uint32_t block[CELLS], sample[CELLS], row[CELLS];
    ptrdiff_t position[CELLS]; /* of the block's first number in out */
    REAL value[4][CELLS];
    ptrdiff_t blocks = (d->columns + 3) / 4;
    ptrdiff_t r = begin, b = 0;
    while (r < end && blocks > 0) {
        int cells = 0;
        for (; cells < CELLS && r < end; cells++) {
            block[cells] = (uint32_t)b;
            sample[cells] = (uint32_t)(r % d->samples);
            row[cells] = (uint32_t)d->rows[r / d->samples];
            position[cells] = r * d->columns + 4 * b;
            if (++b == blocks) b = 0, r++;
        }
        fill_cells(d, cells, block, sample, row, value);
        for (int t = 0; t < cells; t++) {
            ptrdiff_t left = d->columns - 4 * (ptrdiff_t)block[t];
            REAL *out = (REAL *)d->out + position[t];
            for (ptrdiff_t j = 0; j < (left < 4 ? left : 4); j++) {
                if (d->kind == BERNOULLI)
                    out[j] = value[j][t] < ((const REAL *)d->probability)[position[t] + j];
                else
                    out[j] = value[j][t];
            }
        }
    }
    restore_fpstate(saved);
}

const random_table_t TABLE(random) = {fill};
