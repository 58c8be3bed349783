"""What every kernel module shares: how jobs are run, on how many threads and with which instruction set.

A kernel call is a job, a C struct with everything that it reads and writes, and a task, the C function that does a
thread's share of it (``simd/job.h``). ``run`` is the only place where threads are started. ``Tape`` remembers jobs.
"""
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cython.parallel cimport prange
from libc.string cimport memcpy

cdef extern from "Python.h":
    ctypedef struct PyObject:
        pass

cdef extern from *:
    """
    #include <stddef.h>
    #ifdef _OPENMP
    #include <omp.h>
    #include <sched.h>
    #endif
    typedef void task_of_a_job(const void *job, ptrdiff_t thread, ptrdiff_t threads);
    #if defined(__x86_64__)
    /* The feature bits of the processor *and* of the operating system, which must save the wide registers. */
    static int highest_level(void) {
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt"))
            return -1;
        if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
            return 0;
        if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
            !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
            !__builtin_cpu_supports("avx512vl"))
            return 1;
        return 2;
    }
    #else
    static int highest_level(void) { return 0; }
    #endif

    /* What multiplies bf16 numbers: 2 AMX, 1 AVX-512, 0 nothing. The system lends the AMX registers to those who ask. */
    #if defined(__x86_64__) && defined(__linux__)
    #include <cpuid.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    static int highest_bf16(void) {
        unsigned a, b, c, d, saved, high;
        if (highest_level() < 2 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & 1u << 5)) return 0;
        if (!PYVAE_BUILT_AMX || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24))
            return PYVAE_BUILT_BF16;
        __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
        if ((saved & 3u << 17) != 3u << 17) return PYVAE_BUILT_BF16;
        return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18) == 0 ? 2 : PYVAE_BUILT_BF16;
    }
    #else
    static int highest_bf16(void) { return 0; }
    #endif
    #if defined(__x86_64__)
    #define LEVEL_NAMES "v2,v3,v4"
    #else
    #define LEVEL_NAMES "generic"
    #endif
    """
    int highest_level()
    int highest_bf16()
    const char *LEVEL_NAMES
    bint PYVAE_OPENMP

if highest_level() < 0:
    raise ImportError("pyvae's native kernels need a processor with SSE4.2; PYVAE_KERNELS=reference runs without them")

HAS_OPENMP = bool(PYVAE_OPENMP)
LEVELS = tuple(LEVEL_NAMES.decode().split(","))
HIGHEST_LEVEL = LEVELS[highest_level()]
BF16_UNITS = (None, "bf16", "amx")
PRECISIONS = ("highest", "high", "medium")

# Waking the other threads takes a few microseconds: below so much work, in sixteen multiply-adds, one does it all.
cdef double SERIAL_WORK = 32768
cdef double SMALLEST_SHARE = 4096  # on a tape, where the threads are awake

cdef extern from *:
    """
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

    /* How many threads are at work for all Python threads together. Each of these has a team of its own in libgomp: eight
       that call kernels at once on 64 processors would run 512 threads. Whoever finds the others busy works alone. */
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
    int begin_work(int wanted, int all) noexcept nogil
    void end_work(int n) noexcept nogil

remember_openmp()

cdef int num_threads = 1  # of the process
cdef bint forked = False
cdef int level = highest_level()
cdef int bf16 = highest_bf16()
cdef int precision = 0  # of the process


def set_num_threads(int n, bint own=False):
    """For the process, or for the calling Python thread alone, where 0 is what the process has."""
    global num_threads, own_threads
    if own:
        own_threads = n
    else:
        num_threads, own_threads = n, 0


def get_num_threads(bint own=False):
    """What kernels called here use; own: what the calling Python thread set for itself, 0 for nothing."""
    return own_threads if own else all_threads()


def stay_serial():
    """One thread from now on, whatever is asked for: in a forked child, which would wait for libgomp's for ever."""
    global forked
    forked = True


cdef int all_threads() noexcept nogil:
    return 1 if forked or not PYVAE_OPENMP else own_threads if own_threads > 0 else num_threads


def set_level(str name):
    """Use the code for this instruction set; ValueError where there is none or this machine cannot run it."""
    global level
    if name not in LEVELS or LEVELS.index(name) > highest_level():
        raise ValueError(f"no kernels for instruction set {name!r} here; this machine can run {LEVELS[:highest_level() + 1]}")
    level = LEVELS.index(name)


def get_level():
    return LEVELS[level]


