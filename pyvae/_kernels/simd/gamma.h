/* exp, log, log1p, and what counts need of the gamma function, in double whatever REAL is.

   In log p of a count, terms as large as x log x cancel: in float, a count of a million would be wrong by a nat. So the
   likelihoods of counts are computed in double and rounded once. As in vmath.h this is branch-free scalar code with a
   fixed order of operations and written fused multiply-adds: the same bits from AVX2 and from AVX-512. The series are
   those of Taylor and Stirling, long enough that what is left out is below the rounding. */
#ifndef PYVAE_GAMMA_H
#define PYVAE_GAMMA_H

#include "vmath.h"

#if defined(__FMA__) || defined(__aarch64__)
#define FMA_DOUBLE(a, b, c) __builtin_fma(a, b, c)
#else
#define FMA_DOUBLE(a, b, c) ((a) * (b) + (c))
#endif

/* A loop is vectorised where all that it calls is inlined, and these are longer than GCC inlines by itself. */
#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t double_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE double bits_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ln 2 in the two parts that fdlibm has in e_exp.c and e_log.c (Sun Microsystems, https://www.netlib.org/fdlibm/). The
   last bits of the first are zeros, so that its product with an exponent is exact. */
#define LN_2_HIGH 6.93147180369123816490e-01
#define LN_2_LOW 1.90821492927058770002e-10

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; infinite above 709, zero below -708. */
INLINE double exp_double(double x) {
    const double highest = 709.0, lowest = -708.0, shift = 6755399441055744.0; /* 1.5 * 2^52: rounds to an integer */
    double c = x > highest ? highest : x;
    c = c < lowest ? lowest : c;
    double shifted = FMA_DOUBLE(c, 1.44269504088896340736, shift);
    double n = shifted - shift;
    double r = FMA_DOUBLE(n, -LN_2_LOW, FMA_DOUBLE(n, -LN_2_HIGH, c));
    double p = 1.0 / 6227020800.0; /* 1 / 13! */
    p = FMA_DOUBLE(p, r, 1.0 / 479001600.0);
    p = FMA_DOUBLE(p, r, 1.0 / 39916800.0);
    p = FMA_DOUBLE(p, r, 1.0 / 3628800.0);
    p = FMA_DOUBLE(p, r, 1.0 / 362880.0);
    p = FMA_DOUBLE(p, r, 1.0 / 40320.0);
    p = FMA_DOUBLE(p, r, 1.0 / 5040.0);
    p = FMA_DOUBLE(p, r, 1.0 / 720.0);
    p = FMA_DOUBLE(p, r, 1.0 / 120.0);
    p = FMA_DOUBLE(p, r, 1.0 / 24.0);
    p = FMA_DOUBLE(p, r, 1.0 / 6.0);
    p = FMA_DOUBLE(p, r, 0.5);
    p = FMA_DOUBLE(p, r * r, r) + 1.0;
    double y = p * bits_double((double_bits(shifted) - double_bits(shift) + 1023) << 52);
    y = x > highest ? INFINITY : y;
    return x < lowest ? 0.0 : y;
}

/* log(x) for normal x > 0, x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2): log(1 + f) = 2 atanh(s), s = f / (2 + f).
   The exponent becomes a double by way of the bits of 2^52 + e: AVX2 converts no 64-bit integers. */
INLINE double log_double(double x) {
    const uint64_t root = 0x3fe6a09e667f3bcdull, mantissa = 0x000fffffffffffffull; /* root: sqrt(1/2) */
    uint64_t bits = double_bits(x) - root + (1023ull << 52);
    double e = bits_double((bits >> 52) | 0x4330000000000000ull) - 4503599627371519.0; /* 2^52 + 1023 */
    double f = bits_double((bits & mantissa) + root) - 1.0;
    double s = f / (2.0 + f), s2 = s * s;
    double p = 1.0 / 21;
    p = FMA_DOUBLE(p, s2, 1.0 / 19);
    p = FMA_DOUBLE(p, s2, 1.0 / 17);
    p = FMA_DOUBLE(p, s2, 1.0 / 15);
    p = FMA_DOUBLE(p, s2, 1.0 / 13);
    p = FMA_DOUBLE(p, s2, 1.0 / 11);
    p = FMA_DOUBLE(p, s2, 1.0 / 9);
    p = FMA_DOUBLE(p, s2, 1.0 / 7);
    p = FMA_DOUBLE(p, s2, 1.0 / 5);
    p = FMA_DOUBLE(p, s2, 1.0 / 3);
    double y = FMA_DOUBLE(2.0 * s, p * s2, 2.0 * s);
    return FMA_DOUBLE(e, LN_2_HIGH, FMA_DOUBLE(e, LN_2_LOW, y));
}

