"""``python -m pyvae`` is the command ``pyvae``."""

import sys

from pyvae.cli import main

sys.exit(main())
