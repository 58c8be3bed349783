"""The inputs of a command: a model, and rows that it or a new model takes."""

import json
from pathlib import Path

import numpy as np

from pyvae import persistence
from pyvae.arguments import either, shown
from pyvae.command.refusals import Refusal
from pyvae.command.runs import LATENT
from pyvae.data import csv_files, datasets
from pyvae.data.beside import Beside
from pyvae.data.scaling import log_scale_of_rows
from pyvae.data.sources import CHUNK_ROWS, SparseSource
from pyvae.data.support import check_support
from pyvae.data.tables import Table
from pyvae.data.validation import UNKNOWN
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.likelihoods.bernoulli import Bernoulli
from pyvae.likelihoods.gaussian import Gaussian
from pyvae.likelihoods.words import LIKELIHOODS, likelihood_of_entries, make_likelihood
from pyvae.models.joint import without_targets


def load_model(path):
    """The model in a file, or in the folder of a run."""
    try:
        return persistence.load(path)
    except FileNotFoundError as error:
        raise Refusal(f"{error}: MODEL is a run's folder, such as runs/digits after pyvae train digits") from None
    except OSError as error:
        raise Refusal(
            f"{error.filename or path} cannot be read: {error.strerror}; chmod u+r lets its owner read it"
        ) from None
    except ValueError as error:
        raise Refusal(f"{error}: MODEL is a run's folder or its model.safetensors") from None


def load_latent(path, model):
    """The AggregatePosterior beside the model at a path; None without one, as beside a model of an earlier version."""
    file = (path if path.is_dir() else path.parent) / LATENT
    try:
        return AggregatePosterior.from_npz(file, model.latent_dim) if file.exists() else None
    except ValueError as error:
        raise Refusal(f"{error}: use --latent prior, or train the model anew") from None


def data_of(options, model):
    """The DATA that the options name, else the DATA that the model was trained on."""
    if options.data:
        return options.data
    data = trained_on(options.model, model)
    if data is None:
        raise Refusal("DATA must be given: the model does not say what it was trained on")
    if data not in datasets.NAMES and not Path(data).is_file():
        raise Refusal(f"DATA must be given: the model was trained on {data}, but no such file is here")
    return data


