"""Model files: safetensors with a description of the model, checked on loading; no pickle.

A file holds every parameter under its name and one metadata key, "pyvae", with sorted JSON:

    format       version of this layout, 1
    model        the model's description, from which it is built again
    metadata     notes about the data, such as the shape of images
    dtype        of the parameters
    body         SHA-256 of the bytes after the header
    description  SHA-256 of the JSON without this entry

Two equal models give equal files to the byte: no time, path or machine is written. A checkpoint (checkpoints.py) is a
model file with more in it: ``training``, the state of its training, and ``arrays``, the names of arrays that are laid
out as the parameters are, such as Adam's two means; each tensor of array A stands under A.NAME.
"""

import contextlib
import hashlib
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as tensor_bytes

from pyvae.module import Module, build, parameter_shapes

try:
    import fcntl
except ImportError:  # another system than Linux or macOS
    fcntl = None

FORMAT = 1
KEY = "pyvae"
DTYPES = {"float32": "F32", "float64": "F64"}  # NumPy's words and those of safetensors


def save(model: Module, path: str | os.PathLike) -> None:
    """Write the model to a file, conventionally called *.safetensors.

    The file appears whole or not at all: it is written beside its place, flushed to the disk, read back, and renamed.
    Raises ValueError for a model in which a layer stands in two places, FileNotFoundError where there is no such
    folder, and the OSError that names ``path`` where it cannot be written.
    """
    write(path, model, model.parameters.values)


def write(path, model, values, arrays=None, training=None):
    """``save`` with these values for the parameters; with arrays of a training and its state, it writes a checkpoint.

    values: (size of the arena,). arrays: more such arrays by their names. training: a state in JSON types.
    """
    description = describe_model(model)
    tensors = dict(model.parameters.views(values))
    for array, flat in (arrays or {}).items():
        tensors |= {f"{array}.{name}": view for name, view in model.parameters.views(flat).items()}
    tensors = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}  # in the order of the body
    if training is not None:
        description |= {"training": training, "arrays": sorted(arrays)}
    body = hashlib.sha256()
    for tensor in tensors.values():
        body.update(tensor)
    description["body"] = body.hexdigest()
    description["description"] = _sha256(description)
    write_file(path, tensor_bytes(tensors, {KEY: _json(description)}), check=lambda file: ModelFile(file).close())


def describe_model(model):
    """The description of a model in a file, before its weights: format, model, metadata, dtype.

    Raises ValueError for a model in which a layer stands in two places or a part is not registered, and TypeError where
    its metadata are more than JSON can hold.
    """
    description = {
        "format": FORMAT, "model": model.describe(), "metadata": model.metadata, "dtype": str(model.parameters.dtype)
    }  # fmt: skip
    _json(description)
    if list(parameter_shapes(parts_of(description["model"]))) != list(model.parameters.names):
        raise ValueError("a model in which a layer stands in two places cannot be saved: its file would not say so")
    return description


def load(path: str | os.PathLike) -> Any:
    """The model that ``save`` wrote; from a checkpoint, the model that its training would have left at that point; from
    the folder of a run of ``pyvae train``, its model.

    Raises FileNotFoundError where there is no file and ValueError, saying what is wrong, where it is damaged or not a
    model of this library. The file is checked before anything of its size is allocated.
    """
    path = Path(path)
    with ModelFile(path / "model.safetensors" if path.is_dir() else path) as file:
        return file.model()


