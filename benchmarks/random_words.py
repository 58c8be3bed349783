"""The raw 32-bit words behind all of the library's noise, on standard output without end: for tests of generators.

    python benchmarks/random_words.py --seed 1 | dieharder -a -g 200 -k 2 -Y 1

They come in the order in which the library draws: the columns of a row first, then its samples, the rows, and the
steps. Give dieharder the stream, not a file: of a gigabyte it reads the same words dozens of times, and some of its
tests see that. One p-value in a hundred lies beyond 0.005 or 0.995 by chance: what fails counts if it fails again under
another seed.
"""

import argparse
import sys

import numpy as np

from pyvae import Noise, _kernels


def words(seed, stream, columns, samples, rows):
    """Arrays of uint32 (rows, samples, columns), one a step, as ``Noise(seed, step)`` draws them."""
    blocks = columns // 4
    counter = np.empty((rows, samples, blocks, 4), np.uint32)
    counter[..., 0] = np.arange(blocks)
    counter[..., 1] = np.arange(samples)[:, None]
    counter[..., 2] = np.arange(rows)[:, None, None]
    key = Noise(seed).key(stream)
    for step in range(2**32):
        counter[..., 3] = step
        yield _kernels.philox4x32(counter, key).reshape(rows, samples, columns)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )  # the defaults: four words of counter that all take many values within the first gigabyte
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stream", default="z", help="name of the stream (%(default)s)")
    parser.add_argument("--columns", type=int, default=64, help="a multiple of 4 (%(default)s)")
    parser.add_argument("--samples", type=int, default=8, help="per row (%(default)s)")
    parser.add_argument("--rows", type=int, default=500, help="per step (%(default)s)")
    arguments = parser.parse_args()
    if arguments.columns % 4:
        parser.error("--columns must be a multiple of 4: one counter makes four words")
    try:
        for step in words(**vars(arguments)):
            sys.stdout.buffer.write(step)
    except BrokenPipeError:  # who reads has enough
        sys.stderr.close()


if __name__ == "__main__":
    main()
