"""Threads, processes, signals and other runtimes: no deadlock, no more threads than asked for, the same bits.

The scenarios stand in repeat_processes.py, which does each of them 200 times; here each is done a few times, by a
process that is ended if it does not end itself.
"""

import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae import _kernels
from pyvae._kernels.processors import default_threads, quota_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in Linux's /proc")
no_openmp = not _kernels.info()["openmp"]
native_with_threads = pytest.mark.skipif(no_openmp, reason="needs native kernels and OpenMP: twins have no threads")

SCRIPT = Path(__file__).with_name("repeat_processes.py")
specification = importlib.util.spec_from_file_location("repeat_processes", SCRIPT)
scenarios = importlib.util.module_from_spec(specification)
specification.loader.exec_module(scenarios)

REPETITIONS = {"environment": 6, "eight_threads_and_one_model": 5, "alarms": 10, "ctrl_c": 10, "fork_amid_work": 5}

SLOW = (  # and near to one that is not
    "fork_before_use", "multiprocessing_forkserver", "multiprocessing_forkserver_that_has_imported_pyvae",
    "futures_of_processes", "futures_of_threads", "joblib_multiprocessing", "torch_later", "scikit_learn_later",
)  # fmt: skip

LIMIT_BLAS = (  # give OpenBLAS another number of threads, and on some processors other bits with it
    "joblib_loky", "joblib_multiprocessing", "scikit_learn_first", "scikit_learn_later", "threadpoolctl_limits",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in scenarios.SCENARIOS]
)
def test_scenario(name):
    if scenarios.missing(name):
        pytest.skip(reason=f"{scenarios.missing(name)} is not installed")
    if name in ("fork_from_a_thread", "fork_amid_work") and _kernels.KERNELS == "reference":
        pytest.skip(reason="OpenBLAS, by which the twins multiply, can hang where a process forks amid its work")
    if name in LIMIT_BLAS and _kernels.KERNELS == "reference":
        pytest.skip(reason="the bits of OpenBLAS, by which the twins multiply, can differ by its number of threads")
    n = REPETITIONS.get(name, 1)
    found_here = str(Path(pyvae.__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": found_here}
    command = [sys.executable, str(SCRIPT), "--silence", "60", "-n", str(n), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-4:] == [name, str(n), "0", "0"]


def test_the_watchdog_notices_deadlocks_wrong_bits_and_crashes(tmp_path):
    program = tmp_path / "scenarios.py"
    program.write_text(
        SCRIPT.read_text().replace(
            "# The watchdog.\n",
            "@scenario\ndef hanging():\n    yield\n    threading.Event().wait()\n    yield\n\n"
            "@scenario\ndef mistaken():\n    yield\n    ask('right', 'wrong')\n    yield\n\n"
            "@scenario\ndef crashing():\n    yield\n    os._exit(3)\n    yield\n",
        )
    )
    command = [sys.executable, str(program), "--silence", "3", "-n", "2", "hanging", "mistaken", "crashing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    lines = [line.split()[:4] for line in done.stdout.splitlines()[1:]]
    assert done.returncode == 1
    assert lines == [["hanging", "2", "1", "0"], ["mistaken", "2", "0", "1"], ["crashing", "2", "0", "1"]], done.stdout
    assert "wrong bits" in done.stdout and "exit status 3" in done.stdout


@native_with_threads
def test_who_finds_the_others_busy_works_alone():
    """While one thread keeps both threads busy, another one's kernels wake no third."""
    model, X = pyvae.VAE.mlp(40, latent_dim=3, hidden=(96,)), np.full((400, 40), 0.5)
    right, woken = model.elbo(X), []

    def count():
        before = scenarios.tasks()
        found = model.elbo(X)
        woken.append(scenarios.tasks() - before)
        assert found.tobytes() == right.tobytes()

    def alone(size):
        """Whether the long call was still at work after the other one, which then tells something."""
        values = np.ones((1, size))
        long = threading.Thread(target=lambda: _kernels.activate(values, "tanh", out=values))
        before = scenarios.tasks()
        long.start()
        while long.is_alive() and scenarios.tasks() < before + 2:
            pass
        scenarios.in_threads(count)
        told = long.is_alive()
        long.join()
        while scenarios.tasks() > before:  # libgomp's thread ends a little later than the one that it helped
            time.sleep(0.001)
        return told

    with pyvae.threads(2):
        told = any(alone(size) for size in (3 * 10**6, 10**7, 4 * 10**7))
    if not told:
        pytest.skip(reason="this machine is too fast to be found at work")
    assert woken[-1] == 0
    with pyvae.threads(2):
        scenarios.in_threads(count)
    assert woken[-1] == 1  # and nobody is thought to be at work who is not


def test_what_a_thread_sets_is_its_own():
    threads, found = pyvae.get_num_threads(), []

    def other():
        found.append((pyvae.get_num_threads(), pyvae.get_matmul_precision()))
        pyvae.set_matmul_precision("high")
        with pyvae.threads(3), pyvae.set_matmul_precision("medium"):
            found.append((pyvae.get_num_threads(), pyvae.get_matmul_precision()))
        found.append((pyvae.get_num_threads(), pyvae.get_matmul_precision()))

    several = 1 if not _kernels.info()["openmp"] else 3
    scenarios.in_threads(other)
    assert found == [(threads, "highest"), (several, "medium"), (threads, "high")]
    assert (pyvae.get_num_threads(), pyvae.get_matmul_precision()) == (threads, "highest")


def test_what_the_main_thread_sets_is_everybodys():
    found = []
    with pyvae.threads(3), pyvae.set_matmul_precision("medium"):
        scenarios.in_threads(lambda: found.append((pyvae.get_num_threads(), pyvae.get_matmul_precision())))
    assert found == [(1 if not _kernels.info()["openmp"] else 3, "medium")]


# Quotas: folders as Linux has them, membership as /proc/self/cgroup states it.


@pytest.mark.parametrize(
    ("quotas", "membership", "cores"),
    [
        ({}, "", None),
        ({".": "150000 100000"}, "0::/\n", 2),  # a container: its own cgroup is the root
        ({".": "max 100000"}, "0::/\n", None),
        ({".": "50000 100000"}, "", 1),
        ({"a": "max 100000", "a/b": "300000 100000"}, "0::/a/b\n", 3),
        ({"a": "200000 100000", "a/b": "max 100000"}, "0::/a/b\n", 2),  # nested in a smaller one
        ({"a": "200000 100000", "a/b": "800000 100000"}, "0::/a/b\n", 2),
        ({"a": "900000 100000", "c": "100000 100000"}, "0::/a/b\n", 9),  # another one's
        ({".": "100000 0"}, "0::/\n", None),
        ({".": "much"}, "nonsense\n0::/\n", None),
        ({"cpu": (250000, 100000)}, "4:cpu:/\n", 3),
        ({"cpu": (-1, 100000)}, "4:cpu:/\n", None),
        ({"cpu,cpuacct/a": (-1, 100000), "cpu,cpuacct/a/b": (400000, 100000)}, "4:cpu,cpuacct:/a/b\n0::/a\n", 4),
        ({"cpu,cpuacct/a": (200000, 100000), "cpu,cpuacct/a/b": (-1, 100000)}, "4:cpu,cpuacct:/a/b\n", 2),
        ({"cpu": (100000, 100000)}, "4:cpu,cpuacct:/docker/3f\n", 1),  # a container that sees the host's path
        ({"memory/a": (100000, 100000)}, "5:memory:/a\n4:cpuset:/\n", None),
    ],
)
def test_quotas(quotas, membership, cores, tmp_path):
    mount = tmp_path / "cgroup"
    mount.mkdir()
    for folder, quota in quotas.items():
        (mount / folder).mkdir(parents=True, exist_ok=True)
        if isinstance(quota, str):
            (mount / folder / "cpu.max").write_text(quota + "\n")
        else:
            (mount / folder / "cpu.cfs_quota_us").write_text(f"{quota[0]}\n")
            (mount / folder / "cpu.cfs_period_us").write_text(f"{quota[1]}\n")
    (tmp_path / "membership").write_text(membership)
    assert quota_cores(mount, tmp_path / "membership") == cores


def test_without_cgroups_there_is_no_quota(tmp_path):
    assert quota_cores(tmp_path / "nowhere", tmp_path / "nothing") is None


def test_the_default_keeps_to_the_quota(monkeypatch):
    module = sys.modules[default_threads.__module__]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(module, "physical_cores", lambda: 8)
    for quota, threads in ((None, 8), (3, 3), (64, 8)):
        monkeypatch.setattr(module, "quota_cores", lambda quota=quota: quota)
        assert default_threads() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert default_threads() == 5  # who says so must mean it
