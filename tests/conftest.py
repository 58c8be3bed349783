"""What several test files need."""

import os
from pathlib import Path

import numpy as np
import pytest

import pyvae


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def scikit_learn():
    """For tests of the digits."""
    return pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")


@pytest.fixture
def matplotlib():
    """For tests of pictures."""
    return pytest.importorskip("matplotlib", reason="pictures are made by matplotlib, which is not installed")


@pytest.fixture(autouse=True)
def _keep_threads():
    """No test leaves another number of threads behind."""
    with pyvae.threads(pyvae.get_num_threads()):
        yield


def pytest_collection_modifyitems(items):
    """``@pytest.mark.data("mnist")``: skip, saying why, where $PYVAE_DATA holds no such folder."""
    folder = os.environ.get("PYVAE_DATA")
    for item in items:
        for mark in item.iter_markers("data"):
            if not folder or not (Path(folder) / mark.args[0]).is_dir():
                item.add_marker(pytest.mark.skip(reason=f"needs the data set {mark.args[0]} in $PYVAE_DATA"))
