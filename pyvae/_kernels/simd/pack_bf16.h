/* Packing of what micro.h and micro_amx.h multiply in bf16: each number is rounded to nearest, and those of k and k + 1
   stand side by side. */
#ifndef PYVAE_PACK_BF16_H
#define PYVAE_PACK_BF16_H

#include "transpose.h"

enum { BLOCK_K = 512, BLOCK_PAIRS = BLOCK_K / 2, ROWS_STORE = (MAX_ROWS + 15) / 16 * 16 * BLOCK_PAIRS, PACKS_COLUMNS = 0 };

static inline __mmask16 first_of_16(ptrdiff_t n) { return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1); }

/* 16 pairs from n numbers that follow one another, which are up to 32; zeros after them. */
static inline __m512i pairs_along(const float *x, ptrdiff_t n) {
    __m512 low = _mm512_maskz_loadu_ps(first_of_16(n), x), high = _mm512_maskz_loadu_ps(first_of_16(n - 16), x + 16);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* 16 pairs from n numbers each of two rows; the second row is zero where there is none. */
static inline __m512i pairs_across(const float *first, const float *second, ptrdiff_t n) {
    const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                                6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512 low = _mm512_maskz_loadu_ps(first_of_16(n), first);
    __m512 high = second ? _mm512_maskz_loadu_ps(first_of_16(n), second) : _mm512_setzero_ps();
    return _mm512_permutexvar_epi16(interleave, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/* out (pairs of k, 16), rows of out out_row apart, from up to 16 rows that lie along memory. */
static void pack_along(ptrdiff_t depth, ptrdiff_t rows, const float *in, ptrdiff_t in_row, uint32_t *out,
                       ptrdiff_t out_row) {
    uint32_t block[16 * 16] __attribute__((aligned(64)));
    for (ptrdiff_t k = 0; k < depth; k += 32) {
        for (ptrdiff_t i = 0; i < 16; i++) {
            __m512i pairs = i < rows ? pairs_along(in + i * in_row + k, depth - k) : _mm512_setzero_si512();
            _mm512_store_si512(block + 16 * i, pairs);
        }
        transpose(16, 16, (const float *)block, 16, (float *)(out + k / 2 * out_row), out_row);
    }
}

/* panel (pairs of k, PANEL) = columns of B, padded with zeros to a multiple of 16 pairs where they lie along memory */
static void pack_panel(ptrdiff_t depth, ptrdiff_t columns, const float *b, ptrdiff_t b_k, ptrdiff_t b_column,
                       uint32_t *panel) {
    for (ptrdiff_t j = 0; j < PANEL; j += 16) {
        if (b_column != 1) { /* then b_k is */
            pack_along(depth, columns - j, b + j * b_column, b_column, panel + j, PANEL);
            continue;
        }
        for (ptrdiff_t k = 0; k < depth; k += 2) {
            const float *first = b + k * b_k + j, *second = k + 1 < depth ? first + b_k : NULL;
            _mm512_storeu_si512(panel + k / 2 * PANEL + j, pairs_across(first, second, columns - j));
        }
        for (ptrdiff_t q = (depth + 1) / 2; q % STEP_PAIRS; q++)
            _mm512_storeu_si512(panel + q * PANEL + j, _mm512_setzero_si512());
    }
}

/* `rows` rows of A from row `first` on, and `depth` columns from k on, packed into a store with rows of BLOCK_PAIRS,
   which holds them already if not `fresh`. */
static rows_t rows_of_a(const dense_product_t *p, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t k, ptrdiff_t depth,
                        uint32_t *store, int fresh) {
    const float *a = (const float *)p->a + first * p->a_row + k * p->a_k;
    ptrdiff_t a_row = p->a_row, a_k = p->a_k;
    float patches[MAX_ROWS * BLOCK_K];
    if (fresh && p->patches.channels) {
        if (a_k == 1) copy_patches(&p->patches, p->a, first, rows, k, depth, patches), a_row = depth;
        else copy_patches(&p->patches, p->a, k, depth, first, rows, patches), a_k = rows;
        a = patches;
    }
    if (fresh && a_k == 1) {
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t d = 0; d < depth; d += 32)
                _mm512_storeu_si512(store + i * BLOCK_PAIRS + d / 2, pairs_along(a + i * a_row + d, depth - d));
    } else if (fresh) { /* a_row is 1 */
        uint32_t block[16 * 16] __attribute__((aligned(64)));
        for (ptrdiff_t i = 0; i < rows; i += 16)
            for (ptrdiff_t d = 0; d < depth; d += 32) {
                for (ptrdiff_t q = 0; q < 16; q++) {
                    const float *low = a + i + (d + 2 * q) * a_k;
                    const float *high = d + 2 * q + 1 < depth ? low + a_k : NULL;
                    __m512i pairs = d + 2 * q < depth ? pairs_across(low, high, rows - i) : _mm512_setzero_si512();
                    _mm512_store_si512(block + 16 * q, pairs);
                }
                transpose(16, 16, (const float *)block, 16, (float *)(store + i * BLOCK_PAIRS + d / 2), BLOCK_PAIRS);
            }
    }
    return (rows_t){store, BLOCK_PAIRS, 1};
}

#endif
