/* The interface of convolution.c. */
#ifndef PYVAE_CONVOLUTION_H
#define PYVAE_CONVOLUTION_H

#include "products.h"

/* The weights W (kernel * kernel * channels, filters) of a convolution, for its backward pass. Pixels whose numbers, of
   row and of column, are the same modulo the stride see the same taps: they are a phase. taps has, phase by phase, a
   matrix (taps of the phase * filters, channels), taps ascending: the first is that of the taps (first_s + stride i,
   first_t + stride j). */
typedef struct {
    ptrdiff_t kernel, stride, channels, filters, top, left;
    const void *W;
    void *taps;
} taps_t;

typedef struct {
    task_t *turn;             /* of a taps_t */
    task_t *multiply_planes;  /* of a dense_product_t that fits_planes */
} convolution_table_t;

enum { FEW_FILTERS = 4, MOST_TAPS = 32 }; /* in a line */
enum { BAND = 1 << 15 };                 /* numbers of a band, which are on a thread's stack */

/* What places see of pictures, as multiply_planes reads it. It sees the lines first_y .. and pixels first_x .. of them; a
   band of places is ``lines`` lines of them. */
typedef struct {
    ptrdiff_t first_y, first_x, width, lines;
} planes_t;

static inline planes_t planes_of(const patches_t *p) {
    const ptrdiff_t back_y = p->step < 0 ? p->taps_height - 1 : 0, back_x = p->step < 0 ? p->taps_width - 1 : 0;
    const ptrdiff_t width = p->grid_width + p->taps_width - 1, taps = p->taps_height - 1;
    const ptrdiff_t lines = BAND / (p->channels * width) - taps;
    return (planes_t){p->top - back_y, p->left - back_x, width, lines < p->grid_height ? lines : p->grid_height};
}

/* Whether a product is one that multiply_planes does well: of few filters, at every pixel. */
static inline int fits_planes(const dense_product_t *p) {
    return p->patches.channels && p->a_k == 1 && p->patches.stride == 1 && p->columns <= FEW_FILTERS && p->depth > 0 &&
           p->patches.taps_width <= MOST_TAPS && planes_of(&p->patches).lines > 0;
}

DECLARE_TABLES(convolution)

#endif
