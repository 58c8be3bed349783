"""The list of mutants keeps up with the code. mutate.py runs them, which takes half an hour."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_every_mutant_of_the_native_kernels_finds_what_it_changes():
    if not (HERE.parents[1] / "pyvae" / "_kernels" / "simd").is_dir():
        pytest.skip("the sources do not stand beside the tests: it was installed from a wheel")
    command = [sys.executable, HERE / "mutate.py", "--native", "--list"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "_kernels/simd/products.c" in done.stdout
