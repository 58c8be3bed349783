"""Noise: every random number is a function of its place alone, and the numbers are as random as they should be.

All seeds are fixed, so no test here fails by chance; limits of p-values and standard errors are those of a test that
would fail once in some thousand seeds.
"""

import random

import numpy as np
import pytest
from scipy import stats

import pyvae
from pyvae import Noise
from pyvae.noise import STREAMS

ROWS = np.arange(7)


def draw(kind, noise, name="z", shape=(7, 10), rows=ROWS, dtype=np.float32):
    """Numbers of any kind; "bernoulli" with probabilities that differ from column to column only."""
    if kind == "bernoulli":
        probability = np.broadcast_to(np.linspace(0.3, 0.7, 64, dtype=dtype)[: shape[1]], shape)
        return noise.bernoulli(name, probability, rows)
    return getattr(noise, kind)(name, shape, rows, dtype)


every_kind = pytest.mark.parametrize("kind", ["normal", "uniform", "bernoulli"])
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


# --- What is frozen --------------------------------------------------------------------------------------------------


def test_the_table_of_streams_is_frozen():
    """Renumbering a stream changes every result that was ever computed with it. Append, and append here."""
    names = ("z", "weights", "order", "binarize", "prior", "x", "split", "dropout", "dequantize", "component")
    names += ("class", "z2")
    assert STREAMS == {name: number for number, name in enumerate(names)}


FROZEN_UNIFORMS = [[280305, 3316167, 3994861, 14489273, 12121953], [5986847, 8090367, 13191965, 15253395, 1260329]]
FROZEN_NORMALS = [
    [0.9239384374389669, 2.7074224196828593, 1.1093421854397465],
    [-1.426642828755352, 0.1600125144903988, 0.5835334715785673],
]
FROZEN_ORDER = [0, 2, 9, 10, 7, 8, 3, 6, 4, 5, 1, 11]


def test_the_numbers_are_frozen():
    """These very numbers, or results that were published cannot be had again."""
    words = np.rint(Noise(1, step=2).uniform("z", (2, 5), [0, 3]) * 2**24)
    np.testing.assert_array_equal(words, FROZEN_UNIFORMS)
    normals = Noise(1, step=2).normal("z", (2, 3), [0, 3], np.float64)
    np.testing.assert_allclose(normals, FROZEN_NORMALS, rtol=1e-12)
    np.testing.assert_array_equal(Noise(1, step=2).permutation("order", 12), FROZEN_ORDER)


def test_the_key_is_the_seeds_and_the_streams():
    for seed in (0, 1, 2**100):
        for name, stream in STREAMS.items():
            words = np.random.SeedSequence([seed, stream]).generate_state(2)
            assert Noise(seed).key(name) == (int(words[0]), int(words[1]))


# --- A pure function -------------------------------------------------------------------------------------------------


@every_kind
def test_asking_again_gives_the_same_numbers(kind):
    noise = Noise(3, step=9)
    first = draw(kind, noise)
    draw(kind, noise, "x", (3, 5), [1, 2, 3])
    np.testing.assert_array_equal(draw(kind, noise), first)
    np.testing.assert_array_equal(draw(kind, Noise(3, step=9)), first)


@every_kind
@both_dtypes
def test_a_row_has_its_numbers_whatever_rows_are_asked_for(kind, dtype):
    """Alone, among others, in another order, twice."""
    together = draw(kind, Noise(3), shape=(1000, 33), rows=np.arange(1000), dtype=dtype)
    for rows in ([0], [999], [5, 4, 3], [7, 7], np.random.default_rng(0).permutation(1000)):
        some = draw(kind, Noise(3), shape=(len(rows), 33), rows=rows, dtype=dtype)
        np.testing.assert_array_equal(some, together[rows])


@every_kind
@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_sample_is_the_same_for_any_number_of_samples(kind, k):
    seven = draw(kind, Noise(3), shape=(7 * 7, 10)).reshape(7, 7, 10)
    fewer = draw(kind, Noise(3), shape=(7 * k, 10)).reshape(7, k, 10)
    np.testing.assert_array_equal(fewer, seven[:, :k])


