"""Versions: what is installed and what runs, for bug reports and for ``pyvae info``."""

import importlib.metadata
import platform

from pyvae import _kernels

__version__ = "0.1.0"


def versions() -> dict:
    """Versions of pyvae, Python and the libraries that it uses, and what the kernels run on: a dict."""
    found = {"pyvae": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in ("numpy", "scipy", "safetensors", "tqdm", "scikit-learn", "matplotlib", "pooch"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return {**found, **_kernels.info()}


def show_versions() -> None:
    """Print ``versions()``, a line each."""
    for name, value in versions().items():
        print(f"{name + ':':<14}{value}")


def kernels_in_words():
    """The running kernels in words: native, x86-64-v4, 2 threads."""
    info = _kernels.info()
    if info["isa"] is None:
        return info["kernels"]
    threads = f"{info['threads']} thread{'' if info['threads'] == 1 else 's'}"
    return f"{info['kernels']}, {info['isa']}, {threads if info['openmp'] else '1 thread (built without OpenMP)'}"
