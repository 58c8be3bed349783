"""What the first minutes of CI run, in one command: ``nox`` (pip install nox)."""

import nox

nox.options.sessions = ["style", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def style(session):
    """Lint and format: ``nox -s style``; ``nox -s style -- --fix`` mends what it can."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session):
    """Type hints of the public surface."""
    session.install("mypy>=1.13", "numpy>=2")
    session.run("mypy")


@nox.session
def tests(session):
    """The test suite: ``nox -s tests -- tests/layers`` for one room, ``-- -m slow`` for what takes minutes."""
    session.install("-e", ".[all,test]")
    session.run("pytest", "-q", *session.posargs)
