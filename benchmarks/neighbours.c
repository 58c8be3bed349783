/* How long a message takes from one processor to another, in nanoseconds: two threads, each on a processor of its own, add
   1 to a number in turn. Takes the numbers of two processors; prints the least mean of 2,000 messages out of ten. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEATS = 10, MESSAGES = 2000 };

static _Alignas(128) uint32_t number;
static int processors[2];
static double best = 1e18;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* The even numbers become odd here, or the odd ones even. */
static void *play(void *odd) {
    uint32_t n = odd != NULL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processors[n], &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        const double start = now();
        for (int message = 0; message < MESSAGES; message += 2, n += 2) {
            while (__atomic_load_n(&number, __ATOMIC_ACQUIRE) != n) {
            }
            __atomic_store_n(&number, n + 1, __ATOMIC_RELEASE);
        }
        const double taken = (now() - start) / MESSAGES;
        if (!odd && taken < best) best = taken;
    }
    return NULL;
}

int main(int count, char **words) {
    pthread_t other;
    if (count != 3) return 2;
    processors[0] = atoi(words[1]), processors[1] = atoi(words[2]);
    if (pthread_create(&other, NULL, play, &number)) return 1;
    play(NULL);
    pthread_join(other, NULL);
    printf("%.1f\n", best);
    return 0;
}
