/* Log densities of rows under each of many diagonal Gaussians. components_ref.py defines them.

   Forward goes over 16 components at once, one a lane, and each number is one chain of multiply-adds, the columns
   ascending. Backward goes over a vector of columns at once; each derivative is one chain, too, over the components
   (dz) or over the rows (dmu, dlogvar), ascending. exp(-logvar) is computed once for many rows, not for each pair. */
#include "components.h"
#include "fpstate.h"
#include "vmath.h"
#include "lanes.h"
#include "vector.h"

enum { CHUNK = 64, GROUP = 128 }; /* columns, and rows, that are kept at a time */

#define ROW(name, i) ((const REAL *)c->name + (i) * c->name##_row)

typedef struct {
    REAL mu[CHUNK][LANES], precision[CHUNK][LANES]; /* of 16 components */
} block_t;

static inline ptrdiff_t at_most(ptrdiff_t n, ptrdiff_t most) { return n < most ? n : most; }

/* The means and precisions of `count` components from number k on, in some columns; and the sums of their logvar. */
static void take_block(const components_t *c, ptrdiff_t k, ptrdiff_t count, ptrdiff_t first, ptrdiff_t width,
                       block_t *block, REAL *sum) {
    memset(block, 0, sizeof *block);
    for (ptrdiff_t l = 0; l < count; l++) {
        const REAL *mu = ROW(mu, k + l) + first, *logvar = ROW(logvar, k + l) + first;
        for (ptrdiff_t j = 0; j < width; j++) {
            block->mu[j][l] = mu[j];
            block->precision[j][l] = -logvar[j];
            sum[l] += logvar[j];
        }
    }
    for (ptrdiff_t j = 0; j < width; j++)
        for (int l = 0; l < LANES; l++) block->precision[j][l] = exp_real(block->precision[j][l]);
}

/* out += the squared distances of a row from `count` means, in units of their standard deviations. */
static inline void add_distances(ptrdiff_t width, const REAL *z, const block_t *block, ptrdiff_t count, REAL *out) {
    REAL lanes[LANES] = {0};
    vector sum[LANES / WIDTH];
    memcpy(lanes, out, sizeof(REAL) * count);
    for (int v = 0; v < LANES / WIDTH; v++) sum[v] = LOAD(lanes + v * WIDTH);
    for (ptrdiff_t j = 0; j < width; j++) {
        vector z_j = BROADCAST(z[j]);
        for (int v = 0; v < LANES / WIDTH; v++) {
            vector d = z_j - LOAD(block->mu[j] + v * WIDTH);
            sum[v] = FMA_VECTOR(d * LOAD(block->precision[j] + v * WIDTH), d, sum[v]);
        }
    }
    for (int v = 0; v < LANES / WIDTH; v++) STORE(lanes + v * WIDTH, sum[v]);
    memcpy(out, lanes, sizeof(REAL) * count);
}

static void gaussian_components(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const components_t *c = job;
    ptrdiff_t K = c->components;
    REAL *out = c->out;
    block_t block;
    ptrdiff_t begin = share(c->rows, thread, threads), end = share(c->rows, thread + 1, threads);
    memset(out + begin * K, 0, sizeof(REAL) * (end - begin) * K);
    for (ptrdiff_t k = 0; k < K; k += LANES) {
        ptrdiff_t count = at_most(K - k, LANES);
        REAL sum[LANES] = {0};
        for (ptrdiff_t first = 0; first < c->columns; first += CHUNK) {
            ptrdiff_t width = at_most(c->columns - first, CHUNK);
            take_block(c, k, count, first, width, &block, sum);
            for (ptrdiff_t i = begin; i < end; i++)
                add_distances(width, ROW(z, i) + first, &block, count, out + i * K + k);
        }
        for (ptrdiff_t i = begin; i < end; i++)
            for (ptrdiff_t l = 0; l < count; l++) {
                REAL *of = out + i * K + k + l;
                *of = -(*of + sum[l] + c->columns * (REAL)LOG_2_PI) / 2;
            }
    }
    restore_fpstate(saved);
}

/* The columns of a row that are at hand, followed by zeros, to a whole number of vectors. */
static inline void take_columns(REAL *to, const REAL *from, ptrdiff_t width) {
    memset(to, 0, sizeof(REAL) * CHUNK);
    memcpy(to, from, sizeof(REAL) * width);
}

/* Means and precisions of one component in some columns. */
typedef struct {
    REAL mu[CHUNK], precision[CHUNK];
} component_t;

static inline void take_component(const components_t *c, ptrdiff_t k, ptrdiff_t first, ptrdiff_t width,
                                  component_t *of) {
    const REAL *logvar = ROW(logvar, k) + first;
    take_columns(of->mu, ROW(mu, k) + first, width);
    FOR_COLUMNS(j, width, of->precision[j] = exp_real(-logvar[j]));
    for (ptrdiff_t j = width; j < CHUNK; j++) of->precision[j] = 0;
}

