"""Model and checkpoint files with any damage: one sentence, or the same weights; never a crash or a large allocation.

The suite looks at a tenth of the places; all of them: ``pytest -m slow tests/test_damaged_files.py``.
"""

import json
import tracemalloc

import numpy as np
import pytest

import pyvae
from pyvae import persistence

SPARE = 384 * 1024  # bytes, whatever the file: the buffer through which it is hashed, and Python objects


def write_files(folder):
    """A model and a checkpoint of it, by their names."""
    model = pyvae.VAE.mlp(12, latent_dim=3, hidden=(30,), seed=1)
    X = np.random.default_rng(0).random((40, 12), np.float32)
    pyvae.train(model, X, epochs=2, progress=False, validation_fraction=0.25, checkpoints=folder)
    pyvae.save(model, folder / "model.safetensors")
    return {"model": folder / "model.safetensors", "checkpoint": folder / "epoch-000002.safetensors"}


class Loader:
    """Loads damaged bytes and counts what became of them."""

    def __init__(self, path):
        self.path = path.with_name("damaged.safetensors")
        self.data = path.read_bytes()
        self.values = pyvae.load(path).parameters.values
        self.header_size = 8 + int.from_bytes(self.data[:8], "little")
        self.loaded = self.refused = 0

    def load(self, data):
        """An error of one sentence that names the file, or the right weights; at most twice the file is allocated."""
        self.path.write_bytes(data)
        tracemalloc.start()
        try:
            model = pyvae.load(self.path)
        except ValueError as error:
            message = str(error)
        else:
            message = None
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak <= 2 * max(len(data), len(self.data)) + SPARE
        if message is None:
            assert model.parameters.values.tobytes() == self.values.tobytes()
            self.loaded += 1
        else:
            assert message.startswith(str(self.path)) and "\n" not in message and len(message) < 400
            self.refused += 1


@pytest.fixture(params=["model", "checkpoint"])
def loader(request, tmp_path):
    return Loader(write_files(tmp_path)[request.param])


def every(share):
    """Parameters of a test: a share of the places in the suite, all of them where slow tests run."""
    return pytest.mark.parametrize("stride", [share, pytest.param(1, marks=pytest.mark.slow)])


@every(10)
def test_cut_short(loader, stride):
    """At every byte of the header, and at 1,000 places of the body."""
    body = np.linspace(loader.header_size, len(loader.data) - 1, 1000).astype(int)
    for size in [*range(loader.header_size), *body][::stride]:
        loader.load(loader.data[:size])
    assert loader.loaded == 0


@every(10)
def test_changed(loader, stride):
    """10,000 files in which bits flip, bytes are others, missing, doubled, exchanged, zero, or more than there were."""
    rng = np.random.default_rng(1)
    data = loader.data
    for i in range(10_000 // stride):
        limit = loader.header_size if i % 2 else len(data)  # half of them in the header
        a, b = sorted(rng.integers(0, limit, 2))
        n = int(rng.integers(1, 9))
        change = [
            lambda a=a: data[:a] + bytes([data[a] ^ (1 << rng.integers(8))]) + data[a + 1 :],
            lambda a=a: data[:a] + rng.bytes(1) + data[a + 1 :],
            lambda a=a, n=n: data[:a] + data[a + n :],
            lambda a=a, n=n: data[:a] + data[a : a + n] + data[a:],
            lambda a=a, b=b, n=n: data[:a] + data[b : b + n] + data[a + n : b] + data[a : a + n] + data[b + n :],
            lambda a=a, b=b: data[:a] + bytes(b - a) + data[b:],
            lambda n=n: data + rng.bytes(n),
            lambda: rng.bytes(8) + data[8:],
        ][i % 8]
        loader.load(change())
    assert loader.refused > 0.9 * 10_000 // stride


def digits_changed(text, rng):
    """The text with one of its numbers changed to a larger, a smaller or a nonsensical one."""
    places = [i for i, c in enumerate(text) if c.isdigit()]
    at = places[rng.integers(len(places))]
    return text[:at] + rng.choice(["9999999999", "0", "-1", "1e9", "null", '"x"', "[]", "7"]) + text[at + 1 :]


@every(10)
def test_changed_with_right_checksums(loader, stride):
    """What somebody could write who knows the checksums: descriptions and tables of tensors with other numbers."""
    rng = np.random.default_rng(2)
    header = json.loads(loader.data[8 : loader.header_size])
    description = json.loads(header.pop("__metadata__")["pyvae"])
    del description["description"]
    done = 0
    while done < 2000 // stride:
        try:
            changed = json.loads(digits_changed(json.dumps(description), rng)) if done % 2 else description
            table = header if done % 2 else json.loads(digits_changed(json.dumps(header), rng))
        except ValueError:  # no JSON any more
            continue
        changed = {**changed, "description": persistence._sha256(changed)}
        text = json.dumps({**table, "__metadata__": {"pyvae": json.dumps(changed)}}).encode()
        loader.load(len(text).to_bytes(8, "little") + text + loader.data[loader.header_size :])
        done += 1
    assert loader.refused > 0.2 * 2000 // stride


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"PK\x03\x04", b"\x93NUMPY", b"\x1f\x8b", b"GGUF", b"{}", b"%PDF"])
def test_other_kinds_of_file(start, loader):
    loader.load(start + loader.data)
    loader.load(start)
    assert loader.refused == 2


def test_hostile_headers(loader):
    """Sizes beyond the file, JSON a thousand levels deep, keys that are missing, of another type, or doubled."""

    def file(header):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text

    for size in (len(loader.data), 2**31, 2**32, 2**63, 2**64 - 1):
        loader.load(size.to_bytes(8, "little") + loader.data[8:])
    for header in (
        {}, [], 1, None, "x", {"__metadata__": None}, {"__metadata__": {}}, {"__metadata__": {"pyvae": 1}},
        {"__metadata__": {"pyvae": "{}"}}, {"__metadata__": {"pyvae": "[]"}}, {"__metadata__": {"pyvae": "{", "b": ""}},
        {"__metadata__": {"pyvae": json.dumps({"format": 2})}}, b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}",
        b'{"__metadata__":{"pyvae":"{}"},"__metadata__":{}}',
    ):  # fmt: skip
        loader.load(file(header))
    assert loader.loaded == 0