def set_bf16(unit):
    """Multiply bf16 numbers with this unit, one of BF16_UNITS; ValueError where this machine does not have it."""
    global bf16
    if BF16_UNITS.index(unit) > highest_bf16():
        raise ValueError(f"this machine has no {unit}")
    bf16 = BF16_UNITS.index(unit)


def get_bf16():
    """What multiplies bf16 numbers: "amx", "bf16" (AVX-512), or None."""
    return BF16_UNITS[bf16]


def set_precision(str name, bint own=False):
    """For the process, or for the calling Python thread alone, where None is what the process has."""
    global precision, own_precision
    if own:
        own_precision = 0 if name is None else 1 + PRECISIONS.index(name)
    else:
        precision, own_precision = PRECISIONS.index(name), 0


def get_precision(bint own=False):
    """What products called here use; own: what the calling Python thread set for itself, None for nothing."""
    return None if own and own_precision == 0 else PRECISIONS[matmul_precision()]


cdef int matmul_precision() noexcept nogil:
    return own_precision - 1 if own_precision > 0 else precision


def limit_threads(int n):
    """At most n threads for the kernels that this Python thread calls; 0 lifts the limit."""
    global most_threads
    most_threads = n


cdef int threads_for(double work) noexcept nogil:
    if work < SERIAL_WORK:
        return 1
    cdef int n = all_threads(), allowed = openmp_limit()
    if 0 < most_threads < n:
        n = most_threads
    return allowed if 0 < allowed < n else n


cdef int run(task_t task, const void *job, size_t size, double work, tuple arrays) except -1:
    """Do a job, whose struct has this size. work: in sixteen multiply-adds; arrays: what it uses."""
    cdef Py_ssize_t t
    cdef int n = threads_for(work)
    cdef Tape tape = recording()
    if tape is not None:
        tape.append(task, job, size, work, arrays)
    with nogil:
        if n == 1:
            task(job, 0, 1)
        else:
            n = begin_work(n, all_threads())
            for t in prange(n, num_threads=n, schedule="static"):
                task(job, t, n)
            end_work(n)
    return 0


cdef int not_repeatable() except -1:
    """Called where a kernel depends on more than its arrays hold: what is being recorded cannot be played."""
    cdef Tape tape = recording()
    if tape is not None:
        tape.playable = False
    return 0


cdef int cleared_on_tape(char *begin, cnp.int64_t *extents, Py_ssize_t tensors, Py_ssize_t itemsize) except -1:
    """Tell the tape that is being recorded which tensors a job clears: their extents are the job's own."""
    cdef Tape tape = recording()
    if tape is not None:
        tape.begin, tape.extents, tape.tensors, tape.itemsize = begin, extents, tensors, itemsize
    return 0


cdef bint take_cleared(const void *begin, Py_ssize_t size) except -1:
    """Whether a whole tensor of this many bytes has only been cleared so far: who asks will overwrite it instead of adding
    to zeros, and so it is not cleared any more when the tape is played."""
    cdef Tape tape = recording()
    cdef Py_ssize_t i
    if tape is not None:
        for i in range(tape.tensors):
            if (tape.begin + tape.extents[2 * i] * tape.itemsize == <const char *>begin
                    and (tape.extents[2 * i + 1] - tape.extents[2 * i]) * tape.itemsize == size > 0):
                tape.extents[2 * i] = tape.extents[2 * i + 1]
                return True
    return False


cdef const void *last_on_tape(task_t task) noexcept:
    """The last job on the tape that is being recorded, where this task does it; else NULL."""
    cdef Tape tape = recording()
    if tape is None or tape.count == 0 or tape.jobs[tape.count - 1].task != task:
        return NULL
    return tape.jobs[tape.count - 1].job


cdef int take_last_off_tape() except -1:
    cdef Tape tape = recording()
    tape.count -= 1
    tape.work -= tape.jobs[tape.count].work
    PyMem_Free(tape.jobs[tape.count].job)  # the tape still holds its arrays
    return 0


