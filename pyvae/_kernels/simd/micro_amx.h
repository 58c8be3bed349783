/* The same as micro.h on the matrix registers of AMX: a patch of C is 2 x 2 tiles of 16 x 16 sums.

   A step multiplies 16 pairs of k at once: a tile of A has 16 rows of 16 pairs, a tile of B 16 pairs of 16 columns. */
#ifndef PYVAE_MICRO_AMX_H
#define PYVAE_MICRO_AMX_H

#include "vector.h"

#define MAX_ROWS 32

typedef uint32_t packed_t; /* two bf16, of k and k + 1 */
enum { PANEL = 2 * WIDTH, PACKED_K = 2, STEP_PAIRS = 16, EVEN_HEIGHTS = 0 };

typedef struct {
    const packed_t *at;
    ptrdiff_t row, k_step; /* k_step is 1 */
} rows_t;

/* Eight tiles of 16 rows of 64 bytes, for this thread, until they are released. */
static void configure_tiles(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = 16;
    _tile_loadconfig(&config);
}

static void release_tiles(void) { _tile_release(); }

/* c (32, PANEL) = [c +] a (32, pairs) panel (pairs, PANEL); pairs beyond the last are zeros, up to a multiple of 16 */
static void tiles_of_c(ptrdiff_t rows, ptrdiff_t pairs, rows_t a, const packed_t *panel, float *c, ptrdiff_t c_row,
                       int resume) {
    ptrdiff_t c_bytes = c_row * 4, a_bytes = a.row * 4;
    float *below = c + 16 * c_row;
    int two = rows > 16;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (resume) {
        _tile_loadd(0, c, c_bytes);
        _tile_loadd(1, c + 16, c_bytes);
    }
    if (resume && two) {
        _tile_loadd(2, below, c_bytes);
        _tile_loadd(3, below + 16, c_bytes);
    }
    for (ptrdiff_t k = 0; k < pairs; k += STEP_PAIRS) {
        _tile_loadd(6, panel + k * PANEL, PANEL * 4);
        _tile_loadd(7, panel + k * PANEL + 16, PANEL * 4);
        _tile_loadd(4, a.at + k, a_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (two) {
            _tile_loadd(5, a.at + 16 * a.row + k, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, c_bytes);
    _tile_stored(1, c + 16, c_bytes);
    if (two) {
        _tile_stored(2, below, c_bytes);
        _tile_stored(3, below + 16, c_bytes);
    }
}

/* c (rows, columns) = [c +] a panel. Where C ends before the tiles do, the patch is made beside C and copied. */
static void patch_of_c(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t pairs, rows_t a, const packed_t *panel, float *c,
                       ptrdiff_t c_row, int resume) {
    if (columns == PANEL && (rows == 16 || rows == 32)) {
        tiles_of_c(rows, pairs, a, panel, c, c_row, resume);
        return;
    }
    float patch[MAX_ROWS * PANEL] __attribute__((aligned(64)));
    if (resume) {
        memset(patch, 0, sizeof patch);
        for (ptrdiff_t i = 0; i < rows; i++) memcpy(patch + i * PANEL, c + i * c_row, sizeof(float) * columns);
    }
    tiles_of_c(rows, pairs, a, panel, patch, PANEL, resume);
    for (ptrdiff_t i = 0; i < rows; i++) memcpy(c + i * c_row, patch + i * PANEL, sizeof(float) * columns);
}

#endif
