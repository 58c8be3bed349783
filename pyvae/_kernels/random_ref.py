"""Random numbers as pure functions, and the order of rows: the definition, in NumPy.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) maps a counter of
four 32-bit words and a key of two to four random words. Here counter = (block of four columns, sample, row, step): a
number depends on where it belongs, not on what was drawn before it, by which thread, or beside which rows.

Shapes: rows (B,) are row numbers; out (B * k, columns), the k samples of a row next to each other, whose numbers are
first_sample, first_sample + 1, ...
"""

import numpy as np

FEISTEL_ROUNDS = 6


def philox4x32(counter, key):
    """Four random words for each counter: (..., 4) integers -> (..., 4) uint32; key: two integers."""
    counter = np.asarray(counter)
    if counter.dtype.kind not in "iu":
        raise TypeError(f"counter must be whole numbers, not {counter.dtype}")
    c0, c1, c2, c3 = np.moveaxis(counter.astype(np.uint64), -1, 0)
    key0, key1 = int(key[0]), int(key[1])
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = p1 >> 32 ^ c1 ^ np.uint64(key0), p1 & low, p0 >> 32 ^ c3 ^ np.uint64(key1), p0 & low
        key0, key1 = (key0 + 0x9E3779B9) % 2**32, (key1 + 0xBB67AE85) % 2**32
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def check_rows(rows):
    """Row numbers as int64; OverflowError where one does not fit its 32 bits of the counter."""
    rows = np.asarray(rows)
    if rows.dtype.kind not in "iu" and rows.size > 0:
        raise TypeError(f"rows must be whole numbers, not an array of {rows.dtype}")
    rows = rows.astype(np.int64)
    outside = np.flatnonzero((rows < 0) | (rows >= 2**32))
    if outside.size:
        raise OverflowError(f"rows must lie in 0 .. 2^32 - 1; rows[{outside[0]}] is {rows[outside[0]]}")
    return rows


def _words(key, step, rows, shape, first_sample):
    """uint32 words (B * k, blocks of columns, 4)."""
    if not 0 <= step < 2**32:
        raise OverflowError(f"step must lie in 0 .. 2^32 - 1, not {step}")
    rows, blocks, k = check_rows(rows), (shape[1] + 3) // 4, shape[0] // max(len(rows), 1)
    if not 0 <= first_sample <= 2**32 - k:
        raise OverflowError(f"samples must lie in 0 .. 2^32 - 1, not from {first_sample} on")
    counter = np.empty((len(rows), k, blocks, 4), dtype=np.uint64)
    counter[..., 0] = np.arange(blocks)
    counter[..., 1] = np.arange(first_sample, first_sample + k)[:, None]
    counter[..., 2] = rows[:, None, None]
    counter[..., 3] = step
    return philox4x32(counter, key).reshape(shape[0], blocks, 4)


def uniform(key, step, rows, out, first_sample=0):
    """out = (floor(w / 2^9) + 1/2) / 2^23: the open interval (0, 1), exact in float32 and float64."""
    words = _words(key, step, rows, out.shape, first_sample)
    words = words.reshape(len(out), 4 * words.shape[1])[:, : out.shape[1]]
    out[...] = ((words >> 9) + 0.5) * 2.0**-23


def normal(key, step, rows, out, first_sample=0):
    """Box and Muller (1958): words (w0, w1) make r cos a and r sin a, (w2, w3) the next two, with
    r = sqrt(-2 log((w0 + 1/2) / 2^32)) and a = 2 pi w1 / 2^32."""
    words = _words(key, step, rows, out.shape, first_sample).astype(np.float64)
    radius = np.sqrt(-2 * np.log((words[..., 0::2] + 0.5) / 2**32))
    angle = words[..., 1::2] * (2 * np.pi / 2**32)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    out[...] = pairs.reshape(len(out), 4 * words.shape[1])[:, : out.shape[1]]


def bernoulli_draw(key, step, rows, probability, out, first_sample=0):
    """out = 1 where the uniform number at that place is below the probability, else 0."""
    uniform(key, step, rows, out, first_sample)
    out[...] = out < probability


def permutation(key, epoch, n, start, out):
    """out[i] = pi(start + i), pi a permutation of 0 .. n - 1 that (key, epoch) picks, without memory or state.

    A Feistel network permutes the numbers of 2 h bits, h the least for which that covers n: (left, right) ->
    (right, left xor F(right)), six times. Numbers of n and above are sent through it again until they fall below n
    ("cycle walking", Black and Rogaway 2002), which leaves a permutation of 0 .. n - 1.
    """
    if n > 2**32 or start + len(out) > n:
        raise ValueError(f"positions {start} .. {start + len(out)} must lie within n = {n}, at most 2^32")
    if not 0 <= epoch < 2**32:
        raise OverflowError(f"epoch must lie in 0 .. 2^32 - 1, not {epoch}")
    half = (max(n - 1, 1).bit_length() + 1) // 2
    mask = np.uint64(2**half - 1)
    x = np.arange(start, start + len(out), dtype=np.uint64)
    walking = np.ones(len(out), dtype=bool)
    while walking.any():
        left, right = x[walking] >> np.uint64(half), x[walking] & mask
        for i in range(FEISTEL_ROUNDS):
            counter = np.zeros((len(right), 4), dtype=np.uint64)
            counter[:, 0], counter[:, 1], counter[:, 3] = right, i, epoch
            left, right = right, left ^ (philox4x32(counter, key)[:, 0] & mask)
        x[walking] = left << np.uint64(half) | right
        walking = x >= n
    out[...] = x
