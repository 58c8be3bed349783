"""Whether a repaired wheel brings along what it needs: python check_wheel.py WHEEL

One library lies beside the package, libgomp under a name of its own, so that it is never mixed up with the system's or
another package's. Every kernel module finds it there, needs nothing else but the C library, no newer version of that
than the wheel's tag says, and all of it takes less than 5 MB.
"""

import io
import re
import sys
import zipfile
from pathlib import Path, PurePosixPath

from elftools.elf.elffile import ELFFile

LIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
LARGEST = 5_000_000  # bytes, installed


def dynamic_entries(elf, kind):
    return [getattr(tag, kind[3:].lower()) for tag in elf.get_section_by_name(".dynamic").iter_tags(kind)]


def newest_glibc(elf):
    """The newest version of the C library's symbols that are used."""
    versions = [
        tuple(map(int, version.name[6:].split(".")))
        for _, needed in elf.get_section_by_name(".gnu.version_r").iter_versions()
        for version in needed
        if version.name.startswith("GLIBC_") and version.name[6:7].isdigit()
    ]
    return max(versions)


(path,) = map(Path, sys.argv[1:])
tag = re.search(r"manylinux_(\d+)_(\d+)_\w+\.whl$", path.name)
assert tag, f"{path.name} has no manylinux tag"
with zipfile.ZipFile(path) as wheel:
    size = sum(entry.file_size for entry in wheel.infolist())
    binaries = {name: ELFFile(io.BytesIO(wheel.read(name))) for name in wheel.namelist() if ".so" in name}
libraries = [name for name in binaries if name.startswith("pyvae.libs/")]
modules = [name for name in binaries if name not in libraries]

assert len(libraries) == 1, f"bundled: {libraries}, wanted libgomp alone"
(library,) = libraries
libgomp = PurePosixPath(library).name
assert re.fullmatch(r"libgomp-[0-9a-f]+\.so\.1\.0\.0", libgomp), f"{libgomp} has no name of its own"
assert dynamic_entries(binaries[library], "DT_SONAME") == [libgomp], f"{libgomp} calls itself by another name"
assert modules and all(name.startswith("pyvae/_kernels/") for name in modules), modules
for name in modules:
    needed = set(dynamic_entries(binaries[name], "DT_NEEDED")) - LIBC
    assert needed <= {libgomp}, f"{name} needs {needed}"
    if needed:
        paths = dynamic_entries(binaries[name], "DT_RPATH") + dynamic_entries(binaries[name], "DT_RUNPATH")
        assert paths == ["$ORIGIN/../../pyvae.libs"], f"{name} looks for {libgomp} in {paths}"
assert any(libgomp in dynamic_entries(binaries[name], "DT_NEEDED") for name in modules), "no module uses OpenMP"
newest = max(map(newest_glibc, binaries.values()))
assert newest <= tuple(map(int, tag.groups())), f"{path.name} uses symbols of glibc {newest}"
assert size <= LARGEST, f"{size} bytes installed, more than {LARGEST}"
print(f"{path.name}: {len(modules)} modules, {libgomp}, glibc {'.'.join(map(str, newest))}, {size / 1e6:.1f} MB")