@every_kind
@pytest.mark.parametrize(("first", "stop"), [(0, 3), (2, 7), (6, 7)])
def test_later_samples_are_those_of_a_row_that_has_all_of_them(kind, first, stop):
    seven = draw(kind, Noise(3), shape=(7 * 7, 10)).reshape(7, 7, 10)
    later = draw(kind, Noise(3).from_sample(first), shape=(7 * (stop - first), 10)).reshape(7, stop - first, 10)
    np.testing.assert_array_equal(later, seven[:, first:stop])


def test_masks_of_later_samples():
    whole, later = (noise.at(np.arange(3)) for noise in (Noise(3), Noise(3).from_sample(4)))
    masks = whole.keep(0, (3 * 6, 50), 0.5).reshape(3, 6, 50)
    np.testing.assert_array_equal(later.keep(0, (3 * 2, 50), 0.5).reshape(3, 2, 50), masks[:, 4:])


@every_kind
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5, 9])
def test_a_column_is_the_same_for_any_number_of_columns(kind, columns):
    np.testing.assert_array_equal(draw(kind, Noise(3), shape=(7, columns)), draw(kind, Noise(3))[:, :columns])


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_everything_that_names_a_number_changes_it(kind):
    rows = np.arange(7) + 1
    others = {
        "seed": draw(kind, Noise(1)),
        "a seed of more than 64 bits": draw(kind, Noise(2**64)),
        "step": draw(kind, Noise(0, step=1)),
        "name": draw(kind, Noise(0), "x"),
        "row": draw(kind, Noise(0), rows=rows),
        "sample": draw(kind, Noise(0), shape=(14, 10))[1::2],
        "column": draw(kind, Noise(0), shape=(7, 11))[:, 1:],
    }
    for what, other in others.items():
        assert not np.any(other == draw(kind, Noise(0))), what


@every_kind
def test_out_is_filled_and_returned(kind):
    noise, right = Noise(3), draw(kind, Noise(3))
    out = np.full((7, 10), np.nan, dtype=np.float32)
    if kind == "bernoulli":
        probability = np.broadcast_to(np.linspace(0.3, 0.7, 64, dtype=np.float32)[:10], (7, 10))
        assert noise.bernoulli("z", probability, ROWS, out=out) is out
    else:
        assert getattr(noise, kind)("z", (7, 10), ROWS, out=out) is out
    np.testing.assert_array_equal(out, right)


def test_the_order_of_rows_is_a_permutation_and_its_windows_are_parts_of_it():
    whole = Noise(5, step=3).permutation("order", 1001)
    np.testing.assert_array_equal(np.sort(whole), np.arange(1001))
    for start, stop in ((0, 128), (128, 256), (1000, 1001), (7, 7)):
        np.testing.assert_array_equal(Noise(5, step=3).permutation("order", 1001, start, stop), whole[start:stop])


def test_no_global_random_state_is_read_or_changed():
    X = np.random.default_rng(0).random((50, 12), dtype=np.float32)

    def everything():
        model = pyvae.VAE.mlp(12, latent_dim=2, hidden=(8,), seed=1)
        pyvae.train(model, X, epochs=1, batch_size=20, validation_fraction=0.2, progress=False)
        return model.parameters.values, model.elbo(X), model.sample(3, mean=False)

    np.random.seed(1)
    random.seed(1)
    states = np.random.get_state(), random.getstate()
    first = everything()
    for before, after in zip(states[0], np.random.get_state(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert states[1] == random.getstate()
    np.random.seed(2)
    for a, b in zip(first, everything(), strict=True):
        np.testing.assert_array_equal(a, b)


# --- Two float types -------------------------------------------------------------------------------------------------


def test_normals_in_float32_are_those_in_float64_to_a_few_ulp():
    shape, rows = (50_000, 20), np.arange(50_000)
    single = Noise(0).normal("z", shape, rows)
    double = Noise(0).normal("z", shape, rows, np.float64)
    ulps = np.abs(single - double) / np.spacing(np.abs(double).astype(np.float32))
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert ulps.max() <= 6


def test_uniforms_are_equal_in_both_types_and_lie_inside_the_open_interval():
    """The middles of 2^23 cells: odd multiples of 2^-24, which are neither 0 nor 1."""
    shape, rows = (50_000, 20), np.arange(50_000)
    single = Noise(0).uniform("z", shape, rows)
    double = Noise(0).uniform("z", shape, rows, np.float64)
    np.testing.assert_array_equal(single, double)
    assert 0 < single.min() < 1e-5 and 1 - 1e-5 < single.max() < 1
    assert np.all(double * 2**24 % 2 == 1)


@both_dtypes
def test_the_lowest_and_the_highest_uniform_number(dtype):
    """Words of 23 zeros and of 23 ones, found by searching: the middles of the first and of the last cell."""
    low, high = Noise(0, step=1).uniform("z", (2, 4), [949440, 271294], dtype)
    assert low[0] == 2.0**-24 and high[1] == 1 - 2.0**-24


@both_dtypes
def test_bernoulli_draws_compare_the_uniform_number_with_the_probability(dtype):
    u = Noise(4).uniform("x", (7, 10), ROWS, dtype)
    probability = np.full((7, 10), 0.4, dtype)
    np.testing.assert_array_equal(Noise(4).bernoulli("x", probability, ROWS), u < probability)
    np.testing.assert_array_equal(Noise(4).bernoulli("x", u, ROWS), 0)  # below, not at


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda a: a[::-1, ::-1].copy()[::-1, ::-1]])
def test_draws_do_not_depend_on_the_layout_of_probabilities(layout):
    logits = np.random.default_rng(0).standard_normal((7, 10), dtype=np.float32)
    right = pyvae.Bernoulli(10).draw(logits, Noise(4))
    np.testing.assert_array_equal(pyvae.Bernoulli(10).draw(layout(logits), Noise(4)), right)
    probability = pyvae.Bernoulli(10).mean(logits)
    np.testing.assert_array_equal(Noise(4).bernoulli("x", layout(probability), ROWS), right)


