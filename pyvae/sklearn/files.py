"""Files of estimators: everything that ``fit`` has learned, in one archive without pickles.

    pyvae.sklearn.save(estimator, "people.pyvae")
    estimator = pyvae.sklearn.load("people.pyvae")

The archive is a .zip of estimator.json, which holds parameters and attributes, arrays.npz, and models/N.safetensors
(persistence.py). What is more than JSON stands there as an object with one key, the word for what it is. Nothing in a
file is executed: an object's class is looked up among those below. Requests of metadata (scikit-learn's
set_fit_request) are not kept.
"""

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.mixture import GaussianMixture

from pyvae import persistence
from pyvae.arguments import shown
from pyvae.data.free_memory import TooLittleMemory, check_memory
from pyvae.data.standardization import Standardization
from pyvae.data.tables import Table
from pyvae.latent.aggregate import AggregatePosterior
from pyvae.likelihoods.likelihood import Likelihood
from pyvae.models.evaluation import Model
from pyvae.module import build
from pyvae.sklearn.classifier import VAEClassifier
from pyvae.sklearn.clusterer import VAEClusterer
from pyvae.sklearn.columns import ArrayColumns, TableColumns
from pyvae.sklearn.outliers import VAEOutlierDetector
from pyvae.sklearn.supervised import VAERegressor
from pyvae.sklearn.transformer import VAETransformer
from pyvae.training.adam import Adam

FORMAT = 1
ESTIMATORS = (VAETransformer, VAEOutlierDetector, VAEClusterer, VAERegressor, VAEClassifier)
PLAIN = (*ESTIMATORS, ArrayColumns, TableColumns, Standardization, AggregatePosterior, GaussianMixture)
CLASSES = {cls.__name__: cls for cls in PLAIN}  # whose attributes are all that there is to them
KINDS = {  # the words for what is more than JSON
    "adam", "array", "dict", "float", "frame", "likelihood", "model", "number", "object", "objects", "random_state",
    "table", "tuple",
}  # fmt: skip


def save(estimator, path):
    """Write a fitted estimator, or one that is not, to a file; it appears whole or not at all.

    Raises TypeError for another object, and where a parameter or a category is more than a file can hold, such as an
    interval; FileNotFoundError where there is no such folder, and the OSError that names ``path`` where it cannot be
    written.
    """
    if type(estimator) not in ESTIMATORS:
        raise TypeError(f"estimator must be one of pyvae.sklearn, not of type {type(estimator).__name__}")
    writer, file = Writer(), io.BytesIO()
    state = {"format": FORMAT, "estimator": writer.describe(estimator, type(estimator).__name__)}
    with zipfile.ZipFile(file, "w") as archive, TemporaryDirectory() as folder:
        archive.writestr(_entry("estimator.json"), json.dumps(state, sort_keys=True))
        for i, model in enumerate(writer.models):
            persistence.save(model, Path(folder) / "model")
            archive.writestr(_entry(f"models/{i}.safetensors"), (Path(folder) / "model").read_bytes())
        arrays = io.BytesIO()
        np.savez(arrays, **{str(i): array for i, array in enumerate(writer.arrays)})
        archive.writestr(_entry("arrays.npz"), arrays.getvalue())
    persistence.write_file(path, file.getvalue())


