"""Whether a process that imports the installed package loads one libgomp, the one that lies beside the package."""

from pathlib import Path

import numpy as np

import pyvae

model = pyvae.VAE.mlp(200, hidden=(300,), likelihood="bernoulli", seed=0)
with pyvae.threads(2):
    assert np.isfinite(model.elbo(np.full((500, 200), 0.5))).all()
loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libgomp" in line}
bundled = Path(pyvae.__file__).parent.parent / "pyvae.libs"
assert len(loaded) == 1 and Path(*loaded).parent == bundled, f"loaded {loaded}, wanted the one of {bundled}"
print("OpenMP is", *loaded)
