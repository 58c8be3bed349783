"""Model files: what comes back, what damage is noticed, and that nothing is lost on the way."""

import errno
import json

import numpy as np
import pytest
from safetensors.numpy import load_file

import pyvae
from pyvae import persistence
from pyvae.likelihoods.categorical import Categorical
from pyvae.likelihoods.gaussian import Gaussian


def models():
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5, 4), activation="tanh", seed=3)
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=Gaussian(6, std="learned", floor=0.1))
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(), likelihood=Gaussian(6, std=0.3))
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(), likelihood=Gaussian(6, std="shared"))
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood="poisson")
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=pyvae.Multinomial(6, total=50))
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood="negative-binomial")
    mixed = pyvae.Mixed([pyvae.NegativeBinomial(2), pyvae.Mixed([Categorical([3]), Gaussian(1, std="predicted")])])
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=mixed)
    yield pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,), likelihood=Categorical([2, 4])).astype(np.float64)
    yield pyvae.VAE(
        pyvae.Sequential(pyvae.Dense(6, 5), pyvae.Softplus(), pyvae.Dense(5, 4)), pyvae.Dense(2, 6),
        pyvae.Bernoulli(6), posterior=pyvae.DiagonalGaussian((-3, 2)),
    )  # fmt: skip


@pytest.mark.parametrize("model", list(models()))
def test_everything_comes_back(model, tmp_path, rng):
    model.metadata = {"image_shape": [2, 3], "note": "äöü"}
    path = tmp_path / "model.safetensors"
    pyvae.save(model, path)
    loaded = pyvae.load(path)
    assert loaded.parameters.names == model.parameters.names and loaded.parameters.dtype == model.parameters.dtype
    np.testing.assert_array_equal(loaded.parameters.values, model.parameters.values)
    assert loaded.describe() == model.describe() and loaded.metadata == model.metadata
    Z = rng.random((4, 2))
    np.testing.assert_array_equal(loaded.decode(Z), model.decode(Z))


def test_equal_models_give_equal_files(tmp_path):
    for name in "ab":
        pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_load_with_safetensors_alone(tmp_path):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    pyvae.save(model, tmp_path / "m")
    tensors = load_file(tmp_path / "m")
    assert sorted(tensors) == sorted(model.parameters.names)
    np.testing.assert_array_equal(tensors["encoder.0.W"], model.parameters["encoder.0.W"])


def test_only_one_metadata_key(tmp_path):
    """With several, safetensors writes them in an order that differs from run to run."""
    pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["pyvae"]


def test_any_damage_is_noticed(tmp_path, rng):
    """A byte changed anywhere, or the end cut off: an error of one sentence, or the same weights."""
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    pyvae.save(model, tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    damaged = [data[:n] for n in rng.integers(0, len(data), 150)]
    for place in rng.integers(0, len(data), 300):
        damaged.append(data[:place] + bytes([data[place] ^ (1 << rng.integers(8))]) + data[place + 1 :])
    refused = 0
    for bytes_ in damaged:
        (tmp_path / "bad").write_bytes(bytes_)
        try:
            loaded = pyvae.load(tmp_path / "bad")
        except ValueError as error:
            assert "bad" in str(error) and "\n" not in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(loaded.parameters.values, model.parameters.values)
    assert refused > 0.95 * len(damaged)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95pickle", b"\0" * 100, b"\xff" * 100])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match="not a pyvae model file"):
        pyvae.load(tmp_path / "other")


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file .*nothing"):
        pyvae.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / "nowhere" / "m")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m"
    pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(persistence.os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        pyvae.save(pyvae.VAE.mlp(6, latent_dim=3, hidden=(5,)), path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["m"]


def test_own_layers_register_themselves(tmp_path):
    @pyvae.register
    class Doubling(pyvae.Layer):
        def forward(self, x, noise=None, memory=pyvae.FRESH):
            return 2 * x, None

        def backward(self, dy, cache, need_dx=True):
            return 2 * dy

    encoder = pyvae.Sequential(Doubling(), pyvae.Dense(6, 4))
    pyvae.save(pyvae.VAE(encoder, pyvae.Dense(2, 6), pyvae.Bernoulli(6)), tmp_path / "m")
    assert isinstance(pyvae.load(tmp_path / "m").encoder.layers[0], Doubling)
    del pyvae.module.REGISTRY["Doubling"]
    with pytest.raises(ValueError, match="unknown part 'Doubling'.*pyvae.register"):
        pyvae.load(tmp_path / "m")


def test_a_layer_in_two_places_is_refused(tmp_path):
    shared = pyvae.Dense(6, 6)
    model = pyvae.VAE(pyvae.Sequential(shared, shared, pyvae.Dense(6, 4)), pyvae.Dense(2, 6), pyvae.Bernoulli(6))
    with pytest.raises(ValueError, match="a layer stands in two places"):
        pyvae.save(model, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_subclass_comes_back_as_itself(tmp_path):
    @pyvae.register
    class OwnVAE(pyvae.VAE):
        pass

    pyvae.save(OwnVAE(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Bernoulli(6)), tmp_path / "m")
    assert type(pyvae.load(tmp_path / "m")) is OwnVAE
    del pyvae.module.REGISTRY["OwnVAE"]


def test_a_name_belongs_to_one_class():
    class Dense(pyvae.Layer):
        pass

    with pytest.raises(ValueError, match="a part called Dense is registered already"):
        pyvae.register(Dense)


def test_a_description_that_lacks_something_is_refused(tmp_path):
    """Checksums are right, but what they protect is not a model of this library."""
    pyvae.save(pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    for change in ({"dtype": None}, {"model": []}, {"model": {"type": "VAE"}}, {"dtype": "float64"}):
        description = {**json.loads(header["__metadata__"]["pyvae"]), **change}
        del description["description"]
        description = {key: value for key, value in description.items() if value is not None}
        description["description"] = persistence._sha256(description)
        text = json.dumps({**header, "__metadata__": {"pyvae": persistence._json(description)}}).encode()
        (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
        with pytest.raises(ValueError, match="is damaged|cannot be built"):
            pyvae.load(tmp_path / "m")


def test_a_file_stays_as_readable_as_it_was(tmp_path):
    """A new file has the rights that the process gives to new files; a link leads to the same file as before."""
    model, path = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,)), tmp_path / "m"
    (tmp_path / "plain").touch()
    pyvae.save(model, path)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    pyvae.save(model, path)
    assert path.stat().st_mode & 0o777 == 0o640
    (tmp_path / "link").symlink_to(path)
    pyvae.save(pyvae.VAE.mlp(7, latent_dim=2, hidden=(5,)), tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and pyvae.load(path).n_features == 7
