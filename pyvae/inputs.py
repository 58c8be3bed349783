"""What a command is given: a model, and rows that it or a new model takes."""

import json
from pathlib import Path

import numpy as np

from pyvae import datasets, persistence
from pyvae.arguments import either
from pyvae.data import CHUNK_ROWS, check_support
from pyvae.likelihoods import Bernoulli
from pyvae.refusals import Refusal
from pyvae.words import LIKELIHOODS, make_likelihood


def load_model(path):
    """The model in a file, or in the folder of a run."""
    try:
        if path.is_dir():
            path = path / "model.safetensors"
        return persistence.load(path)
    except FileNotFoundError as error:
        raise Refusal(f"{error}: MODEL is a run's folder, such as runs/digits after pyvae train digits") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}; chmod u+r lets its owner read it") from None
    except ValueError as error:
        raise Refusal(f"{error}: MODEL is a run's folder or its model.safetensors") from None


def data_of(options, model):
    """DATA: what is asked for, else what the model was trained on, as it or the config.json beside it says."""
    if options.data or "data" in model.metadata:
        return options.data or model.metadata["data"]
    folder = options.model if options.model.is_dir() else options.model.parent
    try:
        data = str(json.loads((folder / "config.json").read_text())["options"]["data"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Refusal("DATA must be given: the model does not say what it was trained on") from None
    if not Path(data).is_file():
        raise Refusal(f"DATA must be given: the model was trained on {data}, but no such file is here")
    return data


def load_rows(data, split, model):
    """The name of a split of DATA (None: the first there is) and its rows, as the model was trained on them."""
    splits = datasets.load(data).splits()
    split = split or next(iter(splits))
    if split not in splits:
        raise Refusal(f"{data} has no {split} split: use --split {either(splits)}")
    source = splits[split]
    source.binarize = model.metadata.get("binarize")
    if source.n_features != model.n_features:
        trained_on = f", such as {model.metadata['data']}" if "data" in model.metadata else ""
        raise Refusal(
            f"DATA {data} has {source.n_features} columns, but the model takes {model.n_features}: "
            f"give rows like those it was trained on{trained_on}"
        )
    verb = "scale the rows as" if isinstance(model.likelihood, Bernoulli) else "give rows like"
    check_values(source, model.likelihood, advice=lambda *_: f"{verb} those it was trained on")
    return split, source


def describe_data(model, data, dataset):
    """Note with the model what the other commands have to know of the rows it is trained on."""
    model.metadata = {"binarize": dataset.train.binarize}
    if data in datasets.NAMES:
        model.metadata["data"] = data
    if dataset.image_shape:
        model.metadata["image_shape"] = [int(side) for side in dataset.image_shape]
        model.metadata["value_range"] = dataset.value_range()


def check_values(source, likelihood, advice):
    """Refuse values that the likelihood does not take; ``advice(source, likelihood)`` says what to do about them."""
    try:
        check_support(source, likelihood)
    except ValueError as error:
        is_finite = all(np.isfinite(X).all() for X in np.array_split(source.X, 1 + len(source) // CHUNK_ROWS))
        what = advice(source, likelihood) if is_finite else "fill or drop what is no finite number"
        raise Refusal(f"{error}; {what}") from None


def suited(source, likelihood):
    """Which other likelihoods take the source's values, as advice."""
    words = []
    for word in LIKELIHOODS:
        try:
            check_support(source, make_likelihood(word, source.n_features))
        except ValueError:
            continue
        words.append(word)
    if not words:
        return "no likelihood takes that: scale the rows"
    scaling = "scale the rows, or " if isinstance(likelihood, Bernoulli) else ""  # counts do not come of it
    return f"{scaling}use --likelihood {either(words)}"