# --- Distributions ---------------------------------------------------------------------------------------------------

N, COLUMNS = 20_000, 20


def many(kind, seed=0, step=0, name="z", dtype=np.float32, first_row=0):
    rows = np.arange(first_row, first_row + N)
    return getattr(Noise(seed, step), kind)(name, (N, COLUMNS), rows, dtype).astype(np.float64)


@pytest.mark.parametrize("name", STREAMS)
def test_normals_are_normal(name):
    x = many("normal", seed=1, name=name).ravel()
    assert stats.kstest(x, "norm").pvalue > 1e-3


@pytest.mark.parametrize("name", STREAMS)
def test_uniforms_are_uniform(name):
    u = many("uniform", seed=1, name=name).ravel()
    assert stats.kstest(u, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("column", range(5))
def test_every_column_is_normal(column):
    """Cosine and sine, of the first and of the second pair of words, and of the next block."""
    assert stats.kstest(many("normal", seed=2)[:, column], "norm").pvalue > 1e-3


def test_moments_of_normals():
    x = many("normal", seed=3).ravel()
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (5, 0, 945), (6, 15, 10170)):
        assert abs(np.mean(x**power) - mean) < 4 * np.sqrt(variance / x.size)


@pytest.mark.parametrize("limit", [2, 3, 4])
def test_tails_of_normals(limit):
    x = many("normal", seed=3).ravel()
    for beyond in (x > limit, x < -limit):
        assert stats.binomtest(int(beyond.sum()), x.size, stats.norm.sf(limit)).pvalue > 1e-3
    assert np.abs(x).max() <= 6.77  # sqrt(2 log 2^33)


def test_far_tails_of_normals():
    """Of 20 million, 54,000 lie beyond 3, 1267 beyond 4 and 11.5 beyond 5; of a radius from 16 bits, none would."""
    limits, counts = np.array([3, 4, 5]), np.zeros(3, int)
    for step in range(10):
        x = np.abs(Noise(0, step).normal("z", (100_000, 20), np.arange(100_000)))
        counts += [np.count_nonzero(x > limit) for limit in limits]
    for limit, count in zip(limits, counts.tolist(), strict=True):
        assert stats.binomtest(count, 20_000_000, 2 * stats.norm.sf(limit)).pvalue > 1e-3, limit


def test_every_bit_of_a_uniform_is_a_fair_coin():
    cells = (many("uniform", seed=4).ravel() * 2**23).astype(np.int64)
    for bit in range(23):
        ones = int(np.sum(cells >> bit & 1))
        assert stats.binomtest(ones, cells.size).pvalue > 1e-4, bit