def load(path):
    """The estimator that ``save`` wrote. Raises FileNotFoundError where there is no file, and ValueError where it holds
    something else or is damaged."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
            check_memory(path, sum(entry.file_size for entry in archive.infolist()), "free some")
            state = json.loads(archive.read("estimator.json"))
            if state["format"] != FORMAT:
                raise ValueError(f"format {state['format']}, but this version of pyvae reads {FORMAT}")
            models = []
            while f"models/{len(models)}.safetensors" in archive.namelist():
                (Path(folder) / "model").write_bytes(archive.read(f"models/{len(models)}.safetensors"))
                models.append(persistence.load(Path(folder) / "model"))
            file = io.BytesIO(archive.read("arrays.npz"))
            with np.load(file, allow_pickle=False) as arrays:
                estimator = Reader(models, arrays).value(state["estimator"])
        if type(estimator) not in ESTIMATORS:
            raise ValueError("no estimator")
        return estimator
    except TooLittleMemory:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, TypeError, AttributeError, IndexError,
            NotImplementedError, RecursionError, ValueError) as error:  # fmt: skip
        raise ValueError(f"{path} is no file of an estimator, or it is damaged ({shown(error)})") from None


class Writer:
    """Objects as JSON, with the models and arrays that it refers to by their numbers."""

    def __init__(self):
        self.models, self.arrays = [], []

    def describe(self, value, name):
        """The value in JSON types. name: of it in messages."""
        if value is None or isinstance(value, bool | int | str) or (type(value) is float and math.isfinite(value)):
            return value
        if isinstance(value, list):
            return [self.describe(item, name) for item in value]
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return {"objects": [self.describe(item, name) for item in value.tolist()]}
        if isinstance(value, np.ndarray | np.generic | float):
            self.arrays.append(np.asarray(value))
            return {"float" if type(value) is float else "number" if np.ndim(value) == 0 else "array":
                    len(self.arrays) - 1}  # fmt: skip
        if isinstance(value, tuple):
            return {"tuple": [self.describe(item, name) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[self.describe(key, name), self.describe(item, name)] for key, item in value.items()]}
        if isinstance(value, Model):
            numbers = [i for i, model in enumerate(self.models) if model is value]
            if not numbers:
                self.models.append(value)
            return {"model": numbers[0] if numbers else len(self.models) - 1}
        if isinstance(value, Likelihood):
            return {"likelihood": value.describe()}
        if isinstance(value, Table):
            return {"table": value.config()}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.describe(value.get_state(), name)}
        if isinstance(value, Adam):
            numbers = [i for i, model in enumerate(self.models) if model.parameters is value.parameters]
            return {"adam": [numbers[0], self.describe(value.m, name), self.describe(value.v, name), value.t,
                             value.weight_decay]}  # fmt: skip
        if hasattr(value, "iloc"):
            types = [[self.describe(column, name), str(dtype)] for column, dtype in value.dtypes.items()]
            return {"frame": types}
        if type(value).__name__ in CLASSES and type(value) is CLASSES[type(value).__name__]:
            items = sorted(vars(value).items(), key=lambda item: (isinstance(item[1], Adam), item[0]))  # models first
            state = {
                attribute: self.describe(item, f"{name}.{attribute}") for attribute, item in items
                if attribute != "_metadata_request"
            }  # fmt: skip
            return {"object": [type(value).__name__, state]}
        raise TypeError(f"{name} is of type {type(value).__name__}, which a file without pickles cannot hold")


class Reader:
    """The inverse of Writer."""

    def __init__(self, models, arrays):
        self.models, self.arrays = models, arrays

    def value(self, described):
        """The value that ``Writer.describe`` described."""
        if isinstance(described, list):
            return [self.value(item) for item in described]
        if not isinstance(described, dict):
            return described
        ((kind, content),) = described.items()
        if kind not in KINDS:
            raise ValueError(f"no value is called {kind!r}")
        return getattr(self, f"_{kind}")(content)

    def _array(self, number):
        return self.arrays[str(number)]

    def _number(self, number):
        return self.arrays[str(number)][()]

    def _float(self, number):
        return float(self.arrays[str(number)])

    def _objects(self, items):
        array = np.empty(len(items), object)
        array[:] = self.value(items)
        return array

    def _tuple(self, items):
        return tuple(self.value(items))

    def _dict(self, pairs):
        return {self.value(key): self.value(item) for key, item in pairs}

    def _model(self, number):
        return self.models[number]

    def _likelihood(self, described):
        return build(described)

    def _table(self, config):
        return Table.from_config(config)

    def _random_state(self, state):
        random = np.random.RandomState()
        random.set_state(self.value(state))
        return random

    def _adam(self, content):
        number, m, v, t, weight_decay = content
        adam = Adam(self.models[number].parameters, weight_decay=weight_decay)
        adam.m[...], adam.v[...], adam.t = self.value(m), self.value(v), t
        return adam

    def _frame(self, types):
        import pandas as pd

        return pd.DataFrame({self.value(column): pd.Series(dtype=dtype) for column, dtype in types})

    def _object(self, content):
        name, state = content
        value = CLASSES[name].__new__(CLASSES[name])
        vars(value).update({key: self.value(item) for key, item in state.items()})
        return value


def _entry(name):
    """An entry without a time, so that equal estimators give equal files."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
