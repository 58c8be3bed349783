"""``--given``: what new rows are to be like, from the words of a command line."""

import numpy as np

from pyvae.arguments import did_you_mean, shown
from pyvae.command.inputs import beside_of
from pyvae.command.labels import names_of
from pyvae.command.refusals import Refusal
from pyvae.models.conditional import ConditionalVAE
from pyvae.models.semi_supervised import SemiSupervisedVAE

CLASS = "class"  # the name of the class of a model of labels that stand in no column


def as_arguments(model, given):
    """The arguments of ``model.sample`` for {column: text} or None; refused where a model takes none, or others."""
    if isinstance(model, ConditionalVAE):
        return {"condition": condition(beside_of(model).condition, given or {})}
    if given is None:
        return {}
    if not isinstance(model, SemiSupervisedVAE):
        raise Refusal("--given goes with a model that was trained with --condition, --target or --labels")
    beside = beside_of(model)
    name = CLASS if beside is None else str(beside.target.name)
    check_names([name], given)
    return {"label": number_of(name, given[name], names_of(model).tolist())}


def with_given(model, options, frame):
    """The DataFrame of the new rows of ``pyvae sample``, with what they were given, or the class that was drawn for
    each, before its own columns."""
    beside = beside_of(model)
    if beside is None:
        return frame
    given = options.given
    if given is None:
        given = {beside.target.name: names_of(model)[model.sample_labels(len(frame), options.seed)]}
    for place, (name, values) in enumerate(given.items()):
        frame.insert(place, name, values)
    return frame


def condition(table, given):
    """The condition (C,) of the columns of a Table, for the text of each."""
    check_names([str(name) for name in table.names], given)
    row = {column.name: value_of(column, given[str(column.name)]) for column in table.columns}
    codes = np.array([[number(row, table.columns[j]) for j in table.order]], np.float32)
    return table.one_hot(codes)[0]


def number(row, column):
    """The number that stands for the value of a column."""
    value = row[column.name]
    return value if column.kind == "categorical" else (value - column.mean) / column.scale


def value_of(column, text):
    """The number of a category, or the number that a text says."""
    name = str(column.name)
    if column.kind == "categorical":
        return number_of(name, text, column.categories)
    words = {"true": 1.0, "false": 0.0} if column.kind == "boolean" else {}
    try:
        value = words[text.lower()] if text.lower() in words else float(text)
    except ValueError:
        value = np.nan
    allowed = np.isfinite(value) and (column.kind != "boolean" or value in (0, 1))
    if not allowed or (column.kind == "count" and (value < 0 or value % 1)):
        what = {"boolean": "True or False", "count": "a whole number from 0"}.get(column.kind, "a number")
        raise Refusal(f"--given {name} must be {what}, not {text!r}")
    return value


def number_of(name, text, categories):
    """The number of the category that a text names."""
    names = [str(category) for category in categories]
    if text not in names:
        some = shown(", ".join(names))
        raise Refusal(f"--given {name} must be one of {some}, not {text!r}{did_you_mean(text, names)}")
    return names.index(text)


def check_names(names, given):
    """Refuse given columns that are not the wanted ones."""
    example = ",".join(f"{name}=..." for name in names)
    for name in given:
        if name not in names:
            raise Refusal(f"--given names {shown(name)!r}, which is none of {', '.join(names)}: give {example}")
    missing = [name for name in names if name not in given]
    if missing:
        raise Refusal(f"--given must say {', '.join(map(repr, missing))}: the model makes rows of given {example}")
