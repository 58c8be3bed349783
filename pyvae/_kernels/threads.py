"""How many threads: the physical cores that this process may use, or what OMP_NUM_THREADS says."""

import os
from pathlib import Path

MOST_THREADS = 1024  # an error in a number, not a machine, is beyond it


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


def quota_cores():
    """The cgroup's limit on processor time, rounded up to whole processors; None where there is no limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()  # cgroup 2
    except (OSError, ValueError):
        try:
            quota = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text()  # cgroup 1
            period = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except ValueError:  # "max"
        return None


def default_threads():
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        return min(int(first), MOST_THREADS)
    return max(1, min(physical_cores(), quota_cores() or physical_cores()))
