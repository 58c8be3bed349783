"""Model files: safetensors with a description of the model, checked on loading; no pickle.

A file holds every parameter under its name and one metadata key, "pyvae", with sorted JSON:

    format       version of this layout, 1
    model        the model's description, from which it is built again
    metadata     notes about the data, such as the shape of images
    dtype        of the parameters
    body         SHA-256 of the bytes after the header
    description  SHA-256 of the JSON without this entry

Two equal models give equal files to the byte: no time, path or machine is written.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

from pyvae.parameters import build

FORMAT = 1
KEY = "pyvae"


def save(model, path):
    """Write the model to a file, conventionally called *.safetensors.

    The file appears whole or not at all: it is written beside its place, flushed to the disk, and renamed. Raises
    ValueError for a model in which a layer stands in two places, and FileNotFoundError where there is no such folder.
    """
    if build(model.describe()).parameters.names != model.parameters.names:
        raise ValueError("a model in which a layer stands in two places cannot be saved: its file would not say so")
    tensors = {name: np.ascontiguousarray(model.parameters[name]) for name in model.parameters.names}
    description = {
        "format": FORMAT,
        "model": model.describe(),
        "metadata": model.metadata,
        "dtype": str(model.parameters.dtype),
        "body": _sha256(_body(tensor_bytes(tensors))),
    }
    description["description"] = _sha256(_json(description).encode())
    data = tensor_bytes(tensors, {KEY: _json(description)})
    _decode(data, path)  # read back before an older file is replaced
    write_file(path, data)


def load(path):
    """The model that ``save`` wrote. Raises FileNotFoundError where there is no file and ValueError, saying what is
    wrong, where it is damaged or something else than a model of this library."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file {path}")
    description, tensors = _decode(path.read_bytes(), path)
    try:
        model = build(description["model"]).astype(description["dtype"])
        metadata = dict(description["metadata"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: its description lacks something ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be built: {error}") from None
    expected = {name: (model.parameters.dtype, model.parameters[name].shape) for name in model.parameters.names}
    if {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()} != expected:
        raise ValueError(f"{path} is damaged: its tensors do not fit the model that it describes")
    for name, tensor in tensors.items():
        model.parameters[name][...] = tensor
    model.metadata = metadata
    return model


def write_file(path, data):
    """Replace the file at ``path`` by these bytes, all or nothing, also when the power fails.

    Raises FileNotFoundError where there is no such folder, and the OSError that names ``path`` where it cannot be
    written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} to write {path.name} into")
    try:
        _replace(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # and not the temporary file


def _replace(path, data):
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _decode(data, path):
    """Description and tensors of a file's bytes; ValueError where anything is wrong with them."""
    try:
        header_size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + header_size])
        description = json.loads(header["__metadata__"][KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path} is not a pyvae model file, or its header is damaged") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ValueError(f"{path} has a format that this version of pyvae cannot read; it reads format {FORMAT}")
    stated = description.pop("description", None)
    if stated != _sha256(_json(description).encode()):
        raise ValueError(f"{path} is damaged: its description does not match its checksum")
    if description["body"] != _sha256(_body(data)):
        raise ValueError(f"{path} is damaged or cut short: its weights do not match their checksum")
    try:
        return description, read_tensors(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def _body(data):
    return data[8 + int.from_bytes(data[:8], "little") :]


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