def trained_on(path, model):
    """The DATA that the model at a path was trained on, as it or the config.json beside it says, or None."""
    if "data" in model.metadata:
        return model.metadata["data"]
    folder = path if path.is_dir() else path.parent
    try:
        return str(json.loads((folder / "config.json").read_text())["options"]["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def are_same(data, other):
    """True if two DATA are the same name or the same file."""
    if data == other or other is None:
        return data == other
    return Path(data).is_file() and Path(other).is_file() and Path(data).samefile(other)


def load_training(options):
    """Load DATA of ``pyvae train`` as a Dataset, and set ``options.likelihood`` if it is left to the data.

    A .csv file with a header is a table, unless it holds only numbers from 0 to 1, or an option says that it is an
    array.
    """
    of_array = [name for name in ("likelihood", "image_shape", "binarize", "missing") if getattr(options, name)]
    of_table = [name for name in ("kinds", "drop", "condition", "target") if getattr(options, name)]
    is_csv = Path(options.data).suffix.lower() == ".csv"
    if of_table and not is_csv:
        raise Refusal(f"--{of_table[0]} goes with a table: leave it out, {options.data} is no .csv file")
    if of_table and of_array:
        array = f"--{of_array[0].replace('_', '-')}"
        raise Refusal(
            f"{array} is of arrays and --{of_table[0]} of tables, whose columns have each its own kind: leave one out"
        )
    if of_table or (is_csv and not of_array and csv_files.is_table(options.data)):
        return _load_table(options)
    try:
        dataset = datasets.load(options.data, options.image_shape)
    except ValueError as error:
        if is_csv and csv_files.is_table(options.data):
            raise Refusal(f"{error}; or leave out --{of_array[0].replace('_', '-')}, and it is a table") from None
        raise
    is_sparse = isinstance(dataset.train, SparseSource)
    if is_sparse and options.binarize:
        raise Refusal(f"--binarize is of arrays: leave it out, {options.data} is a sparse matrix")
    if options.missing:
        _take_nan(dataset.splits().values(), options)
    options.likelihood = options.likelihood or (likelihood_of_entries(dataset.train.X) if is_sparse else "bernoulli")
    return dataset


def _take_nan(sources, options):
    """Let NaN in the sources count as missing."""
    for source in sources:
        if isinstance(source, SparseSource):
            raise Refusal(f"--missing is of arrays: leave it out, {options.data} is a sparse matrix")
        if source.binarize and options.binarize != "none":
            raise Refusal("what is missing cannot be black or white: add --binarize none, or leave out --missing")
        source.missing = True


def _load_table(options):
    try:
        return datasets.table(options.data, options.kinds, options.drop, options.condition, options.target)
    except (ValueError, TypeError) as error:
        if str(error).startswith("line "):
            raise Refusal(f"{options.data}: {error}") from None
        if not str(error).startswith("column "):
            raise
        raise Refusal(f"{options.data}: {error}; --drop leaves a column out, --kinds gives it another kind") from None


def table_of(model):
    """The Table whose rows a model was trained on; None if it was trained on an array."""
    if "table" not in model.metadata:
        return None
    try:
        table = Table.from_config(model.metadata["table"])
        if table.n_features + (number_beside(model) is not None) != model.n_features:
            raise ValueError
    except (TypeError, ValueError, KeyError, AttributeError):
        raise Refusal("MODEL has notes of a table that is not its own: train it anew") from None
    return table


def log_scale(source, table):
    """The number to subtract from log p(x) of each row for that of the row as given, (N,), nats: of a table, or of a
    source that is standardised; 0 for other arrays."""
    scaled = table or source.standardization
    if scaled is None:
        return np.zeros(len(source))
    of_columns = np.zeros(source.n_features)
    of_columns[: len(scaled.log_scale())] = scaled.log_scale()  # of a number beside the rows, none is scored
    return log_scale_of_rows(source, of_columns)


def beside_of(model):
    """What stood Beside the rows of the table that a model was trained on; None if nothing did."""
    return None if "beside" not in model.metadata else Beside.from_config(model.metadata["beside"])


def number_beside(model):
    """The Column of the number beside the rows that a model was trained on; None if none was."""
    beside = beside_of(model)
    return None if beside is None else beside.number


def without_number(model, source):
    """The rows of a source without the number beside them, if the model knows one."""
    return source if number_beside(model) is None else without_targets(model, source)


def load_rows(data, options, model, labels=False):
    """The name and the rows of the split of DATA that the options name, or else of its first split; with their labels,
    or the number beside them, if these are asked for.

    The name is None if DATA is not what the model was trained on and all of it is one split, which ``datasets`` calls
    train.
    """
    splits = splits_of(data, model)
    split = options.split or next(iter(splits))
    if split not in splits:
        raise Refusal(f"{data} has no {split} split: use --split {either(splits)}")
    name = split if len(splits) > 1 or are_same(data, trained_on(options.model, model)) else None
    source = as_trained_on(splits[split], data, model)
    if labels:
        return name, source
    source.label = None
    return name, without_number(model, source)


def splits_of(data, model):
    """The rows of DATA, for the model, by the names of their splits; with the numbers of their classes, if the model
    knows classes."""
    table = table_of(model)
    if table is not None:
        return _rows_of_table(data, table, model).splits()
    dataset = datasets.load(data)
    if "classes" in model.metadata:
        for source, labels in ((dataset.train, dataset.train_labels), (dataset.test, dataset.test_labels)):
            if labels is not None:
                source.label = codes_of(labels, model.metadata["classes"])
    return dataset.splits()


def codes_of(labels, classes):
    """The number of each label (N,) among the classes; -1 for what is none of them."""
    code = {name: i for i, name in enumerate(classes)}
    return np.array([code.get(label, -1) for label in np.asarray(labels).tolist()], np.int64)


def as_trained_on(source, data, model):
    """A split of DATA, in the form in which the model was given rows; refused where they do not fit it."""
    if table_of(model) is not None:
        return source
    source.binarize, source.missing = model.metadata.get("binarize"), model.metadata.get("missing", False)
    if source.binarize and isinstance(source, SparseSource):
        raise Refusal(f"DATA {data} is a sparse matrix, but the model was trained on black and white rows of an array")
    if source.n_features != model.n_features:
        such_as = f", such as {model.metadata['data']}" if "data" in model.metadata else ""
        raise Refusal(
            f"DATA {data} has {source.n_features} columns, but the model takes {model.n_features}: "
            f"give rows like those it was trained on{such_as}"
        )
    verb = "scale the rows as" if isinstance(model.likelihood, Bernoulli) else "give rows like"
    try:
        check_values(source, model.likelihood, advice=lambda *_: f"{verb} those it was trained on")
    except ValueError as error:
        raise Refusal(str(error).replace(UNKNOWN, "fill it, drop the row, or train a model with --missing")) from None
    return source


def _rows_of_table(data, table, model):
    if not data.lower().endswith(".csv"):
        raise Refusal(f"DATA {data} is no table: give a .csv file, as the model was trained on one")
    try:
        return datasets.rows_of_table(data, table, model.metadata.get("dropped", ()), beside_of(model))
    except (ValueError, TypeError) as error:
        if str(error).startswith(data):
            raise
        beside = beside_of(model)
        names = [*(beside.names if beside else ()), *table.names]
        raise Refusal(
            f"{data}: {error}; give the columns {shown(', '.join(names))}, with empty cells for what is not known"
        ) from None


def describe_data(model, data, dataset, dropped=()):
    """Note in the model's metadata what other commands must know about the rows that it is trained on."""
    model.metadata = {"binarize": dataset.train.binarize}
    if data in datasets.NAMES:
        model.metadata["data"] = data
    if dataset.table is None and dataset.train.missing:
        model.metadata["missing"] = True
    if dataset.table is not None:
        model.metadata |= {"table": dataset.table.config(), "dropped": list(dropped)}
    if dataset.beside is not None:
        model.metadata["beside"] = dataset.beside.config()
    if dataset.image_shape:
        model.metadata["image_shape"] = [int(side) for side in dataset.image_shape]
        model.metadata["value_range"] = dataset.value_range()


def check_values(source, likelihood, advice):
    """Refuse values that the likelihood does not take; ``advice(source, likelihood)`` says what to do about them."""
    try:
        check_support(source, likelihood, _dtype_of(likelihood))
    except ValueError as error:
        X = source.X.data if isinstance(source, SparseSource) else source.X
        is_finite = all(np.isfinite(part).all() for part in np.array_split(X, 1 + len(X) // CHUNK_ROWS))
        if "missing=True" in str(error):
            raise
        what = advice(source, likelihood) if is_finite else "fill or drop what is no finite number"
        raise Refusal(f"{error}; {what}") from None


def _dtype_of(likelihood):
    """The type in which a model takes the values: those of a Gaussian are standardised first, in double."""
    return np.float64 if isinstance(likelihood, Gaussian) else np.float32


def suited(source, likelihood):
    """Advice that names the likelihoods that take the source's values."""
    words = []
    for word in LIKELIHOODS:
        try:
            other = make_likelihood(word, source.n_features)
            check_support(source, other, _dtype_of(other))
        except ValueError:
            continue
        words.append(word)
    if not words:
        return "no likelihood takes that: scale the rows"
    scaling = "scale the rows, or " if isinstance(likelihood, Bernoulli) else ""  # scaling makes no counts
    return f"{scaling}use --likelihood {either(words)}"
