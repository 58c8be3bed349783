"""Data sets and files by name: ``pyvae.datasets.load("digits")``; the code is in data/datasets.py."""

from pyvae.data.datasets import NAMES, Dataset, data_folder, load, rows_of_table, table
from pyvae.data.sprites import draw_sprites
