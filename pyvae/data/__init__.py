"""Data: where minibatches come from, and how files, tables and arrays become rows."""

from pyvae.data.columns import Column
from pyvae.data.sources import (
    ArraySource,
    Batch,
    DataSource,
    Dequantized,
    Rows,
    SameNoise,
    SparseSource,
    WrappedSource,
    as_source,
)
from pyvae.data.tables import Table
