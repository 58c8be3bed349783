"""Trainings and evaluations give the numbers that they gave when they were recorded: weights and files to the bit."""

import importlib
import json
import math

import numpy as np
import pytest
from recorded_trainings import CASES, RECORD, run

from pyvae import _kernels

LEVEL = _kernels.info()["isa"]
pytestmark = pytest.mark.skipif(LEVEL not in ("v3", "v4"), reason="recorded on instruction sets with one set of bits")


def assert_close(found, recorded):
    """Equal words; equal numbers up to the order in which NumPy adds and rounds."""
    if isinstance(recorded, dict):
        assert found.keys() == recorded.keys()
        for name in recorded:
            assert_close(found[name], recorded[name])
    elif isinstance(recorded, list):
        assert len(found) == len(recorded)
        for pair in zip(found, recorded, strict=True):
            assert_close(*pair)
    elif isinstance(recorded, float) and not math.isnan(recorded):
        assert found == pytest.approx(recorded, rel=1e-12, abs=1e-12)
    else:
        np.testing.assert_equal(found, recorded)


@pytest.fixture(autouse=True)
def _no_bf16_unit():
    """The machine that recorded "medium" had no bf16 unit, and a product of bf16 numbers has other bits on one."""
    cpu = importlib.import_module("pyvae._kernels.cpu")
    unit = cpu.get_bf16()
    cpu.set_bf16(None)
    yield
    cpu.set_bf16(unit)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_same_numbers_as_recorded(name, threads):
    recorded = json.loads(RECORD.read_text())[name]
    found = json.loads(json.dumps(run(name, threads)))
    for mean in ("mean of samples", "mean of draws"):  # of float32 numbers that NumPy computes
        assert found.pop(mean) == pytest.approx(recorded.pop(mean), rel=1e-5)
    assert_close(found, recorded)
