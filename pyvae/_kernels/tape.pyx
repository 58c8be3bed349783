"""Jobs: the running of kernel calls, and the Tape that records calls to make them again.

A kernel call is a job, a C struct with everything that it reads and writes, and a task, the C function that does a
thread's share of it (``simd/job.h``). ``run`` does a job, and appends it to the tape that is being recorded.
``Tape.play`` does all jobs of a tape with one team of threads. Only these two start threads.
"""
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cython.parallel cimport prange
from libc.string cimport memcmp, memcpy
from pyvae._kernels.runtime cimport begin_work, end_work, threads_for

from contextlib import contextmanager

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
    /* A barrier between jobs: threads wait by spinning for some microseconds, then by letting others run. libgomp's own
       barrier wakes sleepers with a system call every time, which takes as long as a small job. */
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


# Waking a thread for less work than this, in sixteen multiply-adds, does not pay even where it is awake.
cdef double SMALLEST_SHARE = 4096


cdef Tape recording():
    return get_recording()


cdef class Tape:
    """A record of the kernel calls of this thread inside ``with tape:``; ``play()`` makes them again, all at once.

    The calls read and write the arrays that they were given, with their present content. ``playable`` is False if a
    call cannot be repeated in this way: it drew random numbers, or worked on a copy of an array.
    """

    cdef taped_t *jobs
    cdef Py_ssize_t count, room
    cdef list arrays
    cdef dict made  # of arrays: see keep_on_tape
    cdef double work
    cdef public bint playable
    cdef char *begin  # of the arena that a job on the tape clears
    cdef cnp.int64_t *extents
    cdef Py_ssize_t tensors, itemsize

    def __cinit__(self):
        self.arrays, self.made, self.playable = [], {}, True

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

    @contextmanager
    def paused(self):
        """``with tape.paused():`` leaves the calls inside the block unrecorded."""
        set_recording(NULL)
        try:
            yield
        finally:
            set_recording(<PyObject *>self)

    def play(self):
        """Make all calls again. Raises RuntimeError where one of them cannot be repeated."""
        if not self.playable:
            raise RuntimeError("this tape cannot be played: a call on it depends on more than its arrays hold")
        cdef int n = threads_for(self.work)
        with nogil:
            if n > 1:
                n = begin_work(n)
                play_jobs(self.jobs, self.count, n, SMALLEST_SHARE)
                end_work(n)
            else:
                play_jobs(self.jobs, self.count, 1, SMALLEST_SHARE)


cdef int run(task_t task, const void *job, size_t size, double work, tuple arrays) except -1:
    """Do a job, whose struct has this size. work: in sixteen multiply-adds; arrays: those that it uses."""
    cdef Py_ssize_t t
    cdef int n = threads_for(work)
    cdef Tape tape = recording()
    if tape is not None:
        tape.append(task, job, size, work, arrays)
    with nogil:
        if n == 1:
            task(job, 0, 1)
        else:
            n = begin_work(n)
            for t in prange(n, num_threads=n, schedule="static"):
                task(job, t, n)
            end_work(n)
    return 0


cdef int not_repeatable() except -1:
    """Mark the tape that is being recorded as unplayable: a kernel depends on more than its arrays hold."""
    cdef Tape tape = recording()
    if tape is not None:
        tape.playable = False
    return 0


# Rewriting. A recorded job may make an earlier one needless, which the tape then leaves out when it is played, or an
# earlier one it. Three rules:
#
#   1. A gradient that was only cleared so far is overwritten instead of added to, and is no longer cleared.
#   2. The backward pass of a likelihood does its forward pass too, if that is the job before it.
#   3. What was made of an array, such as its mask, is not made again until a kernel writes the array.


cdef int cleared_on_tape(char *begin, cnp.int64_t *extents, Py_ssize_t tensors, Py_ssize_t itemsize) except -1:
    """Tell the tape that is being recorded which tensors a job clears: their extents are the job's own."""
    cdef Tape tape = recording()
    if tape is not None:
        tape.begin, tape.extents, tape.tensors, tape.itemsize = begin, extents, tensors, itemsize
    return 0


cdef bint take_cleared(const void *begin, Py_ssize_t size) except -1:
    """True if a whole tensor of this many bytes has only been cleared so far. The caller will overwrite it instead of
    adding to zeros, so the tape no longer clears it when it is played."""
    cdef Tape tape = recording()
    cdef Py_ssize_t i
    if tape is not None:
        for i in range(tape.tensors):
            if (tape.begin + tape.extents[2 * i] * tape.itemsize == <const char *>begin
                    and (tape.extents[2 * i + 1] - tape.extents[2 * i]) * tape.itemsize == size > 0):
                tape.extents[2 * i] = tape.extents[2 * i + 1]
                return True
    return False


cdef const void *same_inputs_on_tape(task_t task, const void *job, size_t size) noexcept:
    """The last job on the tape that is being recorded, if this task does it and its first ``size`` bytes, which are its
    inputs, are those of ``job``; else NULL."""
    cdef Tape tape = recording()
    if tape is None or tape.count == 0 or tape.jobs[tape.count - 1].task != task:
        return NULL
    cdef const void *last = tape.jobs[tape.count - 1].job
    return last if memcmp(last, job, size) == 0 else NULL


cdef int take_last_off_tape() except -1:
    cdef Tape tape = recording()
    tape.count -= 1
    tape.work -= tape.jobs[tape.count].work
    PyMem_Free(tape.jobs[tape.count].job)  # the tape still holds its arrays
    return 0


cdef object kept_on_tape(cnp.ndarray array):
    """What ``keep_on_tape`` keeps of an array of this type, place, shape and stride on the tape that is being recorded;
    None where there is nothing."""
    cdef Tape tape = recording()
    return None if tape is None else tape.made.get(place_of(array), (None, None, None))[2]


cdef int keep_on_tape(cnp.ndarray array, const char *low, const char *high, object made) except -1:
    """Keep what the jobs on the tape that is being recorded make of an array, which lies from low to before high, until
    a kernel writes there."""
    cdef Tape tape = recording()
    if tape is not None:
        tape.made[place_of(array)] = <size_t>low, <size_t>high, made
    return 0


cdef tuple place_of(cnp.ndarray array):
    return cnp.PyArray_TYPE(array), <size_t>cnp.PyArray_DATA(array), array.shape[0], array.shape[1], array.strides[0]


cdef int written(const char *low, const char *high) except -1:
    """Tell the tape that is being recorded that a kernel writes from low to before high."""
    cdef Tape tape = recording()
    cdef size_t begin, end
    if tape is not None and tape.made:
        for place, (begin, end, _) in list(tape.made.items()):
            if begin < <size_t>high and <size_t>low < end:
                del tape.made[place]
    return 0
