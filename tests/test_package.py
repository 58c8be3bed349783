"""What holds for the source as a whole: imports point downward, files stay short, switches work."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyvae

PACKAGE = Path(pyvae.__file__).parent
REPOSITORY = Path(__file__).parents[1]

# From the ground up: a module imports from its own line and from those above it.
FLOORS = [
    ["_kernels"],
    ["entry"],
    ["arguments", "advice", "workspace", "noise", "parameters", "validation", "data", "gradcheck", "versions"],
    ["layers", "gaussian", "likelihoods", "priors", "objectives", "activations", "blocks", "counts", "mixed"],
    ["words"],
    ["model"],
    ["optim", "persistence", "step", "schedules", "history", "progress", "interruption", "snapshots", "diagnosis"],
    ["checkpoints"],
    ["training", "metrics", "importance", "start"],
    ["files", "tables"],
    ["datasets", "plots", "pictures", "checkup"],
    ["sklearn"],
    ["option_values", "refusals"],
    ["options"],
    ["inputs", "outputs", "runs"],
    ["cli_train"],
    ["cli"],
    ["__init__", "__main__"],
]
FLOOR = {module: i for i, modules in enumerate(FLOORS) for module in modules}


def imported_modules(path):
    """Modules of pyvae that a file imports, by the first part of their name below pyvae."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pyvae":
            _, _, below = node.module.partition(".")
            yield from [below.split(".")[0]] if below else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("pyvae."))


SOURCES = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("sklearn/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_downward(path):
    module = path.stem if path.parent == PACKAGE else path.parent.name
    assert module in FLOOR, f"say in FLOORS where {path.name} stands"
    for imported in imported_modules(path):
        assert FLOOR[imported] <= FLOOR[module], f"{path.name} imports {imported}, which stands above it"


def test_kernels_know_nothing_of_what_stands_above():
    for path in PACKAGE.glob("_kernels/*.py"):
        assert set(imported_modules(path)) <= {"_kernels"}


def lines_of_code(path):
    """Lines that are neither blank nor comment nor docstring."""
    source = path.read_text()
    counted = {i for i, line in enumerate(source.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            counted -= set(range(body[0].lineno, body[0].end_lineno + 1))
    return len(counted)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_files_stay_short(path):
    assert lines_of_code(path) <= 300


def test_60_lines_are_60_lines():
    assert lines_of_code(REPOSITORY / "examples" / "vae_in_60_lines.py") <= 60


def test_backpropagation_can_be_read_in_one_sitting():
    reading = ("layers", "gaussian", "likelihoods", "objectives", "model")
    assert sum(len((PACKAGE / f"{name}.py").read_text().splitlines()) for name in reading) <= 1000


def test_import_is_light():
    """scipy, matplotlib, scikit-learn and pandas are imported where they are used, not with pyvae."""
    heavy = ("scipy", "matplotlib", "sklearn", "pandas", "pooch")
    code = f"import sys, pyvae; print([module for module in {heavy} if module in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYVAE_")}


def test_the_switch_between_kernels():
    """PYVAE_KERNELS=reference runs the twins; what is not there or not known is an ImportError, never a silent swap."""
    code = "import pyvae; print(pyvae._kernels.info()['kernels'])"

    def run(**environment):
        return subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, env={**ENVIRONMENT, **environment}
        )

    assert run(PYVAE_KERNELS="reference").stdout.startswith("reference")
    assert "PYVAE_KERNELS must be" in run(PYVAE_KERNELS="fastest").stderr
    if pyvae._kernels.BUILT:
        assert run(PYVAE_KERNELS="native").stdout.startswith("native")
        assert "PYVAE_MAX_ISA must be" in run(PYVAE_MAX_ISA="v9").stderr
    else:
        assert "built without native kernels" in run(PYVAE_KERNELS="native").stderr


def test_after_a_fork_the_child_runs_serially():
    if not pyvae._kernels.BUILT:
        pytest.skip(reason="built without native kernels, which alone have threads")
    code = (
        "import os, numpy as np, pyvae\n"
        "model, X = pyvae.VAE.mlp(200, hidden=(300,)), np.full((500, 200), 0.5)\n"
        "expected = model.elbo(X)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    ok = np.array_equal(model.elbo(X), expected) and pyvae.get_num_threads() == 1\n"
        "    os._exit(0 if ok else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_wrong_numbers_of_threads_are_refused(n):
    with pytest.raises(ValueError, match="n must be a whole number of threads"):
        pyvae.set_num_threads(n)
