/* What the machine can do at most, measured in the same run as the kernels: multiply-adds in registers, and a pass over
   the streams of Adam that computes next to nothing. kernels.py compiles this with -march=native. */
#include <stddef.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float vector __attribute__((vector_size(BYTES)));

/* So many multiply-adds, shared out to `threads` threads, in 14 chains that do not wait for each other. */
double multiply_adds(ptrdiff_t count, int threads) {
    ptrdiff_t steps = count / (14 * (ptrdiff_t)(BYTES / sizeof(float)) * threads);
    double total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
    {
        vector x = {0.999f, 0.998f}, y = {1e-3f, 1e-3f};
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define START(i) vector a##i = y + i;
#define STEP(i) a##i = a##i * x + y;
#define ADD(i) total += 1e-30 * a##i[0];
        SUMS(START)
        for (ptrdiff_t k = 0; k < steps; k++) {
            SUMS(STEP)
            __asm__ volatile("" ::: "memory");
        }
        SUMS(ADD)
    }
    return total;
}

/* Four streams read and three written, as Adam does, each thread its own stretch. */
void streams(ptrdiff_t n, float *restrict values, const float *restrict grads, float *restrict m, float *restrict v,
             int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t i = 0; i < n; i++) {
        m[i] += grads[i];
        v[i] += grads[i];
        values[i] += grads[i];
    }
}
