"""What readers are promised: formulas lead to the code that computes them, docstrings say what a caller must know."""

import ast
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import pyvae
from pyvae.module import Module

REPOSITORY = Path(__file__).parents[1]
LINK = re.compile(r"\[(`[^`]*`|[^\]]*)\]\(([^)\s]+)\)")  # code, in backticks, may hold brackets
# Pages with rules of their own.
PROSE = {"building", "common-mistakes", "extending", "one-step", "performance", "same-bits"}


def markdown_files():
    return sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])


def page_name(path):
    return path.name


@pytest.mark.parametrize("path", markdown_files(), ids=page_name)
def test_links_of_the_documentation_lead_somewhere(path):
    """Files exist, a link to a line (#L12) of code names what stands there, and one to a section finds it."""
    for text, target in LINK.findall(path.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, place = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), f"{path.name} links to {file}, which is not there"
        if re.fullmatch(r"L\d+(-L?\d+)?", place):
            found = linked.read_text().splitlines()[int(re.findall(r"\d+", place)[0]) - 1]
            assert text.strip("`") in found, f"{path.name} links {text} to {file} line {place}, where stands: {found}"
        elif place:
            assert place in map(anchor, headings(linked)), f"{path.name} links to {target}, which has no such section"


def headings(path):
    return [heading.lstrip("# ") for heading, _ in sections(path)]


def anchor(heading):
    """The word by which links name the section of this heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def sections(path):
    """(heading, text) of each part of a page."""
    parts = re.split(r"^(#+ .*)$", path.read_text(), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def has_formula(text):
    """Whether there is a $$ block, an indented block or a table."""
    return re.search(r"^(\$\$$|    \S|\|)", text, flags=re.MULTILINE)


def links_to_lines(text, folder):
    return [target for _, target in LINK.findall(text) if target.startswith(f"../{folder}/") and "#L" in target]


@pytest.mark.parametrize("path", [p for p in markdown_files() if p.parent.name == "docs"], ids=page_name)
def test_formulas_stand_beside_the_code_that_computes_them(path):
    """A section with a formula, an indented block or a table has a link to a line of the library."""
    if path.stem in PROSE:
        return
    for heading, text in sections(path):
        if has_formula(text):
            assert links_to_lines(text, "pyvae"), f"{path.name}, {heading}: a formula without a link to its code"
    assert any(has_formula(text) for _, text in sections(path)), f"{path.name} is a page of prose: say so in PROSE"


@pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="needs the repository's docs, which are not here")
def test_every_mistake_names_the_line_that_is_right_and_the_test_that_notices():
    (_, _), *mistakes = sections(REPOSITORY / "docs" / "common-mistakes.md")
    assert len(mistakes) >= 8
    for heading, text in mistakes:
        here, _, caught = text.partition("Caught by")
        assert "Here:" in here and links_to_lines(here, "pyvae"), f"{heading}: where is it done right?"
        assert [*links_to_lines(caught, "tests"), *links_to_lines(caught, "pyvae")], f"{heading}: which test notices?"


@pytest.mark.skipif(not (REPOSITORY / "docs").is_dir(), reason="needs the repository's docs, which are not here")
def test_files_that_the_performance_page_names_exist():
    text = (REPOSITORY / "docs" / "performance.md").read_text()
    files = {Path(name).name for name in re.findall(r"`(?:python )?([\w/]+\.(?:py|pyx|c|h))\b", text)}
    there = {path.name for folder in ("pyvae", "benchmarks") for path in (REPOSITORY / folder).rglob("*.*")}
    assert len(files) >= 5 and files <= there


# Docstrings of what `from pyvae import *` brings.

ARRAYS = set(
    "x y z X Z X_val dx dy dz mu logvar dmu dlogvar eps outputs weight probability dlog_px dlog_pz dlog_qz dkl".split()
)  # arguments that are arrays
SHAPE = re.compile(r"\([A-Za-z][\w *]*,[\w *]*\)")  # (N, D), (B,), (B * k, Z)
NATS = re.compile(r"\blog [pq]\(|\bELBO\b|\bKL\b|evidence lower bound")
CHECKS = re.compile(r"^(check_\w+|_checked|as_source)$")  # functions that raise on bad arguments
INTERFACES = (pyvae.Layer, pyvae.Likelihood, pyvae.Posterior, pyvae.Prior)
SAYS_ERRORS = re.compile(r"\b(Raises?|[A-Z]\w*Error)\b")


def public_things():
    """(name, object, the function that runs when it is called or None) of everything public."""
    for name in pyvae.__all__:
        thing = getattr(pyvae, name)
        if inspect.isclass(thing):
            yield name, thing, vars(thing).get("__init__")
            for attribute in vars(thing):
                member = inspect.getattr_static(thing, attribute)
                function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
                if inspect.isfunction(function) and not attribute.startswith("_"):
                    yield f"{name}.{attribute}", getattr(thing, attribute), function
        elif inspect.isfunction(thing):
            yield name, thing, inspect.unwrap(thing)


def refuses_arguments(function):
    """Whether the function itself raises an error, or calls a check that does."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise) and node.exc and "NotImplementedError" not in ast.unparse(node.exc):
            return True
        if isinstance(node, ast.Call) and CHECKS.match(ast.unparse(node.func).rpartition(".")[2]):
            return True
    return False


@pytest.mark.parametrize(("name", "thing", "function"), [pytest.param(*t, id=t[0]) for t in public_things()])
def test_docstrings_say_what_a_caller_must_know(name, thing, function):
    """There is one (a method that overrides another may leave it to that one); it states the shapes where an argument
    is an array, the errors where arguments are refused, and nats where it computes log p, log q, the ELBO or the KL;
    and the equation, if it is a part that models are made of.
    """
    doc = inspect.getdoc(thing)
    assert doc, f"{name} has no docstring"
    written = function is not None and function.__code__.co_filename.startswith(str(Path(pyvae.__file__).parent))
    if written and ARRAYS & set(inspect.signature(function).parameters):
        assert SHAPE.search(doc), f"{name} does not say which shape its arrays have, like (N, D)"
    if written and refuses_arguments(function):
        assert SAYS_ERRORS.search(doc), f"{name} does not say what it raises"
    if NATS.search(doc) and not name.endswith("_backward"):  # a derivative by nats has no name of its own
        assert re.search(r"\bnats?\b", doc), f"{name} does not say that its unit is the nat"
    if inspect.isclass(thing) and issubclass(thing, Module) and thing not in INTERFACES:
        assert re.search(r" [=~] ", doc), f"{name} does not state its equation"