/* log(1 + t) for t >= 0: the second term gives back what rounding 1 + t lost. */
INLINE double log1p_double(double t) {
    double u = 1.0 + t;
    return log_double(u) + (t - (u - 1.0)) / u;
}

/* Stirling's series holds from here on; below, the recurrence moves an argument up by eight. */
#define STIRLING 8.0

/* log gamma(a) - ((a - 1/2) log a - a + log(2 pi) / 2) for a >= 8: the sum over k = 1 .. 8 of
   B_2k / (2k (2k - 1) a^(2k - 1)), with the Bernoulli numbers B_2k (https://dlmf.nist.gov/5.11.E1) */
INLINE double stirling_rest(double a) {
    double y = 1.0 / a, y2 = y * y;
    double p = -3617.0 / 122400.0;
    p = FMA_DOUBLE(p, y2, 1.0 / 156.0);
    p = FMA_DOUBLE(p, y2, -691.0 / 360360.0);
    p = FMA_DOUBLE(p, y2, 1.0 / 1188.0);
    p = FMA_DOUBLE(p, y2, -1.0 / 1680.0);
    p = FMA_DOUBLE(p, y2, 1.0 / 1260.0);
    p = FMA_DOUBLE(p, y2, -1.0 / 360.0);
    return FMA_DOUBLE(p, y2, 1.0 / 12.0) * y;
}

/* digamma(a) - (log a - 1 / (2 a)) for a >= 8: the derivative of the above, term by term, minus the sum of
   B_2k / (2k a^(2k)) (https://dlmf.nist.gov/5.11.E2) */
INLINE double digamma_rest(double a) {
    double y = 1.0 / a, y2 = y * y;
    double p = -3617.0 / 8160.0;
    p = FMA_DOUBLE(p, y2, 1.0 / 12.0);
    p = FMA_DOUBLE(p, y2, -691.0 / 32760.0);
    p = FMA_DOUBLE(p, y2, 1.0 / 132.0);
    p = FMA_DOUBLE(p, y2, -1.0 / 240.0);
    p = FMA_DOUBLE(p, y2, 1.0 / 252.0);
    p = FMA_DOUBLE(p, y2, -1.0 / 120.0);
    return -FMA_DOUBLE(p, y2, 1.0 / 12.0) * y2;
}

/* a (a + 1) ... (a + 7) = gamma(a + 8) / gamma(a); with q = a (a + 7) they are the pairs q, q + 6, q + 10, q + 12. */
INLINE double eight_factors(double a) {
    double q = a * (a + 7.0);
    return (q * (q + 6.0)) * ((q + 10.0) * (q + 12.0));
}

/* 1 / a + 1 / (a + 1) + ... + 1 / (a + 7) = digamma(a + 8) - digamma(a): the derivative of the log of the above */
INLINE double eight_reciprocals(double a) {
    double q = a * (a + 7.0), low = q * (q + 6.0), high = (q + 10.0) * (q + 12.0);
    return (2.0 * a + 7.0) * ((2.0 * q + 6.0) / low + (2.0 * q + 22.0) / high);
}

/* log gamma(a), a > 0 */
INLINE double log_gamma(double a) {
    double b = a < STIRLING ? a + 8.0 : a, factors = a < STIRLING ? eight_factors(a) : 1.0;
    return (b - 0.5) * log_double(b) - b + 0.5 * LOG_2_PI + stirling_rest(b) - log_double(factors);
}

/* log x!, exactly 0 for 0 and 1 */
INLINE double log_factorial(double x) {
    double y = log_gamma(x + 1.0);
    return x < 2.0 ? 0.0 : y;
}

/* log(r (r + 1) ... (r + x - 1) / r^x) = log gamma(x + r) - log gamma(r) - x log r for counts x, r > 0. The large terms
   of Stirling's formula are subtracted on paper, so what is left vanishes as r grows. */
INLINE double log_rising(double x, double r, double log_r) {
    double b = r < STIRLING ? r + 8.0 : r;
    double y = (x + b - 0.5) * log1p_double(x / b) - x + (stirling_rest(x + b) - stirling_rest(b));
    double moved = x * (log_double(b) - log_r) + log_double(eight_factors(r) / eight_factors(x + r));
    return y + (r < STIRLING ? moved : 0.0);
}

/* digamma(x + r) - digamma(r): the derivative of log gamma(x + r) - log gamma(r) by r */
INLINE double digamma_rise(double x, double r) {
    double b = r < STIRLING ? r + 8.0 : r;
    double y = log1p_double(x / b) + 0.5 * x / (b * (x + b)) + (digamma_rest(x + b) - digamma_rest(b));
    double moved = eight_reciprocals(r) - eight_reciprocals(x + r);
    return y + (r < STIRLING ? moved : 0.0);
}

#endif
