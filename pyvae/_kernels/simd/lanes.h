/* Loops over the columns of a row, 16 at a time, then 4 at a time, then the last three; and sums over columns that come out
   the same to the bit whatever the vector width.

   Column j goes to virtual lane j mod 16; the 16 lanes are then added in a fixed tree. A machine with 16 floats in a
   register does the loop body in one instruction, one with 8 in two, and both add the same numbers in the same order.

   No statement may read memory under a condition, as in y[j] > 0 ? x[j] : 0: GCC 12 makes wrong masks of it. */
#ifndef PYVAE_LANES_H
#define PYVAE_LANES_H

#define LANES 16

/* FOR_COLUMNS(j, n, statement): for (j = 0; j < n; j++) statement. */
#define FOR_COLUMNS(j, n, ...)                                                                                         \
    do {                                                                                                               \
        ptrdiff_t first_ = 0;                                                                                          \
        for (; first_ + LANES <= (n); first_ += LANES)                                                                 \
            for (ptrdiff_t l_ = 0; l_ < LANES; l_++) {                                                                 \
                ptrdiff_t j = first_ + l_;                                                                             \
                __VA_ARGS__;                                                                                           \
            }                                                                                                          \
        for (; first_ + 4 <= (n); first_ += 4)                                                                         \
            for (ptrdiff_t l_ = first_ % LANES, end_ = l_ + 4; l_ < end_; l_++) {                                      \
                ptrdiff_t j = first_ + l_ - (end_ - 4);                                                                \
                __VA_ARGS__;                                                                                           \
            }                                                                                                          \
        for (; first_ < (n); first_++) {                                                                               \
            ptrdiff_t j = first_, l_ = first_ % LANES;                                                                 \
            (void)l_;                                                                                                  \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
    } while (0)

/* SUM_COLUMNS(total, n, j, term): total = sum over j < n of term, an expression in j. */
#define SUM_COLUMNS(total, n, j, term)                                                                                 \
    do {                                                                                                               \
        REAL lane_[LANES] = {0};                                                                                       \
        FOR_COLUMNS(j, n, lane_[l_] += (term));                                                                        \
        (total) = add_lanes(lane_);                                                                                    \
    } while (0)

static inline REAL add_lanes(REAL *lane) {
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lane[l] += lane[l + width];
    return lane[0];
}

#endif
