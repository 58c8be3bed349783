"""The default number of threads: the physical cores that this process may use, or OMP_NUM_THREADS."""

import os
from pathlib import Path

MOST_THREADS = 1024  # a larger number is a mistake, not a machine


def physical_cores():
    """Cores, not hyperthreads, among the processors that the scheduler allows this process."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            cores.add(cpu)
    return len(cores)


def quota_cores(mount=Path("/sys/fs/cgroup"), membership=Path("/proc/self/cgroup")):
    """The least CPU quota of this process's cgroups, rounded up to whole processors; None without a quota.

    The quota of an enclosing cgroup holds too. mount, membership: the cgroup file system, and the file with the path of
    this process's cgroup. In a container this path can be the host's; then the root of the mount is the container's.
    """
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        lines = []
    places = {mount, mount / "cpu"}
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers == "" or "cpu" in controllers.split(","):  # cgroup 2, or 1
            root = mount / controllers
            inside = [part for part in path.split("/") if part]
            places.update(root.joinpath(*inside[:depth]) for depth in range(len(inside) + 1))
    quotas = [quota for quota in map(_quota, places) if quota is not None]
    return min(quotas, default=None)


def _quota(folder):
    """The quota of one cgroup, from the files of either version, in whole processors; None without a quota."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()  # cgroup 2
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text()  # cgroup 1
            period = (folder / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max", or nonsense
        return None


def default_threads():
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        return min(int(first), MOST_THREADS)
    return max(1, min(physical_cores(), quota_cores() or physical_cores()))
