"""The checks of ``pyvae check``, a file for each kind of part."""
