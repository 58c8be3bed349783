/* Philox words turned into uniforms, normals, Bernoulli draws and permutations.

   Counter = (block of four columns, sample, row, step). The blocks of several rows are gathered into batches of
   CELLS, so that rows of few columns fill the vector registers as well as long ones do. */
#include <assert.h>

#include "random.h"
#include "fpstate.h"
#include "vmath.h"
#include "philox.h"
#include "lanes.h"

enum { CELLS = 64, FEISTEL_ROUNDS = 6, MOST_BITS = 10 };

/* Box and Muller (1958): two words make two independent normals, by radius and angle. The radius sees
   u = (w + 1/2) / 2^32, so that |normal| <= 6.77. */
static inline void box_muller(uint32_t w_radius, uint32_t w_angle, REAL *first, REAL *second) {
    REAL radius = sqrt_real(-2 * log_of_word(w_radius)), sine, cosine;
    sincos_turn(w_angle, &sine, &cosine);
    *first = radius * cosine;
    *second = radius * sine;
}

/* value[l][t] = number l of the block of four with the counter (block[t], sample[t], row[t], step). */
static void fill_cells(const draw_t *d, int cells, uint32_t *block, uint32_t *sample, uint32_t *row,
                       REAL value[4][CELLS]) {
    uint32_t step[CELLS];
    cells = (cells + LANES - 1) / LANES * LANES; /* whole registers: the rest of the last one is not used */
    assert(cells <= CELLS);
    for (int t = 0; t < cells; t++) step[t] = d->step;
    philox_cells(cells, block, sample, row, step, d->key[0], d->key[1]);
    if (d->kind == NORMAL) {
        for (int t = 0; t < cells; t++) box_muller(block[t], sample[t], &value[0][t], &value[1][t]);
        for (int t = 0; t < cells; t++) box_muller(row[t], step[t], &value[2][t], &value[3][t]);
    } else {
        for (int t = 0; t < cells; t++) value[0][t] = open_uniform(block[t]), value[1][t] = open_uniform(sample[t]);
        for (int t = 0; t < cells; t++) value[2][t] = open_uniform(row[t]), value[3][t] = open_uniform(step[t]);
    }
}

static void fill(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const draw_t *d = job;
    ptrdiff_t begin = share(d->out_rows, thread, threads), end = share(d->out_rows, thread + 1, threads);
    uint32_t block[CELLS] = {0}, sample[CELLS] = {0}, row[CELLS] = {0};
    REAL value[4][CELLS];
    ptrdiff_t blocks = (d->columns + 3) / 4;
    ptrdiff_t r = begin, b = 0;
    while (r < end && blocks > 0) {
        REAL *out = (REAL *)d->out + r * d->columns + 4 * b;
        ptrdiff_t first = b;
        int cells = 0;
        for (; cells < CELLS && r < end; cells++) {
            block[cells] = (uint32_t)b;
            sample[cells] = (uint32_t)(d->first_sample + r % d->samples);
            row[cells] = (uint32_t)d->rows[r / d->samples];
            if (++b == blocks) b = 0, r++;
        }
        fill_cells(d, cells, block, sample, row, value);
        if (d->kind != BERNOULLI && d->columns % 4 == 0) {
            for (int t = 0; t < cells; t++)
                for (int l = 0; l < 4; l++) out[4 * t + l] = value[l][t];
            continue;
        }
        for (int t = 0; t < cells; t++) { /* the last block of a row may be cut off */
            ptrdiff_t left = d->columns - 4 * first, count = left < 4 ? left : 4;
            for (ptrdiff_t l = 0; l < count; l++) out[l] = value[l][t];
            if (d->kind == BERNOULLI) {
                const REAL *probability = (const REAL *)d->probability + (out - (REAL *)d->out);
                for (ptrdiff_t l = 0; l < count; l++) out[l] = out[l] < probability[l];
            }
            out += count;
            if (++first == blocks) first = 0;
        }
    }
    restore_fpstate(saved);
}

/* What F gives in each round of the network for each number of half_bits: fewer words of Philox than the network asks
   for, where more numbers go through it than there are in a table. */
typedef struct {
    uint32_t word[FEISTEL_ROUNDS][1 << MOST_BITS];
} tables_t;

static void fill_tables(const order_t *o, tables_t *tables) {
    const uint32_t size = (uint32_t)1 << o->half_bits, mask = size - 1;
    for (uint32_t i = 0; i < FEISTEL_ROUNDS; i++)
        for (uint32_t first = 0; first < size; first += CELLS) {
            uint32_t word[CELLS], round[CELLS], zero[CELLS], epoch[CELLS];
            for (int t = 0; t < CELLS; t++) word[t] = first + (uint32_t)t, round[t] = i, zero[t] = 0, epoch[t] = o->epoch;
            philox_cells(CELLS, word, round, zero, epoch, o->key[0], o->key[1]);
            for (uint32_t t = 0; t < CELLS && first + t < size; t++) tables->word[i][first + t] = word[t] & mask;
        }
}

/* Six times (left, right) -> (right, left xor F(right)), F one word of Philox: a permutation of what x can be. */
static void feistel(const order_t *o, const tables_t *tables, int cells, uint32_t *x) {
    uint32_t mask = (uint32_t)(((uint64_t)1 << o->half_bits) - 1), left[CELLS], right[CELLS];
    cells = (cells + LANES - 1) / LANES * LANES;
    for (int t = 0; t < cells; t++) left[t] = x[t] >> o->half_bits, right[t] = x[t] & mask;
    for (uint32_t i = 0; i < FEISTEL_ROUNDS; i++) {
        uint32_t word[CELLS], round[CELLS], zero[CELLS], epoch[CELLS];
        if (tables) {
            for (int t = 0; t < cells; t++) word[t] = tables->word[i][right[t]];
        } else {
            for (int t = 0; t < cells; t++) word[t] = right[t], round[t] = i, zero[t] = 0, epoch[t] = o->epoch;
            philox_cells(cells, word, round, zero, epoch, o->key[0], o->key[1]);
        }
        for (int t = 0; t < cells; t++) {
            uint32_t next = left[t] ^ (word[t] & mask);
            left[t] = right[t];
            right[t] = next;
        }
    }
    for (int t = 0; t < cells; t++) x[t] = left[t] << o->half_bits | right[t];
}

/* Numbers that are not below n go through the network again, together with those whose turn has come. */
static void permute(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const order_t *o = job;
    ptrdiff_t next = share(o->count, thread, threads), end = share(o->count, thread + 1, threads);
    uint32_t x[CELLS] = {0};
    ptrdiff_t place[CELLS];
    int waiting = 0;
    tables_t tables;
    const int in_tables = o->half_bits <= MOST_BITS && end - next > (ptrdiff_t)1 << o->half_bits;
    if (in_tables) fill_tables(o, &tables);
    while (next < end || waiting > 0) {
        for (; waiting < CELLS && next < end; waiting++, next++) {
            x[waiting] = (uint32_t)(o->start + next);
            place[waiting] = next;
        }
        feistel(o, in_tables ? &tables : NULL, waiting, x);
        int again = 0;
        for (int t = 0; t < waiting; t++) {
            if (x[t] < o->n) {
                o->out[place[t]] = x[t];
            } else {
                x[again] = x[t];
                place[again++] = place[t];
            }
        }
        waiting = again;
    }
}

const random_table_t TABLE(random) = {fill, permute};
