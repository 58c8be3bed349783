/* Vectors of REAL as wide as the registers of the instruction set, and their multiply-add. */
#ifndef PYVAE_VECTOR_H
#define PYVAE_VECTOR_H

#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#if REAL_IS_FLOAT
#define FMA_VECTOR(a, b, c) ((vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define BROADCAST(x) ((vector)_mm512_set1_ps(x))
#else
#define FMA_VECTOR(a, b, c) ((vector)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define BROADCAST(x) ((vector)_mm512_set1_pd(x))
#endif
#elif defined(__FMA__)
#include <immintrin.h>
#define VECTOR_BYTES 32
#if REAL_IS_FLOAT
#define FMA_VECTOR(a, b, c) ((vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define BROADCAST(x) ((vector)_mm256_set1_ps(x))
#else
#define FMA_VECTOR(a, b, c) ((vector)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define BROADCAST(x) ((vector)_mm256_set1_pd(x))
#endif
#else
#define VECTOR_BYTES 16
#define FMA_VECTOR(a, b, c) ((a) * (b) + (c))
#define BROADCAST(x) ((x) - (vector){0}) /* minus zero, not plus: x + 0 would turn -0 into +0 */
#endif

/* Two types on purpose: a local variable of the second, which may alias and is unaligned, would live in memory. */
typedef REAL vector __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL vector_in_memory __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

enum { WIDTH = VECTOR_BYTES / sizeof(REAL) };

#define LOAD(p) (*(const vector_in_memory *)(p))
#define STORE(p, x) (*(vector_in_memory *)(p) = (x))

/* relu_real (vmath.h) of each element. */
typedef __typeof__((vector){0} < 0) bits_of_vector;
#define RELU_VECTOR(x) ((vector)(~((x) < 0) & (bits_of_vector)(x)))

#endif
