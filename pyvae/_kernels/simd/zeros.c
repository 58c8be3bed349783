/* Products that leave out the zeros of A.

   A strip. A word of A's mask stands for 64 k of one row, and a strip for the same 64 rows of B, as many columns of
   them as one row of sums in registers is long. It stays in the L1 cache while all rows of A pass over it:

                      k ->                     columns ->
                                               [ 64 rows of B: ]
       word of row 0  0100000100..00           [  row 1        ]     sums of row 0 = A[0][1] (row 1) + A[0][7] (row 7)
       word of row 1  0000000000..00           [               ]     sums of row 1 = 0
       word of row 2  0100010000..01           [  row 7        ]     sums of row 2 = ...
       ...                                     [               ]

   For each bit of a word, from the lowest on, one element of A is multiplied with one row of the strip. The sums are
   stored between strips. B is read in place, or packed as in products.c (``packs``).

   The order. Every sum is the chain of products.c, of k ascending and the bias last; the terms that are left out, 0
   times a finite number, would have changed nothing of it but perhaps the sign of a zero, so both ways add 0 before the
   bias. So is dense or sparse a free choice (``pays``), and the job makes it anew every time. */
#include <assert.h>

#include "zeros.h"
#include "fpstate.h"
#include "vmath.h"
#include "activate.h"
#include "vector.h"
#include "transpose.h"

enum { WORD = 64 };

#if VECTOR_BYTES == 64
enum { STRIP = 7 }; /* vectors: 28 KB of B, and chains enough to hide the latency of a multiply-add */
#else
enum { STRIP = 13 }; /* 26 KB of B, or 13 where vectors are of 16 bytes */
#endif

/* Cycles, measured on AMD's Zen 4 (AVX-512) and Zen 3 (AVX2): of a multiply-add of vectors among all, of one whose element
   is picked, and of each word of a strip besides. */
#if VECTOR_BYTES == 64
static const double OF_ALL = 1.14, PICKED = 1.24, OF_A_WORD = 38;
#else
static const double OF_ALL = 0.57, PICKED = 0.75, OF_A_WORD = 35;
#endif

/* ---- Masks ---------------------------------------------------------------------------------------------------- */

/* Bit j: whether x[j] is not zero; NaN is not. Subnormal numbers are zeros, as in all kernels. */
#if defined(__AVX512F__) && REAL_IS_FLOAT
#define BITS(x) ((uint64_t)_mm512_cmp_ps_mask((__m512)(x), _mm512_setzero_ps(), _CMP_NEQ_UQ))
#elif defined(__AVX512F__)
#define BITS(x) ((uint64_t)_mm512_cmp_pd_mask((__m512d)(x), _mm512_setzero_pd(), _CMP_NEQ_UQ))
#elif defined(__AVX2__) && REAL_IS_FLOAT
#define BITS(x) ((uint64_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)(x), _mm256_setzero_ps(), _CMP_NEQ_UQ)))
#elif defined(__AVX2__)
#define BITS(x) ((uint64_t)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)(x), _mm256_setzero_pd(), _CMP_NEQ_UQ)))
#elif defined(__SSE2__) && REAL_IS_FLOAT
#define BITS(x) ((uint64_t)_mm_movemask_ps(_mm_cmpneq_ps((__m128)(x), _mm_setzero_ps())))
#elif defined(__SSE2__)
#define BITS(x) ((uint64_t)_mm_movemask_pd(_mm_cmpneq_pd((__m128d)(x), _mm_setzero_pd())))
#endif

static uint64_t word_of(ptrdiff_t n, const REAL *x) {
    const int end = n < WORD ? (int)n : WORD;
    uint64_t word = 0;
    int j = 0;
#ifdef BITS
    for (; j + WIDTH <= end; j += WIDTH) word |= BITS(LOAD(x + j)) << j;
#endif
    for (; j < end; j++) word |= (uint64_t)(x[j] != 0) << j;
    return word;
}

static void make_mask(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    fpstate_t saved = flush_subnormals();
    const mask_t *m = job;
    FOR_MY_ROWS(i, m->rows) {
        const REAL *x = (const REAL *)m->x + i * m->x_row;
        uint64_t *words = m->words + i * m->word_row;
        int64_t entries = 0;
        ptrdiff_t j = 0;
        for (; j + WORD <= m->columns; j += WORD) entries += __builtin_popcountll(*words++ = word_of(WORD, x + j));
        if (j < m->columns) entries += __builtin_popcountll(*words = word_of(m->columns - j, x + j));
        m->entries[i] = entries;
    }
    restore_fpstate(saved);
}

