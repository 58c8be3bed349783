"""A DataFrame as numbers and back; the code is in data/tables.py."""

from pyvae.data.tables import Column, Table
