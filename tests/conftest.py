"""What several test files need."""

import importlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest

import pyvae

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and tests send it

if "PYTEST_XDIST_WORKER" in os.environ:
    pyvae.set_num_threads(1)  # the processes share the cores; tests of threads say how many they want

LEVELS = ()
if pyvae._kernels.BUILT:
    cpu, runtime = (importlib.import_module(f"pyvae._kernels.{name}") for name in ("cpu", "runtime"))  # on twins, too
    LEVELS = cpu.LEVELS[: cpu.LEVELS.index(cpu.HIGHEST_LEVEL) + 1]


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


@pytest.fixture
def one_thread():
    """For tests of native kernels, which say it where they want more; the instruction set is put back too."""
    level, threads = cpu.get_level(), runtime.get_num_threads()
    runtime.set_num_threads(1)
    yield
    cpu.set_level(level)
    runtime.set_num_threads(threads)


@pytest.fixture(params=LEVELS)
def level(request, one_thread):
    """Each instruction set that this machine has."""
    cpu.set_level(request.param)
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def real(request):
    return request.param


def pytest_collection_modifyitems(items):
    """``@pytest.mark.data("mnist")``: skip, saying why, where $PYVAE_DATA holds no such folder."""
    folder = os.environ.get("PYVAE_DATA")
    for item in items:
        for mark in item.iter_markers("data"):
            if not folder or not (Path(folder) / mark.args[0]).is_dir():
                item.add_marker(pytest.mark.skip(reason=f"needs the data set {mark.args[0]} in $PYVAE_DATA"))
