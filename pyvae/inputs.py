"""What a command is given: a model, and rows that it or a new model takes."""

from pyvae import datasets, persistence
from pyvae.arguments import either
from pyvae.data import check_support
from pyvae.options import Refusal
from pyvae.words import LIKELIHOODS, make_likelihood


def load_model(path):
    """The model in a file, or in the folder of a run."""
    if path.is_dir():
        path = path / "model.safetensors"
    try:
        return persistence.load(path)
    except FileNotFoundError as error:
        raise Refusal(f"{error}: MODEL is a run's folder, such as runs/digits after pyvae train digits") from None
    except ValueError as error:
        raise Refusal(f"{error}: MODEL is a run's folder or its model.safetensors") from None


def load_rows(options, model):
    """The name of a split and its rows, as the model was trained on them."""
    data = options.data or model.metadata.get("data")
    if data is None:
        raise Refusal("DATA must be given: the model does not say what it was trained on")
    splits = datasets.load(data).splits()
    split = options.split or next(iter(splits))
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
    check_values(source, model.likelihood, advice=lambda source: "scale the rows as those it was trained on")
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
    """Refuse values that the likelihood does not take; ``advice(source)`` says what to do about them."""
    try:
        check_support(source, likelihood)
    except ValueError as error:
        raise Refusal(f"{error}; {advice(source)}") from None


def suited(source):
    """Which likelihoods take the source's values, as advice."""
    words = []
    for word in LIKELIHOODS:
        try:
            check_support(source, make_likelihood(word, source.n_features))
        except ValueError:
            continue
        words.append(word)
    if not words:
        return "no likelihood takes that: scale the rows, or fill or drop what is missing"
    return f"scale the rows, or use --likelihood {either(words)}"