/* A square of 64 x 64 bits, turned: blocks of 32 x 32 change places, then within them blocks of 16 x 16, and so on
   (Warren, Hacker's Delight, section 7-3). */
static void turn(uint64_t square[WORD]) {
    uint64_t low = 0x00000000ffffffffull;
    for (int width = WORD / 2; width; width /= 2, low ^= low << width)
        for (int i = 0; i < WORD; i = (i + width + 1) & ~width) {
            uint64_t swap = (square[i] >> width ^ square[i + width]) & low;
            square[i + width] ^= swap;
            square[i] ^= swap << width;
        }
}

static int64_t sum(ptrdiff_t n, const int64_t *entries) {
    int64_t total = 0;
    for (ptrdiff_t i = 0; i < n; i++) total += entries[i];
    return total;
}

/* A thread does whole columns of words. Where so little is zero that no product would leave it out, nothing is turned, and
   all is counted as not zero. */
static void transpose_mask(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const mask_transpose_t *t = job;
    const mask_t *m = &t->mask;
    if (PICKED * (double)sum(m->rows, m->entries) >= OF_ALL * (double)(m->rows * m->columns)) {
        FOR_MY_ROWS(j, m->columns) t->entries[j] = m->rows;
        return;
    }
    FOR_MY_ROWS(j, m->word_row) {
        ptrdiff_t columns = m->columns - j * WORD < WORD ? m->columns - j * WORD : WORD;
        int64_t entries[WORD] = {0};
        for (ptrdiff_t i = 0; i < t->word_row; i++) {
            uint64_t square[WORD] = {0};
            for (ptrdiff_t l = 0; l < WORD && i * WORD + l < m->rows; l++)
                square[l] = m->words[(i * WORD + l) * m->word_row + j];
            turn(square);
            for (ptrdiff_t l = 0; l < columns; l++) {
                t->words[(j * WORD + l) * t->word_row + i] = square[l];
                entries[l] += __builtin_popcountll(square[l]);
            }
        }
        memcpy(t->entries + j * WORD, entries, sizeof(entries[0]) * columns);
    }
}

/* ---- Products ------------------------------------------------------------------------------------------------- */

/* The sums must be named variables, as in micro.h. */
#define SUMS_1(DO) DO(0)
#define SUMS_2(DO) SUMS_1(DO) DO(1)
#define SUMS_3(DO) SUMS_2(DO) DO(2)
#define SUMS_4(DO) SUMS_3(DO) DO(3)
#define SUMS_5(DO) SUMS_4(DO) DO(4)
#define SUMS_6(DO) SUMS_5(DO) DO(5)
#define SUMS_7(DO) SUMS_6(DO) DO(6)
#define SUMS_8(DO) SUMS_7(DO) DO(7)
#define SUMS_9(DO) SUMS_8(DO) DO(8)
#define SUMS_10(DO) SUMS_9(DO) DO(9)
#define SUMS_11(DO) SUMS_10(DO) DO(10)
#define SUMS_12(DO) SUMS_11(DO) DO(11)
#define SUMS_13(DO) SUMS_12(DO) DO(12)

#define START(j) vector sum##j = resume ? (vector)LOAD(c + j * WIDTH) : (vector){0};
#define STEP(j) sum##j = FMA_VECTOR(x, LOAD(row + j * WIDTH), sum##j);
#define END(j) STORE(c + j * WIDTH, sum##j + (vector){0});

/* Each row of c (rows, n vectors) = [c +] the elements of a row of A that its word names, times the rows of the strip b.
   skips: leave rows whose word is empty as they are. */
typedef void strip_kernel(ptrdiff_t rows, const uint64_t *words, ptrdiff_t word_row, const REAL *a, ptrdiff_t a_row,
                          ptrdiff_t a_k, const REAL *b, ptrdiff_t b_k, REAL *c, ptrdiff_t c_row, int resume, int skips);
