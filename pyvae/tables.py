"""A DataFrame as numbers and back; the code is in data/tables.py."""

from pyvae.data.columns import Column
from pyvae.data.tables import Table
