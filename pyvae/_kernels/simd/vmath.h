/* exp, log, log1p, tanh, sigmoid, softplus, sin and cos, written so that compilers vectorise the loops around them.

   Each function is branch-free scalar code: polynomials, selections and bit patterns. The order of operations and the
   fused multiply-adds are written out, so that one element gets the same bits from AVX2, from AVX-512 and from the
   scalar tail of a loop. float: errors of one or two units in the last place. double serves gradient checks, where
   being right matters and speed does not: it calls the C library.

   The coefficients for float are those of Cephes (S. L. Moshier, https://www.netlib.org/cephes/, single precision), and
   the file of Cephes is named beside each set. Those for Mills' ratio alone were fitted for this library. */
#ifndef PYVAE_VMATH_H
#define PYVAE_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* a * b + c, rounded once where the machine can; the x86-64-v2 baseline cannot, and rounds twice. */
#if REAL_IS_FLOAT
#define FMA_CALL(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FMA_CALL(a, b, c) __builtin_fma(a, b, c)
#endif
#if defined(__FMA__) || defined(__aarch64__)
#define FMA(a, b, c) FMA_CALL(a, b, c)
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

#define LOG_2_PI 1.837877066409345483560659472811
#define SMALLEST ((REAL)1.1754943508222875e-38) /* 2^-126: float can take the logarithm of no smaller number */

#if REAL_IS_FLOAT

