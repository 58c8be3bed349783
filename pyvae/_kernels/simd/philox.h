/* Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

   Four 32-bit words as a pure function of a 128-bit counter and a 64-bit key, ten rounds of multiply and xor. */
#ifndef PYVAE_PHILOX_H
#define PYVAE_PHILOX_H

#include <stdint.h>

#define PHILOX_ROUNDS 10
#define PHILOX_MULTIPLIER0 0xD2511F53u
#define PHILOX_MULTIPLIER1 0xCD9E8D57u
#define PHILOX_KEY0 0x9E3779B9u
#define PHILOX_KEY1 0xBB67AE85u

static inline void philox4x32(uint32_t c[4], uint32_t key0, uint32_t key1) {
    uint32_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_MULTIPLIER0 * c0, p1 = (uint64_t)PHILOX_MULTIPLIER1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ key0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        key0 += PHILOX_KEY0;
        key1 += PHILOX_KEY1;
    }
    c[0] = c0, c[1] = c1, c[2] = c2, c[3] = c3;
}

/* A uniform number in the open interval (0, 1): the middle of one of 2^23 cells, exact in float as in double. */
static inline REAL open_uniform(uint32_t w) { return ((REAL)(int32_t)(w >> 9) + (REAL)0.5) * (REAL)1.1920928955078125e-7; }

#endif
