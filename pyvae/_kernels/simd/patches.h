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
    for (; j < n; j++) to[j] = from[j];
}

/* out (rows, depth) = `rows` rows of P from row `first` on, `depth` of their columns from column k on. */
static inline void copy_patches(const patches_t *p, const REAL *pictures, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k,
                         ptrdiff_t depth, REAL *out) {
    if (depth == 0) return; /* pixels that no tap sees */
    const ptrdiff_t C = p->channels, row_of_taps = p->taps_width * C;
    place_t place = place_of(p, first);
    for (ptrdiff_t row = 0; row < rows; row++, go_on(p, &place)) {
        const ptrdiff_t y0 = p->top + p->stride * place.i, x0 = p->left + p->stride * place.j;
        const REAL *picture = pictures + place.picture * p->height * p->width * C;
        ptrdiff_t s = k / row_of_taps, t = k % row_of_taps / C, c = k % C;
        for (const REAL *end = out + depth; out < end; c = 0, t = t + 1 < p->taps_width ? t + 1 : (s++, 0)) {
            const ptrdiff_t y = y0 + p->step * s, x = x0 + p->step * t;
            const ptrdiff_t n = C - c < end - out ? C - c : end - out;
            if (y >= 0 && y < p->height && x >= 0 && x < p->width)
                copy_numbers(n, picture + (y * p->width + x) * C + c, out);
            else
                memset(out, 0, sizeof(REAL) * n);
            out += n;
        }
    }
}
#endif
#endif