static inline int32_t float_bits(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float bits_float(int32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for -126 <= n <= 127; unsigned, as n is anything where x is NaN */
static inline float power_of_two(int32_t n) { return bits_float((int32_t)((uint32_t)(n + 127) << 23)); }

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2. Cephes, expf.c. */
static inline float exp_tail(float r) {
    float p = 1.9875691500e-4f;
    p = FMA(p, r, 1.3981999507e-3f);
    p = FMA(p, r, 8.3334519073e-3f);
    p = FMA(p, r, 4.1665795894e-2f);
    p = FMA(p, r, 1.6666665459e-1f);
    return FMA(p, r, 5.0000001201e-1f);
}

/* r and n of x = n ln 2 + r, n = round(x / ln 2), |r| <= ln(2) / 2. The two parts of ln 2 are those of Cephes, expf.c.
   The first, 0.693359375, has nine bits, so that its product with n is exact. */
static inline float exp_remainder(float x, int32_t *n) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float shifted = FMA(x, 1.44269504f, shift), whole = shifted - shift;
    *n = float_bits(shifted) - float_bits(shift);
    return FMA(whole, 2.12194440e-4f, FMA(whole, -0.693359375f, x));
}

#define EXP_LOWEST (-87.336544f) /* log of the smallest normal number: below it, exp is zero here */

/* exp(x) = 2^n exp(r). */
static inline float exp_real(float x) {
    const float highest = 88.722839f; /* log of the largest number */
    float c = x > highest ? highest : x;
    int32_t n;
    float r = exp_remainder(c < EXP_LOWEST ? EXP_LOWEST : c, &n);
    float p = FMA(exp_tail(r), r * r, r) + 1.0f;
    int32_t half = n >> 1; /* n is up to 128: too much for one factor */
    float y = p * power_of_two(half) * power_of_two(n - half);
    y = x > highest ? INFINITY : y;
    return x < EXP_LOWEST ? 0.0f : y;
}

/* The same for x <= 0, with less to look after. */
static inline float exp_below_zero(float x) {
    int32_t n;
    float r = exp_remainder(x < EXP_LOWEST ? EXP_LOWEST : x, &n);
    float y = (FMA(exp_tail(r), r * r, r) + 1.0f) * power_of_two(n);
    return x < EXP_LOWEST ? 0.0f : y;
}

/* exp(x) - 1 and exp(x) - 1 - x, without cancellation near zero. */
static inline float expm1_real(float x) {
    float small = FMA(exp_tail(x), x * x, x), big = exp_real(x) - 1.0f;
    return __builtin_fabsf(x) < 0.34f ? small : big;
}

/* exp(x) - 1 for x <= 0: 2^n (exp(r) - 1) + (2^n - 1), whose last term is exact. */
static inline float expm1_below_zero(float x) {
    int32_t n;
    float r = exp_remainder(x < -25.0f ? -25.0f : x, &n), scale = power_of_two(n);
    return FMA(scale, FMA(exp_tail(r), r * r, r), scale - 1.0f);
}

static inline float expm1_minus_real(float x) {
    float small = exp_tail(x) * (x * x), big = exp_real(x) - 1.0f - x;
    return __builtin_fabsf(x) < 0.34f ? small : big;
}

/* log(2^n (1 + m)) for sqrt(1/2) <= 1 + m < sqrt(2): a polynomial in m. Cephes, logf.c. */
static inline float log_parts(float n, float m) {
    float m2 = m * m;
    float p = 7.0376836292e-2f;
    p = FMA(p, m, -1.1514610310e-1f);
    p = FMA(p, m, 1.1676998740e-1f);
    p = FMA(p, m, -1.2420140846e-1f);
    p = FMA(p, m, 1.4249322787e-1f);
    p = FMA(p, m, -1.6668057665e-1f);
    p = FMA(p, m, 2.0000714765e-1f);
    p = FMA(p, m, -2.4999993993e-1f);
    p = FMA(p, m, 3.3333331174e-1f);
    float y = p * m * m2;
    y = FMA(n, -2.12194440e-4f, y);
    y = FMA(-0.5f, m2, y);
    return FMA(n, 0.693359375f, m + y);
}

/* log(x) for normal x > 0, x = 2^e (1 + m). */
static inline float log_real(float x) {
    int32_t bits = float_bits(x);
    int32_t e = (bits - 0x3f3504f3) >> 23; /* 0x3f3504f3: sqrt(1/2) */
    return log_parts((float)e, bits_float(bits - (int32_t)((uint32_t)e << 23)) - 1.0f);
}

/* w + 1/2, rounded. From halves: a signed conversion vectorises, an unsigned one does not. */
static inline float float_of_word(uint32_t w) {
    return ((float)(int32_t)(w >> 16) * 65536.0f + (float)(int32_t)(w & 0xffff)) + 0.5f;
}

/* log(u), u = (w + 1/2) / 2^32. Near u = 1, which float cannot tell from its neighbours, from 1 - u, which it can. */
static inline float log_of_word(uint32_t w) {
    float u = float_of_word(w) * 2.3283064365386963e-10f, rest = float_of_word(~w) * 2.3283064365386963e-10f;
    int32_t bits = float_bits(u);
    int32_t e = (bits - 0x3f3504f3) >> 23;
    float m = bits_float(bits - (int32_t)((uint32_t)e << 23)) - 1.0f;
    return log_parts((float)e, e == 0 ? -rest : m);
}

/* log(1 + t) for 0 <= t <= 1, where 1 + t = 2^n (1 + m) is not rounded: m = t, or from sqrt(2) on (t - 1) / 2. */
static inline float log1p_real(float t) {
    float upper = (t - 1.0f) * 0.5f;
    int above = t > 0.41421356f;
    return log_parts(above ? 1.0f : 0.0f, above ? upper : t);
}

/* log(1 + t) for t > -1: the second term gives back what rounding 1 + t lost. */
static inline float log1p_above_minus_one(float t) {
    float u = 1.0f + t;
    float y = log_real(u) + (t - (u - 1.0f)) / u;
    return t > 3.4e38f ? t : y;
}

/* With e = exp(-2|x|) - 1, which lies between -1 and 0: tanh(|x|) = -e / (2 + e). */
static inline float tanh_real(float x) {
    float e = expm1_below_zero(-2.0f * __builtin_fabsf(x));
    return __builtin_copysignf(-e / (2.0f + e), x);
}

/* sin and cos of 2 pi w / 2^32: the quadrant and the rest are exact integers, the rest within pi/4 of zero. Both
   polynomials: Cephes, sinf.c. */
static inline void sincos_turn(uint32_t w, float *sine, float *cosine) {
    uint32_t quadrant = (w + 0x20000000u) >> 30;
    float r = (float)(int32_t)(w - (quadrant << 30)) * 1.46291807926715968e-9f; /* 2 pi / 2^32 */
    float r2 = r * r;
    float s = -1.9515295891e-4f;
    s = FMA(s, r2, 8.3321608736e-3f);
    s = FMA(s, r2, -1.6666654611e-1f);
    s = FMA(s * r2, r, r);
    float c = 2.443315711809948e-5f;
    c = FMA(c, r2, -1.388731625493765e-3f);
    c = FMA(c, r2, 4.166664568298827e-2f);
    c = FMA(c * r2, r2, FMA(-0.5f, r2, 1.0f));
    float a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
    *sine = quadrant & 2 ? -a : a;
    *cosine = (quadrant + 1) & 2 ? -b : b;
}

/* Density and distribution function of the standard normal distribution. The tail beyond t = |x| is pdf(t) times Mills'
   ratio, which is nearly a polynomial in u = 1 / (1 + t / 4). benchmarks/fit_mills_ratio.py fits its coefficients and
   prints the largest relative error of those below over all t: 4.2e-8 as they are written, 6.0e-8 rounded to float. */
typedef struct {
    float pdf, cdf;
} normal_t;

static inline normal_t normal_of(float x) {
    float u = 1.0f / FMA(0.25f, __builtin_fabsf(x), 1.0f);
    float p = 4.966250354e-02f;
    p = FMA(p, u, -2.030668489e-01f);
    p = FMA(p, u, 2.402498799e-01f);
    p = FMA(p, u, -8.012889820e-02f);
    p = FMA(p, u, 1.600387192e-01f);
    p = FMA(p, u, 1.476986291e-01f);
    p = FMA(p, u, 2.045753328e-01f);
    p = FMA(p, u, 2.342824857e-01f);
    p = FMA(p, u, 2.500023032e-01f);
    p = FMA(p, u, 2.499999895e-01f);
    float pdf = 0.39894228f * exp_below_zero(-0.5f * x * x), tail = pdf * (p * u);
    return (normal_t){pdf, x < 0 ? tail : 1.0f - tail};
}

static inline float sqrt_real(float x) { return __builtin_sqrtf(x); }

#else

static inline double exp_real(double x) { return exp(x); }
static inline double exp_below_zero(double x) { return exp(x); }
static inline double expm1_real(double x) { return expm1(x); }
static inline double expm1_below_zero(double x) { return expm1(x); }
static inline double expm1_minus_real(double x) {
    double series = x * x * (0.5 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120))));
    return fabs(x) < 1e-3 ? series : expm1(x) - x;
}
static inline double log_real(double x) { return log(x); }
static inline double log_of_word(uint32_t w) { return log(((double)w + 0.5) * 2.3283064365386963e-10); }
static inline double log1p_real(double t) { return log1p(t); }
static inline double log1p_above_minus_one(double t) { return log1p(t); }
static inline double tanh_real(double x) { return tanh(x); }
typedef struct {
    double pdf, cdf;
} normal_t;
static inline normal_t normal_of(double x) {
    return (normal_t){0.398942280401432677940 * exp(-x * x / 2), erfc(-x * 0.707106781186547524401) / 2};
}
static inline double sqrt_real(double x) { return sqrt(x); }
static inline void sincos_turn(uint32_t w, double *sine, double *cosine) {
    double angle = (double)w * 1.46291807926715968105e-9;
    *sine = sin(angle);
    *cosine = cos(angle);
}

#endif

static inline REAL abs_real(REAL x) { return x < 0 ? -x : x; }
static inline REAL relu_real(REAL x) { return x < 0 ? 0 : x; }

/* log(1 + exp(x)) and 1 / (1 + exp(-x)) by way of exp(-|x|), which cannot overflow. */
static inline REAL softplus_real(REAL x) { return relu_real(x) + log1p_real(exp_below_zero(-abs_real(x))); }

static inline REAL sigmoid_real(REAL x) {
    REAL e = exp_below_zero(-abs_real(x));
    return (x < 0 ? e : (REAL)1) / (1 + e);
}

/* x and, below zero, LEAKY_SLOPE x; sign(x) log(1 + |x|); x and, below zero, exp(x) - 1. */
#define LEAKY_SLOPE ((REAL)0.01)
static inline REAL leaky_relu_real(REAL x) { return x < 0 ? LEAKY_SLOPE * x : x; }
static inline REAL symlog_real(REAL x) {
    REAL y = log1p_above_minus_one(abs_real(x));
    return x < 0 ? -y : y;
}
static inline REAL elu_real(REAL x) { return x < 0 ? expm1_below_zero(x < 0 ? x : 0) : x; }

#endif
