import pytest

from pyvae.command import pictures


@pytest.fixture
def pictures_of_runs(matplotlib):
    """For tests of the pictures that a run leaves."""


@pytest.fixture(autouse=True)
def _no_pictures_that_nobody_looks_at(request, monkeypatch):
    """Drawing a run's pictures takes longer than its training: only tests that take pictures_of_runs have them."""
    if "pictures_of_runs" not in request.fixturenames:
        monkeypatch.setattr(pictures, "save", lambda *run, **names: [])
