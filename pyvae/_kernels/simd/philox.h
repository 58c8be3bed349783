/* Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

   Four 32-bit words as a pure function of a 128-bit counter and a 64-bit key, ten rounds of multiply and xor. */
#ifndef PYVAE_PHILOX_H
#define PYVAE_PHILOX_H

#include <stdint.h>

/* In place, for the counters (c0[t], c1[t], c2[t], c3[t]) from t = first to cells; round by round, so that the loop over
   the counters is the one that compilers vectorise. */
static inline void philox_rest(int first, int cells, uint32_t *restrict c0, uint32_t *restrict c1,
                               uint32_t *restrict c2, uint32_t *restrict c3, uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
        for (int t = first; t < cells; t++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[t], p1 = (uint64_t)0xCD9E8D57u * c2[t];
            c0[t] = (uint32_t)(p1 >> 32) ^ c1[t] ^ key0;
            c2[t] = (uint32_t)(p0 >> 32) ^ c3[t] ^ key1;
            c1[t] = (uint32_t)p1;
            c3[t] = (uint32_t)p0;
        }
}

#if defined(__AVX2__) && !defined(__AVX512F__)
#include <immintrin.h>

/* The same for eight counters. A word lies in the low half of a 64-bit lane. Products read no more of a lane than that,
   so what stands above it does not matter, and no word has to change its lane between two rounds. */
static inline void philox_eight(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, uint32_t key0, uint32_t key1) {
    uint32_t *const word[4] = {c0, c1, c2, c3};
    const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
    __m256i x[4][2];
    for (int i = 0; i < 4; i++)
        for (int h = 0; h < 2; h++)
            x[i][h] = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(word[i] + 4 * h)));
    for (int round = 0; round < 10; round++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
        const __m256i k0 = _mm256_set1_epi64x(key0), k1 = _mm256_set1_epi64x(key1);
        for (int h = 0; h < 2; h++) {
            const __m256i p0 = _mm256_mul_epu32(x[0][h], m0), p1 = _mm256_mul_epu32(x[2][h], m1);
            x[0][h] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), x[1][h]), k0);
            x[2][h] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), x[3][h]), k1);
            x[1][h] = p1;
            x[3][h] = p0;
        }
    }
    for (int i = 0; i < 4; i++) {
        const __m256 low = _mm256_shuffle_ps((__m256)x[i][0], (__m256)x[i][1], 0x88); /* 0 1 4 5 2 3 6 7 */
        _mm256_storeu_si256((__m256i *)word[i], _mm256_permute4x64_epi64((__m256i)low, 0xD8));
    }
}
#endif

/* In place, for `cells` counters. */
static inline void philox_cells(int cells, uint32_t *restrict c0, uint32_t *restrict c1, uint32_t *restrict c2,
                                uint32_t *restrict c3, uint32_t key0, uint32_t key1) {
    int t = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    for (; t + 8 <= cells; t += 8) philox_eight(c0 + t, c1 + t, c2 + t, c3 + t, key0, key1);
#endif
    philox_rest(t, cells, c0, c1, c2, c3, key0, key1);
}

static inline void philox4x32(uint32_t c[4], uint32_t key0, uint32_t key1) {
    philox_cells(1, c, c + 1, c + 2, c + 3, key0, key1);
}

/* A uniform number in the open interval (0, 1): the middle of one of 2^23 cells, exact in float as in double. */
static inline REAL open_uniform(uint32_t w) {
    return ((REAL)(int32_t)(w >> 9) + (REAL)0.5) * (REAL)1.1920928955078125e-7;
}

#endif
