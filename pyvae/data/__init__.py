"""Data: where minibatches come from, and how files, tables and arrays become rows."""

from pyvae.data.batch import Batch
from pyvae.data.columns import Column
from pyvae.data.sources import ArraySource, DataSource, SparseSource, as_source
from pyvae.data.tables import Table
from pyvae.data.wrapped import Dequantized, Drawn, Rows, SameNoise, WithCondition, WrappedSource
