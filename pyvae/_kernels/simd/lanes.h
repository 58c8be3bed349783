/* Loops over the columns of a row, 16 at a time, then 8, then 4, then the last three; and sums over columns that come
   out the same to the bit whatever the vector width.

   Column j goes to virtual lane j mod 16; the 16 lanes are then added in a fixed tree. A machine with 16 floats in a
   register does the loop body in one instruction, one with 8 in two, and both add the same numbers in the same order.

   No statement may read memory under a condition, as in y[j] > 0 ? x[j] : 0: GCC 12 makes wrong masks of it. */
#ifndef PYVAE_LANES_H
#define PYVAE_LANES_H

#include <string.h>

#include "job.h"

#define LANES 16

/* FOR_COLUMNS(j, n, statement): for (j = 0; j < n; j++) statement. */
#define FOR_COLUMNS(j, n, ...)                                                                                         \
    do {                                                                                                               \
        ptrdiff_t first_ = 0;                                                                                          \
        for (; first_ + LANES <= (n); first_ += LANES) FOR_LANES_(j, 0, LANES, __VA_ARGS__);                           \
        if (first_ + 8 <= (n)) {                                                                                       \
            FOR_LANES_(j, 0, 8, __VA_ARGS__);                                                                          \
            first_ += 8;                                                                                               \
        }                                                                                                              \
        if (first_ + 4 <= (n)) {                                                                                       \
            ptrdiff_t lane_4_ = first_ % LANES;                                                                        \
            FOR_LANES_(j, lane_4_, 4, __VA_ARGS__);                                                                    \
            first_ += 4;                                                                                               \
        }                                                                                                              \
        for (; first_ < (n); first_++) FOR_LANES_(j, first_ % LANES, 1, __VA_ARGS__);                                  \
    } while (0)

/* A statement for j = first_ .. first_ + count - 1, whose virtual lanes l_ begin with `lane`. */
#define FOR_LANES_(j, lane, count, ...)                                                                                \
    for (ptrdiff_t l_ = (lane), end_ = l_ + (count); l_ < end_; l_++) {                                                \
        ptrdiff_t j = first_ + l_ - (end_ - (count));                                                                  \
        (void)l_;                                                                                                      \
        __VA_ARGS__;                                                                                                   \
    }

/* SUM_COLUMNS(total, n, j, term): total = sum over j < n of term, an expression in j; or the same in double. */
#define SUM_COLUMNS(total, n, j, term) SUM_COLUMNS_IN_(REAL, total, n, j, term)
#define SUM_COLUMNS_DOUBLE(total, n, j, term) SUM_COLUMNS_IN_(double, total, n, j, term)

#define SUM_COLUMNS_IN_(type, total, n, j, term)                                                                       \
    do {                                                                                                               \
        type lane_[LANES] = {0};                                                                                       \
        FOR_COLUMNS(j, n, lane_[l_] += (term));                                                                        \
        ADD_LANES(lane_);                                                                                              \
        (total) = lane_[0];                                                                                            \
    } while (0)

/* The tree: after it lane[0] is the sum of all, of whatever type they are. */
#define ADD_LANES(lane)                                                                                                \
    for (int width_ = LANES / 2; width_ > 0; width_ /= 2)                                                              \
        for (int i_ = 0; i_ < width_; i_++) (lane)[i_] += (lane)[i_ + width_]

/* The maximum of a row: 0 where the row is empty, NaN where its first number is; NaNs after the first are passed over.
   A row of fewer than 2 LANES, such as the logits of a categorical column, is faster without lanes. */
static inline REAL highest(ptrdiff_t n, const REAL *x) {
    if (n == 0) return 0;
    REAL max = x[0];
    ptrdiff_t j = 0;
    if (n >= 2 * LANES) {
        REAL lane[LANES];
        for (int l = 0; l < LANES; l++) lane[l] = max;
        for (; j + LANES <= n; j += LANES)
            for (int l = 0; l < LANES; l++) lane[l] = x[j + l] > lane[l] ? x[j + l] : lane[l];
        for (int l = 0; l < LANES; l++) max = lane[l] > max ? lane[l] : max;
    }
    for (; j < n; j++) max = x[j] > max ? x[j] : max;
    return max;
}

/* The columns that are a thread's, whole cache lines of them: how many, and the first. */
static inline ptrdiff_t my_columns(ptrdiff_t columns, ptrdiff_t thread, ptrdiff_t threads, ptrdiff_t *first) {
    ptrdiff_t lines = (columns + LANES - 1) / LANES, end = share(lines, thread + 1, threads) * LANES;
    *first = share(lines, thread, threads) * LANES;
    return (end < columns ? end : columns) - *first;
}

/* sums[j] = or += the sum of x[i][j] over the rows i, ascending, for a thread's columns: each sum is one chain of
   additions. */
static inline void sum_rows(ptrdiff_t rows, ptrdiff_t columns, const REAL *x, ptrdiff_t x_row, int accumulate,
                            REAL *restrict sums, ptrdiff_t thread, ptrdiff_t threads) {
    ptrdiff_t first, n = my_columns(columns, thread, threads, &first);
    if (n <= 0) return;
    x += first, sums += first;
    if (!accumulate) memset(sums, 0, sizeof(REAL) * n);
    for (; rows >= 4; rows -= 4, x += 4 * x_row) {
        const REAL *x1 = x + x_row, *x2 = x1 + x_row, *x3 = x2 + x_row;
        FOR_COLUMNS(j, n, sums[j] = (((sums[j] + x[j]) + x1[j]) + x2[j]) + x3[j]);
    }
    for (; rows > 0; rows--, x += x_row) FOR_COLUMNS(j, n, sums[j] += x[j]);
}

#endif