#define STRIP_KERNEL(n)                                                                                                \
    static void strip_##n(ptrdiff_t rows, const uint64_t *words, ptrdiff_t word_row, const REAL *a, ptrdiff_t a_row,   \
                          ptrdiff_t a_k, const REAL *b, ptrdiff_t b_k, REAL *c, ptrdiff_t c_row, int resume,           \
                          int skips) {                                                                                 \
        for (; rows > 0; rows--, words += word_row, a += a_row, c += c_row) {                                          \
            uint64_t word = *words;                                                                                    \
            if (!word && skips) continue;                                                                              \
            SUMS_##n(START);                                                                                           \
            for (; word; word &= word - 1) {                                                                           \
                const ptrdiff_t k = __builtin_ctzll(word);                                                             \
                const REAL *row = b + k * b_k;                                                                         \
                const vector x = BROADCAST(a[k * a_k]);                                                                \
                SUMS_##n(STEP);                                                                                        \
            }                                                                                                          \
            SUMS_##n(END);                                                                                             \
        }                                                                                                              \
    }

STRIP_KERNEL(1)
STRIP_KERNEL(2)
STRIP_KERNEL(3)
STRIP_KERNEL(4)
STRIP_KERNEL(5)
STRIP_KERNEL(6)
STRIP_KERNEL(7)
#if VECTOR_BYTES < 64
STRIP_KERNEL(8)
STRIP_KERNEL(9)
STRIP_KERNEL(10)
STRIP_KERNEL(11)
STRIP_KERNEL(12)
STRIP_KERNEL(13)
#endif

static strip_kernel *const strip_kernels[STRIP + 1] = {
    NULL,    strip_1, strip_2,  strip_3,  strip_4, strip_5, strip_6, strip_7,
#if VECTOR_BYTES < 64
    strip_8, strip_9, strip_10, strip_11, strip_12, strip_13,
#endif
};

/* Part of C, its rows row .. row_end - 1 and columns column .. column + columns - 1, at most STRIP vectors of them, from
   64 of k: the strip b (64, columns), rows b_k apart. Where C ends before the registers do, each row is made beside C
   and copied. */
static void multiply_strip(const masked_product_t *m, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t column,
                           ptrdiff_t columns, ptrdiff_t word, const REAL *b, ptrdiff_t b_k) {
    const dense_product_t *p = &m->product;
    const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
    assert(vectors <= STRIP);
    const int resume = word > 0 || p->accumulate;
    const int skips = word > 0; /* the first word goes over all rows, so that -0 and subnormal numbers of C become 0 */
    strip_kernel *const kernel = strip_kernels[vectors];
    const uint64_t *words = m->words + row * m->word_row + word;
    const REAL *a = (const REAL *)p->a + row * p->a_row + word * WORD * p->a_k;
    REAL *c = (REAL *)p->c + row * p->c_row + column;
    if (columns % WIDTH == 0) {
        kernel(row_end - row, words, m->word_row, a, p->a_row, p->a_k, b, b_k, c, p->c_row, resume, skips);
        return;
    }
    REAL sums[STRIP * WIDTH] __attribute__((aligned(64))) = {0};
    for (; row < row_end; row++, words += m->word_row, a += p->a_row, c += p->c_row) {
        if (!*words && skips) continue;
        if (resume) memcpy(sums, c, sizeof(REAL) * columns);
        kernel(1, words, 0, a, 0, p->a_k, b, b_k, sums, 0, resume, skips);
        memcpy(c, sums, sizeof(REAL) * columns);
    }
}

/* packed (depth, width) = a strip of B, padded with zeros. What lies together takes few pages and no more of the cache than
   it is long. */
static void pack_strip(ptrdiff_t depth, ptrdiff_t columns, ptrdiff_t width, const REAL *b, ptrdiff_t b_k,
                       ptrdiff_t b_column, REAL *packed) {
    if (b_column != 1) {
        transpose(columns, depth, b, b_column, packed, width);
    } else {
        for (ptrdiff_t k = 0; k < depth; k++) {
            ptrdiff_t j = 0;
            for (; j + WIDTH <= columns; j += WIDTH) STORE(packed + k * width + j, LOAD(b + k * b_k + j));
            for (; j < columns; j++) packed[k * width + j] = b[k * b_k + j];
        }
    }
    if (columns < width)
        for (ptrdiff_t k = 0; k < depth; k++) memset(packed + k * width + columns, 0, sizeof(REAL) * (width - columns));
}

