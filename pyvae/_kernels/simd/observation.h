/* What likelihoods read and write: rows of x, and the decoder's outputs that describe them. */
#ifndef PYVAE_OBSERVATION_H
#define PYVAE_OBSERVATION_H

#include "job.h"

/* Each task uses some of it. The inputs that forward and backward passes have in common come first, up to log_px. */
typedef struct {
    ptrdiff_t rows, columns, samples; /* of the decoder's outputs; each row of x serves `samples` of them in turn */
    const void *x;                    /* (rows / samples, columns) */
    const void *outputs;              /* (rows, columns): logits, means, or logarithms of rates or means */
    const void *spread; /* logvar of a Gaussian, log scale of a logistic, log r of a negative binomial: (rows, columns), or
                           one row for all with spread_row = 0 */
    const void *observed; /* like x: 1 where it is known, 0 where its term counts for nothing; NULL: 1 everywhere */
    ptrdiff_t x_row, outputs_row, spread_row, observed_row;
    double half;          /* discretised logistic: of the distance between two levels */
    const int64_t *edges; /* categorical: group g has the columns edges[g] .. edges[g + 1] */
    ptrdiff_t groups;
    void *log_px;
    const void *dlog_px;      /* the loss's derivative by each row's log-likelihood */
    void *doutputs, *dspread; /* dspread may be NULL, where a Gaussian's logvar is fixed */
    ptrdiff_t doutputs_row, dspread_row;
} observation_t;

#define X_ROW(i) ((const REAL *)o->x + (i) / o->samples * o->x_row)
#define OBSERVED_ROW(i) ((const REAL *)o->observed + (i) / o->samples * o->observed_row)
#define OUTPUT_ROW(i) ((const REAL *)o->outputs + (i) * o->outputs_row)
#define SPREAD_ROW(i) ((const REAL *)o->spread + (i) * o->spread_row)
#define DOUTPUT_ROW(i) ((REAL *)o->doutputs + (i) * o->doutputs_row)
#define DSPREAD_ROW(i) ((REAL *)o->dspread + (i) * o->dspread_row)

/* Of row i: the sum of a term over the columns that are observed, and the derivatives in the others made 0. */
#define SUM_OBSERVED(total, n, j, term) SUM_OBSERVED_IN_(SUM_COLUMNS, total, n, j, term)
#define SUM_OBSERVED_DOUBLE(total, n, j, term) SUM_OBSERVED_IN_(SUM_COLUMNS_DOUBLE, total, n, j, term)
#define SUM_OBSERVED_IN_(SUM, total, n, j, term)                                                                       \
    do {                                                                                                               \
        if (o->observed) {                                                                                             \
            const REAL *observed_ = OBSERVED_ROW(i);                                                                   \
            SUM(total, n, j, observed_[j] * (term));                                                                   \
        } else {                                                                                                       \
            SUM(total, n, j, term);                                                                                    \
        }                                                                                                              \
    } while (0)

#define CLEAR_UNOBSERVED(derivatives)                                                                                  \
    do {                                                                                                               \
        if (o->observed) {                                                                                             \
            const REAL *observed_ = OBSERVED_ROW(i);                                                                   \
            FOR_COLUMNS(j, o->columns, (derivatives)[j] *= observed_[j]);                                              \
        }                                                                                                              \
    } while (0)

#endif