/* With d = z_ij - mu_kj and g = dout_ik d exp(-logvar_kj):  dz_ij -= sum of g over `count` components. */
static inline void add_to_row(ptrdiff_t width, const REAL *z, const REAL *dout, const component_t *component,
                              ptrdiff_t count, REAL *dz) {
    for (ptrdiff_t j = 0; j < width; j += WIDTH) {
        vector sum = LOAD(dz + j), z_j = LOAD(z + j);
        for (ptrdiff_t l = 0; l < count; l++) {
            vector d = z_j - LOAD(component[l].mu + j);
            sum -= BROADCAST(dout[l]) * (d * LOAD(component[l].precision + j));
        }
        STORE(dz + j, sum);
    }
}

/* dz, for a thread's rows. */
static void rows_backward(const components_t *c, ptrdiff_t thread, ptrdiff_t threads) {
    component_t component[LANES];
    REAL z[CHUNK], dz[CHUNK];
    ptrdiff_t begin = share(c->rows, thread, threads), end = share(c->rows, thread + 1, threads), n = c->columns;
    if (begin == end) return;
    memset((REAL *)c->dz + begin * n, 0, sizeof(REAL) * (end - begin) * n);
    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        ptrdiff_t width = at_most(n - first, CHUNK);
        for (ptrdiff_t k = 0; k < c->components; k += LANES) {
            ptrdiff_t count = at_most(c->components - k, LANES);
            for (ptrdiff_t l = 0; l < count; l++) take_component(c, k + l, first, width, component + l);
            for (ptrdiff_t i = begin; i < end; i++) {
                REAL *of_row = (REAL *)c->dz + i * n + first;
                take_columns(z, ROW(z, i) + first, width);
                take_columns(dz, of_row, width);
                add_to_row(width, z, (const REAL *)c->dout + i * c->components + k, component, count, dz);
                memcpy(of_row, dz, sizeof(REAL) * width);
            }
        }
    }
}

/* dmu_j += sum of g over `count` rows, dlogvar_j += sum of g d; dout has a number every `step` places. */
static inline void add_to_component(ptrdiff_t width, ptrdiff_t count, REAL (*z)[CHUNK], const REAL *dout,
                                    ptrdiff_t step, const component_t *component, REAL *dmu, REAL *dlogvar) {
    for (ptrdiff_t j = 0; j < width; j += WIDTH) {
        vector mu = LOAD(component->mu + j), precision = LOAD(component->precision + j);
        vector sum = LOAD(dmu + j), sum_of_squares = LOAD(dlogvar + j);
        for (ptrdiff_t i = 0; i < count; i++) {
            vector d = LOAD(z[i] + j) - mu, g = BROADCAST(dout[i * step]) * (d * precision);
            sum += g;
            sum_of_squares += g * d;
        }
        STORE(dmu + j, sum);
        STORE(dlogvar + j, sum_of_squares);
    }
}

/* dmu and dlogvar_kj = (sum_i g d - sum_i dout_ik) / 2, for a thread's components. */
static void parameters_backward(const components_t *c, ptrdiff_t thread, ptrdiff_t threads) {
    REAL z[GROUP][CHUNK], dmu[CHUNK], dlogvar[CHUNK];
    component_t component;
    ptrdiff_t begin = share(c->components, thread, threads), end = share(c->components, thread + 1, threads);
    ptrdiff_t n = c->columns, K = c->components;
    if (begin == end) return;
    memset((REAL *)c->dmu + begin * n, 0, sizeof(REAL) * (end - begin) * n);
    memset((REAL *)c->dlogvar + begin * n, 0, sizeof(REAL) * (end - begin) * n);
    for (ptrdiff_t first = 0; first < n; first += CHUNK) {
        ptrdiff_t width = at_most(n - first, CHUNK);
        for (ptrdiff_t row = 0; row < c->rows; row += GROUP) {
            ptrdiff_t count = at_most(c->rows - row, GROUP);
            for (ptrdiff_t i = 0; i < count; i++) take_columns(z[i], ROW(z, row + i) + first, width);
            for (ptrdiff_t k = begin; k < end; k++) {
                REAL *to_dmu = (REAL *)c->dmu + k * n + first, *to_dlogvar = (REAL *)c->dlogvar + k * n + first;
                take_component(c, k, first, width, &component);
                take_columns(dmu, to_dmu, width);
                take_columns(dlogvar, to_dlogvar, width);
                add_to_component(width, count, z, (const REAL *)c->dout + row * K + k, K, &component, dmu, dlogvar);
                memcpy(to_dmu, dmu, sizeof(REAL) * width);
                memcpy(to_dlogvar, dlogvar, sizeof(REAL) * width);
            }
        }
    }
    for (ptrdiff_t k = begin; k < end; k++) {
        REAL *of = (REAL *)c->dlogvar + k * n, sum = 0;
        for (ptrdiff_t i = 0; i < c->rows; i++) sum += ((const REAL *)c->dout)[i * K + k];
        FOR_COLUMNS(j, n, of[j] = (of[j] - sum) / 2);
    }
}

static void gaussian_components_backward(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    rows_backward(job, thread, threads);
    parameters_backward(job, thread, threads);
    restore_fpstate(saved);
}

const components_table_t TABLE(components) = {gaussian_components, gaussian_components_backward};