/* Whether a strip of B is packed: where its rows end before the registers do, where B is transposed, and where so many
   rows of A pass over it that it pays. */
static int packs(const dense_product_t *p, ptrdiff_t rows, ptrdiff_t columns) {
    return columns % WIDTH || p->b_column != 1 || rows >= WORD;
}

static void multiply_part(const masked_product_t *m, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t column,
                          ptrdiff_t column_end) {
    const dense_product_t *p = &m->product;
    REAL packed[WORD * STRIP * WIDTH] __attribute__((aligned(64)));
    const ptrdiff_t vectors = (column_end - column + WIDTH - 1) / WIDTH, strips = (vectors + STRIP - 1) / STRIP;
    if (row == row_end) return;
    for (ptrdiff_t s = 0; s < strips; s++) {
        const ptrdiff_t first = column + vectors * s / strips * WIDTH, after = column + vectors * (s + 1) / strips * WIDTH;
        const ptrdiff_t columns = (after < column_end ? after : column_end) - first, width = after - first;
        for (ptrdiff_t word = 0; word * WORD < p->depth; word++) {
            const ptrdiff_t k = word * WORD, depth = p->depth - k < WORD ? p->depth - k : WORD;
            const REAL *b = (const REAL *)p->b + k * p->b_k + first * p->b_column;
            const int packing = packs(p, row_end - row, columns);
            if (packing) pack_strip(depth, columns, width, b, p->b_k, p->b_column, packed);
            multiply_strip(m, row, row_end, first, columns, word, packing ? packed : b, packing ? width : p->b_k);
        }
        if (p->bias || p->activation != IDENTITY)
            finish_rows(row_end - row, columns, p->bias ? (const REAL *)p->bias + first : NULL, p->activation,
                        (REAL *)p->c + row * p->c_row + first, p->c_row);
    }
}

/* Whether leaving out the zeros takes less time than multiplying all. */
static int pays(const masked_product_t *m, int64_t entries) {
    const dense_product_t *p = &m->product;
    const ptrdiff_t vectors = (p->columns + WIDTH - 1) / WIDTH, strips = (vectors + STRIP - 1) / STRIP;
    const double words = (double)(p->rows * ((p->depth + WORD - 1) / WORD) * strips);
    const double picked = (double)entries * (double)vectors, all = (double)(p->rows * p->depth) * (double)vectors;
    return OF_A_WORD * words + PICKED * picked < OF_ALL * all;
}

/* The first row of C that is a thread's. Rows of a minibatch, whose k lie side by side, are shared out as in FOR_MY_ROWS,
   so that they stay with a thread; those of dW so that the rows before it have thread / threads of the work: a row's is
   its entries and about 16 more. */
static ptrdiff_t first_row(const masked_product_t *m, int64_t entries, ptrdiff_t thread, ptrdiff_t threads) {
    const ptrdiff_t rows = m->product.rows, cost = 16;
    const int64_t before = (entries + cost * rows) * thread / threads;
    if (m->product.a_k == 1 || thread == threads) return share(rows, thread, threads);
    ptrdiff_t row = 0;
    for (int64_t passed = 0; passed < before; row++) passed += m->entries[row] + cost;
    return row;
}

static void multiply(const void *job, ptrdiff_t thread, ptrdiff_t threads) {
    const masked_product_t *m = job;
    const dense_product_t *p = &m->product;
    const int64_t entries = sum(p->rows, m->entries);
    const int leaves_out = pays(m, entries);
    if (thread == 0) __atomic_fetch_add(&m->ways[leaves_out], 1, __ATOMIC_RELAXED);
    if (!leaves_out) {
        m->multiply_all(job, thread, threads);
        return;
    }
    fpstate_t saved = flush_subnormals();
    if (p->b_sums) sum_rows(p->depth, p->columns, p->b, p->b_k, p->accumulate_b_sums, p->b_sums, thread, threads);
    if (p->by_rows) {
        multiply_part(m, first_row(m, entries, thread, threads), first_row(m, entries, thread + 1, threads), 0, p->columns);
    } else {
        ptrdiff_t first, count = my_columns(p->columns, thread, threads, &first);
        if (count > 0) multiply_part(m, 0, p->rows, first, first + count);
    }
    restore_fpstate(saved);
}

const zeros_table_t TABLE(zeros) = {make_mask, transpose_mask, multiply};
