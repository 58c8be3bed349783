"""What ``pyvae train`` says of the rows that it is about to train on."""

import numpy as np

from pyvae.arguments import shown
from pyvae.command.outputs import counted


def describe_rows(dataset, held_out):
    """Say how many rows and columns the data have, which rows are not trained on, and how values are binarised."""
    source = dataset.train
    n_columns = source.n_features if dataset.table is None else len(dataset.table.columns)
    parts = [f"{dataset.name}: {counted(len(source), 'row')} of {counted(n_columns, 'column')}"]
    if dataset.table is not None:
        parts.append(f"{counted(dataset.table.n_features, 'number')} each")
        missing = int(np.isnan(dataset.codes).sum())
        parts += [f"{counted(missing, 'cell')} missing"] if missing else []
    if dataset.n_labelled is not None:
        parts.append(f"{counted(dataset.n_labelled, 'row')} labelled")
    if source.condition is not None:
        parts.append(f"given {', '.join(map(str, dataset.beside.names))}")
    if held_out is not None:
        parts.append(f"{len(held_out)} held out to validate on")
    parts += [f"{len(other)} {name}" for name, other in dataset.splits().items() if name != "train"]
    if source.binarize is not None:
        how = {"threshold": f"cut at {source.threshold:g}", "draw": "drawn afresh at every step"}[source.binarize]
        parts.append(f"black and white ({how})")
    return ", ".join(parts)


def describe_target(column, model):
    """Say what the column to be told is taken for."""
    name = shown(column.name)
    if column.kind == "categorical":
        some = shown(", ".join(map(str, column.categories)))
        return f"{name}, {len(column.categories)} classes: {some}"
    weight = model.likelihood.parts[-1].weight
    return (
        f"{name}, a number from {column.low:g} to {column.high:g}, which counts {weight:g} times in the losses; "
        "the ELBO of the result is of the other columns alone"
    )
