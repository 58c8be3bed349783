/* simd/products.c for AMX, with the instructions on tiles done in plain C: for test_precision.py, which compiles this. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <immintrin.h>

static float tiles[8][16][16];
static int configured;

static void load_configuration(const void *memory) {
    const uint8_t *bytes = memory;
    if (bytes[0] != 1 || bytes[1] != 0) abort(); /* palette, first row */
    for (int i = 0; i < 8; i++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, bytes + 16 + 2 * i, 2);
        if (row_bytes != 64 || bytes[48 + i] != 16) abort();
    }
    memset(tiles, 0, sizeof tiles);
    configured = 1;
}

static void load(int tile, const void *memory, ptrdiff_t stride) {
    if (!configured) abort();
    for (int i = 0; i < 16; i++) memcpy(tiles[tile][i], (const char *)memory + i * stride, 64);
}

static void store(int tile, void *memory, ptrdiff_t stride) {
    for (int i = 0; i < 16; i++) memcpy((char *)memory + i * stride, tiles[tile][i], 64);
}

static float from_bf16(uint32_t half) {
    float x;
    half <<= 16;
    memcpy(&x, &half, 4);
    return x;
}

static void multiply_add(int c, int a, int b) {
    for (int m = 0; m < 16; m++)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 16; n++) {
                uint32_t x, y;
                memcpy(&x, &tiles[a][m][k], 4);
                memcpy(&y, &tiles[b][k][n], 4);
                tiles[c][m][n] += from_bf16(x & 0xffff) * from_bf16(y & 0xffff);
                tiles[c][m][n] += from_bf16(x >> 16) * from_bf16(y >> 16);
            }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(memory) load_configuration(memory)
#define _tile_release() (configured = 0)
#define _tile_zero(tile) memset(tiles[tile], 0, sizeof tiles[tile])
#define _tile_loadd(tile, memory, stride) load(tile, memory, stride)
#define _tile_stored(tile, memory, stride) store(tile, memory, stride)
#define _tile_dpbf16ps(c, a, b) multiply_add(c, a, b)

#define REAL float
#define REAL_IS_FLOAT 1
#define PYVAE_LEVEL amx
#define PYVAE_AMX 1
#include "products.c"

/* c (rows, columns) (+)= a b, by `threads` threads one after the other. */
void product(const float *a, ptrdiff_t a_row, ptrdiff_t a_k, const float *b, ptrdiff_t b_k, ptrdiff_t b_column, float *c,
             ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, int accumulate, int by_rows, ptrdiff_t threads) {
    dense_product_t p = {.a = a, .b = b, .c = c, .rows = rows, .columns = columns, .depth = depth, .a_row = a_row,
                         .a_k = a_k, .b_k = b_k, .b_column = b_column, .c_row = columns, .accumulate = accumulate,
                         .activation = IDENTITY, .by_rows = by_rows};
    for (ptrdiff_t thread = 0; thread < threads; thread++) multiply(&p, thread, threads);
}
