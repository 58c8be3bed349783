/* Matrices transposed by way of registers, which is several times faster than number by number. */
#ifndef PYVAE_TRANSPOSE_H
#define PYVAE_TRANSPOSE_H

/* Four rows (two, of double) of 16 bytes each, turned into columns. */
typedef REAL lane __attribute__((vector_size(16)));
typedef REAL lane_in_memory __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));
enum { LANE = 16 / sizeof(REAL) };

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif REAL_IS_FLOAT
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int __attribute__((vector_size(16)))){__VA_ARGS__})
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int64_t __attribute__((vector_size(16)))){__VA_ARGS__})
#endif

static inline void transpose_lanes(const REAL *in, ptrdiff_t in_row, REAL *out, ptrdiff_t out_row) {
#define ROW(i) (*(const lane_in_memory *)(in + (i) * in_row))
#define COLUMN(i) (*(lane_in_memory *)(out + (i) * out_row))
#if REAL_IS_FLOAT
    lane r0 = ROW(0), r1 = ROW(1), r2 = ROW(2), r3 = ROW(3);
    lane low01 = SHUFFLE(r0, r1, 0, 4, 1, 5), low23 = SHUFFLE(r2, r3, 0, 4, 1, 5);
    lane high01 = SHUFFLE(r0, r1, 2, 6, 3, 7), high23 = SHUFFLE(r2, r3, 2, 6, 3, 7);
    COLUMN(0) = SHUFFLE(low01, low23, 0, 1, 4, 5);
    COLUMN(1) = SHUFFLE(low01, low23, 2, 3, 6, 7);
    COLUMN(2) = SHUFFLE(high01, high23, 0, 1, 4, 5);
    COLUMN(3) = SHUFFLE(high01, high23, 2, 3, 6, 7);
#else
    lane r0 = ROW(0), r1 = ROW(1);
    COLUMN(0) = SHUFFLE(r0, r1, 0, 2);
    COLUMN(1) = SHUFFLE(r0, r1, 1, 3);
#endif
#undef ROW
#undef COLUMN
}

/* out (columns, rows) = in (rows, columns) transposed, rows of out out_row apart */
static void transpose(ptrdiff_t rows, ptrdiff_t columns, const REAL *in, ptrdiff_t in_row, REAL *out,
                      ptrdiff_t out_row) {
    ptrdiff_t whole_rows = rows - rows % LANE, whole_columns = columns - columns % LANE;
    for (ptrdiff_t i = 0; i < whole_rows; i += LANE)
        for (ptrdiff_t j = 0; j < whole_columns; j += LANE)
            transpose_lanes(in + i * in_row + j, in_row, out + j * out_row + i, out_row);
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            out[j * out_row + i] = in[i * in_row + j];
}

#endif
