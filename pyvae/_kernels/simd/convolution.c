/* Convolutions: products.c multiplies their patches; what it needs besides stands here, and what it would do badly.

   A product of patches by one or a few filters, as in the layer that makes a picture with one channel, would leave most
   of a register's columns empty. There it is the pixels that lie side by side in a register. So a band of lines of the
   picture is turned into planes, one for each channel, with the zeros around it; and what a tap sees from the places of
   the band is the same plane, a little further on. The order of a sum is that of products.c, and so are its bits. */
#include <string.h>

#include "convolution.h"
#include "fpstate.h"
#include "vmath.h"
#include "activate.h"
#include "transpose.h"

/* Each tap's (channels, filters) of W, transposed, to its place among the taps of its phase. */
static void turn(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const taps_t *p = job;
    const ptrdiff_t size = p->channels * p->filters;
    REAL *to = p->taps;
    ptrdiff_t number = 0;
    for (ptrdiff_t phase = 0; phase < p->stride * p->stride; phase++) {
        const ptrdiff_t y = phase / p->stride + p->top, x = phase % p->stride + p->left;
        for (ptrdiff_t s = y % p->stride; s < p->kernel; s += p->stride)
            for (ptrdiff_t t = x % p->stride; t < p->kernel; t += p->stride, to += size)
                if (number++ % threads == thread)
                    transpose(p->channels, p->filters, (const REAL *)p->W + (s * p->kernel + t) * size, p->filters, to,
                              p->channels);
    }
}

enum { VECTORS = 8, BLOCK = VECTORS * WIDTH }; /* of places, whose sums are in registers */

/* planes (channels, size): those of the lines y .. y + lines - 1 of a picture, zeros outside of it. */
static void make_planes(const patches_t *p, const planes_t *seen, const REAL *picture, ptrdiff_t y, ptrdiff_t lines,
                        ptrdiff_t size, REAL *planes) {
    const ptrdiff_t left = seen->first_x < 0 ? 0 : seen->first_x, beyond = seen->first_x + seen->width;
    const ptrdiff_t pixels = (beyond < p->width ? beyond : p->width) - left;
    memset(planes, 0, sizeof(REAL) * size * p->channels);
    for (ptrdiff_t i = 0; i < lines; i++, y++)
        if (y >= 0 && y < p->height && pixels > 0)
            transpose(pixels, p->channels, picture + (y * p->width + left) * p->channels, p->channels,
                      planes + i * seen->width + left - seen->first_x, size);
}

/* sums (BLOCK,): of what BLOCK places in a row see, by one filter, whose weights are b_k numbers apart. planes: where tap
   (0, 0) of them sees the first channel. */
static void sum_block(const patches_t *p, ptrdiff_t width, ptrdiff_t size, const REAL *planes, const REAL *b,
                      ptrdiff_t b_k, REAL *sums) {
    vector sum[VECTORS] = {{0}};
    for (ptrdiff_t s = 0; s < p->taps_height; s++)
        for (ptrdiff_t t = 0; t < p->taps_width; t++) {
            const REAL *x = planes + p->step * (s * width + t);
            for (ptrdiff_t c = 0; c < p->channels; c++, x += size, b += b_k) {
                const vector w = BROADCAST(*b);
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; v++) sum[v] = FMA_VECTOR((vector)LOAD(x + v * WIDTH), w, sum[v]);
            }
        }
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) STORE(sums + v * WIDTH, sum[v] + (vector){0});
}

/* f(sums + bias) of the n places of a line, to their pixels of C. */
static void put_line(const dense_product_t *p, ptrdiff_t first, ptrdiff_t n, ptrdiff_t column, REAL *sums) {
    if (p->bias) {
        const REAL bias = ((const REAL *)p->bias)[column];
        FOR_COLUMNS(j, n, sums[j] += bias);
    }
    if (p->activation != IDENTITY) activate_row(n, sums, p->activation, sums);
    REAL *c = (REAL *)p->c + column;
    place_t place = p->places.channels ? place_of(&p->places, first) : (place_t){0, 0, 0};
    for (ptrdiff_t j = 0; j < n; j++) {
        c[(p->places.channels ? pixel_of(&p->places, &place) : first + j) * p->c_row] = sums[j];
        if (p->places.channels) go_on(&p->places, &place);
    }
}

static void multiply_planes(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const dense_product_t *p = job;
    const patches_t *patches = &p->patches;
    const planes_t seen = planes_of(patches);
    const ptrdiff_t back_y = patches->top - seen.first_y, back_x = patches->left - seen.first_x;
    REAL planes[BAND + BLOCK + MOST_TAPS] __attribute__((aligned(64))), sums[BAND + BLOCK] __attribute__((aligned(64)));
    FOR_MY_ROWS(picture, p->rows / (patches->grid_height * patches->grid_width)) {
        const REAL *x = (const REAL *)p->a + picture * patches->height * patches->width * patches->channels;
        for (ptrdiff_t i = 0; i < patches->grid_height; i += seen.lines) {
            const ptrdiff_t left = patches->grid_height - i, lines = left < seen.lines ? left : seen.lines;
            const ptrdiff_t lines_seen = lines + patches->taps_height - 1, size = lines_seen * seen.width;
            make_planes(patches, &seen, x, seen.first_y + i, lines_seen, size, planes);
            for (ptrdiff_t column = 0; column < p->columns; column++) {
                const REAL *b = (const REAL *)p->b + column * p->b_column;
                const REAL *from = planes + back_y * seen.width + back_x;
                for (ptrdiff_t q = 0; q < lines * seen.width; q += BLOCK)
                    sum_block(patches, seen.width, size, from + q, b, p->b_k, sums + q);
                for (ptrdiff_t line = 0; line < lines; line++)
                    put_line(p, (picture * patches->grid_height + i + line) * patches->grid_width, patches->grid_width,
                             column, sums + line * seen.width);
            }
        }
    }
    restore_fpstate(saved);
}

const convolution_table_t TABLE(convolution) = {turn, multiply_planes};
