"""``--given``: what new rows are to be like, from the words of a command line."""

import sys

import numpy as np

from pyvae.arguments import did_you_mean, shown
from pyvae.command.inputs import beside_of, number_beside, table_of
from pyvae.command.labels import names_of
from pyvae.command.refusals import Refusal
from pyvae.data.sources import ArraySource
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.models.conditional import ConditionalVAE
from pyvae.models.joint import once
from pyvae.models.latents_given import latents_given
from pyvae.models.semi_supervised import SemiSupervisedVAE
from pyvae.noise import Noise

CLASS = "class"  # the name of the class of a model of labels that stand in no column
FEW = 50  # effective samples of z


def new_rows(model, options, latent, mean):
    """The rows of ``pyvae sample``, (n, D), given {column: text} or nothing; latent: the density of z, None for the
    prior. Refused where a model takes nothing, or other columns."""
    n, seed, given = options.n, options.seed, options.given
    if isinstance(model, ConditionalVAE):
        return model.sample(n, seed, mean, latent, condition=condition(beside_of(model).condition, given or {}))
    if given is None:
        return model.sample(n, seed, mean, latent)
    if isinstance(model, SemiSupervisedVAE):
        return model.sample(n, seed, mean, latent, label=label(model, given))
    if table_of(model) is None:
        raise Refusal("--given goes with models of tables, or of classes: train with a table, or with --labels")
    return model.draw(latents_of(model, table_of(model), given, latent, n, seed), seed)


def latents_of(model, table, given, latent, n, seed):
    """z ~ p(z|given), (n, Z), of a model of all columns of a table, some of which are given, as may be the number
    beside them."""
    beside = number_beside(model)
    columns = [*table.columns, *([beside] if beside else [])]
    names = [str(column.name) for column in columns]
    for name in given:
        if name not in names:
            raise Refusal(f"--given names {shown(name)!r}, which is no column{did_you_mean(name, names)}")
    if len(given) == len(names):
        raise Refusal("--given must leave some column out, or there is nothing to draw")
    row = {column.name: value_of(column, given[str(column.name)]) for column in columns if str(column.name) in given}
    codes = np.array([[number(row, table.columns[j]) for j in table.order]], np.float32)
    x = table.one_hot(codes)
    x[np.isnan(np.repeat(codes, table.widths, axis=1))] = np.nan
    if beside:
        model, x = once(model), np.append(x, [[number(row, beside)]], axis=1).astype(np.float32)
    density = latent or AggregatePosterior.standard_normal(model.latent_dim)
    found = latents_given(model, ArraySource(x, missing=True), density, seed)
    if found.effective_sample_size < FEW:
        print(
            "pyvae sample: hardly any row that was trained on is like that: the new rows are of few kinds "
            f"(the effective sample size of z is {found.effective_sample_size:.0f})",
            file=sys.stderr,
        )
    return found.draw(n, Noise(seed, step=1))


def label(model, given):
    """The number of the class that is given."""
    beside = beside_of(model)
    name = CLASS if beside is None else str(beside.target.name)
    check_names([name], given)
    return number_of(name, given[name], names_of(model).tolist())


def frame_of(model, options, table, rows):
    """The new rows (n, D) of ``pyvae sample`` as a DataFrame, with what they were given as it was typed: in columns of
    its own, or before these, where the class that was drawn for each stands, too, or the number beside them."""
    frame, beside, given = table.decode(rows), beside_of(model), options.given
    if beside is not None and beside.number:
        frame.insert(0, beside.number.name, beside.number.decode(rows[:, table.n_features :]))
    if beside is None or beside.number:
        return frame.astype(dict.fromkeys(given or {}, object)).assign(**(given or {}))
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
    """The number that stands for the value of a column; NaN where it has none."""
    value = row.get(column.name, np.nan)
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
