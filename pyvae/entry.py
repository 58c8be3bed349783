"""The first thing that ``import pyvae`` does: import the kernels, which environment variables choose.

A wrong PYVAE_KERNELS or PYVAE_MAX_ISA is an ImportError. Where the program is the command ``pyvae``, whose ``main``
cannot run without them, the error is said as every other: in one sentence, with exit status 2. A Ctrl-C while modules
are still being imported, or a command line is read, is one line too, with exit status 130.
"""

import sys
from itertools import pairwise
from pathlib import Path


def is_command():
    """Whether this process was started as ``pyvae ...`` or ``python -m pyvae ...``.

    Python imports a package before anything in it can say who it is, so the words of the command line have to tell.
    While ``python -m`` imports, the name of the program in them is "-m".
    """
    program = sys.argv[0] if sys.argv else ""
    is_module = program == "-m" and ("-m", "pyvae") in pairwise(sys.orig_argv)
    return is_module or Path(program).name == "pyvae"


def say_uncaught(kind, error, traceback):
    """``sys.excepthook`` of the command: for Ctrl-C no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("pyvae: stopped, nothing was saved", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


if is_command():
    sys.excepthook = say_uncaught

try:
    import pyvae._kernels  # noqa: F401
except ImportError as error:
    if not is_command():
        raise
    print(f"pyvae: {error}", file=sys.stderr)
    sys.exit(2)
