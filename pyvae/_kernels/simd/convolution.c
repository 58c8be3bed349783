/* Convolutions: products.c multiplies their patches; what it needs besides stands here. */
#include "convolution.h"
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

const convolution_table_t TABLE(convolution) = {turn};
