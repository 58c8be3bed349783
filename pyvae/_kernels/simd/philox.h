/* Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

   Four 32-bit words as a pure function of a 128-bit counter and a 64-bit key, ten rounds of multiply and xor. */
#ifndef PYVAE_PHILOX_H
#define PYVAE_PHILOX_H

#include <stdint.h>

/* In place, for `cells` counters (c0[t], c1[t], c2[t], c3[t]); round by round, so that the loop over the counters is
   the one that compilers vectorise. */
static inline void philox_cells(int cells, uint32_t *restrict c0, uint32_t *restrict c1, uint32_t *restrict c2,
                                uint32_t *restrict c3, uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u)
        for (int t = 0; t < cells; t++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[t], p1 = (uint64_t)0xCD9E8D57u * c2[t];
            c0[t] = (uint32_t)(p1 >> 32) ^ c1[t] ^ key0;
            c2[t] = (uint32_t)(p0 >> 32) ^ c3[t] ^ key1;
            c1[t] = (uint32_t)p1;
            c3[t] = (uint32_t)p0;
        }
}

static inline void philox4x32(uint32_t c[4], uint32_t key0, uint32_t key1) {
    philox_cells(1, c, c + 1, c + 2, c + 3, key0, key1);
}

/* A uniform number in the open interval (0, 1): the middle of one of 2^23 cells, exact in float as in double. */
static inline REAL open_uniform(uint32_t w) {
    return ((REAL)(int32_t)(w >> 9) + (REAL)0.5) * (REAL)1.1920928955078125e-7;
}

#endif
