/* What the machine can do at most, measured in the same run as the kernels: multiply-adds in registers, and a pass over
   the streams of Adam that computes next to nothing. kernels.py compiles this with -march=native. */
#include <stddef.h>

typedef float vector __attribute__((vector_size(64)));

/* Floating-point operations done by `threads` threads that do `steps` rounds of 28 independent multiply-adds each. */
double multiply_adds(ptrdiff_t steps, int threads) {
    double total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
    {
        vector x = {0.999f, 0.998f}, y = {1e-3f, 1e-3f};
#define SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define START(i) vector a##i = y + i;
#define STEP(i) a##i = a##i * x + y;
#define ADD(i) total += 1e-30 * a##i[0];
        SUMS(START)
        for (ptrdiff_t k = 0; k < 2 * steps; k++) {
            SUMS(STEP)
            __asm__ volatile("" ::: "memory");
        }
        SUMS(ADD)
        total += 2.0 * 16 * 28 * steps;
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
