"""``python -m pyvae`` is the command ``pyvae``."""

import sys

from pyvae.command.main import main

sys.exit(main())
