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

# From the ground up: a room, or a file that stands in none, imports from its own line and from those above it.
FLOORS = [
    ["_kernels", "arguments", "versions", "gradcheck"],
    ["workspace", "noise"],
    ["module"],
    ["arena"],
    ["layers", "latent", "likelihoods", "objectives"],
    ["persistence"],
    ["data"],
    ["models"],
    ["training", "metrics", "diagnosis", "plots", "prior_plots", "diagnosis_plots"],
    ["sklearn"],
    ["command"],
    ["datasets", "tables", "entry", "__init__", "__main__"],
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def imported_modules(path):
    """Modules of pyvae that a file imports, inside functions too: what stands behind "pyvae." in their names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pyvae":
            _, _, below = node.module.partition(".")
            for alias in node.names:
                inside = f"{below}.{alias.name}".strip(".")
                yield inside if is_module(inside) else below
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("pyvae."))


def is_module(name):
    path = PACKAGE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


SOURCES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module):
    return module.split(".")[0]


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_downward(module):
    assert room(module) in FLOOR, f"say in FLOORS where {module} stands"
    for imported in imported_modules(SOURCES[module]):
        assert FLOOR[room(imported)] <= FLOOR[room(module)], f"{module} imports {imported}, which stands above it"


@pytest.mark.parametrize("module", [module for module in SOURCES if not module.endswith("__init__")])
def test_inside_the_package_names_come_from_files_and_not_from_rooms(module):
    for imported in imported_modules(SOURCES[module]):
        assert imported == "_kernels" or imported in SOURCES, f"{module} imports from {imported}, which is a room"


def test_files_do_not_import_each_other_in_a_circle():
    imports = {module: set(imported_modules(path)) & set(SOURCES) for module, path in SOURCES.items()}
    while free := [module for module, others in imports.items() if not others]:
        imports = {module: others - set(free) for module, others in imports.items() if module not in free}
    assert not imports, f"in a circle: {sorted(imports)}"


def test_kernels_know_nothing_of_what_stands_above():
    for module, path in SOURCES.items():
        if room(module) == "_kernels":
            assert {room(imported) for imported in imported_modules(path)} <= {"_kernels"}


def lines_of_code(path):
    """Lines that are neither blank nor comment nor docstring."""
    source = path.read_text()
    counted = {i for i, line in enumerate(source.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            counted -= set(range(body[0].lineno, body[0].end_lineno + 1))
    return len(counted)


def test_files_stay_short():
    """None beyond a sitting."""
    lines = {module: len(path.read_text().splitlines()) for module, path in SOURCES.items()}
    assert max(lines.values()) <= 350
    assert sum(length > 300 for length in lines.values()) <= 4


def test_functions_stay_short():
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                has_docstring = ast.get_docstring(node) is not None
                docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if has_docstring else 0
                assert node.end_lineno - node.lineno + 1 - docstring <= 60, f"{module}.{node.name}"


def test_60_lines_are_60_lines():
    assert lines_of_code(REPOSITORY / "examples" / "vae_in_60_lines.py") <= 60


def test_backpropagation_can_be_read_in_one_sitting():
    reading = ("layers/dense", "latent/gaussian", "likelihoods/bernoulli", "objectives/elbo", "models/vae")
    assert sum(len((PACKAGE / f"{name}.py").read_text().splitlines()) for name in reading) < 700


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
