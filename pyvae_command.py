"""The program ``pyvae``, which runs the package's command line.

It stands beside the package because Python imports a package before anything in it can run: what goes wrong in that
import is said here as everything else on the command line is, in one line. A wrong PYVAE_KERNELS or PYVAE_MAX_ISA ends
with exit status 2, a Ctrl-C with 130.
"""

import sys


def main():
    """Run the command line of this process; returns the exit status."""
    try:
        from pyvae.command.main import main as run

        return run()
    except ImportError as error:
        print(f"pyvae: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pyvae: stopped, nothing was saved", file=sys.stderr)
        return 130
