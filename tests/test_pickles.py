"""Models and parts pickle and copy: nothing is lost, nothing is shared, and the library itself reads no pickle."""

import copy
import pickle
import pickletools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.arena import Arena
from pyvae.workspace import ALIGNMENT

COPIES = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "oldest protocol": lambda thing: pickle.loads(pickle.dumps(thing, protocol=2)),
    "deepcopy": copy.deepcopy,
}
every_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


@pyvae.register
class Stretched(pyvae.Layer):
    """A user's own layer, y = 2 scale x, with a parameter and something of its own beside it."""

    def __init__(self, n):
        self.n_in = self.n_out = n
        self.seen = []

    def forward(self, x, noise=None, memory=pyvae.FRESH):
        return 2 * self.scale * x, x

    def backward(self, dy, cache, need_dx=True):
        self.dscale += (2 * dy * cache).sum(axis=0)
        return 2 * self.scale * dy

    def shapes(self):
        return {"scale": (self.n_in,)}

    def initialize(self, noise):
        self.scale[...] = 0.5

    def config(self):
        return {"n": self.n_in}


def rich_model(dtype=np.float32):
    """Shared layers, every block, a likelihood with parameters, a user's layer, metadata."""
    shared = pyvae.Dense(6, 6, "tanh")
    encoder = pyvae.Sequential(
        shared, pyvae.Residual(pyvae.Dense(6, 6, "silu")), Stretched(6), shared, pyvae.GatedDense(6, 5),
        pyvae.Dropout(0.2), pyvae.LayerNorm(5), pyvae.Dense(5, 4),
    )  # fmt: skip
    likelihood = pyvae.Mixed([pyvae.Gaussian(4, std="learned"), pyvae.Bernoulli(2)])
    decoder = pyvae.Sequential(pyvae.Dense(2, 6), shared, pyvae.Dense(6, likelihood.n_outputs))
    model = pyvae.VAE(encoder, decoder, likelihood, seed=4, dtype=dtype)
    model.encoder.layers[2].seen.append("a note")
    model.metadata = {"image": [2, 3]}
    return model


def rows(n=20):
    return np.random.default_rng(0).random((n, 6))


def train(model, seed=1):
    pyvae.train(model, rows(), epochs=2, batch_size=8, seed=seed, progress=False)


@every_copy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_copy_is_whole_and_apart(copied, dtype):
    model = rich_model(dtype)
    train(model)
    twin = copied(model)
    assert type(twin) is pyvae.VAE and twin.describe() == model.describe()
    assert twin.metadata == model.metadata and twin.metadata is not model.metadata
    assert twin.parameters.names == model.parameters.names and twin.parameters.dtype == dtype
    assert twin.parameters.values.tobytes() == model.parameters.values.tobytes()
    assert twin.elbo(rows()).tobytes() == model.elbo(rows()).tobytes()
    assert twin.encoder.layers[0] is twin.encoder.layers[3] is twin.decoder.layers[1]
    assert twin.encoder.layers[2].seen == ["a note"]

    assert twin.parameters.values.ctypes.data % ALIGNMENT == twin.parameters.grads.ctypes.data % ALIGNMENT == 0
    assert np.shares_memory(twin.encoder.layers[0].W, twin.parameters.values)
    assert np.shares_memory(twin.likelihood.parts[0].drho, twin.parameters.grads)
    before = model.parameters.values.copy()
    train(twin, seed=2)
    assert (model.parameters.values == before).all() and (twin.parameters.values != before).any()


@every_copy
def test_a_copy_learns_what_the_original_learns(copied):
    model = rich_model()
    train(model)
    twin = copied(model)
    train(model, seed=3)
    train(twin, seed=3)
    assert twin.parameters.values.tobytes() == model.parameters.values.tobytes()


@every_copy
def test_what_is_copied_together_stays_together(copied):
    """A model, a part of it, and an optimizer in the middle of its work."""
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    optimizer = pyvae.Adam(model.parameters, weight_decay=0.1)
    x, eps = rows().astype(np.float32), np.random.default_rng(1).standard_normal((20, 2)).astype(np.float32)

    def step(model, optimizer):
        model.loss_and_gradients(x, eps)
        optimizer.step()
        return model.parameters.values.tobytes()

    step(model, optimizer)
    twin, again, encoder, its_optimizer = copied([model, model, model.encoder, optimizer])
    assert twin is again and encoder is twin.encoder and its_optimizer.parameters is twin.parameters
    assert step(twin, its_optimizer) == step(model, optimizer)
    assert step(twin, its_optimizer) == step(model, optimizer)


