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
        free.append(float(int(most) - int(used)))
    return min(free)


def check_memory(path, size):
    """Raise ValueError, naming the file, where so many bytes are not free."""
    free = free_memory()
    if size > free:
        raise ValueError(
            f"{path} holds {_in_words(size)}, but {_in_words(max(free, 0))} of memory are free: save its rows as a "
            ".npy file, which stays on disk"
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
