/* Flush-to-zero and denormals-are-zero, on while a task runs and restored after it.

   Moments of dead units decay into subnormal numbers, on which one multiplication takes over a hundred cycles: without
   this an Adam pass becomes five times slower. The state belongs to a thread: so every task (job.h), in whichever
   thread it runs, switches it on and puts back what it found. */
#ifndef PYVAE_FPSTATE_H
#define PYVAE_FPSTATE_H

#if defined(__x86_64__)
#include <xmmintrin.h>
typedef unsigned int fpstate_t;
static inline fpstate_t flush_subnormals(void) {
    fpstate_t saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040u); /* bit 15: flush results to zero; bit 6: read subnormals as zero */
    return saved;
}
static inline void restore_fpstate(fpstate_t saved) { _mm_setcsr(saved); }
#elif defined(__aarch64__)
#include <stdint.h>
typedef uint64_t fpstate_t;
static inline fpstate_t flush_subnormals(void) {
    fpstate_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | (1ull << 24)) : "memory");
    return saved;
}
static inline void restore_fpstate(fpstate_t saved) { __asm__ volatile("msr fpcr, %0" : : "r"(saved) : "memory"); }
#else
typedef int fpstate_t;
static inline fpstate_t flush_subnormals(void) { return 0; }
static inline void restore_fpstate(fpstate_t saved) { (void)saved; }
#endif

#endif
