"""How much memory is free, and the sentence where it is too little."""

import sys

import pytest

from pyvae.data import free_memory
from pyvae.data.free_memory import check_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory is free")
def test_it_is_some_of_the_machine():
    assert 1e6 < free_memory.free_memory() < 1e15


@pytest.mark.parametrize(
    ("limits", "free"),
    [
        ({"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2000 kB\n"}, 2000 * 1024),
        ({"/proc/meminfo": "MemAvailable: 2000 kB", "/sys/fs/cgroup/memory.max": "max\n"}, 2000 * 1024),
        ({"/sys/fs/cgroup/memory.max": "5000\n", "/sys/fs/cgroup/memory.current": "4000\n"}, 1000),
        (
            {
                "/sys/fs/cgroup/memory.max": "5000",
                "/sys/fs/cgroup/memory.current": "4900",
                "/sys/fs/cgroup/memory.stat": "anon 100\ninactive_file 3000\nslab_reclaimable 200\n",
            },
            3300,
        ),
        ({}, float("inf")),
    ],
)
def test_the_least_of_what_is_known(limits, free, monkeypatch):
    monkeypatch.setattr(free_memory, "_text", lambda path: limits.get(path, ""))
    assert free_memory.free_memory() == free


@pytest.mark.parametrize(
    ("size", "words"), [(2e10, "20 GB"), (1234, "1.23 kB"), (18446744065119617025, "1.84e\\+04 PB")]
)
def test_sizes_in_words(size, words, monkeypatch):
    monkeypatch.setattr(free_memory, "free_memory", lambda: 999.0)
    with pytest.raises(ValueError, match=f"f.npz holds {words}, but 999 bytes of memory are free"):
        check_memory("f.npz", int(size))
    check_memory("f.npz", 999)
