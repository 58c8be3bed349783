"""Noise: every random number of the library as a pure function of seed, step, name, row and column.

Training and all that it uses draw from nowhere else, and nothing has a state. So noise does not depend on the number of
threads, on which rows share a minibatch, or on what was drawn before. A forward pass can be repeated exactly, as a
gradient check requires. The generator is Philox4x32-10 (see ``_kernels/random_ref.py``):

    key = SeedSequence([seed, stream]).generate_state(2),   counter = (block of four columns, sample, row, step)
"""

from copy import copy
from functools import lru_cache

import numpy as np

from pyvae import _kernels
from pyvae.arguments import check_count

ROWS = 2**32  # that noise can tell apart, with as many samples each

# A stream's number is part of every random number that was ever drawn from it: never renumber, only append.
STREAMS = {
    "z": 0,  # eps of the reparameterization
    "weights": 1,  # initial weights; step = number of the layer
    "order": 2,  # the order of rows; step = epoch
    "binarize": 3,  # gray values to black and white
    "prior": 4,  # z drawn from the prior
    "x": 5,  # x drawn from the likelihood
    "split": 6,  # which rows are held out
    "dropout": 7,  # masks of dropout layers, each with a key of its own
    "dequantize": 8,  # the place of a rounded number in its grid step
    "component": 9,  # of a mixture from which z is drawn
    "class": 10,  # y drawn from p(y) or q(y|x)
    "z2": 11,  # eps of the second layer of latent variables
}


@lru_cache(maxsize=256)
def _key(seed, name, *number):
    if name not in STREAMS:
        raise ValueError(f"no noise is called {name!r}; the names are {', '.join(STREAMS)}")
    return tuple(int(word) for word in np.random.SeedSequence([seed, STREAMS[name], *number]).generate_state(2))


class Noise:
    """The random numbers of one step: ``Noise(seed, step).normal("z", shape, rows)``.

    ``shape`` is (B * k, columns) for the k samples of B rows, samples of a row next to each other; ``rows`` holds the
    row numbers. seed is any whole number from 0; step, row and sample numbers must be below 2^32, else it raises
    OverflowError.
    """

    rows = None  # row numbers of the batch, for masks; see ``at``
    first = 0  # the number of row 0; see ``from_row``
    first_sample = 0  # the number of each row's first sample; see ``from_sample``
    numbers = ()  # of the part that draws; see ``part``

    def __init__(self, seed, step=0):
        self.seed = check_count("seed", seed, 0)
        if not 0 <= step < ROWS:
            raise OverflowError(f"step must lie in 0 .. 2^32 - 1, not {step}")
        self.step = step

    def normal(self, name, shape, rows, dtype=np.float32, out=None):
        """Independent standard normal numbers, (B * k, columns); float32 and float64 agree to a few last places."""
        out = np.empty(shape, dtype) if out is None else out
        _kernels.normal(self.key(name), self.step, self._counted(rows), out, self.first_sample)
        return out

    def uniform(self, name, shape, rows, dtype=np.float32, out=None):
        """Independent uniform numbers in the open interval (0, 1), (B * k, columns)."""
        out = np.empty(shape, dtype) if out is None else out
        _kernels.uniform(self.key(name), self.step, self._counted(rows), out, self.first_sample)
        return out

    def bernoulli(self, name, probability, rows, out=None):
        """1 with the given probability, else 0, independently; shaped like ``probability``, (B * k, columns)."""
        out = np.empty(probability.shape, probability.dtype) if out is None else out
        _kernels.bernoulli_draw(self.key(name), self.step, self._counted(rows), probability, out, self.first_sample)
        return out

    def from_row(self, first):
        """The noise of the rows from number ``first`` on, which are then called 0, 1, ..."""
        noise = copy(self)
        noise.first = first
        return noise

    def from_sample(self, first):
        """The noise of each row's samples from number ``first`` on: those beyond, if ``first`` of them are drawn."""
        noise = copy(self)
        noise.first_sample = first
        return noise

    def at(self, rows):
        """The same noise for layers, which do not know the numbers of their rows."""
        noise = Noise(self.seed, self.step)
        noise.rows, noise.first_sample = rows, self.first_sample
        return noise

    def part(self, number):
        """Other numbers under the same names, for part ``number`` of a whole that draws nothing itself."""
        noise = copy(self)
        noise.numbers = (*self.numbers, number)
        return noise

    def keep(self, number, shape, rate, dtype=np.float32, out=None):
        """Mask of the dropout layer ``number``, (B * k, columns), for the rows given to ``at``: each element 0 with
        probability rate, else 1 / (1 - rate), independently. Raises ValueError if no rows were given."""
        if self.rows is None:
            raise ValueError("a dropout mask belongs to rows: use noise.at(rows)")
        out = np.empty(shape, dtype) if out is None else out
        key, probability = _key(self.seed, "dropout", number), np.full(shape, 1 - rate, out.dtype)
        _kernels.bernoulli_draw(key, self.step, self.rows, probability, out, self.first_sample)
        out /= out.dtype.type(1 - rate)
        return out

    def permutation(self, name, n, start=0, stop=None, out=None):
        """Places start .. stop of a random order of 0 .. n - 1, int64; the order of all n is never stored."""
        out = np.empty((n if stop is None else stop) - start, dtype=np.int64) if out is None else out
        _kernels.permutation(self.key(name), self.step, n, start, out)
        return out

    def _counted(self, rows):
        return np.add(rows, self.first) if self.first else rows

    def key(self, name):
        """The Philox key of a stream: two integers below 2^32."""
        return _key(self.seed, name, *self.numbers)

    @staticmethod
    def frozen(**arrays):
        """Noise that holds given arrays: ``Noise.frozen(z=eps)`` returns eps whenever "z" is asked for."""
        return FrozenNoise(arrays)


class FrozenNoise:
    """Noise whose numbers are given, for lessons and gradient checks."""

    def __init__(self, arrays):
        self.arrays = arrays

    def at(self, rows):
        """Return itself: its numbers belong to no rows."""
        return self

    def keep(self, number, shape, rate, dtype=np.float32, out=None):
        """The array named "dropout" and the number, like "dropout0"; without one, always the same mask."""
        if f"dropout{number}" in self.arrays:
            return self.normal(f"dropout{number}", shape, None, dtype)
        return Noise(0).at(np.arange(shape[0])).keep(number, shape, rate, dtype, out)

    def normal(self, name, shape, rows, dtype=np.float32, out=None):
        """The array of that name. Raises KeyError where there is no such array, ValueError where its shape differs."""
        if name not in self.arrays:
            raise KeyError(f"this frozen noise holds {', '.join(self.arrays)}, not {name!r}")
        array = np.asarray(self.arrays[name], dtype=dtype)
        if array.shape != tuple(shape):
            raise ValueError(f"the frozen noise {name!r} must have the shape {tuple(shape)}, not {array.shape}")
        return array