cdef extern from *:
    """
    static __thread PyObject *recording_tape; /* borrowed from the Tape's __enter__ */
    static void set_recording(PyObject *tape) { recording_tape = tape; }
    static PyObject *get_recording(void) {
        PyObject *tape = recording_tape ? recording_tape : Py_None;
        Py_INCREF(tape);
        return tape;
    }

    typedef struct {
        task_of_a_job *task;
        void *job;
        double work;
    } taped_t;

    #ifdef _OPENMP
    /* Where threads wait for each other between jobs: by spinning for some microseconds, then by letting others run. libgomp's
       own barrier wakes sleepers with a system call every time, which takes as long as a small job. */
    typedef struct {
        int arrived, phase;
    } meeting_t;

    static void meet(meeting_t *meeting, int team) {
        int phase = __atomic_load_n(&meeting->phase, __ATOMIC_RELAXED);
        if (__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_ACQ_REL) == team) {
            __atomic_store_n(&meeting->arrived, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&meeting->phase, phase + 1, __ATOMIC_RELEASE);
            return;
        }
        for (int spins = 0; __atomic_load_n(&meeting->phase, __ATOMIC_ACQUIRE) == phase; spins++) {
            if (spins > 1000) sched_yield();
    #if defined(__x86_64__)
            else __builtin_ia32_pause();
    #endif
        }
    }
    #endif

    /* One team of threads for all of the jobs, in their order. A job too small to be worth sharing is one thread's. */
    static void play_jobs(const taped_t *jobs, ptrdiff_t count, int threads, double smallest) {
    #ifdef _OPENMP
        if (threads > 1) {
            meeting_t meeting = {0, 0};
    #pragma omp parallel num_threads(threads)
            {
                int thread = omp_get_thread_num(), team = omp_get_num_threads();
                for (ptrdiff_t i = 0; i < count; i++) {
                    int alone = jobs[i].work < smallest;
                    if (!alone) jobs[i].task(jobs[i].job, thread, team);
                    else if (thread == 0) jobs[i].task(jobs[i].job, 0, 1);
                    if (i + 1 < count && (!alone || jobs[i + 1].work >= smallest)) meet(&meeting, team);
                }
            }
            return;
        }
    #endif
        (void)threads, (void)smallest;
        for (ptrdiff_t i = 0; i < count; i++) jobs[i].task(jobs[i].job, 0, 1);
    }
    """
    void set_recording(PyObject *tape)
    object get_recording()
    ctypedef struct taped_t:
        task_t task
        void *job
        double work
    void play_jobs(const taped_t *jobs, Py_ssize_t count, int threads, double smallest) nogil


cdef Tape recording():
    return get_recording()


cdef class Tape:
    """The kernel calls of this thread inside ``with tape:``, to be made again, at once, by ``play()``.

    What they read and write is the arrays that they were given, as these are at the time. ``playable`` is False where
    one of them cannot be repeated so: it drew random numbers, or worked on a copy of an array.
    """

    cdef taped_t *jobs
    cdef Py_ssize_t count, room
    cdef list arrays
    cdef double work
    cdef public bint playable
    cdef char *begin  # of the arena that a job on the tape clears
    cdef cnp.int64_t *extents
    cdef Py_ssize_t tensors, itemsize

    def __cinit__(self):
        self.arrays, self.playable = [], True

    def __dealloc__(self):
        for i in range(self.count):
            PyMem_Free(self.jobs[i].job)
        PyMem_Free(self.jobs)

    def __len__(self):
        return self.count

    def __enter__(self):
        if recording() is not None:
            raise RuntimeError("a tape is being recorded in this thread already")
        set_recording(<PyObject *>self)
        return self

    def __exit__(self, exception, value, traceback):
        set_recording(NULL)
        if exception is not None:
            self.playable = False

    cdef int append(self, task_t task, const void *job, size_t size, double work, tuple arrays) except -1:
        cdef taped_t *jobs
        if self.count == self.room:
            jobs = <taped_t *>PyMem_Realloc(self.jobs, (2 * self.room + 16) * sizeof(taped_t))
            if jobs == NULL:
                raise MemoryError
            self.jobs, self.room = jobs, 2 * self.room + 16
        cdef void *copy = PyMem_Malloc(size)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, job, size)
        self.jobs[self.count].task, self.jobs[self.count].job, self.jobs[self.count].work = task, copy, work
        self.count += 1
        self.work += work
        self.arrays.append(arrays)
        return 0

    def play(self):
        """Make all the calls again. Raises RuntimeError where they cannot be."""
        if not self.playable:
            raise RuntimeError("this tape cannot be played: a call on it depends on more than its arrays hold")
        cdef int n = threads_for(self.work)
        with nogil:
            if n > 1:
                n = begin_work(n, all_threads())
                play_jobs(self.jobs, self.count, n, SMALLEST_SHARE)
                end_work(n)
            else:
                play_jobs(self.jobs, self.count, 1, SMALLEST_SHARE)
