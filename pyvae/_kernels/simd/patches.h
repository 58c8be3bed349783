/* Patches of pictures, as the rows of a matrix P that is never stored: products.c reads blocks of it through copy_patches.

   There is a row for each place (i, j) of a grid over each picture. It has the channels of the pixels that the taps of a
   kernel see from there, taps ascending, zeros outside of the picture: tap (s, t) sees the pixel

       y = top + stride i + step s,  x = left + stride j + step t

   step is 1 where a convolution looks for its inputs, and -1 where its backward pass looks, from a pixel, for the outputs
   in which the pixel took part. */
#ifndef PYVAE_PATCHES_H
#define PYVAE_PATCHES_H

#include <stddef.h>

typedef struct {
    ptrdiff_t height, width, channels;   /* of the pictures, which lie one after the other; 0 channels: there are none */
    ptrdiff_t grid_height, grid_width;   /* places of a picture */
    ptrdiff_t taps_height, taps_width;   /* of the kernel */
    ptrdiff_t top, left, stride, step;
} patches_t;

#ifdef REAL
#include <string.h>

#include "transpose.h"
#include "vector.h"

/* A place of the grid, and how to go on to the next one. */
typedef struct {
    ptrdiff_t picture, i, j;
} place_t;

static inline place_t place_of(const patches_t *p, ptrdiff_t row) {
    const ptrdiff_t along = row / p->grid_width;
    return (place_t){along / p->grid_height, along % p->grid_height, row % p->grid_width};
}

static inline void go_on(const patches_t *p, place_t *place) {
    if (++place->j < p->grid_width) return;
    place->j = 0;
    if (++place->i < p->grid_height) return;
    place->i = 0, place->picture++;
}

/* The pixel that tap (0, 0) sees from a place. */
static inline ptrdiff_t pixel_of(const patches_t *p, const place_t *place) {
    const ptrdiff_t y = p->top + p->stride * place->i, x = p->left + p->stride * place->j;
    return (place->picture * p->height + y) * p->width + x;
}

static inline void copy_numbers(ptrdiff_t n, const REAL *from, REAL *to) {
    ptrdiff_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) STORE(to + j, LOAD(from + j));
    for (; j + LANE <= n; j += LANE) *(lane_in_memory *)(to + j) = *(const lane_in_memory *)(from + j);
    if (j < n && n >= LANE) /* once more what was copied */
        *(lane_in_memory *)(to + n - LANE) = *(const lane_in_memory *)(from + n - LANE);
    else
        for (; j < n; j++) to[j] = from[j];
}

/* A whole row of P, of a place that sees nothing but the picture: a run of numbers from each of its lines. Of a short run
   more is copied, which the next run overwrites: all but the last have one behind them, here and in the picture. */
static inline void copy_inside(const patches_t *p, const REAL *from, REAL *out) {
    const ptrdiff_t run = p->taps_width * p->channels, line = p->width * p->channels;
    const int overwrites = run < LANE && 2 * run >= LANE && line >= LANE;
    for (ptrdiff_t s = 0; s < p->taps_height; s++, from += line, out += run)
        if (overwrites && s + 1 < p->taps_height)
            *(lane_in_memory *)out = *(const lane_in_memory *)from;
        else
            copy_numbers(run, from, out);
}

static inline int sees_inside(const patches_t *p, ptrdiff_t y, ptrdiff_t x) {
    return y >= 0 && y + p->taps_height <= p->height && x >= 0 && x + p->taps_width <= p->width;
}

/* How many taps of a line, from the one at pixel x on, lie outside of the picture like this one, or follow one another in
   it. */
static inline ptrdiff_t taps_alike(const patches_t *p, ptrdiff_t x, ptrdiff_t taps) {
    if (x < 0) return p->step > 0 && -x < taps ? -x : taps;
    if (x >= p->width) return p->step < 0 && x - p->width + 1 < taps ? x - p->width + 1 : taps;
    if (p->step < 0) return 1;
    return p->width - x < taps ? p->width - x : taps;
}

/* out (rows, depth) = `rows` rows of P from row `first` on, `depth` of their columns from column k on. */
static inline void copy_patches(const patches_t *p, const REAL *pictures, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k,
                                ptrdiff_t depth, REAL *out) {
    if (depth == 0) return; /* pixels that no tap sees */
    const ptrdiff_t C = p->channels, s_first = k / (p->taps_width * C), t_first = k / C % p->taps_width;
    const int whole = p->step > 0 && depth == p->taps_height * p->taps_width * C;
    place_t place = place_of(p, first);
    for (ptrdiff_t row = 0; row < rows; row++, go_on(p, &place)) {
        const ptrdiff_t y0 = p->top + p->stride * place.i, x0 = p->left + p->stride * place.j;
        const REAL *picture = pictures + place.picture * p->height * p->width * C;
        if (whole && sees_inside(p, y0, x0)) {
            copy_inside(p, picture + (y0 * p->width + x0) * C, out);
            out += depth;
            continue;
        }
        ptrdiff_t t = t_first, c = k % C;
        const REAL *end = out + depth;
        for (ptrdiff_t s = s_first; out < end; s++, t = 0) {
            const ptrdiff_t y = y0 + p->step * s;
            const int inside = y >= 0 && y < p->height;
            for (ptrdiff_t alike; t < p->taps_width && out < end; t += alike, c = 0) {
                const ptrdiff_t x = x0 + p->step * t;
                alike = inside ? taps_alike(p, x, p->taps_width - t) : p->taps_width - t;
                const ptrdiff_t n = alike * C - c < end - out ? alike * C - c : end - out;
                if (inside && x >= 0 && x < p->width)
                    copy_numbers(n, picture + (y * p->width + x) * C + c, out);
                else
                    memset(out, 0, sizeof(REAL) * n);
                out += n;
            }
        }
    }
}
#endif
#endif
