/* Sums over the columns of one row that come out the same to the bit whatever the vector width.

   Column j goes to virtual lane j mod 16; the 16 lanes are then added in a fixed tree. A machine with 16 floats in a
   register does the loop body in one instruction, one with 8 in two, and both add the same numbers in the same order. */
#ifndef PYVAE_LANES_H
#define PYVAE_LANES_H

#define LANES 16

/* SUM_COLUMNS(total, n, j, term): total = sum over j < n of term, an expression in j. */
#define SUM_COLUMNS(total, n, j, term)                                                                                 \
    do {                                                                                                               \
        REAL lane_[LANES] = {0};                                                                                       \
        ptrdiff_t whole_ = (n) - (n) % LANES;                                                                          \
        for (ptrdiff_t first_ = 0; first_ < whole_; first_ += LANES)                                                   \
            for (ptrdiff_t l_ = 0; l_ < LANES; l_++) {                                                                 \
                ptrdiff_t j = first_ + l_;                                                                             \
                lane_[l_] += (term);                                                                                   \
            }                                                                                                          \
        for (ptrdiff_t j = whole_; j < (n); j++) lane_[j - whole_] += (term);                                          \
        (total) = add_lanes(lane_);                                                                                    \
    } while (0)

static inline REAL add_lanes(REAL *lane) {
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) lane[l] += lane[l + width];
    return lane[0];
}

#endif
