"""The native kernels. Everything else about the package stands in pyproject.toml.

Every extension is one Cython file, which checks arguments, linked with one C file from ``simd/``, whose functions are
tasks: each does one thread's share of a job. The C file is compiled into one copy for each pair of instruction set and
float type; Cython picks the copy to call at run time.

Environment variables:
    PYVAE_NO_NATIVE=1   install the pure-Python twins alone, without a compiler
    PYVAE_NO_OPENMP=1   build as if the compiler had no OpenMP (one thread)
    PYVAE_CHECKED=1     check every index, None and whole-number overflow in Cython, and what C asserts
    PYVAE_SANITIZE=address,undefined   let these sanitizers of the compiler watch; their first report ends the process
"""

import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("pyvae") / "_kernels"
WITH_C = [
    *("products", "zeros", "elementwise", "log_space", "latent", "cholesky", "planar_flow", "components", "couplings"),
    *("likelihood", "count_likelihood", "norm", "random", "optimizer", "minibatch", "classes", "convolution"),
]

# No more than what cpu.pyx asks the processor for: -march=x86-64-v3 would allow half a dozen features besides.
V2 = ["-msse4.2", "-mpopcnt"]
V3 = ["-mavx2", "-mfma", "-mpopcnt"]
V4 = [*V3, "-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]

# Products of numbers rounded to bf16, for set_matmul_precision("medium"): float alone, where the compiler knows them.
BF16 = [*V4, "-mavx512bf16"]
AMX = [*BF16, "-mamx-tile", "-mamx-bf16"]

if platform.machine().lower() in ("x86_64", "amd64"):
    LEVELS = {"v2": V2, "v3": V3, "v4": V4}
    BF16_LEVELS = {"bf16": BF16, "amx": AMX}
else:
    LEVELS = {"generic": []}
    BF16_LEVELS = {}

# They stand behind the user's CFLAGS and undo what would change results or mix the levels' code. The last two allow
# what changes no result: no errno from math functions, no floating-point traps.
C_FLAGS = ["-O3", "-std=gnu11", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"]
C_FLAGS += ["-fno-fast-math", "-fno-lto", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]

# What Cython makes of the checks around a kernel is much code that runs once a call; these alone are in all calls.
CHECKS_FLAGS = ["-Os", "-fno-asynchronous-unwind-tables", "-fvisibility=hidden"]
EVERY_CALL = ("arrays", "tape", "runtime", "products")

# No symbols, and no page of its own for what is read and not run: in twenty small files such padding adds up.
SMALL = ["-Wl,--strip-all", "-Wl,-z,noseparate-code"]

CHECKED = os.environ.get("PYVAE_CHECKED", "0") == "1"
SANITIZERS = os.environ.get("PYVAE_SANITIZE", "")
WATCH = ["-UNDEBUG"] if CHECKED else []
if SANITIZERS:  # with -fwrapv, which Python's own flags contain, no overflow would be reported
    WATCH += [f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-fno-wrapv"]
    WATCH += ["-O1", "-g1", "-fno-omit-frame-pointer"]


def say(message):
    print(f"pyvae: {message}", file=sys.stderr, flush=True)


def openmp_flags(compiler):
    """The flags that make OpenMP work, found by compiling and *running* a program; [] where it does not work."""
    if os.environ.get("PYVAE_NO_OPENMP", "0") == "1":
        say("OpenMP is switched off by PYVAE_NO_OPENMP: the kernels will run on one thread")
        return []
    program = """
        #include <omp.h>
        int main(void) {
            int sum = 0;
            #pragma omp parallel for reduction(+:sum)
            for (int i = 0; i < 100; i++) sum += i;
            return sum == 4950 && omp_get_max_threads() >= 1 ? 0 : 1;
        }"""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text(program)
        try:
            objects = compiler.compile([str(source)], output_dir="/", extra_postargs=["-fopenmp"])
            compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=["-fopenmp"])
            if subprocess.run([str(Path(folder) / "probe")], timeout=60).returncode == 0:
                return ["-fopenmp"]
        except Exception as error:
            say(f"the OpenMP probe failed: {error}")
    say("no working OpenMP with this compiler: the kernels will be built for ONE thread")
    return []


class BuildKernels(build_ext):
    """build_ext that compiles each C file once per instruction set and float type, in parallel."""

    def build_extensions(self):
        import numpy

        self.force = True  # what an earlier build left may have been made with other flags
        openmp = openmp_flags(self.compiler)
        bf16 = {name: flags for name, flags in BF16_LEVELS.items() if self.knows(flags)}
        for extension in self.extensions:
            extension.include_dirs += [numpy.get_include(), str(KERNELS)]
            extension.define_macros += [
                ("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"),
                ("PYVAE_OPENMP", "1" if openmp else "0"),
                *((f"PYVAE_BUILT_{name.upper()}", "1" if name in bf16 else "0") for name in ("bf16", "amx")),
            ]
            quick = ["-O2"] if extension.name.rpartition(".")[2] in EVERY_CALL else []
            extension.extra_compile_args += [*CHECKS_FLAGS, *quick, *openmp, *WATCH]
            extension.extra_link_args += [*openmp, *WATCH] if SANITIZERS else [*openmp, *SMALL]
        jobs = []
        for extension in self.extensions:
            name = extension.name.rpartition(".")[2]
            if name in WITH_C:
                jobs += [
                    (extension, name, level, real, LEVELS[level]) for level in LEVELS for real in ("float", "double")
                ]
            if name == "products":
                jobs += [(extension, name, level, "float", flags) for level, flags in bf16.items()]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for (extension, *_), path in zip(jobs, pool.map(self.compile_copy, jobs), strict=True):
                extension.extra_objects.append(path)
        self.parallel = os.cpu_count()
        super().build_extensions()

    def knows(self, flags):
        """Whether the compiler takes these flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "probe.c"
            source.write_text("#include <immintrin.h>\nint main(void) { return 0; }\n")
            try:
                self.compiler.compile([str(source)], output_dir="/", extra_postargs=flags)
            except Exception:
                say(f"this compiler does not know {' '.join(flags[-2:])}: precision 'medium' will make less of it")
                return False
        return True

    def compile_copy(self, job):
        """The object file of one C file at one level and float type."""
        _, name, level, real, flags = job
        folder = Path(self.build_temp) / f"{level}-{real}"
        macros = [("PYVAE_LEVEL", level), ("REAL", real), ("REAL_IS_FLOAT", "1" if real == "float" else "0")]
        if level in BF16_LEVELS:
            macros += [(f"PYVAE_{level.upper()}", "1")]
        source = str(KERNELS / "simd" / f"{name}.c")
        # Gradients are checked in double, and v2 is for processors before 2013: neither need be quick.
        small = ["-O2"] if real == "double" or level == "v2" else []
        (path,) = self.compiler.compile(
            [source], output_dir=str(folder), macros=macros, extra_postargs=[*C_FLAGS, *small, *flags, *WATCH]
        )
        return path


def native_extensions():
    if os.environ.get("PYVAE_NO_NATIVE", "0") == "1":
        say("PYVAE_NO_NATIVE is set: installing the pure-Python kernels")
        return []
    if sys.platform != "linux":
        say(f"native kernels are supported on Linux only, not on {sys.platform}: installing the pure-Python kernels")
        return []
    from Cython.Build import cythonize

    names = ["cpu", "runtime", "tape", "arrays", *WITH_C]
    extensions = [Extension(f"pyvae._kernels.{name}", [str(KERNELS / f"{name}.pyx")]) for name in names]
    directives = {"language_level": 3, "wraparound": False}
    directives |= dict.fromkeys(["boundscheck", "initializedcheck", "nonecheck", "overflowcheck"], CHECKED)
    return cythonize(extensions, compiler_directives=directives)


setup(ext_modules=native_extensions(), cmdclass={"build_ext": BuildKernels})