PAIRS = {
    "streams": lambda: (many("normal", name="z"), many("normal", name="prior")),
    "steps": lambda: (many("normal", step=7), many("normal", step=8)),
    "seeds": lambda: (many("normal", seed=7), many("normal", seed=8)),
    "rows": lambda: (many("normal"), many("normal", first_row=1)),
    "rows 128 apart": lambda: (many("normal"), many("normal", first_row=128)),
    "rows 2^16 apart": lambda: (many("normal"), many("normal", first_row=2**16)),
    "steps of an epoch apart": lambda: (many("normal", step=7), many("normal", step=476)),
    "columns": lambda: (many("normal")[:, :-1], many("normal")[:, 1:]),
    "columns two apart": lambda: (many("normal")[:, :-2], many("normal")[:, 2:]),
    "columns a register apart": lambda: (many("normal")[:, :-16], many("normal")[:, 16:]),
    "columns a block apart": lambda: (many("normal")[:, :-4], many("normal")[:, 4:]),
    "a row's number and its step": lambda: (many("normal", step=1), many("normal", first_row=1)),
    "samples": lambda: tuple(
        Noise(0).normal("z", (2 * N, 5), np.arange(N), np.float64).reshape(N, 2, 5).transpose(1, 0, 2)
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_neighbours_are_not_correlated(pair):
    """Neither the numbers nor their squares, which a radius that two numbers share would tie."""
    a, b = (x.ravel() for x in PAIRS[pair]())
    for f in (lambda x: x, np.square):
        assert abs(np.corrcoef(f(a), f(b))[0, 1]) < 4 / np.sqrt(a.size)


def test_no_two_streams_are_correlated():
    """All 28 pairs, the same places of each; streams that share a key would be the same numbers."""
    correlations = np.corrcoef([many("normal", seed=5, name=name).ravel() for name in STREAMS])
    off_diagonal = correlations[~np.eye(len(STREAMS), dtype=bool)]
    assert np.abs(off_diagonal).max() < 4.5 / np.sqrt(N * COLUMNS)


@pytest.mark.parametrize("p", [0.0, 1e-3, 0.1, 0.5, 0.9, 1.0])
@both_dtypes
def test_bernoulli_draws_have_their_mean(p, dtype):
    x = Noise(6).bernoulli("x", np.full((N, 10), p, dtype), np.arange(N))
    assert set(np.unique(x)) <= {0, 1}
    assert stats.binomtest(int(x.sum()), x.size, p).pvalue > 1e-3


def test_orders_of_rows_are_equally_likely():
    """All 24 orders of four rows over 2400 epochs, and the place of one row among 100 over as many."""
    counts = {}
    for epoch in range(2400):
        order = tuple(Noise(0, step=epoch).permutation("order", 4).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3
    first = [int(Noise(0, step=epoch).permutation("order", 100, 0, 1)[0]) for epoch in range(2400)]
    assert stats.chisquare(np.bincount(first, minlength=100)).pvalue > 1e-3


@pytest.mark.parametrize("n", [16, 23])
def test_every_row_is_as_likely_at_every_place(n):
    """The table of places and rows over 500 epochs, with cycle walking (23 of 64) and without. Its rows and columns
    have equal sums: (n - 1) / n of Pearson's statistic is chi-square with (n - 1)^2 degrees of freedom. A Feistel
    network of two rounds in place of six fails for 23."""
    table = np.zeros((n, n))
    for epoch in range(500):
        table[np.arange(n), Noise(2, step=epoch).permutation("order", n)] += 1
    statistic = np.sum((table - 500 / n) ** 2) / (500 / n) * (n - 1) / n
    assert 1e-3 < stats.chi2.sf(statistic, (n - 1) ** 2) < 1 - 1e-3


@pytest.mark.parametrize("lag", [1, 2, 7])
def test_steps_from_place_to_place_are_equally_likely(lag):
    """pi(i + lag) - pi(i) modulo n, over 300 epochs."""
    n, differences = 101, []
    for epoch in range(300):
        order = Noise(3, step=epoch).permutation("order", n)
        differences.append((order[lag:] - order[:-lag]) % n)
    counts = np.bincount(np.concatenate(differences), minlength=n)
    assert counts[0] == 0 and stats.chisquare(counts[1:]).pvalue > 1e-3


def test_neighbouring_places_hold_unrelated_rows():
    order = Noise(0).permutation("order", 20_000)
    for lag in (1, 2, 128):
        assert abs(np.corrcoef(order[:-lag], order[lag:])[0, 1]) < 4 / np.sqrt(len(order))
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 4 / np.sqrt(len(order))


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-1, 2**32, 2**40])
def test_steps_beyond_the_counter(step):
    with pytest.raises(OverflowError, match="step must lie in"):
        Noise(0, step)


@every_kind
@pytest.mark.parametrize("rows", [[-1], [2**32]])
def test_rows_beyond_the_counter(kind, rows):
    with pytest.raises(OverflowError, match="rows must lie in"):
        draw(kind, Noise(0), shape=(1, 4), rows=rows)


@every_kind
def test_the_last_step_and_row_of_the_counter(kind):
    last = 2**32 - 1
    assert np.all(np.isfinite(draw(kind, Noise(0, last), shape=(1, 4), rows=[last])))


@pytest.mark.parametrize("seed", [-1, 1.0, 1.5, "1", None, True, np.float64(1), [1]])
def test_seeds_that_are_no_whole_numbers(seed):
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        Noise(seed)


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3)])
def test_a_seed_may_be_a_whole_number_of_numpy(seed):
    np.testing.assert_array_equal(draw("normal", Noise(seed)), draw("normal", Noise(3)))


