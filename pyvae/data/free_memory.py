"""How much memory is free, so that a file which would fill it is refused before it is read."""

from pathlib import Path


def free_memory():
    """Bytes that this process may still take, by the kernel's estimate and the limits of its control group; infinite
    where neither is known."""
    free = [float("inf")]
    text = _text("/proc/meminfo")
    free += [1024 * float(line.split()[1]) for line in text.splitlines() if line.startswith("MemAvailable:")]
    most, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if most.isdigit() and used.isdigit():
        lines = [line.split() for line in _text("/sys/fs/cgroup/memory.stat").splitlines()]
        given_back = sum(int(line[1]) for line in lines if line[0] in ("inactive_file", "slab_reclaimable"))  # at need
        free.append(float(int(most) - int(used) + given_back))
    return min(free)


class TooLittleMemory(ValueError):
    """What a file holds would fill the memory."""


def check_memory(path, size, advice="save its rows as a .npy file, which stays on disk"):
    """Raise TooLittleMemory, naming the file, where so many bytes are not free."""
    free = free_memory()
    if size > free:
        raise TooLittleMemory(
            f"{path} holds {_in_words(size)}, but {_in_words(max(free, 0))} of memory are free: {advice}"
        )


def _in_words(size):
    """5.2 GB."""
    power = min(int(max(len(f"{size:.0f}") - 1, 0) // 3), 5)
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def _text(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""
