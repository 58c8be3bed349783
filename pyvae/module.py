"""Module: what every part of a model is, and the registry by which files find its class."""

import inspect
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
REGISTRY: dict[str, type] = {}


def register(cls: type[T]) -> type[T]:
    """Class decorator: files name a module by its class, and loading one finds the class here.

    Raises ValueError where another class has the name already.
    """
    known = REGISTRY.get(cls.__name__, cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"a part called {cls.__name__} is registered already, from {known.__module__}")
    REGISTRY[cls.__name__] = cls
    return cls


def build(config, **options):
    """The module that ``describe()`` described; options are handed to its class's ``from_config``.

    Raises ValueError for a type that is not registered.
    """
    config = dict(config)
    kind = config.pop("type", None)
    if kind not in REGISTRY:
        raise ValueError(f"unknown part {kind!r}; a class of your own must be decorated with pyvae.register")
    return REGISTRY[kind].from_config(config, **options)


class Module:
    """What layers, likelihoods, posteriors, priors and models have in common: parameters, parts and a description.

    playable: whether its forward and backward passes do nothing but call kernels on arrays of ``memory``, the same
    calls every time, so that a step can be recorded and played (training/step.py). A class says so itself: it does not
    inherit it.
    """

    playable = False

    def shapes(self):
        """Names and shapes of its own parameters, such as {"W": (784, 400), "b": (400,)}."""
        return {}

    def children(self):
        """Names and modules of its parts."""
        return {}

    def initialize(self, noise):
        """Fill its own parameters, already bound, with their first values, drawn from the stream "weights"."""

    def config(self):
        """Its constructor's arguments, as what JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The inverse of ``config``."""
        return cls(**config)

    def __getstate__(self):
        """What a copy or a pickle takes over: all but the views into an arena, which are the original's. A part alone
        comes without its weights, ready for another model; a model brings its arena along (VAE.__setstate__)."""
        views = {prefix + name for name in self.shapes() for prefix in ("", "d")}
        return {name: value for name, value in vars(self).items() if name not in views}

    def describe(self):
        """``config()`` with the name of the class: what ``build`` takes."""
        return {"type": type(self).__name__, **self.config()}


def is_playable(module):
    """Whether a module and all of its parts say ``playable = True`` in their own classes, and no method of theirs was
    replaced on the instance."""
    own = vars(type(module)).get("playable", False) and not any(map(callable, vars(module).values()))
    return own and all(map(is_playable, module.children().values()))


@lru_cache
def check_signatures(cls):
    """Raise ValueError where a method of a class of parts does not take the arguments that the library calls it with:
    those of the interface, the first of its parents in pyvae that has such a method."""
    library = [parent for parent in reversed(cls.__mro__) if parent.__module__.startswith("pyvae.")]
    for name in {name for parent in cls.__mro__ for name in vars(parent)}:
        method = inspect.getattr_static(cls, name)
        interface = next((vars(parent)[name] for parent in library if name in vars(parent)), None)
        if name.startswith("__") or not (inspect.isfunction(method) and inspect.isfunction(interface)):
            continue
        wanted, taken = (list(inspect.signature(function).parameters.values()) for function in (interface, method))
        if not _accepts(taken, wanted):
            raise ValueError(
                f"{cls.__name__}.{name} takes ({', '.join(parameter.name for parameter in taken)}), but is called with "
                f"({', '.join(parameter.name for parameter in wanted)})"
            )


def _accepts(taken, wanted):
    """True if a method with these parameters can be called with the wanted ones, by position; those with a default by
    name, too."""
    for i, parameter in enumerate(wanted):
        if i < len(taken) and taken[i].kind is taken[i].VAR_POSITIONAL:
            return True
        if i >= len(taken) or taken[i].kind not in (taken[i].POSITIONAL_ONLY, taken[i].POSITIONAL_OR_KEYWORD):
            return False
        if parameter.default is not parameter.empty and taken[i].name != parameter.name:
            return False
    return all(
        more.default is not more.empty or more.kind in (more.VAR_POSITIONAL, more.VAR_KEYWORD)
        for more in taken[len(wanted) :]
    )


def owners(modules):
    """Every module among these and their parts, once, as (prefix of its parameters' names, module).

    modules: a dict of names and modules. A module that stands in two places has the name of the first.
    """
    found = {}

    def collect(prefix, module):
        if id(module) not in found:
            found[id(module)] = (prefix, module)
            for name, child in module.children().items():
                collect(f"{prefix}.{name}", child)

    for name, module in modules.items():
        collect(name, module)
    return list(found.values())


def parameter_shapes(modules):
    """Names and shapes of all parameters of these modules and their parts, in the order of an Arena."""
    return {f"{prefix}.{name}": shape for prefix, module in owners(modules) for name, shape in module.shapes().items()}
