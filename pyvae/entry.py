"""The first thing that ``import pyvae`` does: import the kernels, which environment variables choose.

A wrong PYVAE_KERNELS or PYVAE_MAX_ISA is an ImportError. Where the program is the command ``pyvae``, whose ``main``
cannot run without them, the error is said as every other: in one sentence, with exit status 2.
"""

import sys
from itertools import pairwise
from pathlib import Path


def is_command():
    """Whether this process was started as ``pyvae ...`` or ``python -m pyvae ...``."""
    program = sys.argv[0] if sys.argv else ""
    is_module = program == "-m" and ("-m", "pyvae") in pairwise(sys.orig_argv)
    return is_module or Path(program).name == "pyvae"


try:
    import pyvae._kernels  # noqa: F401
except ImportError as error:
    if not is_command():
        raise
    print(f"pyvae: {error}", file=sys.stderr)
    sys.exit(2)