@every_kind
def test_unknown_streams(kind):
    with pytest.raises(ValueError, match="no noise is called 'mask'; the names are z, weights"):
        draw(kind, Noise(0), name="mask")


# --- Masks of dropout layers ------------------------------------------------------------------------------------------


def test_masks_keep_the_expected_value():
    mask = Noise(0).at(np.arange(2000)).keep(0, (2000, 100), 0.3, np.float64)
    np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.7])
    assert abs(np.mean(mask == 0) - 0.3) < 5 * np.sqrt(0.3 * 0.7 / mask.size)


def test_a_rows_mask_is_its_own_whatever_rows_stand_beside_it():
    rows = np.array([5, 0, 17])
    some, all_rows = (Noise(3, 4).at(r).keep(1, (len(r), 20), 0.5) for r in (rows, np.arange(20)))
    np.testing.assert_array_equal(some, all_rows[rows])


def test_every_layer_seed_and_step_has_masks_of_its_own():
    rows, shape = np.arange(50), (50, 50)
    masks = [Noise(*key).at(rows).keep(number, shape, 0.5) for key in ((0, 0), (0, 1), (1, 0)) for number in (0, 1)]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert 0.4 < np.mean(mask == other) < 0.6


def test_a_mask_belongs_to_rows():
    with pytest.raises(ValueError, match="a dropout mask belongs to rows"):
        Noise(0).keep(0, (3, 4), 0.5)


# --- Frozen noise ----------------------------------------------------------------------------------------------------


def test_frozen_noise_returns_what_it_was_given():
    eps = np.random.default_rng(0).standard_normal((6, 2))
    np.testing.assert_array_equal(Noise.frozen(z=eps).normal("z", (6, 2), np.arange(3), np.float64), eps)
    single = Noise.frozen(z=eps).normal("z", (6, 2), np.arange(3))
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, eps.astype(np.float32))


def test_frozen_masks():
    mask = np.random.default_rng(0).random((6, 2))
    np.testing.assert_array_equal(Noise.frozen(dropout1=mask).at([1]).keep(1, (6, 2), 0.5, np.float64), mask)
    again = [Noise.frozen(z=mask).keep(0, (6, 2), 0.5) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_frozen_noise_has_nothing_else():
    noise = Noise.frozen(z=np.zeros((6, 2)))
    with pytest.raises(KeyError, match="holds z, not 'prior'"):
        noise.normal("prior", (6, 2), np.arange(3))
    with pytest.raises(ValueError, match=r"'z' must have the shape \(3, 2\), not \(6, 2\)"):
        noise.normal("z", (3, 2), np.arange(3))


def test_noise_from_a_row_on_is_that_of_the_rows_after_it():
    noise, rows = pyvae.Noise(3, step=2).part(1), np.arange(5)
    for draw in (lambda noise, rows: noise.normal("x", (len(rows), 3), rows),
                 lambda noise, rows: noise.uniform("x", (len(rows), 3), rows),
                 lambda noise, rows: noise.bernoulli("x", np.full((len(rows), 3), 0.5), rows)):  # fmt: skip
        np.testing.assert_array_equal(draw(noise.from_row(7), rows), draw(noise, rows + 7))
        np.testing.assert_array_equal(draw(noise.from_row(7).part(2), rows), draw(noise.part(2), rows + 7))
