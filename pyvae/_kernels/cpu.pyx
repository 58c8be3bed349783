"""The processor: which instruction set the kernels use, and what multiplies bf16 numbers.

Every C file is compiled once for each instruction set (``simd/level.h``). The newest one that the processor and the
operating system have is used, unless PYVAE_MAX_ISA asks for less.
"""

cdef extern from *:
    """
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

    /* What multiplies bf16 numbers: 2 AMX, 1 AVX-512, 0 nothing. Linux gives AMX registers to processes that ask. */
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

if highest_level() < 0:
    raise ImportError("pyvae's native kernels need a processor with SSE4.2; PYVAE_KERNELS=reference runs without them")

LEVELS = tuple(LEVEL_NAMES.decode().split(","))
HIGHEST_LEVEL = LEVELS[highest_level()]
BF16_UNITS = (None, "bf16", "amx")

cdef int level = highest_level()
cdef int bf16 = highest_bf16()


def set_level(str name):
    """Use the code for this instruction set; ValueError where there is none or this machine cannot run it."""
    global level
    if name not in LEVELS or LEVELS.index(name) > highest_level():
        usable = LEVELS[:highest_level() + 1]
        raise ValueError(f"no kernels for instruction set {name!r} here; this machine can run {usable}")
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
    """The unit that multiplies bf16 numbers: "amx", "bf16" (AVX-512), or None."""
    return BF16_UNITS[bf16]