class ModelFile:
    """A model file that is open for reading; everything in it has been checked.

    ``description`` is the JSON described above. Raises what ``load`` raises.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"no model file {path}")
        self._file = open(self.path, "rb")
        try:
            table = self._read_header()
            self._check_tensors(table)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._file.close()

    def model(self):
        """A new model with the weights of the file."""
        try:
            model = build(self.description["model"], dtype=self.description["dtype"])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.path} cannot be built: {error}") from None
        self.read("", model.parameters, model.parameters.values)
        model.metadata = self.description["metadata"]
        return model

    def read(self, array, parameters, out):
        """Fill out, a flat array of the layout of an Arena ``parameters``, with the array of this name; "" stands for
        the parameters themselves."""
        for name, view in parameters.views(out).items():
            start, stop = self._places[f"{array}.{name}" if array else name]
            self._file.seek(self._start + start)
            if self._file.readinto(memoryview(view).cast("B")) != stop - start:
                raise ValueError(f"{self.path} was cut short while it was read")

    def _read_header(self):
        """Set ``description`` and return the entries of the tensors."""
        size = os.fstat(self._file.fileno()).st_size
        try:
            header_size = int.from_bytes(self._file.read(8), "little")
            if header_size > size - 8:
                raise ValueError
            table = json.loads(self._file.read(header_size))
            (key, text), *others = table.pop("__metadata__").items()
            description = json.loads(text)
            if key != KEY or others or not isinstance(description, dict):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{self.path} is not a pyvae model file, or its header is damaged") from None
        if description.get("format") != FORMAT:
            raise ValueError(
                f"{self.path} has a format that this version of pyvae cannot read; it reads format {FORMAT}"
            )
        stated = description.pop("description", None)
        if stated != _sha256(description):
            raise ValueError(f"{self.path} is damaged: its description does not match its checksum")
        self.description = description
        self._start, self._body_size = 8 + header_size, size - 8 - header_size
        return table

    def _check_tensors(self, table):
        """Raise ValueError unless the tensors are those of the model described, and unharmed."""
        try:
            shapes = parameter_shapes(parts_of(self.description["model"]))
            arrays = self.description.get("arrays", [])
            shapes |= {f"{array}.{name}": shape for array in arrays for name, shape in shapes.items()}
            expected = tensor_table(shapes, self.description["dtype"])
            dict(self.description["metadata"])
            body = self.description["body"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path} is damaged: its description lacks something ({error})") from None
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{self.path} cannot be built: {error}") from None
        self._places = {name: tensor["data_offsets"] for name, tensor in expected.items()}
        body_size = max((stop for _, stop in self._places.values()), default=0)
        if table != expected or self._body_size > body_size:
            raise ValueError(f"{self.path} is damaged: its tensors do not fit the model that it describes")
        if self._body_size < body_size or hashlib.file_digest(self._file, "sha256").hexdigest() != body:
            raise ValueError(f"{self.path} is damaged or cut short: its weights do not match their checksum")


def parts_of(description):
    """The parts of a described model by their names, without parameters yet."""
    return {name: build(part) for name, part in description.items() if isinstance(part, dict)}


def tensor_table(shapes, dtype):
    """The entries of a safetensors header for tensors of these shapes: sorted by name, one after the other."""
    entries, start = {}, 0
    for name in sorted(shapes):
        stop = start + int(np.prod(shapes[name], dtype=object)) * np.dtype(dtype).itemsize
        entries[name] = {"dtype": DTYPES[dtype], "shape": list(shapes[name]), "data_offsets": [start, stop]}
        start = stop
    return entries


def lock_folder(folder, otherwise):
    """Keep other processes that lock the folder out of it until the descriptor that is returned is closed, or this
    process ends; None where the system has no such locks. Raises BlockingIOError, with the words ``otherwise``, where
    another one has it."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise BlockingIOError(error.errno, otherwise, str(folder)) from None
        return None  # this file system has no locks
    return descriptor


def unlock_folder(descriptor):
    """Let other processes into a folder again; descriptor: what ``lock_folder`` returned."""
    if descriptor is not None:
        os.close(descriptor)


def write_file(path, data, check=None):
    """Replace the file at ``path`` by these bytes, all or nothing, also when the power fails.

    check: a function that is called with the temporary file's path and raises if the file is wrong.
    Raises FileNotFoundError where there is no such folder, and the OSError that names ``path`` where it cannot be
    written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} to write {path.name} into")
    try:
        _replace(path, data, check)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # names path, not the temporary file


def _replace(path, data, check):
    path = Path(os.path.realpath(path))  # a link stays, and the file that it leads to is replaced
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        if path.exists():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))  # it stays as readable as it was
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):  # the whole folder may be gone
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(value):
    return hashlib.sha256(_json(value).encode()).hexdigest()
