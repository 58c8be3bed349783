"""Are the tests of gradients any good? This script makes wrong gradients and counts how many the tests notice.

    python tests/mutation/mutate.py [--python] [--native] [--jobs 2] [--all-tests] [--only TEXT] [--list]

Every mutant is a copy of the package with one change in code that computes gradients: in the Python files (see
``mutants_python.py``) or in the native kernels (``mutants_native.py``), where the change is compiled in. On each copy
run the gradient checks, the outside witness and the tests of models and likelihoods; a mutant is caught when one of
them fails. One whose tests do not end in time is told apart, and not counted as caught. Twins run with
PYVAE_KERNELS=reference, everything else through the native kernels. Exit status 1 when less than 95% are caught.

It takes about half an hour on two processors. The native part needs a compiler, and what setup.py imports.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mutants_native import CHANGES
from mutants_python import TWIN_FILES, python_mutants

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "pyvae"
TESTS = [  # one after the other, the quick ones first
    ["tests/test_witness.py", "tests/test_gradients.py", "tests/kernels/test_tasks.py"],
    [
        "tests/likelihoods/test_likelihoods.py",
        "tests/models/test_vae.py",
        "tests/training/test_step.py",
        "tests/training/test_paces.py",
        "tests/data/test_batches.py",
        "tests/kernels/test_zeros.py",
        "tests/objectives",
        "tests/latent/test_priors.py",
        "tests/models/test_conditional.py",
        "tests/models/test_semi_supervised.py",
        "tests/models/test_two_layers.py",
    ],
]
SECONDS = 300  # the tests of a mutant have, several times what they take on a machine with nothing else to do
ENOUGH = 95  # per cent
IN_EXTENSION = {  # of headers
    "vmath": "elementwise", "activate": "elementwise", "micro": "products", "pack": "products", "transpose": "products",
    "job": "latent", "gamma": "count_likelihood", "lanes": "products", "observation": "likelihood",
}  # fmt: skip


class Job(NamedTuple):
    """One mutant."""

    file: str  # relative to the package
    line: int
    change: str
    text: str  # the whole file's
    kernels: str  # PYVAE_KERNELS
    extension: str | None  # to be built again


class Result(NamedTuple):
    caught: bool
    how: str  # the failed test and the exception's name, or why it is not caught


def python_jobs():
    for mutant in python_mutants(PACKAGE):
        kernels = "reference" if mutant.file in TWIN_FILES else "native"
        yield Job(mutant.file, mutant.line, mutant.change, mutant.text, kernels, None)


def native_jobs():
    for change in CHANGES:
        text = (PACKAGE / "_kernels" / change.file).read_text()
        if text.count(change.old) != 1 or change.old == change.new:
            raise SystemExit(f"{change.file} must hold exactly once what is to be changed:\n{change.old}")
        name = Path(change.file).stem
        start = text.index(change.old)
        line = text.count("\n", 0, start) + 1
        extension = IN_EXTENSION.get(name, name)
        changed = text.replace(change.old, change.new)
        yield Job(f"_kernels/{change.file}", line, change.what, changed, "native", extension)


class Copy:
    """A copy of the package and its tests in a folder of its own, in which one mutant after the other is tried."""

    def __init__(self, folder, source=REPOSITORY):
        self.folder = folder
        ignore = shutil.ignore_patterns("__pycache__")
        for name in ("pyvae", "tests"):
            shutil.copytree(source / name, folder / name, ignore=ignore)
        for name in ("pyproject.toml", "setup.py", "pyvae_command.py", "README.md", "LICENSE"):
            shutil.copy2(source / name, folder)

    def try_mutant(self, job, tests):
        """Apply it, build what has to be built, run the tests and put everything back."""
        path = self.folder / "pyvae" / job.file
        original = path.read_text()
        path.write_text(job.text)
        libraries = list((self.folder / "pyvae" / "_kernels").glob(f"{job.extension}.*.so"))
        kept = {library: library.read_bytes() for library in libraries}
        try:
            if job.extension is not None:
                self.build([job.extension])
            return self.run(tests, job.kernels)
        finally:
            path.write_text(original)
            for library, content in kept.items():
                library.write_bytes(content)

    def build(self, extensions):
        """Compile these extensions in place, from the sources as they stand."""
        setup = (self.folder / "setup.py").read_text()
        those_with_c, everything = (
            re.search(r"^WITH_C = \[.*?^\]$", setup, re.MULTILINE | re.DOTALL)[0],
            '["cpu", "runtime", "tape", "arrays", *WITH_C]',
        )
        if everything not in setup:
            raise SystemExit("setup.py does not list the extensions where this script looks for them")
        with_c = [name for name in extensions if name not in ("cpu", "runtime", "tape", "arrays")]
        setup = setup.replace(those_with_c, f"WITH_C = {with_c}").replace(everything, str(extensions))
        (self.folder / "setup_some.py").write_text(setup)
        shutil.rmtree(self.folder / "build", ignore_errors=True)
        command = [sys.executable, "setup_some.py", "-q", "build_ext", "--inplace"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"a build failed:\n{done.stdout}{done.stderr}")

    def run(self, tests, kernels):
        """Run the tests on this copy; what fails first is what caught the mutant."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYVAE_")}
        environment |= {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",  # or a change within the same second would run the old bytecode
            "PYVAE_KERNELS": kernels,
            "OMP_NUM_THREADS": "1",
            "MALLOC_PERTURB_": "165",  # new memory holds no zeros and no results of before
            "COLUMNS": "200",
        }
        end = time.monotonic() + SECONDS
        for files in tests:
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
            try:
                done = subprocess.run(
                    command, cwd=self.folder, env=environment, capture_output=True, text=True,
                    timeout=end - time.monotonic(),
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return Result(False, "no end in time")
            if done.returncode != 0:
                line = r"^(?:FAILED|ERROR) tests/(?:\w+/)*(\w+)\.py\S*(?: - (?:\w+\.)*(\w+))?"
                failed = re.search(line, done.stdout, re.MULTILINE)
                return Result(True, f"{failed[1]}: {failed[2]}" if failed else "crash")
        return Result(False, "passed")

    def check_that_it_is_used(self):
        """The tests must see this copy and not another installation."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", "import pyvae; print(pyvae.__file__)"]
        found = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True)
        if Path(found.stdout.strip()).parent != self.folder / "pyvae":
            raise SystemExit(f"the tests would run {found.stdout.strip()}, not the copy in {self.folder}")


def report_line(job, result):
    """At most 79 columns; what became of what is shortened on both sides of the arrow."""
    start = f"{verdict(result):8} {f'{Path(job.file).name}:{job.line}':21} "
    room = 79 - len(start)
    old, arrow, new = " ".join(job.change.split()).partition(" -> ")
    if len(old + arrow + new) > room and arrow:
        half = (room - len(arrow)) // 2
        kept = max(half, room - len(arrow) - len(new))
        old = shorten(old, kept)
        new = shorten(new, room - len(arrow) - len(old))
    return start + shorten(old + arrow + new, room)


def verdict(result):
    return "caught" if result.caught else "SURVIVED" if result.how == "passed" else "NO END"


def shorten(text, width):
    return text if len(text) <= width else text[: width - 3] + "..."


def summary(jobs, results):
    """Per file, in total, by what, and the survivors in full; returns the percentage."""
    print("\nfile                           mutants  caught")
    made = Counter(job.file for job in jobs)
    caught = Counter(job.file for job, result in zip(jobs, results, strict=True) if result.caught)
    for file in made:
        print(f"{file:30} {made[file]:7} {caught[file]:7}")
    total, number = len(jobs), sum(caught.values())
    percentage = 100 * number / total
    print(f"{'all':30} {total:7} {number:7}   {percentage:.1f}%")
    by = Counter(result.how for result in results if result.caught)
    numbers = sum(n for how, n in by.items() if re.search("AssertionError|GradientError|assert|Failed", how))
    print(f"\nnoticed by a wrong number: {numbers}; by an error, such as shapes that do not fit: {number - numbers}")
    for job, result in zip(jobs, results, strict=True):
        if not result.caught:
            text = f"{verdict(result)} {job.file}:{job.line} {' '.join(job.change.split())}"
            print(textwrap.fill(text, 79, subsequent_indent="    "))
    return percentage


def main():
    parser = argparse.ArgumentParser(description="Plant wrong gradients and count how many the tests notice.")
    parser.add_argument("--python", action="store_true", help="mutants of the Python files only")
    parser.add_argument("--native", action="store_true", help="mutants of the native kernels only")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    parser.add_argument("--all-tests", action="store_true", help="run every test, not only those of gradients")
    parser.add_argument("--only", default="", metavar="TEXT", help="only files with this in their name")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    options = parser.parse_args()
    everything = options.python == options.native
    jobs = [*python_jobs()] if options.python or everything else []
    jobs += [*native_jobs()] if options.native or everything else []
    jobs = [job for job in jobs if options.only in job.file]
    if options.list:
        for job in jobs:
            print(f"{job.file}:{job.line} {' '.join(job.change.split())}")
        return 0

    tests = [["tests"]] if options.all_tests else TESTS
    with tempfile.TemporaryDirectory(prefix="pyvae-mutants-") as scratch:
        first = Copy(Path(scratch) / "0")
        first.check_that_it_is_used()
        if any(job.extension for job in jobs) or not list(PACKAGE.glob("_kernels/*.so")):
            print("building the kernels ...", flush=True)
            first.build([path.stem for path in sorted(PACKAGE.glob("_kernels/*.pyx"))])
        for kernels in sorted({job.kernels for job in jobs}):
            unchanged = first.run(tests, kernels)
            if unchanged.how != "passed":
                raise SystemExit(f"with PYVAE_KERNELS={kernels} they fail without any change: {unchanged.how}")
        copies = queue.SimpleQueue()
        for number in range(options.jobs):
            copies.put(Copy(Path(scratch) / str(number), first.folder) if number else first)

        def try_on_a_copy(job):
            copy = copies.get()
            try:
                return copy.try_mutant(job, tests)
            finally:
                copies.put(copy)

        results = []
        with ThreadPoolExecutor(options.jobs) as pool:
            for job, result in zip(jobs, pool.map(try_on_a_copy, jobs), strict=True):
                results.append(result)
                print(report_line(job, result), flush=True)
    return 0 if summary(jobs, results) >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
