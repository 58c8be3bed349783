/* Jobs: what a kernel call asks for, as one struct, and the task that does it. Every thread of a team runs the task and
   does its own share. What is added
   to what, and in which order, does not depend on the number of threads. So neither does a result. */
#ifndef PYVAE_JOB_H
#define PYVAE_JOB_H

#include <stddef.h>

typedef void task_t(const void *job, ptrdiff_t thread, ptrdiff_t threads);

/* The first of `count` rows that is a thread's. Its share ends where that of the next thread begins. */
static inline ptrdiff_t share(ptrdiff_t count, ptrdiff_t thread, ptrdiff_t threads) { return count * thread / threads; }

/* The loop over a thread's share of the rows of a job. */
#define FOR_MY_ROWS(i, rows)                                                                                           \
    for (ptrdiff_t i = share(rows, thread, threads), end_ = share(rows, thread + 1, threads); i < end_; i++)

#endif
