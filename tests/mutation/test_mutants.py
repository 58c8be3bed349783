"""The list of mutants keeps up with the code. mutate.py runs them, which takes half an hour."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "pyvae"
NO_SOURCES = not (PACKAGE / "_kernels" / "simd").is_dir()


@pytest.mark.skipif(NO_SOURCES, reason="the sources do not stand beside the tests: it was installed from a wheel")
def test_every_mutant_of_the_native_kernels_finds_what_it_changes():
    command = [sys.executable, HERE / "mutate.py", "--native", "--list"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "_kernels/simd/products.c" in done.stdout


@pytest.mark.skipif(NO_SOURCES, reason="the sources do not stand beside the tests: it was installed from a wheel")
def test_every_gradient_in_python_has_mutants(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    import mutants_python as mutants

    signatures = mutants.read_signatures(PACKAGE)
    for file in mutants.PACKAGE_FILES + mutants.TWIN_FILES:
        assert len(mutants.edits_of(file, ast.parse((PACKAGE / file).read_text()), signatures)) > 5, file
