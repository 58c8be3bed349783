"""Files of every format that there has been, which every later version has to read.

tests/golden/model-N.safetensors and checkpoint-N.safetensors were written by ``python tests/test_golden_files.py`` in
the first version with format N; they are never written again.
"""

from pathlib import Path

import numpy as np
import pytest

import pyvae
from pyvae.persistence import FORMAT

GOLDEN = Path(__file__).parent / "golden"
FORMATS = range(1, FORMAT + 1)


def make():
    """A model whose weights are simple numbers, and notes about its data."""
    mixed = pyvae.Mixed([pyvae.Bernoulli(3), pyvae.Gaussian(2, std="learned"), pyvae.Poisson(1)])
    encoder = pyvae.Sequential(pyvae.Symlog(), pyvae.Dense(6, 5, "tanh"), pyvae.LayerNorm(5), pyvae.Dense(5, 4))
    model = pyvae.VAE(encoder, pyvae.Dense(2, mixed.n_outputs), mixed, posterior=pyvae.DiagonalGaussian((-6, 2)))
    for name in model.parameters.names:
        tensor = model.parameters[name]
        tensor[...] = (np.arange(tensor.size).reshape(tensor.shape) - 7) / 64
    model.metadata = {"image_shape": [2, 3], "note": "äöü"}
    return model


def rows():
    x = np.arange(60.0).reshape(10, 6) % 7
    x[:, :3] = x[:, :3] > 3
    return x.astype(np.float32)


SETTINGS = {"batch_size": 4, "seed": 5, "validation_fraction": 0.2, "kl_warmup": 1, "progress": False,
            "learning_rate": pyvae.StepDecay(0.01, 0.5, (1, 2))}  # fmt: skip


@pytest.mark.parametrize("number", FORMATS)
def test_models(number):
    model, expected = pyvae.load(GOLDEN / f"model-{number}.safetensors"), make()
    np.testing.assert_array_equal(model.parameters.values, expected.parameters.values)
    assert model.describe() == expected.describe() and model.metadata == expected.metadata
    np.testing.assert_array_equal(model.encode(rows())[0], expected.encode(rows())[0])


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.filterwarnings("ignore::pyvae.CheckpointWarning")  # it comes from another version, or other kernels
def test_checkpoints(number, tmp_path):
    """It loads as a model, and training goes on from it; not to where a whole training comes, as the first versions
    left the std to Adam."""
    path = GOLDEN / f"checkpoint-{number}.safetensors"
    assert pyvae.load(path).parameters.count == make().parameters.count
    (tmp_path / "epoch-000002.safetensors").write_bytes(path.read_bytes())
    resumed = make()
    history = pyvae.train(resumed, rows(), epochs=4, checkpoints=tmp_path, resume=True, **SETTINGS)
    assert history["val_loss"][:2] == pytest.approx([30.29559650, 30.08520421], rel=1e-6)  # of the first version
    assert history["val_loss"][2:] == pytest.approx([21.63525081, 18.92499964], rel=1e-4)


def test_a_model_is_written_as_it_always_was(tmp_path):
    """Another file for the same model is another format, with a number and golden files of its own."""
    pyvae.save(make(), tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == (GOLDEN / f"model-{FORMAT}.safetensors").read_bytes()


if __name__ == "__main__":
    pyvae.save(make(), GOLDEN / f"model-{FORMAT}.safetensors")
    pyvae.train(make(), rows(), epochs=2, checkpoints=GOLDEN, **SETTINGS)
    (GOLDEN / "epoch-000002.safetensors").rename(GOLDEN / f"checkpoint-{FORMAT}.safetensors")