@every_copy
@pytest.mark.parametrize("bound", [False, True])
def test_a_part_is_copied_without_weights_and_ready_for_another_model(copied, bound):
    part = pyvae.Sequential(pyvae.Dense(6, 5, "gelu"), pyvae.Dense(5, 4))
    if bound:
        Arena({"part": part}, seed=1)
    twin = copied(part)
    assert twin.describe() == part.describe() and not hasattr(twin.layers[0], "W")
    assert pyvae.VAE(twin, pyvae.Dense(2, 6), pyvae.Bernoulli(6)).elbo(rows()).shape == (20,)


@every_copy
@pytest.mark.parametrize(
    "thing",
    [
        pyvae.WarmUp(pyvae.CosineDecay(1e-3, 10, floor=1e-5), 2),
        pyvae.StepDecay(1e-3, 0.5, at=(2, 4)),
        pyvae.ExponentialDecay(1e-3, 0.9),
        pyvae.Constant(1e-3),
    ],
)
def test_schedules(copied, thing):
    assert copied(thing) == thing and copied(thing)(3.5) == thing(3.5)


@every_copy
def test_a_history(copied):
    history = pyvae.train(rich_model(), rows(), epochs=2, batch_size=8, X_val=rows(4), progress=False)
    twin = copied(history)
    assert twin.epochs == history.epochs and twin.stopped == history.stopped


@every_copy
def test_noise_draws_the_same_numbers(copied):
    noise = pyvae.Noise(3, step=5)
    drawn, again = (source.normal("z", (4, 3), np.arange(4)) for source in (noise, copied(noise)))
    assert again.tobytes() == drawn.tobytes()


def test_a_shallow_copy_is_another_name_for_the_same_weights():
    model = rich_model()
    alias = copy.copy(model)
    alias.parameters.values[...] = 0
    assert alias.encoder is model.encoder and not model.encoder.layers[0].W.any()
    assert alias.elbo(rows()).tobytes() == model.elbo(rows()).tobytes()


def test_a_subclass_keeps_what_it_adds():
    class Named(pyvae.VAE):
        def __init__(self, name):
            super().__init__(pyvae.Dense(6, 4), pyvae.Dense(2, 6), pyvae.Bernoulli(6))
            self.name = name

    for twin in (copy.deepcopy(Named("a")), Named("a").astype(np.float64)):
        assert type(twin) is Named and twin.name == "a" and twin.elbo(rows()).shape == (20,)


def test_a_pickle_holds_the_weights_once_and_nothing_of_a_training():
    """Neither gradients nor the tapes and workspaces of the steps before it."""
    model = pyvae.VAE.mlp(300, latent_dim=5, hidden=(200,))
    fresh = len(pickle.dumps(model))
    pyvae.train(model, np.random.default_rng(0).random((50, 300)), epochs=1, progress=False)
    data = pickle.dumps(model)
    assert len(data) == fresh < model.parameters.values.nbytes + 5000
    words = {argument for _, argument, _ in pickletools.genops(data) if isinstance(argument, str)}
    assert "VAE" in words and not words & {"Tape", "Workspace", "Step", "Lease", "_step"}


def test_equal_models_pickle_to_equal_bytes():
    assert pickle.dumps(rich_model()) == pickle.dumps(rich_model())


def test_a_pickle_is_read_by_another_process(tmp_path):
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    (tmp_path / "model").write_bytes(pickle.dumps((model, rows(), model.elbo(rows()))))
    code = (
        "import pickle, sys\n"
        "model, X, right = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert model.elbo(X).tobytes() == right.tobytes()"
    )
    found_here = Path(pyvae.__file__).resolve().parents[1]
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    done = subprocess.run(command, cwd=found_here, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_joblib_files(tmp_path):
    """Its memory-mapped, read-only arrays too: the copy has memory of its own."""
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    model = pyvae.VAE.mlp(6, latent_dim=2, hidden=(5,))
    joblib.dump(model, tmp_path / "model.joblib")
    for mode in (None, "r"):
        twin = joblib.load(tmp_path / "model.joblib", mmap_mode=mode)
        assert twin.elbo(rows()).tobytes() == model.elbo(rows()).tobytes()
        train(twin)


def test_the_library_reads_no_pickle():
    folder = Path(pyvae.__file__).parent
    sources = "".join(path.read_text() for kind in ("*.py", "*.pyx") for path in folder.rglob(kind))
    assert not re.findall(r"import (?:pickle|joblib|dill|cloudpickle|shelve|marshal)\b|allow_pickle=True", sources)
    assert all("allow_pickle=False" in call for call in re.findall(r"np\.load\([^)]*\)", sources))
