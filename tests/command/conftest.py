import pytest

from pyvae.command import pictures
from pyvae.command.main import main


@pytest.fixture
def pictures_of_runs(matplotlib):
    """For tests of the pictures that a run leaves."""


@pytest.fixture(autouse=True)
def _no_pictures_that_nobody_looks_at(request, monkeypatch):
    """Drawing a run's pictures takes longer than its training: only tests that take pictures_of_runs have them."""
    if "pictures_of_runs" not in request.fixturenames:
        monkeypatch.setattr(pictures, "save", lambda *run, **names: [])


@pytest.fixture
def assert_refused(tmp_path, capsys):
    """A function: the command line ends with status 2 and one sentence that has these words, and writes nothing."""

    def files():
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    def check(line, words):
        before = files()
        try:
            status = main(line.split())
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        assert (status, captured.out) == (2, "") and files() == before
        assert words in captured.err and captured.err.count("\n") == 1 and captured.err.endswith("\n")
        assert captured.err.startswith("pyvae")

    return check
