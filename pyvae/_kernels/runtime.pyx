"""Settings of the kernels: how many threads they use, and how exactly products are computed.

The main thread sets them for the process, another Python thread for itself alone.
"""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #endif
    static __thread int own_threads, own_precision; /* what this Python thread set for itself; 0: nothing */
    static __thread int most_threads; /* of this thread's kernels; 0: no limit */

    /* OpenMP's own limit for the calling thread, which threadpoolctl, joblib and others lower; 0: nobody did. */
    #ifdef _OPENMP
    static int openmp_at_start;
    static void remember_openmp(void) { openmp_at_start = omp_get_max_threads(); }
    static int openmp_limit(void) { int n = omp_get_max_threads(); return n < openmp_at_start ? n : 0; }
    #else
    static void remember_openmp(void) {}
    static int openmp_limit(void) { return 0; }
    #endif

    /* The number of threads at work for all Python threads together. Each of these has its own team in libgomp: eight
       that call kernels at once on 64 processors would run 512 threads. One that finds the others busy works alone. */
    static int at_work;
    static int begin_work(int wanted, int all) {
        int before = __atomic_load_n(&at_work, __ATOMIC_RELAXED), n;
        do {
            n = wanted < all - before ? wanted : all - before;
            n = n > 1 ? n : 1;
        } while (!__atomic_compare_exchange_n(&at_work, &before, before + n, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        return n;
    }
    static void end_work(int n) { __atomic_sub_fetch(&at_work, n, __ATOMIC_RELAXED); }
    """
    int own_threads, own_precision, most_threads
    void remember_openmp()
    int openmp_limit() noexcept nogil
    int begin_work_c "begin_work"(int wanted, int all) noexcept nogil
    void end_work_c "end_work"(int n) noexcept nogil
    bint PYVAE_OPENMP

remember_openmp()

HAS_OPENMP = bool(PYVAE_OPENMP)

# Waking the other threads takes a few microseconds: one thread does all work below this, in sixteen multiply-adds.
cdef double SERIAL_WORK = 32768

cdef int num_threads = 1  # of the process
cdef bint forked = False
cdef int precision = 0  # of the process


def set_num_threads(int n, bint own=False):
    """Set the number for the process or, with own, for the calling Python thread alone, where 0 is the process's."""
    global num_threads, own_threads
    if own:
        own_threads = n
    else:
        num_threads, own_threads = n, 0


def get_num_threads(bint own=False):
    """The number for kernels called here; own: the one that the calling Python thread set for itself, 0 for none."""
    return own_threads if own else all_threads()


def stay_serial():
    """Use one thread from now on, whatever is set: a forked child would wait for libgomp's threads for ever."""
    global forked
    forked = True


cdef int all_threads() noexcept nogil:
    return 1 if forked or not PYVAE_OPENMP else own_threads if own_threads > 0 else num_threads


def set_precision(int number, bint own=False):
    """Set 0, 1 or 2 for the process or, with own, for the calling Python thread alone, where -1 is the process's."""
    global precision, own_precision
    if own:
        own_precision = number + 1
    else:
        precision, own_precision = number, 0


def get_precision(bint own=False):
    """The precision of products called here; own: what the calling Python thread set for itself, -1 for none."""
    return own_precision - 1 if own else matmul_precision()


cdef int matmul_precision() noexcept nogil:
    return own_precision - 1 if own_precision > 0 else precision


def limit_threads(int n):
    """At most n threads for the kernels that this Python thread calls; 0 lifts the limit."""
    global most_threads
    most_threads = n


cdef int begin_work(int wanted) noexcept nogil:
    """The number of threads to work with; pass the same number to ``end_work``."""
    return begin_work_c(wanted, all_threads())


cdef void end_work(int n) noexcept nogil:
    end_work_c(n)


cdef int threads_for(double work) noexcept nogil:
    """The number of threads for so much work, in sixteen multiply-adds."""
    if work < SERIAL_WORK:
        return 1
    cdef int n = all_threads(), allowed = openmp_limit()
    if 0 < most_threads < n:
        n = most_threads
    return allowed if 0 < allowed < n else n
