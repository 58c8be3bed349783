"""Print the oldest version of every package that pyproject.toml allows, to build with, to run on and to test with."""

import re
import tomllib
from pathlib import Path

settings = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
extras = settings["project"]["optional-dependencies"]
requirements = [*settings["build-system"]["requires"], *settings["project"]["dependencies"]]
requirements += [requirement for extra in ("sklearn", "plot", "data", "test") for requirement in extras[extra]]
bounds = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups() for requirement in requirements)
print(*(f"{name}=={version}" for name, version in bounds.items()))
